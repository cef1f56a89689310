/* SPDX-License-Identifier: Apache-2.0 */
/* Tubes that a tracker carries, and the mask generators of several sizes and both directions. */
#include <math.h>

#include "mask_fixture.h"

#include "mask/tracker.h"

#define TEST(name) cmocka_unit_test(name)

enum { T = 7, H = 40, W = 60, PIXELS = H * W };

static void assert_point(struct ao_track_point point, int t, int alive, int y, int x)
{
    if (point.alive != alive || point.y != y || point.x != x)
        fail_msg("frame %d: (%d,%d) alive %d, not (%d,%d) alive %d", t, point.y, point.x,
                 point.alive, y, x, alive);
}

static void walk(const struct ao_flow_field *flow, double y, double x, int size, int anchor,
                 struct ao_track_point *points)
{
    struct ao_tracker tracker;
    assert_int_equal(ao_tracker_create(flow, &tracker), AOSA_OK);
    ao_tracker_walk(&tracker, y, x, size, anchor, points);
    ao_tracker_fini(&tracker);
}

static void a_tube_follows_constant_motion_both_ways(void **state)
{
    (void)state;
    struct ao_track_point points[T];
    struct ao_flow_field *flow = constant_flow(T, H, W, 2, -1);
    walk(flow, 20, 30, 5, 3, points);
    for (int t = 0; t < T; t++)
        assert_point(points[t], t, 1, 20 - (t - 3), 30 + 2 * (t - 3));
    ao_flow_field_destroy(&flow);
}

static void positions_keep_fractions_of_a_pixel(void **state)
{
    (void)state;
    struct ao_track_point points[T];
    struct ao_flow_field *flow = constant_flow(T, H, W, 0.25, 0);
    walk(flow, 20, 30, 5, 0, points);
    /* Rounding at every step, as flow_one does, would never move: 30 + 1/4 is nearest to 30. */
    for (int t = 0; t < T; t++)
        assert_point(points[t], t, 1, 20, 30 + (t + 2) / 4);
    ao_flow_field_destroy(&flow);
}

static void even_squares_lie_between_pixels(void **state)
{
    (void)state;
    struct ao_track_point points[T];
    struct ao_flow_field *flow = constant_flow(T, H, W, 0, 0);
    for (int first = 0; first < 4; first++) {
        struct aosa_mask_set set = { .T = T, .H = H, .W = W, .size = 2, .N = 1, .points = points };
        walk(flow, first + 0.5, 10.5, 2, 3, points);
        const struct ao_box box = ao_track_box(&set, 0, 0);
        assert_int_equal(box.y0, first);
        assert_int_equal(box.y1, first + 2);
        assert_int_equal(box.x0, 10);
    }
    ao_flow_field_destroy(&flow);
}

static void the_median_ignores_a_minority(void **state)
{
    (void)state;
    struct ao_track_point points[T];
    struct ao_flow_field *flow = constant_flow(T, H, W, 1, 1);
    /* Every third column is wild, the middle one included. */
    for (int t = 0; t < T - 1; t++)
        for (int i = 0; i < PIXELS; i++)
            if (i % W % 3 == 0)
                flow->d[2 * (t * PIXELS + i)] = 25;
    walk(flow, 10, 12, 9, 0, points);
    for (int t = 0; t < T; t++)
        assert_point(points[t], t, 1, 10 + t, 12 + t);
    ao_flow_field_destroy(&flow);
}

static void a_square_in_front_is_followed_backwards(void **state)
{
    (void)state;
    struct ao_track_point points[T];
    /* A block of 11 pixels, at columns 20 + 3 t to 30 + 3 t of rows 15 to 25, on a still ground. */
    struct ao_flow_field *flow = constant_flow(T, H, W, 0, 0);
    for (int t = 0; t < T - 1; t++)
        for (int y = 15; y <= 25; y++)
            for (int x = 20 + 3 * t; x <= 30 + 3 * t; x++)
                flow->d[2 * (t * PIXELS + y * W + x)] = 3;
    walk(flow, 20, 25 + 3 * (T - 1), 9, T - 1, points);
    for (int t = 0; t < T; t++)
        assert_point(points[t], t, 1, 20, 25 + 3 * t);
    ao_flow_field_destroy(&flow);
}

static void a_tube_dies_where_its_middle_leaves_the_frame(void **state)
{
    (void)state;
    struct ao_track_point points[T];
    struct ao_flow_field *flow = constant_flow(T, H, W, 10, 0);
    walk(flow, 20, 30, 5, 3, points);
    const int x[T] = { 0, 10, 20, 30, 40, 50, W - 1 };
    for (int t = 0; t < T; t++)
        assert_point(points[t], t, t < T - 1, 20, x[t]);
    ao_flow_field_destroy(&flow);
}

static void multi_has_the_tubes_of_flow_one_in_three_sizes(void **state)
{
    (void)state;
    struct ao_flow_field *flow = random_flow(T, H, W, 3, 5);
    struct aosa_mask_set *one = generate(flow, NULL, "mask=flow_one size=9 stride=7");
    struct aosa_mask_set *multi = generate(flow, NULL, "mask=multi size=9 stride=7");
    static const int sizes[] = { 5, 9, 14 };
    assert_int_equal(multi->M, 3 * one->M);
    for (int n = 0; n < multi->N; n++) {
        const int base = n % one->N;
        assert_int_equal(multi->sizes[n], sizes[n / one->N]);
        assert_memory_equal(multi->points + n * T, one->points + base * T, T * sizeof *one->points);
    }
    assert_true(ao_mask_visible(multi, 0) > ao_mask_visible(one, 0));
    assert_true(ao_mask_visible(multi, one->N) == ao_mask_visible(one, 0));
    ao_mask_set_destroy(&one);
    ao_mask_set_destroy(&multi);
    ao_flow_field_destroy(&flow);
}

static void carried_tubes_start_on_the_grid_of_the_middle_frame(void **state)
{
    (void)state;
    struct ao_flow_field *flow = constant_flow(T, H, W, 1, 0);
    struct aosa_mask_set *one = generate(flow, NULL, "mask=flow_one size=8 stride=10");
    struct aosa_mask_set *carried = generate(flow, NULL, "mask=carried size=8 stride=10");
    assert_int_equal(carried->M, one->M);
    for (int n = 0; n < one->N; n++) {
        const struct ao_track_point *a = one->points + n * T, *b = carried->points + n * T;
        assert_point(b[3], 3, 1, a[0].y, a[0].x);
        assert_point(b[0], 0, a[0].x - 3.5 >= 0, a[0].y, a[0].x > 3 ? a[0].x - 3 : 0);
        assert_true(carried->motion[2 * (n * (T - 1) + 3)] == (a[0].x + 1 < W ? 1.0F : 0.0F));
    }
    ao_mask_set_destroy(&one);
    ao_mask_set_destroy(&carried);
    ao_flow_field_destroy(&flow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_tube_follows_constant_motion_both_ways),
        TEST(positions_keep_fractions_of_a_pixel),
        TEST(even_squares_lie_between_pixels),
        TEST(the_median_ignores_a_minority),
        TEST(a_square_in_front_is_followed_backwards),
        TEST(a_tube_dies_where_its_middle_leaves_the_frame),
        TEST(multi_has_the_tubes_of_flow_one_in_three_sizes),
        TEST(carried_tubes_start_on_the_grid_of_the_middle_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
