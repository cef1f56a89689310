/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_DATASET_SCENE_H
#define AO_DATASET_SCENE_H

#include <stdbool.h>
#include <stdint.h>

/**
 * Synthetic clips with ground truth: a textured object moves in one of ten ways, among
 * distractors, over a drifting textured background. The motion is the clip's class; where
 * the object is in every frame is known exactly.
 */

/** Classes in label order: what the target does. `none` means that there is no target. */
enum ao_motion {
    AO_MOTION_LEFT,
    AO_MOTION_RIGHT,
    AO_MOTION_UP,
    AO_MOTION_DOWN,
    AO_MOTION_CLOCKWISE,
    AO_MOTION_COUNTERCLOCKWISE,
    AO_MOTION_ZOOM_IN,
    AO_MOTION_ZOOM_OUT,
    AO_MOTION_SHAKE,
    AO_MOTION_STILL,
    AO_MOTION_NONE,
    AO_N_MOTIONS
};

/** How much is on the picture besides the target; each level adds to the one before. */
enum ao_scene_level {
    AO_SCENE_FLAT,            /* one colour and grain */
    AO_SCENE_TEXTURED,        /* drifting sinusoids */
    AO_SCENE_ONE_DISTRACTOR,  /* a plain or striped square with a motion of its own */
    AO_SCENE_TWO_DISTRACTORS, /* two of them */
    AO_SCENE_N_LEVELS
};

#define AO_SCENE_MIN_SIZE 16
#define AO_SCENE_MAX_SIZE 4096
#define AO_SCENE_MAX_FRAMES 65536

/** Everything a clip depends on. */
struct ao_scene_spec {
    int32_t size;     /* H = W = S, pixels, AO_SCENE_MIN_SIZE .. AO_SCENE_MAX_SIZE */
    int32_t n_frames; /* T, 1 .. AO_SCENE_MAX_FRAMES; a motion always spans the whole clip */
    uint64_t seed;
    enum ao_motion motion;
    enum ao_scene_level level;
};

/** Pixels [x0, x1) x [y0, y1); all four are 0 when there is no target. */
struct ao_scene_box {
    int32_t x0, y0, x1, y1;
};

/** A size-112, 16-frame, level-3 clip, what the bundled network was trained on. */
void ao_scene_spec_init(struct ao_scene_spec *spec, enum ao_motion motion, uint64_t seed);

/** The class label, e.g. "zoom_in"; NULL when `motion` is not a class. */
const char *ao_motion_name(enum ao_motion motion);

/** Finds the class of a label. Returns false, and leaves `motion` alone, for an unknown one. */
bool ao_motion_parse(const char *name, enum ao_motion *motion);

/**
 * Renders a clip and its ground truth.
 *
 * The same spec gives the same bytes (same build). One seed means one layout: geometry is drawn
 * in fractions of S and of the clip's length, and target, distractors, background and grain have
 * a random stream each, so another size, frame count or level shows the same target again.
 *
 * The target is drawn last and lies inside the frame throughout: nothing ever hides it. A pixel
 * belongs to it when at least half of the pixel is covered. Edges are anti-aliased.
 * Nothing is allocated.
 *
 * @param spec   Borrowed.
 * @param rgb    Caller's buffer [T][H][W][3].
 * @param mask   Caller's buffer [T][H][W], 1 on the target and 0 elsewhere; or NULL.
 * @param boxes  Caller's buffer [T], tight bounds of the target's pixels; or NULL.
 * @return false, and nothing written, if a field of the spec is out of range.
 *
 * Thread class: any.
 */
bool ao_scene_render(const struct ao_scene_spec *spec, uint8_t *rgb, uint8_t *mask,
                     struct ao_scene_box *boxes);

#endif
