/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_DATASET_SCENE_MOTION_H
#define AO_DATASET_SCENE_MOTION_H

#include "core/rng.h"
#include "dataset/scene.h"

/** Where an object is in one frame. Lengths are fractions of the frame's side, y points down. */
struct ao_pose {
    double x, y;
    double scale; /* of the object's own radius */
};

/**
 * The motion of one object, as a sum of terms of which a class sets at most one:
 *
 *   position(t) = centre + travel (u - 1/2) + orbit (cos, sin)(phase + 2 pi turns u) + (-1)^t shake
 *   scale(t)    = exp(log_zoom (u - 1/2)),         u = t / (T - 1), from 0 to 1 over the clip.
 *
 * With y down, positive `turns` look clockwise. Scale has geometric mean 1 over the clip, so that
 * the average size says nothing about the direction of a zoom.
 */
struct ao_path {
    double centre[2];
    double travel[2];
    double shake[2];
    double orbit, phase, turns;
    double log_zoom;
};

/**
 * Draws a path of the given class on which an object never leaves the frame.
 *
 * @param reach  How far the object extends from its centre at scale 1, fraction of the side.
 */
void ao_path_draw(struct ao_path *path, enum ao_motion motion, double reach, struct ao_rng *rng);

/** Pose in frame t of a clip of n_frames. */
struct ao_pose ao_path_pose(const struct ao_path *path, int32_t t, int32_t n_frames);

/** Position of frame t in the clip: 0 in the first frame, 1 in the last, 0 in a single one. */
double ao_clip_phase(int32_t t, int32_t n_frames);

#endif
