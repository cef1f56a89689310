/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/alloc.h"
#include "model/randomise.h"
#include "support/metric_rig.h"

/* Metrics that explain changed clips and models again. */

/* --- explainers ----------------------------------------------------------------------------------
 */

typedef void (*map_fn)(const struct aosa_model *model, const struct aosa_clip *clip, float *map);

static aosa_status explain_by(void *context, const struct aosa_model *model,
                              const struct aosa_clip *clip, float *map, struct ao_passes *passes)
{
    const map_fn *fn = context;
    (*fn)(model, clip, map);
    passes->forwards += 3;
    return AOSA_OK;
}

/* Runs a metric whose explainer is that function. */
static void run_with(const char *metric, map_fn fn)
{
    const struct ao_explainer explainer = { explain_by, &fn };
    rig.explainer = &explainer;
    rig_run(metric, NULL);
    rig.explainer = NULL;
}

/* The first channel. */
static void map_channel(const struct aosa_model *model, const struct aosa_clip *clip, float *map)
{
    (void)model;
    memcpy(map, clip->values, ao_clip_voxels(clip) * sizeof *map);
}

/* One voxel of it. */
static void map_voxel(const struct aosa_model *model, const struct aosa_clip *clip, float *map)
{
    (void)model;
    memset(map, 0, ao_clip_voxels(clip) * sizeof *map);
    map[7] = clip->values[7];
}

static void map_same(const struct aosa_model *model, const struct aosa_clip *clip, float *map)
{
    (void)model, (void)clip;
    memcpy(map, rig.map, sizeof rig.map);
}

static void map_negative(const struct aosa_model *model, const struct aosa_clip *clip, float *map)
{
    (void)model, (void)clip;
    for (int i = 0; i < RIG_VOXELS; i++)
        map[i] = -rig.map[i];
}

static void map_ones(const struct aosa_model *model, const struct aosa_clip *clip, float *map)
{
    (void)model;
    for (size_t i = 0; i < ao_clip_voxels(clip); i++)
        map[i] = 1;
}

static aosa_status explain_never(void *context, const struct aosa_model *model,
                                 const struct aosa_clip *clip, float *map, struct ao_passes *passes)
{
    (void)model, (void)clip, (void)map, (void)passes;
    return ao_fail(*(const aosa_status *)context, "the method said so");
}

/* --- max-sensitivity -----------------------------------------------------------------------------
 */

static void a_map_of_one_value_moves_as_far_as_that_value(void **state)
{
    (void)state;
    /* |d| / |x| with x = 1 and d uniform within r / std. */
    const double r = 0.02 / 0.25;
    map_voxel(NULL, rig.s.clip, rig.map);
    rig_set("sensitivity-samples", "200");
    run_with("max_sensitivity", map_voxel);
    const double most = rig_value("max_sensitivity.max"), mean = rig_value("max_sensitivity.mean");
    printf("max %.6f, mean %.6f of %.2f\n", most, mean, r);
    assert_true(most <= r + 1e-6); /* x + d is rounded to float */
    assert_true(most >= r * 0.94); /* missed with probability 0.94^200 = 4e-6 */
    assert_near(mean, r / 2, 5 * r / sqrt(12 * 200.0));
    assert_int_equal(rig.answer.forwards, 200 * 3);
}

/* A real method of attribution/, on whatever clip and model it is given. */
static const char *method;
static void map_method(const struct aosa_model *model, const struct aosa_clip *clip, float *map)
{
    struct subject *s = &rig.s;
    const struct aosa_model *own_model = s->a.model;
    const struct aosa_clip *own_clip = s->a.clip;
    s->a.model = model;
    s->a.clip = clip;
    s->a.target = "0";
    if (subject_run(s, method) != AOSA_OK)
        fail_msg("%s: %s", method, aosa_error_message());
    memcpy(map, s->a.results[0].map, ao_clip_voxels(clip) * sizeof *map);
    s->a.model = own_model;
    s->a.clip = own_clip;
}

static void a_linear_network_has_a_sensitivity_in_closed_form(void **state)
{
    (void)state;
    /* Of the gradient, which is the weights: 0. */
    method = "gradient";
    map_method(&rig.s.model, rig.s.clip, rig.map);
    run_with("max_sensitivity", map_method);
    assert_near(rig_value("max_sensitivity.max"), 0, 0);
    assert_near(rig_value("max_sensitivity.mean"), 0, 0);
    /*
     * Of gradient x input reduced to voxels by the sum, phi_v = sum_k w_kv x_kv, so the change is
     * sum_k w_kv d_kv and E|change|^2 = (r / std)^2 / 3 sum w^2. The squared norm of 270 terms has
     * a standard deviation of about 8 %, the norm 4 %, the mean of 100 norms 0.4 %.
     */
    const struct ao_graph *graph = &rig.net.graph;
    double squares = 0, norm = 0;
    for (size_t v = 0; v < graph->n_values; v++)
        for (int i = 0; graph->values[v].data && i < 3 * RIG_VOXELS; i++) {
            const double w = (double)((const float *)graph->values[v].data)[2 * i];
            squares += w * w;
        }
    for (int i = 0; i < RIG_VOXELS; i++)
        norm += rig.c[i] * rig.c[i];
    const double want = 0.02 / 0.25 * sqrt(squares / 3 / norm);
    method = "gradient_x_input";
    subject_set(&rig.s, "reduce", "sum");
    map_method(&rig.s.model, rig.s.clip, rig.map);
    rig_set("sensitivity-samples", "100");
    run_with("max_sensitivity", map_method);
    printf("mean %.6f for %.6f\n", rig_value("max_sensitivity.mean"), want);
    assert_near(rig_value("max_sensitivity.mean"), want, 0.025 * want);
    assert_true(rig_value("max_sensitivity.max") > rig_value("max_sensitivity.mean"));
}

static void what_a_method_cannot_explain_is_not_defined_or_said(void **state)
{
    (void)state;
    aosa_status status = AOSA_ERR_NUMERIC;
    const struct ao_explainer explainer = { explain_never, &status };
    rig.explainer = &explainer;
    rig.partner = rig.s.clip;
    rig_run("max_sensitivity,temporal,randomisation", NULL);
    assert_int_equal(rig.answer.n_values, 2 + 1 + 4);
    for (size_t i = 0; i < rig.answer.n_values; i++)
        assert_true(isnan(rig.answer.values[i].value));
    assert_int_equal(rig.answer.n_curves, 0);
    status = AOSA_ERR_UNSUPPORTED;
    assert_int_equal(rig_try("randomisation", NULL), AOSA_ERR_UNSUPPORTED);
    assert_string_equal(aosa_error_message(), "randomisation: the method said so");
    /* A map of zeros has no norm; nothing is explained. */
    memset(rig.map, 0, sizeof rig.map);
    rig_run("max_sensitivity,randomisation", NULL);
    for (size_t i = 0; i < rig.answer.n_values; i++)
        assert_true(isnan(rig.answer.values[i].value));
}

/* --- temporal pointing ---------------------------------------------------------------------------
 */

static void the_strongest_frame_is_the_clips_or_its_partners(void **state)
{
    (void)state;
    struct aosa_clip *partner;
    run_with("temporal", map_channel);
    assert_true(isnan(rig_value("temporal"))); /* no partner */
    assert_int_equal(ao_clip_create(RIG_T, RIG_H, RIG_W, &partner), AOSA_OK);
    rig.partner = partner; /* zeros beside ones */
    run_with("temporal", map_channel);
    assert_near(rig_value("temporal"), 1, 0);
    for (int i = 0; i < 3 * RIG_VOXELS; i++)
        partner->values[i] = 2;
    run_with("temporal", map_channel);
    assert_near(rig_value("temporal"), 0, 0);
    run_with("temporal", map_ones); /* ties: the first frame, once the clip's, once not */
    assert_near(rig_value("temporal"), 0.5, 0);
    assert_int_equal(rig.answer.forwards, 2 * 3);
    ao_clip_destroy(&partner);
}

/* Writes down the first value of each frame of the clips that are explained. */
static float seen[2][RIG_T];
static int n_seen;
static void map_and_note(const struct aosa_model *model, const struct aosa_clip *clip, float *map)
{
    for (int t = 0; t < RIG_T; t++)
        seen[n_seen][t] = clip->values[t * RIG_H * RIG_W];
    n_seen++;
    map_ones(model, clip, map);
}

static void clips_are_joined_of_their_middle_frames(void **state)
{
    (void)state;
    struct aosa_clip *partner;
    assert_int_equal(ao_clip_create(RIG_T, RIG_H, RIG_W, &partner), AOSA_OK);
    for (int t = 0; t < RIG_T; t++) {
        rig.s.clip->values[t * RIG_H * RIG_W] = (float)(10 + t);
        partner->values[t * RIG_H * RIG_W] = (float)(20 + t);
    }
    rig.partner = partner;
    n_seen = 0;
    run_with("temporal", map_and_note);
    /* One of three frames is the clip's. */
    assert_memory_equal(seen[0], ((const float[]){ 11, 20, 21 }), sizeof seen[0]);
    assert_memory_equal(seen[1], ((const float[]){ 20, 21, 11 }), sizeof seen[1]);
    ao_clip_destroy(&partner);
}

/* --- randomisation -------------------------------------------------------------------------------
 */

static void check_alike(double spearman, double spearman_abs, double ssim, double hog)
{
    /* Ranks are whole or half numbers; sums of 90 products of them, and of windows. */
    assert_near(rig_value("randomisation.spearman"), spearman, 1e-12);
    assert_near(rig_value("randomisation.spearman_abs"), spearman_abs, 1e-12);
    assert_near(rig_value("randomisation.ssim"), ssim, 1e-12);
    assert_near(rig_value("randomisation.hog"), hog, 1e-12);
}

static void a_map_that_ignores_the_network_stays_alike(void **state)
{
    (void)state;
    run_with("randomisation", map_same);
    check_alike(1, 1, 1, 1);
    assert_int_equal(rig_curve("randomisation.ssim")->n, 2); /* the network has one layer */
    assert_near(rig_curve("randomisation.ssim")->x[1], 1, 0);
    run_with("randomisation", map_negative);
    check_alike(-1, 1, 1, 1);
    run_with("randomisation", map_ones);
    assert_near(rig_value("randomisation.spearman"), 0, 0);
    assert_near(rig_value("randomisation.spearman_abs"), 0, 0);
    assert_near(rig_value("randomisation.hog"), 0, 0);
}

static bool is_random(const struct ao_randomised *r, const struct aosa_model *model, size_t v)
{
    return ao_model_graph(ao_randomised_model(r))->values[v].data !=
           ao_model_graph(model)->values[v].data;
}

static int count_random(const struct ao_randomised *r, const struct aosa_model *model)
{
    int n = 0;
    for (size_t v = 0; v < ao_model_graph(model)->n_values; v++)
        n += is_random(r, model, v);
    return n;
}

/* Weights keep their mean and deviation: 5 standard errors of n normal numbers. */
static void check_moments(const struct ao_value *from, const struct ao_value *to)
{
    const int64_t n = ao_shape_count(&from->shape);
    double sum[2] = { 0 }, squares[2] = { 0 };
    for (int64_t i = 0; i < n; i++) {
        const double w[2] = { (double)ao_weight(from->data, i), (double)ao_weight(to->data, i) };
        for (int k = 0; k < 2; k++) {
            sum[k] += w[k] / (double)n;
            squares[k] += w[k] * w[k] / (double)n;
        }
    }
    const double deviation = sqrt(squares[0] - sum[0] * sum[0]);
    assert_near(sum[1], sum[0], 5 * deviation / sqrt((double)n));
    assert_near(sqrt(squares[1] - sum[1] * sum[1]), deviation,
                5 * deviation / sqrt(2.0 * (double)n));
}

static void layers_become_random_from_the_output(void **state)
{
    (void)state;
    struct subject s;
    struct ao_randomised *r, *same;
    subject_open(&s, "demo");
    const struct ao_graph *graph = ao_model_graph(&s.model);
    assert_int_equal(ao_randomised_create(&s.model, 3, &r), AOSA_OK);
    assert_int_equal(ao_randomised_create(&s.model, 3, &same), AOSA_OK);
    assert_int_equal(count_random(r, &s.model), 0);
    const int layers = ao_randomised_layers(r);
    assert_true(layers > 3);
    assert_int_equal(ao_randomised_cascade(r, 1), AOSA_OK);
    /* Only the classifier's weights and bias, which the last node reads. */
    const struct ao_node *last = &graph->nodes[graph->n_nodes - 1];
    assert_string_equal(last->type, "Gemm");
    assert_int_equal(count_random(r, &s.model), 2);
    assert_true(is_random(r, &s.model, (size_t)last->in[1]));
    check_moments(&graph->values[last->in[1]],
                  &ao_model_graph(ao_randomised_model(r))->values[last->in[1]]);
    const void *first = ao_model_graph(ao_randomised_model(r))->values[last->in[1]].data;
    assert_int_equal(ao_randomised_cascade(r, layers), AOSA_OK);
    assert_int_equal(ao_randomised_cascade(same, layers), AOSA_OK);
    assert_true(first == ao_model_graph(ao_randomised_model(r))->values[last->in[1]].data);
    for (size_t v = 0; v < graph->n_values; v++)
        if (is_random(r, &s.model, v))
            assert_memory_equal(ao_model_graph(ao_randomised_model(r))->values[v].data,
                                ao_model_graph(ao_randomised_model(same))->values[v].data,
                                (size_t)ao_shape_count(&graph->values[v].shape) * sizeof(float));
    assert_true(count_random(r, &s.model) >= layers);
    ao_randomised_destroy(&r);
    ao_randomised_destroy(&same);
    subject_close(&s);
}

static void a_network_without_layers_is_refused(void **state)
{
    (void)state;
    struct net net;
    struct ao_randomised *r = NULL;
    net_init(&net, 3, SHAPE(1, 3, 2, 4, 4));
    net_output(&net, net_unary(&net, "Flatten", 0));
    net_finish(&net);
    struct ao_onnx_model onnx = { .graph = net.graph };
    char path[] = "plain.onnx";
    const struct aosa_model model = { .path = path, .onnx = &onnx };
    assert_int_equal(ao_randomised_create(&model, 0, &r), AOSA_ERR_UNSUPPORTED);
    assert_non_null(strstr(aosa_error_message(), "plain.onnx: no Conv, Gemm or MatMul"));
    assert_null(r);
    ao_graph_fini(&net.graph);
}

/* --- memory --------------------------------------------------------------------------------------
 */

static void every_allocation_may_fail(void **state)
{
    (void)state;
    static const char *const names[] = { "max_sensitivity", "temporal", "randomisation" };
    const map_fn fn = map_same;
    const struct ao_explainer explainer = { explain_by, (void *)&fn };
    rig.explainer = &explainer;
    rig.partner = rig.s.clip;
    for (int k = 0; k < 3; k++) {
        long n = 0;
        aosa_status status;
        do {
            ao_alloc_fail_at(++n);
            status = rig_try(names[k], NULL);
            assert_int_equal(status, ao_alloc_has_failed() ? AOSA_ERR_NOMEM : AOSA_OK);
        } while (status != AOSA_OK);
        ao_alloc_fail_at(0);
        printf("%s: %ld allocations\n", names[k], n - 1);
        assert_true(n > 3);
    }
}

/* --- the demo network ----------------------------------------------------------------------------
 */

static struct subject demo;

static aosa_status explain_demo(void *context, const struct aosa_model *model,
                                const struct aosa_clip *clip, float *map, struct ao_passes *passes)
{
    demo.a.model = model;
    demo.a.clip = clip;
    AO_TRY(subject_run(&demo, context));
    memcpy(map, demo.a.results[0].map, ao_clip_voxels(clip) * sizeof *map);
    passes->forwards += demo.a.passes.forwards;
    return AOSA_OK;
}

/* The metric on the demo network; answers the curves' last points. */
static void randomise_demo(char *name, double last[4])
{
    static const char *const curves[] = { "randomisation.spearman", "randomisation.spearman_abs",
                                          "randomisation.ssim", "randomisation.hog" };
    const struct ao_explainer explainer = { explain_demo, name };
    struct ao_passes passes = { 0 };
    float *map = ao_alloc(ao_clip_voxels(demo.clip), sizeof *map);
    assert_non_null(map);
    assert_int_equal(explain_demo(name, &demo.model, demo.clip, map, &passes), AOSA_OK);
    struct ao_metric_call call = {
        .metric = ao_metric_find("randomisation"),
        .model = &demo.model,
        .explainer = &explainer,
        .clip = demo.clip,
        .map = map,
        .target = { .a = 0, .b = -1 },
        .options = &rig.options,
        .seed = 1,
        .progress = &rig.progress,
        .answer = &rig.answer,
    };
    ao_metric_answer_fini(&rig.answer);
    if (ao_metric_randomisation(&call) != AOSA_OK)
        fail_msg("%s: %s", name, aosa_error_message());
    printf("%s:", name);
    for (int k = 0; k < 4; k++) {
        const struct ao_metric_curve *curve = rig_curve(curves[k]);
        last[k] = curve->y[curve->n - 1];
        printf(" %s", curves[k] + strlen("randomisation."));
        for (size_t i = 0; i < curve->n; i++)
            printf(" %.3f", curve->y[i]);
    }
    printf("\n");
    ao_free(map);
}

static void gradcam_of_a_random_network_has_little_in_common(void **state)
{
    (void)state;
    static char gradcam[] = "gradcam", lucky[] = "random";
    double last[4];
    rig_set("cascade", "3");
    subject_open(&demo, "demo");
    demo.a.target = "0";
    randomise_demo(lucky, last);
    for (int k = 0; k < 4; k++) /* it never looks at the network */
        assert_near(last[k], 1, 1e-9);
    randomise_demo(gradcam, last);
    assert_true(fabs(last[0]) < 0.5);
    assert_true(last[2] < 0.5);
    demo.a.model = &demo.model;
    demo.a.clip = demo.clip;
    subject_close(&demo);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_map_of_one_value_moves_as_far_as_that_value),
        TEST(a_linear_network_has_a_sensitivity_in_closed_form),
        TEST(what_a_method_cannot_explain_is_not_defined_or_said),
        TEST(the_strongest_frame_is_the_clips_or_its_partners),
        TEST(clips_are_joined_of_their_middle_frames),
        TEST(a_map_that_ignores_the_network_stays_alike),
        cmocka_unit_test(layers_become_random_from_the_output),
        cmocka_unit_test(a_network_without_layers_is_refused),
        TEST(every_allocation_may_fail),
        TEST(gradcam_of_a_random_network_has_little_in_common),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
