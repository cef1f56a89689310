/* SPDX-License-Identifier: Apache-2.0 */
/* The CAM family on small networks: what holds of its maps by definition. */
#include <math.h>
#include <stdio.h>

#include "cam_fixture.h"

#include "core/alloc.h"

/* cmocka compares as float; these are doubles. */
#define assert_near(a, b, bound) assert_true(fabs((double)(a) - (double)(b)) <= (bound))

/* A copy for the caller to free. */
static float *run(struct rig *rig, const char *method)
{
    float *map = malloc(VOXELS * sizeof *map);
    assert_non_null(map);
    if (subject_run(&rig->s, method) != AOSA_OK)
        fail_msg("%s: %s", method, aosa_error_message());
    return memcpy(map, rig->s.a.results[0].map, VOXELS * sizeof *map);
}

static double largest_of(const float *map)
{
    double largest = 0;
    for (int i = 0; i < VOXELS; i++)
        largest = fmax(largest, fabs((double)map[i]));
    assert_true(largest > 0);
    return largest;
}

/*
 * Rounded to float are: features (in the double engine only when they are read), gradients and the
 * map; a cell sums FEATURES products.
 */
#define FLOATS ((2 * FEATURES + 1) * 6e-8)

/* With dscore/dA_k = w_k / cells everywhere, all formulas but two become that of the tubes. */
static void check_class_activation_map(enum ending ending)
{
    static const char *const rectified[] = { "gradcam", "gradcam_time", "xgradcam" };
    struct rig rig;
    set_up(&rig, ending);
    float *tubes = run(&rig, "saliency_tubes"), *signed_map = run(&rig, "hirescam");
    const double bound = FLOATS * largest_of(tubes);
    double worst = 0;
    int negative = 0;
    for (int i = 0; i < VOXELS; i++) {
        worst = fmax(worst, fabs((double)signed_map[i] * VOXELS - (double)tubes[i]));
        negative += tubes[i] < 0;
    }
    assert_true(negative > 0 && negative < VOXELS); /* the ReLU has something to do */
    for (size_t m = 0; m < sizeof rectified / sizeof rectified[0]; m++) {
        float *map = run(&rig, rectified[m]);
        for (int i = 0; i < VOXELS; i++)
            worst = fmax(worst, fabs((double)map[i] * VOXELS - fmax((double)tubes[i], 0)));
        free(map);
    }
    printf("worst difference from the class activation map: %.2g, allowed %.2g\n", worst, bound);
    assert_true(worst <= bound);
    free(tubes);
    free(signed_map);
    tear_down(&rig);
}

static void grad_cam_of_a_pooled_network_is_its_class_activation_map(void **state)
{
    (void)state;
    check_class_activation_map(POOLED);
}

static void grad_cam_of_a_network_of_images_is_its_class_activation_map(void **state)
{
    (void)state;
    check_class_activation_map(IMAGES);
}

static void hirescam_of_a_pooled_network_sums_to_the_logit_without_bias(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, POOLED);
    float *map = run(&rig, "hirescam");
    const struct ao_graph *graph = &rig.net.graph;
    const float *bias = graph->values[graph->nodes[graph->n_nodes - 1].in[2]].data;
    double sum = 0, total = 0;
    for (int i = 0; i < VOXELS; i++) {
        sum += (double)map[i];
        total += fabs((double)map[i]);
    }
    /* Rounded to float: every cell (of products that cancel by less than 16), and the output. */
    const double logit = (double)rig.s.a.outputs[1];
    assert_near(sum, logit - (double)bias[1], 16 * FLOATS * total + 6e-8 * fabs(logit));
    free(map);
    tear_down(&rig);
}

static void layercam_equals_grad_cam_where_all_gradients_are_positive(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, POOLED);
    float *weights = weights_of(&rig, 1);
    for (int i = 0; i < FEATURES * CLASSES; i++)
        weights[i] = fabsf(weights[i]);
    float *layer = run(&rig, "layercam"), *grad = run(&rig, "gradcam");
    for (int i = 0; i < VOXELS; i++)
        assert_near(layer[i], grad[i], FLOATS * largest_of(grad));
    free(layer);
    free(grad);
    tear_down(&rig);
}

/* Positive gradients for one feature only: then w = g cells / (2 + sum A g) for it, by Grad-CAM++'s
 * formula, and the map is its own. */
static void grad_cam_pp_weighs_a_single_feature_by_its_formula(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, POOLED);
    float *weights = weights_of(&rig, 1);
    for (int k = 0; k < FEATURES; k++)
        weights[FEATURES + k] = k == 2 ? 3.0F : -1.0F;
    float *pp = run(&rig, "gradcam_pp");
    for (int k = 0; k < FEATURES; k++)
        weights[FEATURES + k] = k == 2 ? 1.0F : 0.0F;
    float *feature = run(&rig, "saliency_tubes");
    double sum = 0;
    for (int i = 0; i < VOXELS; i++)
        sum += (double)feature[i];
    const double g = 3.0 / VOXELS, weight = VOXELS * g / (2 + sum * g);
    for (int i = 0; i < VOXELS; i++)
        assert_near(pp[i], weight * (double)feature[i], FLOATS * largest_of(pp));
    free(pp);
    free(feature);
    tear_down(&rig);
}

static void tubes_of_a_contrast_are_a_difference(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, POOLED);
    float *a = run(&rig, "saliency_tubes");
    rig.s.a.target = "2";
    float *b = run(&rig, "saliency_tubes");
    rig.s.a.target = "1-2";
    float *both = run(&rig, "saliency_tubes");
    for (int i = 0; i < VOXELS; i++)
        assert_near(both[i], (double)a[i] - (double)b[i], FLOATS * (largest_of(a) + largest_of(b)));
    free(a);
    free(b);
    free(both);
    tear_down(&rig);
}

/* ---------------------------------------------------------------------------------- Score-CAM */

/* If what is hidden is filled with the clip itself, all features score alike. */
static void scorecam_weighs_alike_what_scores_alike(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, POOLED);
    float *weights = weights_of(&rig, 1);
    for (int k = 0; k < FEATURES; k++)
        weights[FEATURES + k] = 1.0F / FEATURES;
    float *mean = run(&rig, "saliency_tubes");
    rig.fill.volume = rig.s.clip->values;
    float *map = run(&rig, "scorecam");
    /* x h + x (1 - h) is x within a rounding, which moves scores by some 1e-6 and weights by as
     * much of themselves. */
    for (int i = 0; i < VOXELS; i++)
        assert_near(map[i], mean[i], 1e-5 * largest_of(mean));
    assert_int_equal(rig.s.a.passes.forwards, 1 + FEATURES);
    free(map);
    free(mean);
    tear_down(&rig);
}

/* A feature that is the same everywhere has no mask; it must not divide by its spread. */
static void scorecam_bears_a_dead_feature(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, POOLED);
    const struct ao_node *conv2 = &rig.net.graph.nodes[2];
    float *weights = (float *)(uintptr_t)rig.net.graph.values[conv2->in[1]].data;
    memset(weights, 0, 4 * 27 * sizeof *weights);
    float *map = run(&rig, "scorecam");
    for (int i = 0; i < VOXELS; i++)
        assert_true(isfinite(map[i]));
    largest_of(map);
    free(map);
    tear_down(&rig);
}

static bool stop_at_three(void *user, const char *stage, size_t done, size_t total)
{
    size_t *largest = user;
    (void)stage;
    if (total == FEATURES && done > *largest)
        *largest = done;
    return done < 3;
}

static void scorecam_reports_its_forwards_and_stops_when_asked(void **state)
{
    (void)state;
    size_t done = 0;
    const struct ao_progress progress = { stop_at_three, &done, "forwards" };
    struct rig rig;
    set_up(&rig, POOLED);
    rig.s.a.progress = &progress;
    assert_int_equal(subject_run(&rig.s, "scorecam"), AOSA_ERR_CANCELLED);
    assert_int_equal(done, 3);
    tear_down(&rig);
}

static void failed_allocations_are_reported(void **state)
{
    (void)state;
    static const char *const methods[] = { "gradcam", "scorecam", "saliency_tubes" };
    struct rig rig;
    set_up(&rig, POOLED);
    for (size_t m = 0; m < sizeof methods / sizeof methods[0]; m++) {
        aosa_status status = AOSA_ERR_NOMEM;
        long n = 0;
        for (; status != AOSA_OK; n++) {
            ao_alloc_fail_at(n + 2); /* the first one is the test's own */
            status = subject_run(&rig.s, methods[m]);
            assert_int_equal(status, ao_alloc_has_failed() ? AOSA_ERR_NOMEM : AOSA_OK);
        }
        printf("%s: %ld allocations\n", methods[m], n - 1);
        assert_true(n > 10);
    }
    ao_alloc_fail_at(0);
    tear_down(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grad_cam_of_a_pooled_network_is_its_class_activation_map),
        cmocka_unit_test(grad_cam_of_a_network_of_images_is_its_class_activation_map),
        cmocka_unit_test(hirescam_of_a_pooled_network_sums_to_the_logit_without_bias),
        cmocka_unit_test(layercam_equals_grad_cam_where_all_gradients_are_positive),
        cmocka_unit_test(grad_cam_pp_weighs_a_single_feature_by_its_formula),
        cmocka_unit_test(tubes_of_a_contrast_are_a_difference),
        cmocka_unit_test(scorecam_weighs_alike_what_scores_alike),
        cmocka_unit_test(scorecam_bears_a_dead_feature),
        cmocka_unit_test(scorecam_reports_its_forwards_and_stops_when_asked),
        cmocka_unit_test(failed_allocations_are_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
