/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "dataset/scene.h"

#define PI 3.141592653589793238463
#define N_SEEDS 4 /* scenes per class and level in the tests of geometry */

/* A rendered clip with its truth. */
struct clip {
    struct ao_scene_spec spec;
    uint8_t *rgb;  /* [T][H][W][3] */
    uint8_t *mask; /* [T][H][W] */
    struct ao_scene_box *boxes;
};

static size_t frame_pixels(const struct clip *clip)
{
    return (size_t)clip->spec.size * (size_t)clip->spec.size;
}

static size_t clip_pixels(const struct clip *clip)
{
    return (size_t)clip->spec.n_frames * frame_pixels(clip);
}

static void clip_render(struct clip *clip, const struct ao_scene_spec *spec)
{
    clip->spec = *spec;
    clip->rgb = malloc(3 * clip_pixels(clip));
    clip->mask = malloc(clip_pixels(clip));
    clip->boxes = malloc((size_t)spec->n_frames * sizeof *clip->boxes);
    assert_non_null(clip->rgb);
    assert_non_null(clip->mask);
    assert_non_null(clip->boxes);
    assert_true(ao_scene_render(spec, clip->rgb, clip->mask, clip->boxes));
}

static void clip_free(struct clip *clip)
{
    free(clip->rgb);
    free(clip->mask);
    free(clip->boxes);
}

/* A small scene: the geometry is the same at every size, and tests stay fast. */
static struct ao_scene_spec small_spec(enum ao_motion motion, int level, uint64_t seed)
{
    struct ao_scene_spec spec;
    ao_scene_spec_init(&spec, motion, seed);
    spec.size = 64;
    spec.level = (enum ao_scene_level)level;
    return spec;
}

/* Area, in pixels, and centroid, in fractions of the side, of the target in one frame. */
struct moments {
    double area, x, y;
};

static struct moments mask_moments(const struct clip *clip, int32_t t)
{
    const int32_t S = clip->spec.size;
    const uint8_t *mask = &clip->mask[(size_t)t * frame_pixels(clip)];
    struct moments m = { 0.0, 0.0, 0.0 };
    for (int32_t y = 0; y < S; y++) {
        for (int32_t x = 0; x < S; x++) {
            if (*mask++) {
                m.area += 1.0;
                m.x += x + 0.5;
                m.y += y + 0.5;
            }
        }
    }
    assert_true(m.area > 0.0);
    m.x /= m.area * S;
    m.y /= m.area * S;
    return m;
}

/* The definition of the box, written independently of the renderer: bounds by exhaustion. */
static struct ao_scene_box mask_bounds(const struct clip *clip, int32_t t)
{
    const int32_t S = clip->spec.size;
    const uint8_t *mask = &clip->mask[(size_t)t * frame_pixels(clip)];
    struct ao_scene_box box = { S, S, 0, 0 };
    for (int32_t i = 0; i < S * S; i++) {
        if (!mask[i])
            continue;
        box.x0 = i % S < box.x0 ? i % S : box.x0;
        box.y0 = i / S < box.y0 ? i / S : box.y0;
        box.x1 = i % S + 1 > box.x1 ? i % S + 1 : box.x1;
        box.y1 = i / S + 1 > box.y1 ? i / S + 1 : box.y1;
    }
    return box.x1 ? box : (struct ao_scene_box){ 0, 0, 0, 0 };
}

static void assert_box_equal(struct ao_scene_box a, struct ao_scene_box b)
{
    assert_int_equal(a.x0, b.x0);
    assert_int_equal(a.y0, b.y0);
    assert_int_equal(a.x1, b.x1);
    assert_int_equal(a.y1, b.y1);
}

/* Calls check on N_SEEDS scenes of a class at each level. */
static void for_each_scene(enum ao_motion motion, void (*check)(const struct clip *))
{
    for (int level = 0; level < AO_SCENE_N_LEVELS; level++) {
        for (uint64_t seed = 0; seed < N_SEEDS; seed++) {
            const struct ao_scene_spec spec = small_spec(motion, level, 100 * seed + 17);
            struct clip clip;
            clip_render(&clip, &spec);
            check(&clip);
            clip_free(&clip);
        }
    }
}

static void same_spec_gives_same_bytes(void **state)
{
    (void)state;
    for (int level = 0; level < AO_SCENE_N_LEVELS; level++) {
        const struct ao_scene_spec spec = small_spec(AO_MOTION_CLOCKWISE, level, 5);
        struct clip a, b;
        clip_render(&a, &spec);
        clip_render(&b, &spec);
        assert_memory_equal(a.rgb, b.rgb, 3 * clip_pixels(&a));
        assert_memory_equal(a.mask, b.mask, clip_pixels(&a));
        clip_free(&a);
        clip_free(&b);
    }
}

static void other_seed_gives_other_clip(void **state)
{
    (void)state;
    const struct ao_scene_spec spec_a = small_spec(AO_MOTION_LEFT, 3, 5);
    const struct ao_scene_spec spec_b = small_spec(AO_MOTION_LEFT, 3, 6);
    struct clip a, b;
    clip_render(&a, &spec_a);
    clip_render(&b, &spec_b);
    assert_memory_not_equal(a.rgb, b.rgb, 3 * clip_pixels(&a));
    assert_memory_not_equal(a.mask, b.mask, clip_pixels(&a));
    clip_free(&a);
    clip_free(&b);
}

static void truth_is_optional(void **state)
{
    (void)state;
    const struct ao_scene_spec spec = small_spec(AO_MOTION_UP, 3, 9);
    struct clip clip;
    clip_render(&clip, &spec);
    uint8_t *rgb = malloc(3 * clip_pixels(&clip));
    assert_non_null(rgb);
    assert_true(ao_scene_render(&spec, rgb, NULL, NULL));
    assert_memory_equal(rgb, clip.rgb, 3 * clip_pixels(&clip));
    free(rgb);
    clip_free(&clip);
}

static void levels_share_the_target(void **state)
{
    (void)state;
    const struct ao_scene_spec flat = small_spec(AO_MOTION_ZOOM_IN, AO_SCENE_FLAT, 11);
    const struct ao_scene_spec busy = small_spec(AO_MOTION_ZOOM_IN, AO_SCENE_TWO_DISTRACTORS, 11);
    struct clip a, b;
    clip_render(&a, &flat);
    clip_render(&b, &busy);
    assert_memory_equal(a.mask, b.mask, clip_pixels(&a));
    assert_memory_not_equal(a.rgb, b.rgb, 3 * clip_pixels(&a));
    clip_free(&a);
    clip_free(&b);
}

static void sizes_share_the_layout(void **state)
{
    (void)state;
    struct ao_scene_spec spec = small_spec(AO_MOTION_DOWN, 3, 23);
    struct clip small, large;
    clip_render(&small, &spec);
    spec.size *= 2;
    clip_render(&large, &spec);
    for (int32_t t = 0; t < spec.n_frames; t++) {
        const struct moments a = mask_moments(&small, t);
        const struct moments b = mask_moments(&large, t);
        /* A pixel is on the target or not, hence a centroid is off by less than half a pixel. */
        assert_true(fabs(a.x - b.x) < 0.5 / small.spec.size);
        assert_true(fabs(a.y - b.y) < 0.5 / small.spec.size);
    }
    clip_free(&small);
    clip_free(&large);
}

static void check_box_is_tight(const struct clip *clip)
{
    for (int32_t t = 0; t < clip->spec.n_frames; t++)
        assert_box_equal(clip->boxes[t], mask_bounds(clip, t));
}

static void box_is_tight_around_the_mask(void **state)
{
    (void)state;
    for (int motion = 0; motion < AO_N_MOTIONS; motion++)
        for_each_scene((enum ao_motion)motion, check_box_is_tight);
}

/*
 * The whole target is inside the frame: no area is cut off at an edge. A disc of radius r with
 * lobes of depth w has area pi r^2 (1 + w^2/2), and its extent lies between 2r(1-w) and 2r(1+w).
 */
static void check_target_is_whole(const struct clip *clip)
{
    const double S = clip->spec.size;
    for (int32_t t = 0; t < clip->spec.n_frames; t++) {
        const struct ao_scene_box box = clip->boxes[t];
        const double area = mask_moments(clip, t).area;
        const double diameter = 2.0 * sqrt(area / PI);
        assert_true(diameter > 2.0 * 0.09 / sqrt(2.4) * S - 1.0);
        assert_true(diameter < 2.0 * 0.14 * sqrt(2.4) * (1.0 + 0.13) * S + 1.0);
        assert_true(box.x1 - box.x0 >= diameter * (1.0 - 0.14) - 1.0);
        assert_true(box.y1 - box.y0 >= diameter * (1.0 - 0.14) - 1.0);
    }
}

static void target_is_whole_in_every_frame(void **state)
{
    (void)state;
    for (int motion = 0; motion < AO_MOTION_NONE; motion++)
        for_each_scene((enum ao_motion)motion, check_target_is_whole);
}

/* All else has random streams of its own, so removing the target changes its pixels only. */
static void mask_is_where_the_target_is_drawn(void **state)
{
    (void)state;
    const struct ao_scene_spec with = small_spec(AO_MOTION_RIGHT, AO_SCENE_TWO_DISTRACTORS, 31);
    struct ao_scene_spec without = with;
    without.motion = AO_MOTION_NONE;
    struct clip a, b;
    clip_render(&a, &with);
    clip_render(&b, &without);
    size_t n_changed = 0, n_mask = 0;
    for (size_t i = 0; i < clip_pixels(&a); i++) {
        const bool changed = memcmp(&a.rgb[3 * i], &b.rgb[3 * i], 3) != 0;
        n_changed += changed;
        n_mask += a.mask[i];
        assert_true(changed || !a.mask[i]);
    }
    /* Beyond the mask only edge pixels change, those that are covered by less than half. */
    assert_true(n_changed - n_mask < n_mask / 2);
    clip_free(&a);
    clip_free(&b);
}

static void none_has_no_target(const struct clip *clip)
{
    for (size_t i = 0; i < clip_pixels(clip); i++)
        assert_int_equal(clip->mask[i], 0);
    for (int32_t t = 0; t < clip->spec.n_frames; t++)
        assert_box_equal(clip->boxes[t], (struct ao_scene_box){ 0, 0, 0, 0 });
}

static void none_has_empty_boxes(void **state)
{
    (void)state;
    for_each_scene(AO_MOTION_NONE, none_has_no_target);
}

/* How the target changes over a clip: displacement, growth, and the angle it turns through. */
struct change {
    double dx, dy, area_ratio;
    double turns;     /* about the mean position, clockwise on the screen is positive */
    double deviation; /* largest distance from the mean position */
};

static double angle_between(double x0, double y0, double x1, double y1)
{
    return atan2(x0 * y1 - y0 * x1, x0 * x1 + y0 * y1);
}

static struct change clip_change(const struct clip *clip)
{
    const int32_t T = clip->spec.n_frames;
    struct moments m[16] = { { 0.0, 0.0, 0.0 } };
    assert_in_range(T, 2, 16);
    double mean_x = 0.0, mean_y = 0.0;
    for (int32_t t = 0; t < T; t++) {
        m[t] = mask_moments(clip, t);
        mean_x += m[t].x / T;
        mean_y += m[t].y / T;
    }
    struct change change = { .dx = m[T - 1].x - m[0].x, .dy = m[T - 1].y - m[0].y };
    change.area_ratio = m[T - 1].area / m[0].area;
    for (int32_t t = 0; t < T; t++) {
        const double x = m[t].x - mean_x;
        const double y = m[t].y - mean_y;
        change.deviation = fmax(change.deviation, hypot(x, y));
        if (t > 0)
            change.turns += angle_between(m[t - 1].x - mean_x, m[t - 1].y - mean_y, x, y);
    }
    change.turns /= 2.0 * PI;
    return change;
}

/* Half a pixel of a 64-pixel frame: what quantising the mask can shift a centroid by. */
#define BLUR (0.5 / 64)

static void check_travel(const struct clip *clip, double along, double across)
{
    const struct change change = clip_change(clip);
    assert_true(along > 15 * 0.014 - 2 * BLUR);
    assert_true(along < 15 * 0.027 + 2 * BLUR);
    assert_true(fabs(across) <= 0.25 * along + 4 * BLUR);
    assert_true(fabs(log(change.area_ratio)) < log(1.15));
}

static void check_left(const struct clip *clip)
{
    const struct change change = clip_change(clip);
    check_travel(clip, -change.dx, change.dy);
}

static void check_right(const struct clip *clip)
{
    const struct change change = clip_change(clip);
    check_travel(clip, change.dx, change.dy);
}

static void check_up(const struct clip *clip)
{
    const struct change change = clip_change(clip);
    check_travel(clip, -change.dy, change.dx);
}

static void check_down(const struct clip *clip)
{
    const struct change change = clip_change(clip);
    check_travel(clip, change.dy, change.dx);
}

static void check_clockwise(const struct clip *clip)
{
    assert_true(clip_change(clip).turns > 0.5);
}

static void check_counterclockwise(const struct clip *clip)
{
    assert_true(clip_change(clip).turns < -0.5);
}

static void check_zoom_in(const struct clip *clip)
{
    const struct change change = clip_change(clip);
    assert_true(change.area_ratio > 1.7 * 1.7 * 0.8 && change.area_ratio < 2.4 * 2.4 * 1.2);
    assert_true(change.deviation < 2 * BLUR);
}

static void check_zoom_out(const struct clip *clip)
{
    const struct change change = clip_change(clip);
    assert_true(change.area_ratio < 1.0 / (1.7 * 1.7 * 0.8));
    assert_true(change.area_ratio > 1.0 / (2.4 * 2.4 * 1.2));
    assert_true(change.deviation < 2 * BLUR);
}

static void check_shake(const struct clip *clip)
{
    const struct change change = clip_change(clip);
    assert_true(change.deviation > 0.03 - BLUR && change.deviation < 0.05 + BLUR);
    for (int32_t t = 2; t < clip->spec.n_frames; t++)
        assert_box_equal(clip->boxes[t], clip->boxes[t - 2]);
}

static void check_still(const struct clip *clip)
{
    for (int32_t t = 1; t < clip->spec.n_frames; t++)
        assert_box_equal(clip->boxes[t], clip->boxes[0]);
}

static void target_moves_as_its_class_says(void **state)
{
    (void)state;
    for_each_scene(AO_MOTION_LEFT, check_left);
    for_each_scene(AO_MOTION_RIGHT, check_right);
    for_each_scene(AO_MOTION_UP, check_up);
    for_each_scene(AO_MOTION_DOWN, check_down);
    for_each_scene(AO_MOTION_CLOCKWISE, check_clockwise);
    for_each_scene(AO_MOTION_COUNTERCLOCKWISE, check_counterclockwise);
    for_each_scene(AO_MOTION_ZOOM_IN, check_zoom_in);
    for_each_scene(AO_MOTION_ZOOM_OUT, check_zoom_out);
    for_each_scene(AO_MOTION_SHAKE, check_shake);
    for_each_scene(AO_MOTION_STILL, check_still);
}

static void odd_sizes_and_lengths_work(void **state)
{
    (void)state;
    static const int32_t sizes[] = { AO_SCENE_MIN_SIZE, 33, 57 };
    static const int32_t lengths[] = { 1, 2, 7 };
    for (int motion = 0; motion < AO_N_MOTIONS; motion++) {
        for (size_t i = 0; i < 3; i++) {
            struct ao_scene_spec spec = small_spec((enum ao_motion)motion, 3, 1000 + i);
            spec.size = sizes[i];
            spec.n_frames = lengths[i];
            struct clip clip;
            clip_render(&clip, &spec);
            check_box_is_tight(&clip);
            clip_free(&clip);
        }
    }
}

static void invalid_spec_is_refused(void **state)
{
    (void)state;
    uint8_t untouched = 77;
    struct ao_scene_spec spec[6];
    for (size_t i = 0; i < 6; i++)
        spec[i] = small_spec(AO_MOTION_LEFT, 0, 1);
    spec[0].size = AO_SCENE_MIN_SIZE - 1;
    spec[1].size = AO_SCENE_MAX_SIZE + 1;
    spec[2].n_frames = 0;
    spec[3].n_frames = AO_SCENE_MAX_FRAMES + 1;
    spec[4].motion = AO_N_MOTIONS;
    spec[5].level = AO_SCENE_N_LEVELS;
    for (size_t i = 0; i < 6; i++)
        assert_false(ao_scene_render(&spec[i], &untouched, NULL, NULL));
    assert_int_equal(untouched, 77);
}

static void names_and_classes_match(void **state)
{
    (void)state;
    for (int i = 0; i < AO_N_MOTIONS; i++) {
        enum ao_motion motion;
        assert_true(ao_motion_parse(ao_motion_name((enum ao_motion)i), &motion));
        assert_int_equal(motion, i);
    }
    enum ao_motion motion = AO_MOTION_SHAKE;
    assert_false(ao_motion_parse("sideways", &motion));
    assert_int_equal(motion, AO_MOTION_SHAKE);
    assert_null(ao_motion_name(AO_N_MOTIONS));
}

static void rng_gives_the_published_sequence(void **state)
{
    (void)state;
    /* First outputs of Vigna's splitmix64.c for the state 1234567. */
    static const uint64_t want[] = { UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
                                     UINT64_C(9817491932198370423) };
    struct ao_rng rng;
    ao_rng_init(&rng, 1234567);
    for (size_t i = 0; i < 3; i++)
        assert_true(ao_rng_next(&rng) == want[i]);
}

static void rng_moments_are_right(void **state)
{
    (void)state;
    enum { N = 100000 };
    struct ao_rng rng;
    ao_rng_init(&rng, 3);
    double uniform_sum = 0.0, normal_sum = 0.0, normal_squares = 0.0;
    for (int i = 0; i < N; i++) {
        const double u = ao_rng_uniform(&rng);
        const double z = ao_rng_normal(&rng);
        assert_true(0.0 <= u && u < 1.0);
        uniform_sum += u;
        normal_sum += z;
        normal_squares += z * z;
    }
    /* Five standard errors: sqrt(1/12N), sqrt(1/N) and, as z^2 has variance 2, sqrt(2/N). */
    assert_true(fabs(uniform_sum / N - 0.5) < 5.0 * sqrt(1.0 / 12.0 / N));
    assert_true(fabs(normal_sum / N) < 5.0 * sqrt(1.0 / N));
    assert_true(fabs(normal_squares / N - 1.0) < 5.0 * sqrt(2.0 / N));
}

static void rng_below_is_uniform(void **state)
{
    (void)state;
    enum { N = 70000 };
    int count[7] = { 0 };
    struct ao_rng rng;
    ao_rng_init(&rng, 4);
    for (int i = 0; i < N; i++)
        count[ao_rng_below(&rng, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_true(abs(count[i] - N / 7) < 5.0 * sqrt(N * 6.0 / 49.0));
    assert_true(ao_rng_below(&rng, 0) == 0);
    assert_true(ao_rng_below(&rng, 1) == 0);
}

static void shuffle_gives_each_order_equally_often(void **state)
{
    (void)state;
    enum { N = 24000 };
    int count[64] = { 0 };
    struct ao_rng rng;
    ao_rng_init(&rng, 5);
    for (int i = 0; i < N; i++) {
        int32_t values[3] = { 0, 1, 2 };
        ao_rng_shuffle_i32(&rng, values, 3);
        count[values[0] * 16 + values[1] * 4 + values[2]]++;
    }
    int n_orders = 0;
    for (int i = 0; i < 64; i++) {
        if (count[i] == 0)
            continue;
        n_orders++;
        assert_true(abs(count[i] - N / 6) < 5.0 * sqrt(N * 5.0 / 36.0));
    }
    assert_int_equal(n_orders, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_spec_gives_same_bytes),
        cmocka_unit_test(other_seed_gives_other_clip),
        cmocka_unit_test(truth_is_optional),
        cmocka_unit_test(levels_share_the_target),
        cmocka_unit_test(sizes_share_the_layout),
        cmocka_unit_test(box_is_tight_around_the_mask),
        cmocka_unit_test(target_is_whole_in_every_frame),
        cmocka_unit_test(mask_is_where_the_target_is_drawn),
        cmocka_unit_test(none_has_empty_boxes),
        cmocka_unit_test(target_moves_as_its_class_says),
        cmocka_unit_test(odd_sizes_and_lengths_work),
        cmocka_unit_test(invalid_spec_is_refused),
        cmocka_unit_test(names_and_classes_match),
        cmocka_unit_test(rng_gives_the_published_sequence),
        cmocka_unit_test(rng_moments_are_right),
        cmocka_unit_test(rng_below_is_uniform),
        cmocka_unit_test(shuffle_gives_each_order_equally_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
