/* SPDX-License-Identifier: Apache-2.0 */
/* First order from a layer on: first order at a linear layer, exact at the last one, in between the
 * dense differences; threads, several targets, plans, refusals. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attribution/layer.h"
#include "core/alloc.h"
#include "mask_fixture.h"
#include "model/backprop.h"
#include "ops/element.h"
#include "support/random_net.h"
#include "support/subject.h"

#define TEST(name) cmocka_unit_test(name)

enum { T = 5, SIDE = 22, CLASSES = 7 };

/* Feature maps of the network of set_up, by their index. */
enum { STEM, STEM_RELU, BRANCH, SUM, SUM_RELU, LAST };

/* Conv, Relu, a residual block, Relu, Conv, mean and classes. */
struct rig {
    struct net net;
    struct subject s;
    struct aosa_mask_set *masks;
    struct ao_fill fill;
};

static void set_up(struct rig *rig, const char *masks)
{
    struct ao_flow_field *flow = random_flow(T, SIDE, SIDE, 1.5, 3);
    memset(rig, 0, sizeof *rig);
    struct net *net = &rig->net;
    net_init(net, 5, SHAPE(1, 3, T, SIDE, SIDE));
    const int stem = net_unary(net, "Relu", net_same_conv(net, 0, 6));
    const int sum = net_binary(net, "Add", net_same_conv(net, stem, 6), stem);
    net_output(net, net_head(net, net_same_conv(net, net_unary(net, "Relu", sum), 9)));
    net_finish(net);
    subject_init(&rig->s, &net->graph);
    float *x = net_random_input(net, 1);
    memcpy(rig->s.clip->values, x, 3 * ao_clip_voxels(rig->s.clip) * sizeof *x);
    free(x);
    rig->masks = generate(flow, NULL, masks);
    ao_flow_field_destroy(&flow);
    rig->s.a.masks = rig->masks;
    rig->s.a.fill = &rig->fill;
    rig->s.a.target = "2";
    rig->fill.value[1] = 0.5F;
}

static void tear_down(struct rig *rig)
{
    subject_close(&rig->s);
    ao_mask_set_destroy(&rig->masks);
    ao_graph_fini(&rig->net.graph);
}

#define MASKS "mask=flow_one size=6 stride=5"

/* Effects f_i - f(x) [M] of target k, freed by the caller; `layer` is -1 for none. */
static double *effects_of(struct rig *rig, const char *method, int layer, int k)
{
    char text[16];
    snprintf(text, sizeof text, "%d", layer);
    subject_defaults(&rig->s);
    if (layer >= 0)
        subject_set(&rig->s, "layer", text);
    if (subject_run(&rig->s, method) != AOSA_OK)
        fail_msg("%s: %s", method, aosa_error_message());
    const struct ao_map_result *result = &rig->s.a.results[k];
    double *effects = calloc((size_t)rig->masks->M, sizeof *effects);
    assert_non_null(effects);
    for (int m = 0; m < rig->masks->M; m++)
        effects[m] = (double)result->scores[m] - result->base;
    return effects;
}

/* Both freed; they differ by at most `share` of the largest. */
static void assert_alike(double *got, double *want, int n, double share)
{
    double worst = 0, most = 0;
    for (int i = 0; i < n; i++) {
        worst = fmax(worst, fabs(got[i] - want[i]));
        most = fmax(most, fabs(want[i]));
    }
    print_message("differ by %g of %g\n", worst, most);
    assert_true(most > 0 && worst <= share * most);
    free(got);
    free(want);
}

/*
 * Scores are near 1 and stored as floats, and a layer sums fewer than 300 products, whose roundings
 * add up to less than 300 x 6e-8 of the largest; the effects are tenths.
 */
#define ROUNDING 2e-5

static void a_linear_layer_gives_first_order(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, MASKS);
    assert_alike(effects_of(&rig, "first_order", STEM, 0), effects_of(&rig, "first_order", -1, 0),
                 rig.masks->M, ROUNDING);
    tear_down(&rig);
}

/* Behind it logits are linear. */
static void the_last_layer_gives_the_exact_logits(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, MASKS);
    rig.s.a.target = "2,4";
    for (int k = 0; k < 2; k++)
        assert_alike(effects_of(&rig, "first_order", LAST, k), effects_of(&rig, "aosa", -1, k),
                     rig.masks->M, ROUNDING);
    tear_down(&rig);
}

/* --- layers in between, against dense runs in double
 * ---------------------------------------------- */

/* The layer's values for a clip, row-major and freed by the caller: the graph that ends there. */
static double *values_at(const struct rig *rig, const struct ao_layer *layer, const float *clip,
                         int64_t *n)
{
    struct ao_graph graph = rig->net.graph;
    int32_t output = layer->value;
    const struct net_setting setting = { AO_BACKEND_REFERENCE_F64, 1, 1 };
    struct net part = { .graph = graph };
    part.graph.outputs = &output;
    part.graph.n_outputs = 1;
    return net_run(&part, setting, clip, 0, n);
}

/* Gradient of class 2's logit there, row-major and freed by the caller. */
struct kept {
    const float *clip;
    double *gradient;
};

static void write_clip(const void *context, const struct ao_view *input, int64_t item,
                       int64_t previous)
{
    const struct kept *kept = context;
    (void)item, (void)previous;
    const struct ao_view clip = ao_view_dense((void *)(uintptr_t)kept->clip, AO_F32, &input->shape);
    ao_view_copy(input, &clip);
}

static aosa_status seed_class(void *context, int64_t item, const float *outputs, float *seed)
{
    (void)context, (void)item, (void)outputs;
    seed[2] = 1;
    return AOSA_OK;
}

static aosa_status read_gradient(void *context, int64_t item,
                                 const struct ao_backprop_result *result)
{
    struct kept *kept = context;
    const struct ao_view *gradient = &result->taps[1];
    (void)item;
    kept->gradient = calloc((size_t)ao_shape_count(&gradient->shape), sizeof *kept->gradient);
    assert_non_null(kept->gradient);
    const struct ao_view dense = ao_view_dense(kept->gradient, AO_F64, &gradient->shape);
    ao_view_convert(&dense, gradient);
    return AOSA_OK;
}

static double *gradient_at(const struct rig *rig, const struct ao_layer *layer)
{
    const struct ao_backprop_options options = {
        .backend = AO_BACKEND_REFERENCE_F64, .threads = 1, .taps = &layer->value, .n_taps = 1
    };
    struct kept kept = { .clip = rig->s.clip->values };
    const struct ao_backprop_job job = {
        .n = 1, .write = write_clip, .seed = seed_class, .read = read_gradient, .context = &kept
    };
    struct ao_backprop *backprop = NULL;
    if (ao_backprop_create(&rig->s.model, &options, &backprop) != AOSA_OK ||
        ao_backprop_run(backprop, &job, NULL) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    ao_backprop_destroy(&backprop);
    return kept.gradient;
}

/* The clip under mask m, freed by the caller. */
static float *occluded(const struct rig *rig, int m)
{
    const size_t n = ao_clip_voxels(rig->s.clip);
    uint8_t *visible = malloc(n);
    float *z = malloc(3 * n * sizeof *z);
    assert_non_null(visible);
    assert_non_null(z);
    paint(rig->masks, m, visible);
    for (size_t i = 0; i < 3 * n; i++)
        z[i] = visible[i % n] ? rig->s.clip->values[i] : rig->fill.value[i / n];
    free(visible);
    return z;
}

static double *dense_effects(const struct rig *rig, const struct ao_layer *layer)
{
    int64_t n;
    double *effects = calloc((size_t)rig->masks->M, sizeof *effects);
    double *gradient = gradient_at(rig, layer);
    double *base = values_at(rig, layer, rig->s.clip->values, &n);
    assert_non_null(effects);
    for (int m = 0; m < rig->masks->M; m++) {
        float *z = occluded(rig, m);
        double *values = values_at(rig, layer, z, &n);
        for (int64_t i = 0; i < n; i++)
            effects[m] += (values[i] - base[i]) * gradient[i];
        free(values);
        free(z);
    }
    free(gradient);
    free(base);
    return effects;
}

static void layers_in_between_give_the_dense_differences(void **state)
{
    (void)state;
    static const int whole[] = { STEM, STEM_RELU, SUM, SUM_RELU, LAST };
    struct rig rig;
    struct ao_layer *layers;
    int n;
    set_up(&rig, MASKS " partners=2");
    assert_int_equal(ao_layers(&rig.s.model, &layers, &n), AOSA_OK);
    assert_int_equal(n, LAST + 1);
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        assert_true(layers[whole[i]].whole);
        assert_alike(effects_of(&rig, "first_order", whole[i], 0),
                     dense_effects(&rig, &layers[whole[i]]), rig.masks->M, ROUNDING);
    }
    ao_free(layers);
    tear_down(&rig);
}

static void threads_give_the_same_bits(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, MASKS);
    double *one = effects_of(&rig, "first_order", SUM_RELU, 0);
    rig.s.a.run.threads = 3;
    double *three = effects_of(&rig, "first_order", SUM_RELU, 0);
    assert_memory_equal(one, three, (size_t)rig.masks->M * sizeof *one);
    free(one);
    free(three);
    tear_down(&rig);
}

static void the_plan_counts_what_will_run(void **state)
{
    (void)state;
    struct rig rig;
    struct ao_passes passes;
    set_up(&rig, MASKS);
    rig.s.a.target = "top2";
    free(effects_of(&rig, "first_order", SUM, 0));
    const struct ao_attribution *a = &rig.s.a;
    assert_int_equal(a->method->passes(a, 2, &passes), AOSA_OK);
    assert_int_equal(passes.forwards, a->passes.forwards);
    assert_int_equal(passes.backwards, a->passes.backwards);
    assert_int_equal(passes.forwards, 3 + rig.masks->M);
    assert_int_equal(passes.backwards, 2);
    const json_t *layer = json_object_get(a->results[1].extra, "layer");
    assert_int_equal(json_integer_value(json_object_get(layer, "index")), SUM);
    tear_down(&rig);
}

static void refuse(struct rig *rig, aosa_status status, const char *text)
{
    assert_int_equal(subject_run(&rig->s, "first_order"), status);
    if (!strstr(aosa_error_message(), text))
        fail_msg("'%s' is not in '%s'", text, aosa_error_message());
}

static void what_cannot_be_cut_is_refused(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, MASKS);
    subject_set(&rig.s, "layer", "2");
    refuse(&rig, AOSA_ERR_ARGUMENT,
           "around it, too, and what goes that way would be lost; take "
           "--layer 1,");
    subject_set(&rig.s, "layer", "6");
    refuse(&rig, AOSA_ERR_ARGUMENT, "no feature map has this name or index (0 to 5)");
    subject_set(&rig.s, "layer", "3");
    rig.s.a.run.engine = AO_ENGINE_DENSE;
    refuse(&rig, AOSA_ERR_ARGUMENT, "not with --engine dense");
    rig.s.a.run.engine = AO_ENGINE_AUTO;
    rig.s.a.run.backend = AO_BACKEND_REFERENCE;
    refuse(&rig, AOSA_ERR_ARGUMENT, "--backend onednn only");
    subject_set(&rig.s, "splits", "2");
    refuse(&rig, AOSA_ERR_ARGUMENT, "--splits 2 with --layer");
    subject_set(&rig.s, "splits", "0");
    subject_set(&rig.s, "adjust", "ip");
    refuse(&rig, AOSA_ERR_ARGUMENT, "--adjust with --layer");
    tear_down(&rig);
}

/* A Softmax over time has no delta rule; the layer stands behind it. */
static void a_layer_that_the_walk_does_not_reach_is_refused(void **state)
{
    (void)state;
    struct rig rig = { 0 };
    const struct ao_attr axis = { .name = "axis", .type = AO_ATTR_INT, .i = 2 };
    struct ao_flow_field *flow = constant_flow(T, SIDE, SIDE, 0, 0);
    struct net *net = &rig.net;
    net_init(net, 7, SHAPE(1, 3, T, SIDE, SIDE));
    const int x =
        net_node(net, "Softmax", (const int32_t[]){ net_same_conv(net, 0, 6), -1, -1 }, &axis, 1);
    net_output(net, net_head(net, net_same_conv(net, x, 1)));
    net_finish(net);
    subject_init(&rig.s, &net->graph);
    rig.masks = generate(flow, NULL, MASKS);
    ao_flow_field_destroy(&flow);
    rig.s.a.masks = rig.masks;
    rig.s.a.fill = &rig.fill;
    subject_set(&rig.s, "layer", "-1");
    refuse(&rig, AOSA_ERR_UNSUPPORTED, "delta walk: node 'Softmax");
    tear_down(&rig);
}

/* Whichever allocation fails, the run says so and leaves nothing behind. */
static void failed_allocations_are_reported(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, MASKS);
    subject_set(&rig.s, "layer", "3");
    aosa_status status = AOSA_ERR_NOMEM;
    long n = 0;
    for (; status != AOSA_OK; n++) {
        ao_alloc_fail_at(n + 2); /* the first one is the test's own */
        status = subject_run(&rig.s, "first_order");
        assert_int_equal(status, ao_alloc_has_failed() ? AOSA_ERR_NOMEM : AOSA_OK);
    }
    ao_alloc_fail_at(0);
    print_message("%ld allocations\n", n - 1);
    assert_true(n > 50);
    tear_down(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_linear_layer_gives_first_order),
        TEST(the_last_layer_gives_the_exact_logits),
        TEST(layers_in_between_give_the_dense_differences),
        TEST(threads_give_the_same_bits),
        TEST(the_plan_counts_what_will_run),
        TEST(what_cannot_be_cut_is_refused),
        TEST(a_layer_that_the_walk_does_not_reach_is_refused),
        TEST(failed_allocations_are_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
