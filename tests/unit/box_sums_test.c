/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "attribution/box_sums.h"
#include "attribution/fill.h"
#include "core/alloc.h"
#include "core/clock.h"
#include "mask/stacking.h"
#include "mask_fixture.h"

/* cmocka compares as float; these are doubles. */
#define assert_near(a, b, bound) assert_true(fabs((double)(a) - (double)(b)) <= (bound))

/* Integral images of random numbers in [-1, 1), which are also left in `volume`. */
static struct ao_box_sums random_sums(const struct aosa_mask_set *set, struct ao_rng *rng,
                                      double *volume)
{
    struct ao_box_sums sums;
    assert_int_equal(ao_box_sums_create(set->T, set->H, set->W, &sums), AOSA_OK);
    for (int t = 0; t < set->T; t++)
        for (int y = 0; y < set->H; y++)
            for (int x = 0; x < set->W; x++)
                ao_box_sums_row(&sums, t, y)[x] = *volume++ = ao_rng_range(rng, -1, 1);
    ao_box_sums_integrate(&sums);
    return sums;
}

/*
 * Every entry of an integral image of n pixels below 1 in size errs by at most n roundings of sums
 * below n; four of them make a box.
 */
static double bound(const struct aosa_mask_set *set, size_t n_boxes)
{
    const double n = (double)set->H * set->W;
    return 4 * (double)n_boxes * n * n * 1.2e-16;
}

static double check_masks(const struct aosa_mask_set *set, struct ao_rng *rng)
{
    const size_t n = (size_t)(set->T * set->H * set->W);
    double *volume = ao_alloc(n, sizeof *volume), worst = 0;
    uint8_t *visible = ao_alloc(n, 1);
    struct ao_box_list list;
    struct ao_box_sums sums = random_sums(set, rng, volume);
    assert_int_equal(ao_box_list_create(set, &list), AOSA_OK);
    for (int m = 0; m < set->M; m++) {
        double sum = 0;
        paint(set, m, visible);
        for (size_t i = 0; i < n; i++)
            sum += visible[i] ? 0 : volume[i];
        const size_t first = list.first[m * set->T], end = list.first[(m + 1) * set->T];
        const double error = fabs(ao_box_sums_mask(&sums, &list, m) - sum);
        assert_true(error <= bound(set, end - first));
        worst = fmax(worst, error);
    }
    ao_box_list_fini(&list);
    ao_box_sums_fini(&sums);
    ao_free(volume);
    ao_free(visible);
    return worst;
}

static void mask_sums_equal_sums_over_painted_voxels(void **state)
{
    (void)state;
    static const char *const settings[] = {
        "mask=flow_one size=5 stride=4",
        "mask=flow_one size=6 stride=3 partners=4",
        "mask=flow_one size=7 stride=4 stack=random partners=9",
        "mask=flow size=5 stride=4 time-stride=2",
        "mask=cuboid size=4 stride=3 time-size=3 time-stride=2",
    };
    struct ao_rng rng;
    ao_rng_init(&rng, 3);
    struct ao_flow_field *flow = random_flow(5, 23, 31, 4, 11);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        struct aosa_mask_set *set = generate(flow, NULL, settings[i]);
        print_message("%s: worst error %.1e\n", settings[i], check_masks(set, &rng));
        ao_mask_set_destroy(&set);
    }
    ao_flow_field_destroy(&flow);
}

static void empty_and_whole_boxes_have_their_sums(void **state)
{
    (void)state;
    struct ao_box_sums sums;
    assert_int_equal(ao_box_sums_create(2, 3, 4, &sums), AOSA_OK);
    for (int y = 0; y < 3; y++)
        for (int x = 0; x < 4; x++)
            ao_box_sums_row(&sums, 1, y)[x] = 1 + x;
    ao_box_sums_integrate(&sums);
    assert_near(ao_box_sums_box(&sums, 1, (struct ao_box){ 0, 0, 3, 4 }), 30, 0);
    assert_near(ao_box_sums_box(&sums, 0, (struct ao_box){ 0, 0, 3, 4 }), 0, 0);
    assert_near(ao_box_sums_box(&sums, 1, (struct ao_box){ 2, 3, 3, 4 }), 4, 0);
    assert_near(ao_box_sums_box(&sums, 1, (struct ao_box){ 2, 2, 1, 4 }), 0, 0);
    assert_near(ao_box_sums_box(&sums, 1, (struct ao_box){ 0, 0, 0, 0 }), 0, 0);
    ao_box_sums_fini(&sums);
}

/* The size of the paper's experiments: not a benchmark, but far too slow would show. */
static void sums_of_196_masks_take_less_than_a_millisecond(void **state)
{
    (void)state;
    struct ao_flow_field *flow = random_flow(16, 112, 112, 1, 5);
    struct aosa_mask_set *set = generate(flow, NULL, "mask=flow_one size=16 stride=8");
    struct ao_rng rng;
    ao_rng_init(&rng, 3);
    double *volume = ao_alloc(16 * 112 * 112, sizeof *volume), sum = 0, best = 1;
    struct ao_box_list list;
    struct ao_box_sums sums = random_sums(set, &rng, volume);
    assert_int_equal(set->M, 196);
    assert_int_equal(ao_box_list_create(set, &list), AOSA_OK);
    for (int round = 0; round < 20; round++) {
        const double start = ao_now();
        for (int m = 0; m < set->M; m++)
            sum += ao_box_sums_mask(&sums, &list, m);
        best = fmin(best, ao_now() - start);
    }
    print_message("196 masks: %.3f ms (total %g)\n", 1e3 * best, sum);
    assert_true(best < 1e-3);
    ao_box_list_fini(&list);
    ao_box_sums_fini(&sums);
    ao_free(volume);
    ao_mask_set_destroy(&set);
    ao_flow_field_destroy(&flow);
}

/* A window x window convolution with 1 / window^2, zero outside, as PyTorch pads "same". */
static double local_mean(const struct aosa_clip *clip, size_t frame, int y, int x, int window)
{
    const int before = (window - 1) / 2;
    double sum = 0;
    for (int v = y - before; v < y - before + window; v++)
        for (int u = x - before; u < x - before + window; u++)
            if (v >= 0 && v < clip->H && u >= 0 && u < clip->W)
                sum +=
                    (double)clip
                        ->values[frame * (size_t)(clip->H * clip->W) + (size_t)(v * clip->W + u)];
    return sum / window / window;
}

static void local_fill_is_the_mean_of_a_window(void **state)
{
    (void)state;
    static const char *const windows[] = { "2", "3", "4", "5", "9", "64" };
    struct aosa_clip *clip;
    struct ao_rng rng;
    ao_rng_init(&rng, 9);
    assert_int_equal(ao_clip_create(2, 7, 9, &clip), AOSA_OK);
    for (int i = 0; i < 3 * 2 * 7 * 9; i++)
        clip->values[i] = (float)ao_rng_range(&rng, -2, 2);
    for (size_t w = 0; w < sizeof windows / sizeof windows[0]; w++) {
        const int window = atoi(windows[w]);
        struct ao_fill fill;
        assert_int_equal(ao_fill_create("local", window, clip, &fill), AOSA_OK);
        for (int i = 0; i < 3 * 2 * 7 * 9; i++)
            /* One rounding to float of a number below 2. */
            assert_near(fill.volume[i],
                        local_mean(clip, (size_t)(i / 63), i / 9 % 7, i % 9, window), 1.2e-7);
        ao_fill_fini(&fill);
    }
    ao_clip_destroy(&clip);
}

/* n = 4 reaches 1 to the left and 2 to the right (spec A.11). */
static void even_window_reaches_farther_right(void **state)
{
    (void)state;
    struct aosa_clip *clip;
    struct ao_fill fill;
    assert_int_equal(ao_clip_create(1, 1, 8, &clip), AOSA_OK);
    clip->values[4] = 16;
    assert_int_equal(ao_fill_create("local", 4, clip, &fill), AOSA_OK);
    static const float expected[] = { 0, 0, 1, 1, 1, 1, 0, 0 };
    for (int x = 0; x < 8; x++)
        assert_near(fill.volume[x], expected[x], 0);
    ao_fill_fini(&fill);
    ao_clip_destroy(&clip);
}

static void window_of_one_pixel_is_refused(void **state)
{
    (void)state;
    struct aosa_clip *clip;
    struct ao_fill fill;
    assert_int_equal(ao_clip_create(1, 2, 2, &clip), AOSA_OK);
    assert_int_equal(ao_fill_create("local", 1, clip, &fill), AOSA_ERR_ARGUMENT);
    assert_string_equal(aosa_error_message(),
                        "--fill local: --window 1 would change nothing, take 2 or more");
    ao_clip_destroy(&clip);
}

static void missing_memory_is_reported(void **state)
{
    (void)state;
    struct ao_flow_field *flow = constant_flow(2, 12, 12, 1, 0);
    struct aosa_mask_set *set = generate(flow, NULL, "size=4 stride=4 partners=1");
    struct aosa_clip *clip;
    struct ao_box_list list;
    struct ao_fill fill;
    assert_int_equal(ao_clip_create(1, 2, 2, &clip), AOSA_OK);
    for (long n = 1; n <= 3; n++) {
        ao_alloc_fail_at(n);
        assert_int_equal(ao_box_list_create(set, &list), AOSA_ERR_NOMEM);
    }
    for (long n = 1; n <= 2; n++) {
        ao_alloc_fail_at(n);
        assert_int_equal(ao_fill_create("local", 2, clip, &fill), AOSA_ERR_NOMEM);
    }
    ao_alloc_fail_at(0);
    ao_clip_destroy(&clip);
    ao_mask_set_destroy(&set);
    ao_flow_field_destroy(&flow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mask_sums_equal_sums_over_painted_voxels),
        cmocka_unit_test(empty_and_whole_boxes_have_their_sums),
        cmocka_unit_test(sums_of_196_masks_take_less_than_a_millisecond),
        cmocka_unit_test(local_fill_is_the_mean_of_a_window),
        cmocka_unit_test(even_window_reaches_farther_right),
        cmocka_unit_test(window_of_one_pixel_is_refused),
        cmocka_unit_test(missing_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
