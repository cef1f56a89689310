/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/alloc.h"
#include "flow/flow.h"
#include "mask/mask.h"
#include "mask_fixture.h"

/* Spec A.13: T = 4, H = W = 8, K = 3, S = 4. */
static void check_vector(double dx, double dy, const char *mask, int n, const double *visible)
{
    char settings[128];
    struct ao_flow_field *flow = constant_flow(4, 8, 8, dx, dy);
    snprintf(settings, sizeof settings, "mask=%s size=3 stride=4 time-stride=2", mask);
    struct aosa_mask_set *set = generate(flow, NULL, settings);
    assert_int_equal(set->M, n);
    for (int m = 0; m < n; m++)
        if (fabs(ao_mask_visible(set, m) - visible[m]) > 5e-7) /* given to 6 places */
            fail_msg("%s (%g,%g) mask %d: %.6f visible, not %.6f", mask, dx, dy, m,
                     ao_mask_visible(set, m), visible[m]);
    ao_mask_set_destroy(&set);
    ao_flow_field_destroy(&flow);
}

static void flow_one_vectors_of_the_spec(void **state)
{
    (void)state;
    check_vector(1.5, -0.5, "flow_one", 4, (const double[]){ .894531, .964844, .894531, .964844 });
    check_vector(0.5, 0.5, "flow_one", 4, (const double[]){ .859375, .859375, .859375, .859375 });
    check_vector(2, 0, "flow_one", 4, (const double[]){ .894531, .964844, .894531, .964844 });
}

static void flow_vectors_of_the_spec(void **state)
{
    (void)state;
    check_vector(1.5, -0.5, "flow", 7,
                 (const double[]){ .90625, .964844, .859375, .964844, .929688, .929688, .964844 });
    check_vector(0.5, 0.5, "flow", 4, (const double[]){ .859375, .859375, .859375, .859375 });
}

static void assert_track(const struct aosa_mask_set *set, int n, const int (*want)[3])
{
    for (int t = 0; t < set->T; t++) {
        const struct ao_track_point point = set->points[n * set->T + t];
        if (point.y != want[t][0] || point.x != want[t][1] || point.alive != want[t][2])
            fail_msg("track %d frame %d: (%d,%d) alive %d, not (%d,%d) alive %d", n, t, point.y,
                     point.x, point.alive, want[t][0], want[t][1], want[t][2]);
    }
}

static void positions_of_the_spec_round_half_to_even(void **state)
{
    (void)state;
    struct ao_flow_field *flow = constant_flow(4, 8, 8, 1.5, -0.5);
    struct aosa_mask_set *set = generate(flow, NULL, "size=3 stride=4");
    assert_track(set, 0, (const int[][3]){ { 2, 2, 1 }, { 2, 4, 1 }, { 2, 6, 1 }, { 2, 7, 0 } });
    assert_track(set, 1, (const int[][3]){ { 2, 6, 1 }, { 2, 7, 0 }, { 2, 7, 0 }, { 2, 7, 0 } });
    assert_true(set->motion[2 * (3 + 2)] == 1.5f); /* goes on after death (Q4) */
    ao_mask_set_destroy(&set);
    ao_flow_field_destroy(&flow);
}

static void steps_after_the_first_are_summed_in_float(void **state)
{
    (void)state;
    /* 1 + below and 3 + below are below a half in double, and exactly a half in float. */
    const double below = (double)nextafterf(0.5f, 0.0f);
    struct ao_flow_field *flow = constant_flow(3, 2, 8, below, 0);
    struct aosa_mask_set *set = generate(flow, NULL, "size=1 stride=2");
    assert_track(set, 0, (const int[][3]){ { 1, 1, 1 }, { 1, 1, 1 }, { 1, 2, 1 } });
    assert_track(set, 1, (const int[][3]){ { 1, 3, 1 }, { 1, 3, 1 }, { 1, 4, 1 } });
    ao_mask_set_destroy(&set);
    ao_flow_field_destroy(&flow);
}

static void starts_of_the_spec_skip_where_a_tube_is(void **state)
{
    (void)state;
    struct ao_flow_field *flow = constant_flow(4, 8, 8, 2, 0);
    struct aosa_mask_set *set = generate(flow, NULL, "mask=flow size=3 stride=4 time-stride=2");
    const int starts[][3] = { { 0, 2, 2 }, { 0, 2, 6 }, { 0, 6, 2 },
                              { 0, 6, 6 }, { 2, 2, 2 }, { 2, 6, 2 } };
    assert_int_equal(set->N, 6);
    for (int n = 0; n < 6; n++) {
        int t = 0;
        while (!set->points[n * 4 + t].alive)
            t++;
        assert_int_equal(t, starts[n][0]);
        assert_int_equal(set->points[n * 4 + t].y, starts[n][1]);
        assert_int_equal(set->points[n * 4 + t].x, starts[n][2]);
    }
    ao_mask_set_destroy(&set);
    set = generate(flow, NULL, "mask=flow size=3 stride=4 time-stride=2 no-delete-point");
    assert_int_equal(set->N, 8);
    ao_mask_set_destroy(&set);
    ao_flow_field_destroy(&flow);
}

static void zero_flow_makes_tubes_equal_to_cuboids(void **state)
{
    (void)state;
    const char *const flow_masks[] = { "flow_one", "flow" };
    for (int i = 0; i < 2; i++) {
        const int T = 5, H = 24, W = 31;
        char settings[64];
        struct ao_flow_field *flow = constant_flow(T, H, W, 0, 0);
        snprintf(settings, sizeof settings, "mask=%s size=7 stride=6", flow_masks[i]);
        struct aosa_mask_set *tubes = generate(flow, NULL, settings);
        /* Every 3 pixels from 0 holds every 6 from 3; 10 frames around frame 0 are all. */
        struct aosa_mask_set *cuboids =
            generate(flow, NULL, "mask=cuboid size=7 stride=3 time-size=10 time-stride=5");
        static uint8_t a[5 * 24 * 31], b[5 * 24 * 31];
        assert_int_equal(tubes->M, 4 * 5);
        for (int m = 0, c = 0; m < tubes->M; m++) {
            const struct ao_track_point at = tubes->points[m * T];
            while (cuboids->points[c * T].y != at.y || cuboids->points[c * T].x != at.x)
                assert_true(++c < cuboids->N);
            paint(tubes, m, a);
            paint(cuboids, c, b);
            assert_memory_equal(a, b, sizeof a);
        }
        ao_mask_set_destroy(&tubes);
        ao_mask_set_destroy(&cuboids);
        ao_flow_field_destroy(&flow);
    }
}

static uint8_t texture(int y, int x)
{
    const double value = sin(0.7 * x + 0.2 * y) + sin(0.55 * y - 0.3 * x + 1) +
                         sin(0.31 * x + 0.4 * y + 2) + sin(0.23 * y - 0.5 * x + 3);
    return (uint8_t)lrint(127.5 + 30 * value);
}

static void a_translated_clip_moves_tracks_by_that_translation(void **state)
{
    (void)state;
    enum { T = 8, H = 96, W = 112, DY = 1, DX = -2, MARGIN = 20 };
    static uint8_t rgb[T * H * W * 3];
    for (int i = 0; i < T * H * W; i++)
        for (int c = 0; c < 3; c++)
            rgb[3 * i + c] = texture(i / W % H - DY * (i / (H * W)), i % W - DX * (i / (H * W)));
    struct ao_flow_options options = { 0 };
    struct ao_flow_field *flow = NULL;
    assert_int_equal(ao_options_init(ao_flow_option_table, &options), AOSA_OK);
    assert_int_equal(ao_flow_compute(rgb, T, H, W, &options, false, &flow), AOSA_OK);
    struct aosa_mask_set *set = generate(flow, rgb, "");
    int n_inside = 0;
    for (int n = 0; n < set->N; n++) {
        const struct ao_track_point *p = set->points + n * T;
        const int y = p[0].y + DY * (T - 1), x = p[0].x + DX * (T - 1);
        /* Flow is good away from the border, where its window sees no outside. */
        if (p[0].y < MARGIN || y >= H - MARGIN || x < MARGIN || p[0].x >= W - MARGIN)
            continue;
        for (int t = 0; t < T; t++) {
            assert_int_equal(p[t].y, p[0].y + DY * t);
            assert_int_equal(p[t].x, p[0].x + DX * t);
            assert_true(p[t].alive);
        }
        n_inside++;
    }
    print_message("%d of %d tracks stay inside, all moved by (%d, %d) a frame\n", n_inside, set->N,
                  DY, DX);
    assert_true(n_inside >= 20);
    ao_mask_set_destroy(&set);
    ao_flow_field_destroy(&flow);
    ao_options_fini(ao_flow_option_table, &options);
}

static void defaults_scale_with_the_clip(void **state)
{
    (void)state;
    const int clips[][7] = {
        /* T, H, W: size, stride, time size, time stride */
        { 16, 112, 112, 16, 8, 16, 2 },
        { 32, 224, 300, 32, 16, 32, 4 },
        { 8, 128, 112, 16, 8, 8, 1 },
        { 1, 3, 5, 1, 1, 1, 1 },
    };
    const struct ao_mask_options options = options_of("");
    for (size_t i = 0; i < sizeof clips / sizeof *clips; i++) {
        struct ao_mask_options got;
        const int *c = clips[i];
        assert_int_equal(ao_mask_options_resolve(&options, c[0], c[1], c[2], true, &got), AOSA_OK);
        assert_int_equal(got.size, c[3]);
        assert_int_equal(got.stride, c[4]);
        assert_int_equal(got.time_size, c[5]);
        assert_int_equal(got.time_stride, c[6]);
        assert_int_equal(got.stack, AO_STACK_NONE);
    }
}

static void default_grids_have_the_spec_s_sizes(void **state)
{
    (void)state;
    struct ao_flow_field *flow = constant_flow(16, 112, 112, 0, 0);
    struct aosa_mask_set *set = generate(flow, NULL, "");
    assert_int_equal(set->M, 196);
    ao_mask_set_destroy(&set);
    set = generate(flow, NULL, "mask=cuboid");
    assert_int_equal(set->M, 1568);
    ao_mask_set_destroy(&set);
    ao_flow_field_destroy(&flow);
}

static void cuboids_last_time_size_frames_around_their_time(void **state)
{
    (void)state;
    struct ao_flow_field *flow = constant_flow(7, 4, 4, 0, 0);
    struct aosa_mask_set *set =
        generate(flow, NULL, "mask=cuboid size=2 stride=4 time-size=3 time-stride=3");
    const int alive[3][7] = { { 1, 1 }, { 0, 0, 1, 1, 1 }, { 0, 0, 0, 0, 0, 1, 1 } };
    assert_int_equal(set->N, 3);
    for (int n = 0; n < 3; n++)
        for (int t = 0; t < 7; t++)
            assert_int_equal(set->points[7 * n + t].alive, alive[n][t]);
    ao_mask_set_destroy(&set);
    ao_flow_field_destroy(&flow);
}

static void a_flow_tube_ends_after_its_time_size(void **state)
{
    (void)state;
    struct ao_flow_field *flow = constant_flow(8, 8, 8, 0, 0);
    struct aosa_mask_set *set =
        generate(flow, NULL, "mask=flow size=2 stride=8 time-size=3 time-stride=3");
    const int alive[3][8] = { { 1, 1, 1 }, { 0, 0, 0, 1, 1, 1 }, { 0, 0, 0, 0, 0, 0, 1, 1 } };
    assert_int_equal(set->N, 3);
    for (int n = 0; n < 3; n++)
        for (int t = 0; t < 8; t++)
            assert_int_equal(set->points[8 * n + t].alive, alive[n][t]);
    ao_mask_set_destroy(&set);
    ao_flow_field_destroy(&flow);
}

static void a_start_in_the_last_frame_is_one_frame_long(void **state)
{
    (void)state;
    struct ao_flow_field *flow = constant_flow(6, 8, 8, 20, 0); /* all leave at once */
    struct aosa_mask_set *set = generate(flow, NULL, "mask=flow size=2 stride=8 time-stride=5");
    assert_int_equal(set->N, 2);
    assert_int_equal(ao_mask_occluded(set, 1), 4);
    ao_mask_set_destroy(&set);
    ao_flow_field_destroy(&flow);
}

/* Black bars of 1/8 of the height above and below a bright picture. */
static uint8_t *letterboxed_clip(int T, int H, int W, uint8_t bar)
{
    uint8_t *rgb = ao_alloc((size_t)(T * H * W), 3);
    for (int i = 0; i < T * H * W * 3; i++) {
        const int y = i / (3 * W) % H;
        rgb[i] = y < H / 8 || y >= H - H / 8 ? bar : 200;
    }
    return rgb;
}

static void letterbox_is_a_mean_below_the_authors_limit(void **state)
{
    (void)state;
    for (int bar = 14; bar < 18; bar++) {
        uint8_t *rgb = letterboxed_clip(16, 112, 112, (uint8_t)bar);
        assert_int_equal(ao_clip_has_letterbox(rgb, 16, 112, 112), bar <= 15);
        ao_free(rgb);
    }
    uint8_t *rgb = letterboxed_clip(16, 112, 112, 15);
    /* 16159 of the 32256 values one brighter make 499999; one more is not below 500000. */
    int n_brighter = 0;
    for (int i = 0; i < 16 * 112 * 112 * 3; i++) {
        const int y = i / (3 * 112) % 112;
        if (y >= 3 && y < 109)
            continue;
        rgb[i]++;
        if (++n_brighter < 16159)
            continue;
        assert_int_equal(ao_clip_has_letterbox(rgb, 16, 112, 112), n_brighter == 16159);
        if (n_brighter == 16160)
            break;
    }
    ao_free(rgb);
}

static void bars_have_no_start_points_and_end_tracks(void **state)
{
    (void)state;
    const int clips[][2] = { { 112, 112 }, { 224, 160 } };
    for (int i = 0; i < 2; i++) {
        const int T = 3, H = clips[i][0], W = clips[i][1], S = H / 14;
        uint8_t *rgb = letterboxed_clip(T, H, W, 0);
        struct ao_flow_field *flow = constant_flow(T, H, W, 0, -8.0 * H / 112);
        char settings[64];
        snprintf(settings, sizeof settings, "size=%d stride=%d", 2 * S, S);
        struct aosa_mask_set *set = generate(flow, rgb, settings);
        assert_int_equal(set->points[0].y, 12 * H / 112);
        assert_int_equal(set->points[(set->N - 1) * T].y, 100 * H / 112);
        assert_false(set->points[1].alive);                   /* 12 - 8 is above 16 */
        assert_true(set->points[(set->N - 1) * T + 1].alive); /* 100 - 8 is not below 96 */
        ao_mask_set_destroy(&set);
        strcat(settings, " no-letterbox");
        set = generate(flow, rgb, settings);
        assert_int_equal(set->points[0].y, 4 * H / 112);
        assert_int_equal(set->points[(set->N - 1) * T].y, 108 * H / 112);
        ao_mask_set_destroy(&set);
        ao_flow_field_destroy(&flow);
        ao_free(rgb);
    }
}

static void tracks_that_leave_stay_at_the_border_when_wanted(void **state)
{
    (void)state;
    struct ao_flow_field *flow = constant_flow(4, 8, 8, 3, 0);
    struct aosa_mask_set *set = generate(flow, NULL, "size=2 stride=8 no-delete-outside");
    assert_track(set, 0, (const int[][3]){ { 4, 4, 1 }, { 4, 7, 1 }, { 4, 7, 1 }, { 4, 7, 1 } });
    ao_mask_set_destroy(&set);
    set = generate(flow, NULL, "size=2 stride=8 stop-dead");
    assert_track(set, 0, (const int[][3]){ { 4, 4, 1 }, { 4, 7, 1 }, { 4, 7, 0 }, { 4, 7, 0 } });
    assert_true(set->motion[2] == 3 && set->motion[4] == 0);
    ao_mask_set_destroy(&set);
    ao_flow_field_destroy(&flow);
}

static void exact_delete_point_looks_at_the_start_s_own_frame(void **state)
{
    (void)state;
    /* A tube from x = 4 is at 6 in frame 2, where the start at 4 is free only when exact. */
    struct ao_flow_field *flow = constant_flow(5, 8, 8, 1, 0);
    for (int i = 2 * 8 * 8; i < 3 * 8 * 8; i++)
        flow->d[2 * i] = -2; /* and back at 4 in frame 3 */
    struct aosa_mask_set *set = generate(flow, NULL, "mask=flow size=2 stride=8 time-stride=2");
    assert_int_equal(set->N, 1); /* in frame 4 it is at 5, which is near enough to 4 */
    ao_mask_set_destroy(&set);
    set = generate(flow, NULL, "mask=flow size=2 stride=8 time-stride=2 exact-delete-point");
    assert_int_equal(set->N, 2);
    assert_int_equal(set->points[5].alive, 0);
    assert_int_equal(set->points[5 + 2].alive, 1); /* frame 2 is free */
    ao_mask_set_destroy(&set);
    ao_flow_field_destroy(&flow);
}

static void motion_that_is_not_a_number_stays_in_the_frame(void **state)
{
    (void)state;
    const float bad[] = { NAN, INFINITY, -INFINITY, 3e38f };
    for (int i = 0; i < 4; i++) {
        struct ao_flow_field *flow = constant_flow(4, 8, 8, (double)bad[i], 0);
        struct aosa_mask_set *set = generate(flow, NULL, "size=2 stride=4 no-delete-outside");
        for (int p = 0; p < set->N * 4; p++)
            assert_in_range(set->points[p].x, 0, 7);
        ao_mask_set_destroy(&set);
        ao_flow_field_destroy(&flow);
    }
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void assert_refused(const char *settings, bool official, const char *const *words)
{
    struct ao_flow_field *flow = constant_flow(4, 30, 40, 0, 0);
    const struct ao_mask_options options = options_of(settings);
    const struct ao_mask_source source = { 4, 30, 40, flow, NULL };
    struct aosa_mask_set *set = NULL;
    assert_int_equal(ao_masks_generate(&source, &options, official, &set), AOSA_ERR_ARGUMENT);
    assert_null(set);
    for (; *words; words++)
        if (!strstr(aosa_error_message(), *words))
            fail_msg("%s: no '%s' in: %s", settings, *words, aosa_error_message());
    ao_flow_field_destroy(&flow);
}

static void options_that_do_not_fit_are_refused_with_both_numbers(void **state)
{
    (void)state;
    assert_refused("size=31", false, WORDS("--size 31", "30 x 40", "at most 30"));
    assert_refused("stride=90", false, WORDS("--stride 90", "30 x 40"));
    assert_refused("stride=10 size=4 partners=12", false,
                   WORDS("--partners 12", "12 tracks", "at most 11"));
    assert_refused("stack=random", false, WORDS("--stack random", "--partners"));
    assert_refused("stack=none partners=2", false, WORDS("--stack none", "--partners 2"));
    assert_refused("mask=cuboid partners=2", false, WORDS("flow_vec_corr", "cuboid"));
    assert_refused("mask=flow partners=2 stack=near_norm", false, WORDS("near_norm", "flow_one"));
    assert_refused("stop-dead", true, WORDS("--stop-dead", "official"));
    assert_refused("exclude-self", true, WORDS("--exclude-self", "official"));
    assert_refused("exact-delete-point", true, WORDS("--exact-delete-point", "official"));
}

static void values_out_of_range_are_refused(void **state)
{
    (void)state;
    const char *const values[][2] = {
        { "size", "0" },         { "size", "-3" },     { "stride", "0" },
        { "stride", "-1" },      { "time-size", "0" }, { "time-stride", "-2" },
        { "partners", "-1" },    { "seed", "-1" },     { "mask-sets", "0" },
        { "clusters", "0" },     { "mask", "tube" },   { "stack", "nearest" },
        { "size", "sixteen" },   { "stride", "8.5" },  { "size", "99999" },
        { "partners", "1e400" },
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct ao_mask_options options = options_of("");
        const struct ao_option *row = ao_options_find(ao_mask_option_table, values[i][0]);
        assert_int_equal(ao_option_set(row, &options, values[i][1]), AOSA_ERR_ARGUMENT);
        assert_non_null(strstr(aosa_error_message(), values[i][0]));
    }
    /* Structs that never saw the table. */
    struct ao_mask_options options = options_of(""), resolved;
    options.stride = -8;
    assert_int_equal(ao_mask_options_resolve(&options, 4, 30, 40, false, &resolved),
                     AOSA_ERR_ARGUMENT);
    assert_non_null(strstr(aosa_error_message(), "--stride: -8"));
    options = options_of("");
    assert_int_equal(ao_mask_options_resolve(&options, 4, 40000, 40, false, &resolved),
                     AOSA_ERR_ARGUMENT);
}

static void flow_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct ao_flow_field *flow = constant_flow(4, 30, 40, 0, 0);
    const struct ao_mask_options options = options_of("");
    const struct ao_mask_source none = { 4, 30, 40, NULL, NULL }, other = { 4, 30, 41, flow, NULL };
    struct aosa_mask_set *set = NULL;
    assert_int_equal(ao_masks_generate(&none, &options, false, &set), AOSA_ERR_SHAPE);
    assert_int_equal(ao_masks_generate(&other, &options, false, &set), AOSA_ERR_SHAPE);
    assert_non_null(strstr(aosa_error_message(), "30 x 40"));
    assert_non_null(strstr(aosa_error_message(), "30 x 41"));
    assert_null(set);
    const struct ao_mask_options cuboid = options_of("mask=cuboid");
    assert_true(ao_mask_needs_flow(&options));
    assert_false(ao_mask_needs_flow(&cuboid));
    assert_int_equal(ao_masks_generate(&none, &cuboid, false, &set), AOSA_OK);
    ao_mask_set_destroy(&set);
    ao_flow_field_destroy(&flow);
}

static void an_allocation_that_fails_is_reported_and_leaks_nothing(void **state)
{
    (void)state;
    struct ao_flow_field *flow = random_flow(4, 30, 40, 2, 4);
    const struct ao_mask_source source = { 4, 30, 40, flow, NULL };
    const char *const settings[] = { "",
                                     "mask=flow",
                                     "mask=cuboid",
                                     "partners=2",
                                     "stack=near_norm partners=2",
                                     "stack=random partners=2",
                                     "stack=k_means partners=2" };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        const struct ao_mask_options options = options_of(settings[i]);
        struct aosa_mask_set *set = NULL;
        for (long n = 1;; n++) {
            ao_alloc_fail_at(n);
            const aosa_status status = ao_masks_generate(&source, &options, false, &set);
            const bool failed = ao_alloc_has_failed();
            ao_alloc_fail_at(0);
            assert_int_equal(status, failed ? AOSA_ERR_NOMEM : AOSA_OK);
            if (!failed)
                break;
            assert_null(set);
        }
        ao_mask_set_destroy(&set);
    }
    ao_flow_field_destroy(&flow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flow_one_vectors_of_the_spec),
        cmocka_unit_test(flow_vectors_of_the_spec),
        cmocka_unit_test(positions_of_the_spec_round_half_to_even),
        cmocka_unit_test(steps_after_the_first_are_summed_in_float),
        cmocka_unit_test(starts_of_the_spec_skip_where_a_tube_is),
        cmocka_unit_test(zero_flow_makes_tubes_equal_to_cuboids),
        cmocka_unit_test(a_translated_clip_moves_tracks_by_that_translation),
        cmocka_unit_test(defaults_scale_with_the_clip),
        cmocka_unit_test(default_grids_have_the_spec_s_sizes),
        cmocka_unit_test(cuboids_last_time_size_frames_around_their_time),
        cmocka_unit_test(a_flow_tube_ends_after_its_time_size),
        cmocka_unit_test(a_start_in_the_last_frame_is_one_frame_long),
        cmocka_unit_test(letterbox_is_a_mean_below_the_authors_limit),
        cmocka_unit_test(bars_have_no_start_points_and_end_tracks),
        cmocka_unit_test(tracks_that_leave_stay_at_the_border_when_wanted),
        cmocka_unit_test(exact_delete_point_looks_at_the_start_s_own_frame),
        cmocka_unit_test(motion_that_is_not_a_number_stays_in_the_frame),
        cmocka_unit_test(options_that_do_not_fit_are_refused_with_both_numbers),
        cmocka_unit_test(values_out_of_range_are_refused),
        cmocka_unit_test(flow_that_does_not_fit_is_refused),
        cmocka_unit_test(an_allocation_that_fails_is_reported_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
