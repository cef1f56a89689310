/* SPDX-License-Identifier: Apache-2.0 */
/* The gradient family on small networks: what holds of its maps by definition. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attribution/blur.h"
#include "core/npy.h"
#include "support/random_net.h"
#include "support/subject.h"

/* cmocka compares as float; these are doubles. */
#define assert_near(a, b, bound) assert_true(fabs((double)(a) - (double)(b)) <= (bound))

enum { T = 4, H = 10, W = 12, VOXELS = T * H * W, CLASSES = 7 };

/* Values, gradients and maps are rounded to float, relative to the largest: a map's voxel is the
 * sum of three products of two of them. */
#define FLOATS (9 * 6e-8)

struct rig {
    struct net net;
    struct subject s;
    int weights; /* value of the linear network's matrix [3 T H W][classes] */
};

enum network { LINEAR, RELU, POOLED };

static void set_up(struct rig *rig, enum network network)
{
    static const int64_t two[] = { 2, 2, 2 };
    const struct ao_attr pool[] = {
        { .name = "kernel_shape", .type = AO_ATTR_INTS, .n = 3, .ints = two },
        { .name = "strides", .type = AO_ATTR_INTS, .n = 3, .ints = two },
    };
    struct ao_rng rng;
    net_init(&rig->net, 12, SHAPE(1, 3, T, H, W));
    if (network == LINEAR) {
        rig->weights = net_constant(&rig->net, SHAPE(3 * VOXELS, CLASSES), -1, 1);
        net_output(&rig->net, net_binary(&rig->net, "MatMul", net_unary(&rig->net, "Flatten", 0),
                                         rig->weights));
    } else {
        int x = net_unary(&rig->net, "Relu", net_same_conv(&rig->net, 0, 6));
        if (network == POOLED)
            x = net_node(&rig->net, "MaxPool", (const int32_t[]){ x, -1, -1 }, pool, 2);
        x = net_unary(&rig->net, "Relu", net_same_conv(&rig->net, x, 5));
        net_output(&rig->net, net_head(&rig->net, x));
    }
    net_finish(&rig->net);
    subject_init(&rig->s, &rig->net.graph);
    rig->s.a.run.backend = AO_BACKEND_REFERENCE_F64;
    rig->s.a.target = "1";
    ao_rng_init(&rng, 8);
    for (int i = 0; i < 3 * VOXELS; i++)
        rig->s.clip->values[i] = (float)ao_rng_range(&rng, -2, 2);
}

static void tear_down(struct rig *rig)
{
    subject_close(&rig->s);
    ao_graph_fini(&rig->net.graph);
}

static const float *run(struct rig *rig, const char *method)
{
    if (subject_run(&rig->s, method) != AOSA_OK)
        fail_msg("%s: %s", method, aosa_error_message());
    return rig->s.a.results[0].map;
}

/* A copy for the caller to free. */
static float *run_copy(struct rig *rig, const char *method)
{
    float *map = malloc(VOXELS * sizeof *map);
    assert_non_null(map);
    return memcpy(map, run(rig, method), VOXELS * sizeof *map);
}

static double extra(const struct rig *rig, const char *key)
{
    return json_real_value(json_object_get(rig->s.a.results[0].extra, key));
}

static double weight(const struct rig *rig, int channel, int voxel)
{
    const float *weights = rig->net.graph.values[rig->weights].data;
    return (double)weights[(channel * VOXELS + voxel) * CLASSES + 1];
}

/* ------------------------------------------------------------------------------------- scores */

/* Outputs are near 1 and third derivatives below 300 (2 / p^3 at p = 0.2), so central differences
 * with h = 2^-12 err by h^2 / 6 * 300 = 3e-6; roundings by 2^-52 / h = 1e-12 and the float result.
 */
static void check_score_gradient(enum ao_score_kind kind, const float *outputs, bool probabilities,
                                 struct ao_target target)
{
    const float h = 0x1p-12F;
    float gradient[3], moved[3];
    ao_score_gradient(kind, outputs, 3, probabilities, target, gradient);
    for (int k = 0; k < 3; k++) {
        memcpy(moved, outputs, sizeof moved);
        moved[k] = outputs[k] + h;
        const double above = ao_score(kind, moved, 3, probabilities, target);
        const double up = (double)moved[k];
        moved[k] = outputs[k] - h;
        const double below = ao_score(kind, moved, 3, probabilities, target);
        assert_near(gradient[k], (above - below) / (up - (double)moved[k]), 4e-6);
    }
}

static void score_gradients_are_central_differences(void **state)
{
    (void)state;
    const float z[] = { 0.5F, -0.25F, 1.0F }, p[] = { 0.25F, 0.55F, 0.2F };
    const struct ao_target targets[] = { { 0, -1 }, { 2, -1 }, { 2, 1 }, { 0, 2 } };
    for (int t = 0; t < 4; t++)
        for (int kind = AO_SCORE_PROB; kind <= AO_SCORE_LOG_ODDS; kind++) {
            check_score_gradient((enum ao_score_kind)kind, z, false, targets[t]);
            check_score_gradient((enum ao_score_kind)kind, p, true, targets[t]);
        }
}

static void probability_gradient_keeps_its_digits_near_one(void **state)
{
    (void)state;
    const float z[] = { 60.0F, 0.0F };
    float gradient[2];
    ao_score_gradient(AO_SCORE_PROB, z, 2, false, (struct ao_target){ 0, -1 }, gradient);
    const double q = exp(-60); /* 1 - p rounds to 0 */
    assert_near((double)gradient[0] / q, 1, 1e-6);
    assert_near((double)gradient[1] / q, -1, 1e-6);
}

/* ------------------------------------------------------------------------------------- linear */

static void gradient_of_a_linear_network_is_its_weights(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, LINEAR);
    subject_set(&rig.s, "reduce", "sum");
    const float *map = run(&rig, "gradient");
    for (int i = 0; i < VOXELS; i++)
        assert_near(map[i], weight(&rig, 0, i) + weight(&rig, 1, i) + weight(&rig, 2, i),
                    3 * FLOATS);
    subject_set(&rig.s, "reduce", "auto");
    map = run(&rig, "gradient");
    for (int i = 0; i < VOXELS; i++)
        assert_near(map[i],
                    fabs(weight(&rig, 0, i)) + fabs(weight(&rig, 1, i)) + fabs(weight(&rig, 2, i)),
                    3 * FLOATS);
    tear_down(&rig);
}

/* All of them are x w here: the path does not matter, nor do secants. */
static void attributions_of_a_linear_network_agree(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, LINEAR);
    subject_set(&rig.s, "steps", "3");
    float *want = run_copy(&rig, "gradient_x_input");
    for (int i = 0; i < VOXELS; i++) {
        double sum = 0;
        for (int c = 0; c < 3; c++)
            sum += weight(&rig, c, i) * (double)rig.s.clip->values[c * VOXELS + i];
        assert_near(want[i], sum, 6 * FLOATS);
    }
    static const char *const methods[] = { "integrated_gradients", "deeplift" };
    for (int m = 0; m < 2; m++) {
        const float *map = run(&rig, methods[m]);
        for (int i = 0; i < VOXELS; i++)
            assert_near(map[i], want[i], 6 * FLOATS);
        assert_true(fabs(extra(&rig, "relative_gap")) < 1e-5); /* the score is a float */
    }
    free(want);
    run(&rig, "blur_ig");
    assert_true(fabs(extra(&rig, "relative_gap")) < 1e-5);
    assert_string_equal(rig.s.a.warning, "");
    tear_down(&rig);
}

/* ------------------------------------------------------------------------------- completeness */

static void integrated_gradients_add_up_to_the_score_difference(void **state)
{
    (void)state;
    struct rig rig;
    double gap[2];
    set_up(&rig, RELU);
    subject_set(&rig.s, "baseline", "black");
    for (int fine = 0; fine < 2; fine++) {
        subject_set(&rig.s, "steps", fine ? "64" : "8");
        run(&rig, "integrated_gradients");
        gap[fine] = extra(&rig, "relative_gap");
        const double difference = extra(&rig, "score_difference");
        assert_near(fabs(difference) * gap[fine], fabs(extra(&rig, "attribution_sum") - difference),
                    1e-12 * fabs(difference));
    }
    printf("relative gap of 8 and 64 steps: %.1e, %.1e\n", gap[0], gap[1]);
    /* Piecewise linear: a step errs only where it crosses a corner, by at most 1/m of its jump. */
    assert_true(gap[1] < 1e-2 && gap[1] < gap[0]);
    tear_down(&rig);
}

static void blur_integrated_gradients_add_up_too(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, RELU);
    subject_set(&rig.s, "blur", "3");
    subject_set(&rig.s, "steps", "64");
    run(&rig, "blur_ig");
    printf("relative gap of blurs: %.1e\n", extra(&rig, "relative_gap"));
    assert_true(extra(&rig, "relative_gap") < 1e-2);
    tear_down(&rig);
}

/* The rescale rule adds up exactly, but for the float clip gradient and outputs. */
static void deeplift_adds_up_at_once(void **state)
{
    (void)state;
    for (int network = RELU; network <= POOLED; network++) {
        struct rig rig;
        set_up(&rig, (enum network)network);
        subject_set(&rig.s, "baseline", "0.5");
        run(&rig, "deeplift");
        printf("relative gap of deeplift: %.1e\n", extra(&rig, "relative_gap"));
        assert_true(extra(&rig, "relative_gap") < 1e-5);
        tear_down(&rig);
    }
}

static void coarse_paths_are_warned_of(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, RELU);
    subject_set(&rig.s, "baseline", "zero");
    subject_set(&rig.s, "steps", "1");
    subject_set(&rig.s, "path", "left");
    run(&rig, "integrated_gradients");
    assert_true(extra(&rig, "relative_gap") > 0.05);
    assert_non_null(strstr(rig.s.a.warning, "try more --steps"));
    tear_down(&rig);
}

/* ---------------------------------------------------------------------------------- smoothgrad */

static void smoothgrad_without_noise_is_the_gradient(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, RELU);
    subject_set(&rig.s, "noise", "0");
    subject_set(&rig.s, "samples", "3");
    float *gradient = run_copy(&rig, "gradient");
    const float *map = run(&rig, "smoothgrad");
    for (int i = 0; i < VOXELS; i++)
        assert_near(map[i], gradient[i], (double)gradient[i] * 6e-8); /* one rounding to float */
    map = run(&rig, "vargrad");
    for (int i = 0; i < VOXELS; i++)
        assert_near(map[i], 0, 1e-15 * (double)gradient[i] * (double)gradient[i]);
    free(gradient);
    tear_down(&rig);
}

static void noise_does_not_move_a_linear_gradient(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, LINEAR);
    subject_set(&rig.s, "samples", "2");
    float *square = run_copy(&rig, "smoothgrad_sq");
    for (int i = 0; i < VOXELS; i++) {
        double sum = 0;
        for (int c = 0; c < 3; c++)
            sum += weight(&rig, c, i) * weight(&rig, c, i);
        assert_near(square[i], sum, 6 * FLOATS);
    }
    const float *variance = run(&rig, "vargrad");
    for (int i = 0; i < VOXELS; i++)
        assert_near(variance[i], 0, 1e-15);
    free(square);
    tear_down(&rig);
}

static void noise_follows_the_seed(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, RELU);
    subject_set(&rig.s, "samples", "2");
    rig.s.a.seed = 3;
    float *first = run_copy(&rig, "smoothgrad");
    rig.s.a.seed = 4;
    assert_memory_not_equal(run(&rig, "smoothgrad"), first, VOXELS * sizeof *first);
    free(first);
    tear_down(&rig);
}

static void noise_of_another_size_is_refused(void **state)
{
    (void)state;
    struct rig rig;
    char path[] = "/tmp/aosa-noise-XXXXXX";
    const int64_t dims[] = { 1, 3, T, H, W };
    const int file = mkstemp(path);
    static const float noise[3 * VOXELS];
    assert_true(file >= 0);
    assert_int_equal(ao_npy_write(path, AO_NPY_F32, 5, dims, noise), AOSA_OK);
    set_up(&rig, RELU);
    subject_set(&rig.s, "noise-file", path);
    subject_set(&rig.s, "samples", "2");
    assert_int_equal(subject_run(&rig.s, "smoothgrad"), AOSA_ERR_SHAPE);
    assert_non_null(strstr(aosa_error_message(), "noise of 2 copies is float32 [2,3,4,10,12]"));
    subject_set(&rig.s, "samples", "1");
    run(&rig, "smoothgrad");
    remove(path);
    tear_down(&rig);
}

/* ------------------------------------------------------------------------------- all of them */

static const char *const all[] = { "gradient",  "gradient_x_input",     "guided_backprop",
                                   "deconvnet", "smoothgrad",           "smoothgrad_sq",
                                   "vargrad",   "integrated_gradients", "blur_ig",
                                   "deeplift" };
enum { N_ALL = sizeof all / sizeof all[0] };

static void reductions_fit_each_other(void **state)
{
    (void)state;
    static const char *const kinds[] = { "abs", "sum", "positive", "mean-abs" };
    struct rig rig;
    float *map[4];
    set_up(&rig, RELU);
    for (int k = 0; k < 4; k++) {
        subject_set(&rig.s, "reduce", kinds[k]);
        map[k] = run_copy(&rig, "gradient");
    }
    for (int i = 0; i < VOXELS; i++) {
        const double absolute = (double)map[0][i];
        assert_near(map[1][i], 2 * (double)map[2][i] - absolute, absolute * FLOATS);
        assert_near(3 * (double)map[3][i], absolute, absolute * FLOATS);
    }
    for (int k = 0; k < 4; k++)
        free(map[k]);
    tear_down(&rig);
}

static void targets_together_are_targets_alone(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, RELU);
    subject_set(&rig.s, "samples", "2");
    subject_set(&rig.s, "steps", "2");
    for (int m = 0; m < N_ALL; m++) {
        struct ao_passes announced;
        float *alone[3];
        for (int k = 0; k < 3; k++) {
            rig.s.a.target = (const char *[]){ "4", "0", "2-5" }[k];
            alone[k] = run_copy(&rig, all[m]);
        }
        rig.s.a.target = "4,0,2-5";
        run(&rig, all[m]);
        assert_int_equal(rig.s.a.n_results, 3);
        for (int k = 0; k < 3; k++) {
            assert_memory_equal(rig.s.a.results[k].map, alone[k], VOXELS * sizeof(float));
            free(alone[k]);
        }
        assert_int_equal(rig.s.a.method->passes(&rig.s.a, 3, &announced), AOSA_OK);
        assert_int_equal(announced.forwards, rig.s.a.passes.forwards);
        assert_int_equal(announced.backwards, rig.s.a.passes.backwards);
    }
    tear_down(&rig);
}

static void threads_do_not_change_bits(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, RELU);
    subject_set(&rig.s, "samples", "3");
    subject_set(&rig.s, "steps", "4");
    for (int m = 0; m < N_ALL; m++) {
        rig.s.a.run.threads = 1;
        float *one = run_copy(&rig, all[m]);
        rig.s.a.run.threads = 3;
        assert_memory_equal(run(&rig, all[m]), one, VOXELS * sizeof *one);
        free(one);
    }
    tear_down(&rig);
}

struct stop {
    size_t last, total, allowed; /* reports until it says stop */
};

static bool count_reports(void *user, const char *stage, size_t done, size_t total)
{
    struct stop *stop = user;
    (void)stage;
    assert_true(done >= stop->last && done <= total);
    stop->last = done;
    stop->total = total;
    return stop->allowed-- > 0;
}

static void progress_rises_and_stops_what_runs(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, RELU);
    subject_set(&rig.s, "samples", "3");
    subject_set(&rig.s, "steps", "3");
    for (int m = 0; m < N_ALL; m++) {
        struct stop stop = { .allowed = 1000000 };
        const struct ao_progress progress = { count_reports, &stop, "passes" };
        rig.s.a.progress = &progress;
        run(&rig, all[m]);
        assert_int_equal(stop.last, stop.total);
        for (size_t allowed = 0; allowed < 10; allowed += 3) {
            stop = (struct stop){ .allowed = allowed };
            assert_int_equal(subject_run(&rig.s, all[m]), AOSA_ERR_CANCELLED);
        }
    }
    tear_down(&rig);
}

static void flat_softmax_is_warned_of(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, LINEAR);
    rig.s.a.score = AO_SCORE_PROB;
    rig.s.a.target = "top1"; /* 1440 weights up to 1 times values up to 2: logits are far apart */
    run(&rig, "gradient");
    assert_true(rig.s.a.results[0].probability > 0.9999);
    assert_non_null(strstr(rig.s.a.warning, "try --score logit"));
    rig.s.a.score = AO_SCORE_LOGIT;
    run(&rig, "gradient");
    assert_string_equal(rig.s.a.warning, "");
    tear_down(&rig);
}

static void blur_of_any_width_keeps_the_mean_of_a_constant(void **state)
{
    (void)state;
    float src[2 * 5 * 7], dst[2 * 5 * 7];
    for (int i = 0; i < 70; i++)
        src[i] = 1.5F;
    for (int k = 0; k < 4; k++) {
        const double sigma = (double[]){ 0, 0.3, 2, 50 }[k];
        assert_int_equal(ao_blur_frames(src, 2, 5, 7, sigma, AO_BORDER_NEAREST, 2, dst), AOSA_OK);
        for (int i = 0; i < 70; i++)
            assert_near(dst[i], 1.5, 1.5 * 12 * 6e-8); /* 12 float products and sums */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(score_gradients_are_central_differences),
        cmocka_unit_test(probability_gradient_keeps_its_digits_near_one),
        cmocka_unit_test(gradient_of_a_linear_network_is_its_weights),
        cmocka_unit_test(attributions_of_a_linear_network_agree),
        cmocka_unit_test(integrated_gradients_add_up_to_the_score_difference),
        cmocka_unit_test(blur_integrated_gradients_add_up_too),
        cmocka_unit_test(deeplift_adds_up_at_once),
        cmocka_unit_test(coarse_paths_are_warned_of),
        cmocka_unit_test(smoothgrad_without_noise_is_the_gradient),
        cmocka_unit_test(noise_does_not_move_a_linear_gradient),
        cmocka_unit_test(noise_follows_the_seed),
        cmocka_unit_test(noise_of_another_size_is_refused),
        cmocka_unit_test(reductions_fit_each_other),
        cmocka_unit_test(targets_together_are_targets_alone),
        cmocka_unit_test(threads_do_not_change_bits),
        cmocka_unit_test(progress_rises_and_stops_what_runs),
        cmocka_unit_test(flat_softmax_is_warned_of),
        cmocka_unit_test(blur_of_any_width_keeps_the_mean_of_a_constant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
