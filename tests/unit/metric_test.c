/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/metric_rig.h"
#include "video/preprocess.h"

/* Metrics of the map alone and of boxes. */

static struct ao_truth_box boxes[] = {
    { .t = 0, .box = { .y0 = 1, .x0 = 1, .y1 = 3, .x1 = 3 } },
    { .t = 2, .box = { .y0 = 4, .x0 = 3, .y1 = 6, .x1 = 5 } },
};
static const struct ao_truth truth = { .T = RIG_T, .H = RIG_H, .W = RIG_W, .n = 2, .boxes = boxes };

static void a_map_of_the_boxes_points_and_has_its_energy_inside(void **state)
{
    (void)state;
    for (int i = 0; i < RIG_VOXELS; i++)
        rig.map[i] = -1;
    for (size_t b = 0; b < truth.n; b++)
        for (int y = boxes[b].box.y0; y < boxes[b].box.y1; y++)
            for (int x = boxes[b].box.x0; x < boxes[b].box.x1; x++)
                rig.map[(boxes[b].t * RIG_H + y) * RIG_W + x] = 1;
    rig_set("tolerance", "0");
    rig_run("pointing", &truth);
    assert_near(rig_value("pointing.spatial"), 1, 0);
    assert_near(rig_value("pointing.clip"), 1, 0);
    rig_run("energy", &truth);
    assert_near(rig_value("energy"), 1, 0);
    rig.map[0] = 8;               /* outside, in a frame with a box: 8 values of 1 are inside */
    rig.map[RIG_H * RIG_W] = 100; /* in a frame without */
    rig_run("energy", &truth);
    assert_near(rig_value("energy"), 0.5, 1e-15);
    rig_run("pointing", &truth);
    assert_near(rig_value("pointing.spatial"), 0.5, 0);
    assert_near(rig_value("pointing.clip"), 0, 0);
}

static void a_peak_may_lie_as_far_from_a_box_as_the_tolerance_says(void **state)
{
    (void)state;
    /* The short side is 5, so a tolerance of 22.4 is one pixel; the peak is one off on both axes.
     */
    memset(rig.map, 0, sizeof rig.map);
    rig.map[3 * RIG_W + 3] = 1;
    rig.map[2 * RIG_H * RIG_W + 5 * RIG_W + 4] = 1;
    rig_set("tolerance", "22.4");
    rig_run("pointing", &truth);
    assert_near(rig_value("pointing.spatial"), 1, 0);
    rig_set("distance", "euclidean");
    rig_run("pointing", &truth);
    assert_near(rig_value("pointing.spatial"), 0.5, 0);
    rig_set("tolerance", "33"); /* 1.47 pixels: more than the square root of 2 */
    rig_run("pointing", &truth);
    assert_near(rig_value("pointing.spatial"), 1, 0);
}

static void a_random_map_scores_near_the_dilated_area_ratio(void **state)
{
    (void)state;
    /* Boxes of 2 x 2, one pixel wider on each side: 4 x 4, and at the border 3 x 3, of 30. */
    enum { RUNS = 2000 };
    const double spatial = (16.0 / 30 + 9.0 / 30) / 2, clip = (16.0 + 9.0) / RIG_VOXELS;
    double hits = 0, clip_hits = 0;
    struct ao_rng rng;
    ao_rng_init(&rng, 11);
    rig_set("tolerance", "22.4");
    for (int run = 0; run < RUNS; run++) {
        for (int i = 0; i < RIG_VOXELS; i++)
            rig.map[i] = (float)ao_rng_uniform(&rng);
        rig_run("pointing", &truth);
        hits += rig_value("pointing.spatial") / RUNS;
        clip_hits += rig_value("pointing.clip") / RUNS;
    }
    printf("spatial %.3f for %.3f, clip %.3f for %.3f\n", hits, spatial, clip_hits, clip);
    /* A mean of RUNS numbers in [0, 1] has a standard deviation of at most 0.5 / sqrt(RUNS). */
    assert_near(hits, spatial, 5 * 0.5 / sqrt(RUNS));
    assert_near(clip_hits, clip, 5 * 0.5 / sqrt(RUNS));
}

static void a_plateau_points_at_its_first_voxel_or_at_its_centre(void **state)
{
    (void)state;
    /* Frame 0: y 0 to 3, x 0 to 4, whose centre (1.5, 2) rounds to (2, 2), inside of a box. */
    rig_set("tolerance", "0");
    memset(rig.map, 0, sizeof rig.map);
    for (int i = 0; i < 4 * RIG_W; i++)
        rig.map[i] = 1;
    rig_run("pointing", &truth);
    assert_near(rig_value("pointing.clip"), 0, 0);
    assert_near(rig_value("pointing.spatial"), 0, 0); /* frame 2 is all 0: a plateau too */
    rig_set("peak", "centroid");
    rig_run("pointing", &truth);
    assert_near(rig_value("pointing.clip"), 1, 0);
    assert_near(rig_value("pointing.spatial"), 0.5, 0);
}

/* 1 in both boxes, 0 elsewhere. */
static void draw_boxes(void)
{
    memset(rig.map, 0, sizeof rig.map);
    for (size_t b = 0; b < truth.n; b++)
        for (int y = boxes[b].box.y0; y < boxes[b].box.y1; y++)
            for (int x = boxes[b].box.x0; x < boxes[b].box.x1; x++)
                rig.map[(boxes[b].t * RIG_H + y) * RIG_W + x] = 1;
}

static void iou_compares_the_peak_with_the_boxes(void **state)
{
    (void)state;
    draw_boxes();
    rig_run("iou", &truth);
    assert_near(rig_value("iou"), 1, 0);
    assert_near(rig_value("iou.hit"), 1, 0);
    rig.map[0] = 0.95F;                /* outside, in a frame with a box: 8 of 9 */
    rig.map[RIG_H * RIG_W] = 1;        /* in a frame without, which says nothing */
    rig.map[2 * RIG_H * RIG_W] = 0.9F; /* not above the threshold */
    rig_run("iou", &truth);
    assert_near(rig_value("iou"), 8 / 9.0, 1e-15);
    rig_set("iou-hit", "0.9");
    rig_run("iou", &truth);
    assert_near(rig_value("iou.hit"), 0, 0);
}

static void iou_opens_the_peak_and_takes_its_bounding_box(void **state)
{
    (void)state;
    /* A ring of 3 x 3 and a speck in frame 0; nothing in frame 2, whose box has 4 pixels. */
    memset(rig.map, 0, sizeof rig.map);
    for (int i = 0; i < 9; i++)
        rig.map[(1 + i / 3) * RIG_W + 1 + i % 3] = i != 4;
    rig_set("iou-box", "true");
    rig_run("iou", &truth); /* 3 x 3 covers the box of 2 x 2 */
    assert_near(rig_value("iou"), 4.0 / (9 + 4), 1e-15);
    rig.map[2 * RIG_W + 2] = 1;
    rig.map[5 * RIG_W + 4] = 1; /* the speck stretches the bounding box to 5 x 4 */
    rig_run("iou", &truth);
    assert_near(rig_value("iou"), 4.0 / (20 + 4), 1e-15);
    rig_set("iou-opening", "1"); /* takes the speck, leaves the square */
    rig_run("iou", &truth);
    assert_near(rig_value("iou"), 4.0 / (9 + 4), 1e-15);
    rig_set("iou-opening", "2"); /* takes both */
    rig_run("iou", &truth);
    assert_near(rig_value("iou"), 0, 0);
}

static void a_signed_map_is_stretched_from_its_zero_or_its_range(void **state)
{
    (void)state;
    draw_boxes();
    for (int i = 0; i < RIG_VOXELS; i++)
        rig.map[i] -= 0.5F; /* -0.5 and 0.5: zero lies between */
    rig.map[0] = 0.45F;
    rig_set("iou-threshold", "0.92");
    rig_run("iou", &truth); /* 0.45 / 0.5 = 0.9 */
    assert_near(rig_value("iou"), 1, 0);
    rig_set("stretch", "range"); /* 0.95 / 1 */
    rig_run("iou", &truth);
    assert_near(rig_value("iou"), 8 / 9.0, 1e-15);
    for (int i = 0; i < RIG_VOXELS; i++)
        rig.map[i] = -2;
    rig_run("iou,energy,smoothness", &truth); /* nothing to stretch */
    assert_true(isnan(rig_value("iou")) && isnan(rig_value("iou.hit")));
    assert_true(isnan(rig_value("energy")));
    assert_true(isnan(rig_value("smoothness.time")) && isnan(rig_value("smoothness.space")));
}

static void metrics_that_need_boxes_are_left_out_without_any(void **state)
{
    (void)state;
    const struct ao_truth none = { .T = RIG_T, .H = RIG_H, .W = RIG_W };
    rig_run("pointing,energy,iou,sparsity", &none);
    assert_int_equal(rig.answer.n_values, 1);
    rig_run("pointing,energy,iou,sparsity", NULL);
    assert_int_equal(rig.answer.n_values, 1);
}

static void smoothness_is_the_mean_step_over_the_range(void **state)
{
    (void)state;
    /* A = 2 t + x: steps of 2 in time, of 1 in x, of 0 in y; from 0 to 8. */
    for (int i = 0; i < RIG_VOXELS; i++)
        rig.map[i] = (float)(2 * (i / (RIG_H * RIG_W)) + i % RIG_W);
    const double in_x = RIG_T * RIG_H * (RIG_W - 1), in_y = RIG_T * (RIG_H - 1) * RIG_W;
    rig_run("smoothness", NULL);
    assert_near(rig_value("smoothness.time"), 2 / 8.0, 1e-15);
    assert_near(rig_value("smoothness.space"), in_x / (in_x + in_y) / 8, 1e-15);
}

static void parts_of_a_metric_have_a_better_side_of_their_own(void **state)
{
    (void)state;
    static const char *const want[][2] = {
        { "deletion.auc", "lower" },
        { "deletion.auc_normalised", "lower" },
        { "deletion.auc_lerf", "higher" },
        { "deletion.abpc", "higher" },
        { "insertion.auc", "higher" },
        { "insertion.auc_lerf_normalised", "lower" },
        { "insertion.abpc", "higher" },
        { "average_drop.gain", "higher" },
        { "average_drop.drop", "lower" },
        { "iou", "higher" },
        { "iou.hit", "higher" },
        { "sparsity.gini", "" },
        { "unheard.of", "" },
    };
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        assert_string_equal(ao_metric_better(want[i][0]), want[i][1]);
}

static void options_that_metrics_read_exist(void **state)
{
    (void)state;
    int n;
    const struct ao_metric *metrics = ao_metrics(&n);
    for (int i = 0; i < n; i++)
        for (const char *word = metrics[i].options; *word;) {
            const size_t length = strcspn(word, " ");
            char name[64];
            snprintf(name, sizeof name, "%.*s", (int)length, word);
            if (!ao_options_find(ao_metric_option_table, name))
                fail_msg("%s reads '%s', which is no option", metrics[i].name, name);
            word += length + strspn(word + length, " ");
        }
    for (const struct ao_option *row = ao_metric_option_table; row->name; row++) {
        bool read = false;
        for (int i = 0; i < n; i++)
            read = read || ao_list_has(metrics[i].options, ' ', row->name);
        if (!read)
            fail_msg("no metric reads '%s'", row->name);
    }
}

static void gini_is_zero_for_a_constant_and_near_one_for_a_point(void **state)
{
    (void)state;
    for (int i = 0; i < RIG_VOXELS; i++)
        rig.map[i] = -3;
    rig_run("sparsity", NULL);
    assert_near(rig_value("sparsity.gini"), 0, 1e-12);
    memset(rig.map, 0, sizeof rig.map);
    rig_run("sparsity", NULL);
    assert_true(isnan(rig_value("sparsity.gini")));
    rig.map[17] = -2;
    rig_run("sparsity", NULL);
    assert_near(rig_value("sparsity.gini"), 1 - 1.0 / RIG_VOXELS, 1e-12);
}

static void boxes_go_through_resize_and_crop(void **state)
{
    (void)state;
    struct ao_truth mapped;
    struct aosa_clip *clip = rig.s.clip;
    /* 320 x 240 to short side 6 is 8 x 6, cropped to 5 columns: x = p / 40 - 1, y = p / 40. */
    clip->scale[0] = clip->scale[1] = 1 / 40.0;
    clip->offset[1] = 1;
    for (int t = 0; t < RIG_T; t++)
        clip->frames[t] = 10 + 2 * t;
    const struct ao_source_box sources[] = {
        { 12, 80, 40, 160, 120 },   /* x 1 to 3, y 1 to 3 */
        { 11, 80, 40, 160, 120 },   /* a frame that is not taken */
        { 10, -50, 200, 100, 300 }, /* cut at the left and lower border: x to 1.5, y from 5 */
        { 14, 300, 0, 320, 40 },    /* right of the crop */
    };
    assert_int_equal(ao_truth_init(&mapped, clip, sources, 4), AOSA_OK);
    assert_int_equal(mapped.n, 2);
    const struct ao_truth_box want[] = { { 0, { 5, 0, 6, 1 } }, { 1, { 1, 1, 3, 3 } } };
    assert_memory_equal(mapped.boxes, want, sizeof want);
    ao_truth_fini(&mapped);
}

static void a_frame_of_ucf101_lies_in_the_clip_as_the_paper_crops_it(void **state)
{
    (void)state;
    /* Spec C.2: X = x 149 / 320 - 18, Y = y 112 / 240. */
    struct ao_preprocess pre;
    double scale[2], offset[2];
    const struct ao_picture frame = { .H = 240, .W = 320 };
    ao_preprocess_init(&pre, 16, 112, 112);
    ao_frame_placement(&pre, &frame, scale, offset);
    assert_near(scale[0], 112 / 240.0, 0);
    assert_near(scale[1], 149 / 320.0, 0);
    assert_near(offset[0], 0, 0);
    assert_near(offset[1], 18, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_map_of_the_boxes_points_and_has_its_energy_inside),
        TEST(a_peak_may_lie_as_far_from_a_box_as_the_tolerance_says),
        TEST(a_random_map_scores_near_the_dilated_area_ratio),
        TEST(a_plateau_points_at_its_first_voxel_or_at_its_centre),
        TEST(iou_compares_the_peak_with_the_boxes),
        TEST(iou_opens_the_peak_and_takes_its_bounding_box),
        TEST(a_signed_map_is_stretched_from_its_zero_or_its_range),
        TEST(metrics_that_need_boxes_are_left_out_without_any),
        TEST(smoothness_is_the_mean_step_over_the_range),
        TEST(parts_of_a_metric_have_a_better_side_of_their_own),
        TEST(options_that_metrics_read_exist),
        TEST(gini_is_zero_for_a_constant_and_near_one_for_a_point),
        TEST(boxes_go_through_resize_and_crop),
        TEST(a_frame_of_ucf101_lies_in_the_clip_as_the_paper_crops_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
