/* SPDX-License-Identifier: Apache-2.0 */
#include "dataset/scene.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "core/rng.h"
#include "dataset/scene_paint.h"

#define N_DISTRACTORS_MAX 2

static const double grain_sigma = 0.02; /* fixed over the clip, part of the background */
static const double noise_sigma = 0.01; /* fresh in every frame, over everything */

/* A clip's layout, drawn once; frames follow from it without further choices but noise. */
struct scene {
    int32_t size, n_frames;
    struct ao_background background;
    struct ao_sprite target;
    bool has_target;
    int n_distractors;
    struct ao_sprite distractors[N_DISTRACTORS_MAX];
    struct ao_rng grain, noise;
};

/* Where the objects are in one frame. */
struct poses {
    struct ao_pose target;
    struct ao_pose distractors[N_DISTRACTORS_MAX];
};

static const char *const motion_names[AO_N_MOTIONS] = {
    [AO_MOTION_LEFT] = "left",
    [AO_MOTION_RIGHT] = "right",
    [AO_MOTION_UP] = "up",
    [AO_MOTION_DOWN] = "down",
    [AO_MOTION_CLOCKWISE] = "clockwise",
    [AO_MOTION_COUNTERCLOCKWISE] = "counterclockwise",
    [AO_MOTION_ZOOM_IN] = "zoom_in",
    [AO_MOTION_ZOOM_OUT] = "zoom_out",
    [AO_MOTION_SHAKE] = "shake",
    [AO_MOTION_STILL] = "still",
    [AO_MOTION_NONE] = "none",
};

void ao_scene_spec_init(struct ao_scene_spec *spec, enum ao_motion motion, uint64_t seed)
{
    *spec = (struct ao_scene_spec){
        .size = 112,
        .n_frames = 16,
        .seed = seed,
        .motion = motion,
        .level = AO_SCENE_TWO_DISTRACTORS,
    };
}

/* Enumerations may be signed or not; through int64_t both ends can be checked without a warning. */
static bool is_within(int64_t value, int64_t lo, int64_t hi)
{
    return lo <= value && value <= hi;
}

const char *ao_motion_name(enum ao_motion motion)
{
    return is_within((int64_t)motion, 0, AO_N_MOTIONS - 1) ? motion_names[motion] : NULL;
}

bool ao_motion_parse(const char *name, enum ao_motion *motion)
{
    for (int i = 0; i < AO_N_MOTIONS; i++) {
        if (strcmp(name, motion_names[i]) == 0) {
            *motion = (enum ao_motion)i;
            return true;
        }
    }
    return false;
}

static bool spec_is_valid(const struct ao_scene_spec *spec)
{
    return is_within(spec->size, AO_SCENE_MIN_SIZE, AO_SCENE_MAX_SIZE) &&
           is_within(spec->n_frames, 1, AO_SCENE_MAX_FRAMES) &&
           is_within((int64_t)spec->motion, 0, AO_N_MOTIONS - 1) &&
           is_within((int64_t)spec->level, 0, AO_SCENE_N_LEVELS - 1);
}

/* A stream of its own, so that what one part of the scene draws never shifts another part. */
static struct ao_rng stream_fork(struct ao_rng *root)
{
    struct ao_rng stream;
    ao_rng_init(&stream, ao_rng_next(root));
    return stream;
}

static int n_distractors(enum ao_scene_level level)
{
    return level >= AO_SCENE_ONE_DISTRACTOR ? (int)level - AO_SCENE_TEXTURED : 0;
}

static void scene_draw(struct scene *scene, const struct ao_scene_spec *spec)
{
    struct ao_rng root;
    ao_rng_init(&root, spec->seed);
    struct ao_rng background = stream_fork(&root);
    struct ao_rng target = stream_fork(&root);
    struct ao_rng distractors = stream_fork(&root);
    scene->grain = stream_fork(&root);
    scene->noise = stream_fork(&root);

    scene->size = spec->size;
    scene->n_frames = spec->n_frames;
    scene->has_target = spec->motion != AO_MOTION_NONE;
    scene->n_distractors = n_distractors(spec->level);
    ao_background_draw(&scene->background, spec->level >= AO_SCENE_TEXTURED, &background);
    ao_sprite_draw_target(&scene->target, spec->motion, &target);
    for (int i = 0; i < scene->n_distractors; i++)
        ao_sprite_draw_distractor(&scene->distractors[i], &distractors);
}

static void poses_at(struct poses *poses, const struct scene *scene, int32_t t)
{
    poses->target = ao_path_pose(&scene->target.path, t, scene->n_frames);
    for (int i = 0; i < scene->n_distractors; i++)
        poses->distractors[i] = ao_path_pose(&scene->distractors[i].path, t, scene->n_frames);
}

/*
 * Nearly normal noise, variance 1, for the price of one draw: the sum of the word's four 16-bit
 * parts (Irwin-Hall). Each part has variance (2^32 - 1)/12, and tails beyond 3.5 sigma are
 * missing, which eight-bit pixels cannot show at these amplitudes.
 */
static double cheap_normal(struct ao_rng *rng)
{
    const uint64_t bits = ao_rng_next(rng);
    const uint64_t sum =
        (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48);
    const double mean = 2.0 * 65535.0;
    const double sigma = 37837.227; /* sqrt(4 (2^32 - 1) / 12) */
    return ((double)sum - mean) / sigma;
}

static void add_noise(double colour[3], double sigma, struct ao_rng *rng)
{
    for (int c = 0; c < 3; c++)
        colour[c] += sigma * cheap_normal(rng);
}

static void store_pixel(uint8_t rgb[3], const double colour[3])
{
    for (int c = 0; c < 3; c++)
        rgb[c] = (uint8_t)lrint(255.0 * fmin(1.0, fmax(0.0, colour[c])));
}

/* Paints the objects, target on top; returns whether the pixel belongs to the target. */
static bool paint_objects(const struct scene *scene, const struct poses *poses, int32_t y,
                          int32_t x, double colour[3])
{
    const double pixel = 1.0 / (double)scene->size;
    const double px = ((double)x + 0.5) * pixel;
    const double py = ((double)y + 0.5) * pixel;
    for (int i = 0; i < scene->n_distractors; i++)
        ao_sprite_paint(&scene->distractors[i], &poses->distractors[i], px, py, pixel, colour);
    return scene->has_target &&
           ao_sprite_paint(&scene->target, &poses->target, px, py, pixel, colour) >= 0.5;
}

static void box_include(struct ao_scene_box *box, int32_t y, int32_t x)
{
    if (box->x1 == 0) { /* still empty */
        *box = (struct ao_scene_box){ x, y, x + 1, y + 1 };
        return;
    }
    box->x0 = x < box->x0 ? x : box->x0;
    box->x1 = x >= box->x1 ? x + 1 : box->x1;
    box->y1 = y + 1; /* rows come from the top, so y0 is right from the start */
}

/* One frame: rgb is [H][W][3], mask is [H][W] or NULL. Returns the target's tight bounds. */
static struct ao_scene_box render_frame(struct scene *scene, int32_t t, uint8_t *rgb, uint8_t *mask)
{
    const double u = ao_clip_phase(t, scene->n_frames);
    struct poses poses;
    poses_at(&poses, scene, t);
    /* A copy rewinds the stream: every frame sees the same grain without it being stored. */
    struct ao_rng grain = scene->grain;
    struct ao_scene_box box = { 0, 0, 0, 0 };
    size_t i = 0;
    for (int32_t y = 0; y < scene->size; y++) {
        struct ao_background_row row;
        ao_background_begin_row(&row, &scene->background, y, scene->size, u);
        for (int32_t x = 0; x < scene->size; x++, i++) {
            double colour[3];
            ao_background_next(&row, colour);
            add_noise(colour, grain_sigma, &grain);
            const bool on_target = paint_objects(scene, &poses, y, x, colour);
            add_noise(colour, noise_sigma, &scene->noise);
            store_pixel(&rgb[3 * i], colour);
            if (mask)
                mask[i] = on_target;
            if (on_target)
                box_include(&box, y, x);
        }
    }
    return box;
}

bool ao_scene_render(const struct ao_scene_spec *spec, uint8_t *rgb, uint8_t *mask,
                     struct ao_scene_box *boxes)
{
    if (!spec_is_valid(spec))
        return false;
    struct scene scene;
    scene_draw(&scene, spec);
    const size_t n_pixels = (size_t)spec->size * (size_t)spec->size;
    for (int32_t t = 0; t < spec->n_frames; t++) {
        const size_t at = (size_t)t * n_pixels;
        const struct ao_scene_box box =
            render_frame(&scene, t, &rgb[3 * at], mask ? &mask[at] : NULL);
        if (boxes)
            boxes[t] = box;
    }
    return true;
}
