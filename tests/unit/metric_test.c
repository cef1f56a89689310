/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "metric/metric.h"
#include "metric/ranking.h"
#include "support/random_net.h"
#include "support/subject.h"
#include "video/preprocess.h"

/* cmocka compares as float; these are doubles. */
#define assert_near(a, b, bound) assert_true(fabs((double)(a) - (double)(b)) <= (bound))

/* A linear network f(x) = sum_i w_i x_i on a clip of ones: removing voxel i takes the sum of its
 * three weights c_i away, so every curve has a closed form. */
enum { T = 3, H = 6, W = 5, VOXELS = T * H * W };

struct rig {
    struct net net;
    struct subject s;
    struct ao_scorer *scorer;
    struct ao_metric_options options;
    struct ao_metric_answer answer;
    struct ao_progress progress;
    double c[VOXELS], total;
    float map[VOXELS];
};
static struct rig rig;

static int set_up(void **state)
{
    (void)state;
    struct net *net = &rig.net;
    net_init(net, 3, SHAPE(1, 3, T, H, W));
    const int weights = net_constant(net, SHAPE(3 * VOXELS, 2), 0, 1);
    const int flat = net_unary(net, "Flatten", 0);
    net_output(net, net_binary(net, "MatMul", flat, weights));
    net_finish(net);
    subject_init(&rig.s, &net->graph);
    const float *w = net->graph.values[weights].data;
    rig.total = 0;
    for (int i = 0; i < VOXELS; i++) {
        rig.c[i] = 0;
        for (int k = 0; k < 3; k++)
            rig.c[i] += (double)w[2 * (k * VOXELS + i)];
        rig.total += rig.c[i];
    }
    for (int i = 0; i < 3 * VOXELS; i++)
        rig.s.clip->values[i] = 1;
    const struct ao_scorer_options options = { .backend = AO_BACKEND_REFERENCE_F64,
                                               .threads = 2,
                                               .batch = 1 };
    assert_int_equal(ao_scorer_create(&rig.s.model, &options, &rig.scorer), AOSA_OK);
    assert_int_equal(ao_options_init(ao_metric_option_table, &rig.options), AOSA_OK);
    rig.options.score = AO_SCORE_LOGIT;
    /* Distinct values in a scattered order: 37 and 90 have no common divisor. */
    for (int i = 0; i < VOXELS; i++)
        rig.map[i] = (float)(i * 37 % VOXELS);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ao_metric_answer_fini(&rig.answer);
    ao_options_fini(ao_metric_option_table, &rig.options);
    ao_scorer_destroy(&rig.scorer);
    subject_close(&rig.s);
    ao_graph_fini(&rig.net.graph);
    memset(&rig, 0, sizeof rig);
    return 0;
}

static void set(const char *option, const char *value)
{
    const struct ao_option *row = ao_options_find(ao_metric_option_table, option);
    assert_non_null(row);
    assert_int_equal(ao_option_set(row, &rig.options, value), AOSA_OK);
}

static void run(const char *name, const struct ao_truth *truth)
{
    struct ao_metric_call call = {
        .metric = ao_metric_find(name),
        .model = &rig.s.model,
        .scorer = rig.scorer,
        .clip = rig.s.clip,
        .map = rig.map,
        .target = { .a = 0, .b = -1 },
        .truth = truth,
        .options = &rig.options,
        .seed = 5,
        .progress = &rig.progress,
        .answer = &rig.answer,
    };
    ao_metric_answer_fini(&rig.answer);
    if (call.metric->run(&call) != AOSA_OK)
        fail_msg("%s: %s", name, aosa_error_message());
}

static double value(const char *name)
{
    for (size_t i = 0; i < rig.answer.n_values; i++)
        if (!strcmp(rig.answer.values[i].name, name))
            return rig.answer.values[i].value;
    fail_msg("no value %s", name);
    return 0;
}

/* Sum of c over the voxels whose map value is among the `n` largest. */
static double removed(size_t n)
{
    double sum = 0;
    for (int i = 0; i < VOXELS; i++)
        if (rig.map[i] >= (float)(VOXELS - (int)n))
            sum += rig.c[i];
    return sum;
}

/* Outputs are read as float: 6e-8 of a score of at most 3 VOXELS. */
static const double bound = 6e-8 * 3 * VOXELS;

static void curves_of_a_linear_network_are_sums_of_its_weights(void **state)
{
    (void)state;
    for (int n = 7; n <= VOXELS; n += VOXELS - 7) {
        char text[16];
        double area = 0;
        snprintf(text, sizeof text, "%d", n);
        set("cuts", text);
        for (int k = 0; k <= n; k++)
            area += (k == 0 || k == n ? 0.5 : 1) * removed((size_t)(k * VOXELS / n)) / n;
        run("deletion", NULL);
        assert_near(value("deletion.auc"), rig.total - area, bound);
        assert_near(value("deletion.auc_normalised"), 1 - area / rig.total, bound);
        assert_int_equal(rig.answer.curves[0].n, n + 1);
        for (int k = 0; k <= n; k++)
            assert_near(rig.answer.curves[0].y[k], rig.total - removed((size_t)(k * VOXELS / n)),
                        bound);
        run("insertion", NULL);
        assert_near(value("insertion.auc"), area, bound);
        assert_int_equal(rig.answer.forwards, n + 1);
    }
}

static void the_base_stands_where_voxels_are_deleted(void **state)
{
    (void)state;
    set("deletion-base", "0.5");
    set("cuts", "9");
    run("deletion", NULL);
    assert_near(rig.answer.curves[0].y[9], rig.total / 2, bound);
    assert_near(rig.answer.curves[0].y[3], rig.total - removed(30) / 2, bound);
}

static void a_constant_map_falls_to_the_tie_rule(void **state)
{
    (void)state;
    double first_third = 0;
    for (int i = 0; i < VOXELS; i++)
        rig.map[i] = 4;
    for (int i = 0; i < VOXELS / 3; i++)
        first_third += rig.c[i];
    set("cuts", "3");
    run("deletion", NULL); /* by index: frame after frame */
    assert_near(rig.answer.curves[0].y[1], rig.total - first_third, bound);
    set("ties", "together"); /* one step: from the clip to the base */
    run("deletion", NULL);
    assert_int_equal(rig.answer.curves[0].n, 2);
    assert_near(value("deletion.auc"), rig.total / 2, bound);
    set("ties", "random"); /* on average a straight line */
    set("tie-repeats", "200");
    run("deletion", NULL);
    /* The mean of 200 sums of 30 of 90 weights, each of variance 3/12: standard deviation
     * sqrt(30 * 2/3 * 0.25 / 200) = 0.16; 5 of them. */
    assert_near(rig.answer.curves[0].y[1], rig.total * 2 / 3, 0.8);
}

static void ties_that_stay_together_cut_at_the_ends_of_runs(void **state)
{
    (void)state;
    struct ao_ranking ranking;
    size_t cuts[10];
    for (int i = 0; i < VOXELS; i++)
        rig.map[i] = i < 50 ? 2 : i < 80 ? 1 : 0;
    assert_int_equal(ao_ranking_init(&ranking, rig.s.clip, rig.map, &rig.options), AOSA_OK);
    assert_int_equal(ao_ranking_cut(&ranking, 9, true, cuts), 3);
    assert_int_equal(cuts[1], 50);
    assert_int_equal(cuts[2], 80);
    assert_int_equal(cuts[3], 90);
    ao_ranking_fini(&ranking);
}

static void blocks_are_ranked_by_their_mean_and_removed_whole(void **state)
{
    (void)state;
    /* 4 x 4 blocks of a 6 x 5 frame: 2 x 2 of them, those at the border smaller. */
    double corner = 0;
    for (int i = 0; i < VOXELS; i++) {
        const int t = i / (H * W), y = i / W % H, x = i % W;
        const bool last = t == 1 && y >= 4 && x == 4; /* 2 voxels */
        rig.map[i] = last ? 1 : 0;
        corner += last ? rig.c[i] : 0;
    }
    set("unit", "block");
    set("block", "4");
    set("cuts", "12");
    run("deletion", NULL);
    assert_int_equal(rig.answer.curves[0].n, 13);
    assert_near(rig.answer.curves[0].y[1], rig.total - corner, bound);
    assert_near(rig.answer.curves[0].y[12], 0, bound);
}

static struct ao_truth_box boxes[] = {
    { .t = 0, .box = { .y0 = 1, .x0 = 1, .y1 = 3, .x1 = 3 } },
    { .t = 2, .box = { .y0 = 4, .x0 = 3, .y1 = 6, .x1 = 5 } },
};
static const struct ao_truth truth = { .T = T, .H = H, .W = W, .n = 2, .boxes = boxes };

static void a_map_of_the_boxes_points_and_has_its_energy_inside(void **state)
{
    (void)state;
    for (int i = 0; i < VOXELS; i++)
        rig.map[i] = -1;
    for (size_t b = 0; b < truth.n; b++)
        for (int y = boxes[b].box.y0; y < boxes[b].box.y1; y++)
            for (int x = boxes[b].box.x0; x < boxes[b].box.x1; x++)
                rig.map[(boxes[b].t * H + y) * W + x] = 1;
    set("tolerance", "0");
    run("pointing", &truth);
    assert_near(value("pointing.spatial"), 1, 0);
    assert_near(value("pointing.clip"), 1, 0);
    run("energy", &truth);
    assert_near(value("energy"), 1, 0);
    rig.map[0] = 8;       /* outside, in a frame with a box: 8 values of 1 are inside */
    rig.map[H * W] = 100; /* in a frame without */
    run("energy", &truth);
    assert_near(value("energy"), 0.5, 1e-15);
    run("pointing", &truth);
    assert_near(value("pointing.spatial"), 0.5, 0);
    assert_near(value("pointing.clip"), 0, 0);
}

static void a_peak_may_lie_as_far_from_a_box_as_the_tolerance_says(void **state)
{
    (void)state;
    /* The short side is 5, so a tolerance of 22.4 is one pixel; the peak is one off on both axes.
     */
    memset(rig.map, 0, sizeof rig.map);
    rig.map[3 * W + 3] = 1;
    rig.map[2 * H * W + 5 * W + 4] = 1;
    set("tolerance", "22.4");
    run("pointing", &truth);
    assert_near(value("pointing.spatial"), 1, 0);
    set("distance", "euclidean");
    run("pointing", &truth);
    assert_near(value("pointing.spatial"), 0.5, 0);
    set("tolerance", "33"); /* 1.47 pixels: more than the square root of 2 */
    run("pointing", &truth);
    assert_near(value("pointing.spatial"), 1, 0);
}

static void gini_is_zero_for_a_constant_and_near_one_for_a_point(void **state)
{
    (void)state;
    for (int i = 0; i < VOXELS; i++)
        rig.map[i] = -3;
    run("sparsity", NULL);
    assert_near(value("sparsity.gini"), 0, 1e-12);
    memset(rig.map, 0, sizeof rig.map);
    run("sparsity", NULL);
    assert_true(isnan(value("sparsity.gini")));
    rig.map[17] = -2;
    run("sparsity", NULL);
    assert_near(value("sparsity.gini"), 1 - 1.0 / VOXELS, 1e-12);
}

static void boxes_go_through_resize_and_crop(void **state)
{
    (void)state;
    struct ao_truth mapped;
    struct aosa_clip *clip = rig.s.clip;
    /* 320 x 240 to short side 6 is 8 x 6, cropped to 5 columns: x = p / 40 - 1, y = p / 40. */
    clip->scale[0] = clip->scale[1] = 1 / 40.0;
    clip->offset[1] = 1;
    for (int t = 0; t < T; t++)
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(curves_of_a_linear_network_are_sums_of_its_weights),
        TEST(the_base_stands_where_voxels_are_deleted),
        TEST(a_constant_map_falls_to_the_tie_rule),
        TEST(ties_that_stay_together_cut_at_the_ends_of_runs),
        TEST(blocks_are_ranked_by_their_mean_and_removed_whole),
        TEST(a_map_of_the_boxes_points_and_has_its_energy_inside),
        TEST(a_peak_may_lie_as_far_from_a_box_as_the_tolerance_says),
        TEST(gini_is_zero_for_a_constant_and_near_one_for_a_point),
        TEST(boxes_go_through_resize_and_crop),
        TEST(a_frame_of_ucf101_lies_in_the_clip_as_the_paper_crops_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
