/* SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ops/op.h"
#include "support/random_net.h"

/*
 * The oneDNN backend against the operators' own loops in double precision, on networks made up of
 * random layers.
 *
 * Tolerance. A float dot product of n terms differs from the exact one by at most
 * n eps sum |x_i y_i| to first order in eps, whatever the order of summation. Let S be what the
 * same network gives in double when every input and constant is replaced by its absolute value.
 * All layers here are linear, or never enlarge a difference (Relu, MaxPool, Clip), so an error
 * made in one layer reaches the output multiplied by at most the absolute values of the weights
 * after it, and by induction
 *     |a - b| <= 2 eps (sum of n over all layers) S,
 * where a layer that adds or rounds once counts as n = 1. The factor 2 is that of the style guide.
 * After several layers that is far more than random signs give, so the 1e-4 of the largest output
 * that issue 3 grants whole networks has to hold as well.
 */
#define EPS ((double)FLT_EPSILON)

#define INTS(label, ...)                                                    \
    {                                                                       \
        .name = label, .type = AO_ATTR_INTS,                                \
        .n = (int64_t)(sizeof(int64_t[]){ __VA_ARGS__ } / sizeof(int64_t)), \
        .ints = (const int64_t[])                                           \
        {                                                                   \
            __VA_ARGS__                                                     \
        }                                                                   \
    }

/* Replaces every float constant by its absolute value. */
static void make_absolute(struct net *net)
{
    for (size_t v = 0; v < net->graph.n_values; v++) {
        const struct ao_value *value = &net->graph.values[v];
        float *data = (float *)(uintptr_t)value->data;
        for (int64_t i = 0; data && value->dtype == AO_F32 && i < ao_shape_count(&value->shape);
             i++)
            data[i] = fabsf(data[i]);
    }
}

/* Compares all outputs with the oracle; answers the largest error as a fraction of the bound. */
static double check(struct net *net, int batch, uint64_t seed)
{
    double worst = 0;
    int64_t n, n_in = batch;
    const struct ao_shape shape = net_shape(net, net->graph.inputs[0]);
    net_finish(net);
    n_in *= ao_shape_count(&shape);
    float *x = net_random_input(net, batch);
    double *got[NET_MAX_OUTPUTS], *want[NET_MAX_OUTPUTS];
    const int n_outputs = net->graph.n_outputs;
    for (int k = 0; k < n_outputs; k++) {
        got[k] = net_run(net, (struct net_setting){ AO_BACKEND_ONEDNN, batch, 1 }, x, k, &n);
        want[k] =
            net_run(net, (struct net_setting){ AO_BACKEND_REFERENCE_F64, batch, 1 }, x, k, &n);
    }
    make_absolute(net);
    for (int64_t i = 0; i < n_in; i++)
        x[i] = fabsf(x[i]);
    for (int k = 0; k < n_outputs; k++) {
        double *sum =
            net_run(net, (struct net_setting){ AO_BACKEND_REFERENCE_F64, batch, 1 }, x, k, &n);
        double largest = 0;
        for (int64_t i = 0; i < n; i++)
            largest = fmax(largest, fabs(want[k][i]));
        for (int64_t i = 0; i < n; i++) {
            const double bound = fmin(2 * EPS * net->terms * sum[i], 1e-4 * largest);
            const double error = fabs(got[k][i] - want[k][i]);
            if (!(error <= bound))
                fail_msg("seed %d output %d element %d: %.9g, not %.9g (bound %g)", (int)seed, k,
                         (int)i, got[k][i], want[k][i], bound);
            if (error > worst * bound)
                worst = error / bound;
        }
        free(sum);
        free(got[k]);
        free(want[k]);
    }
    free(x);
    ao_graph_fini(&net->graph);
    return worst;
}

static void random_networks_agree_with_the_oracle(void **state)
{
    (void)state;
    double worst = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct net net;
        net_random(&net, seed);
        const double found = check(&net, 1 + (int)(seed % 3), seed);
        worst = fmax(worst, found);
    }
    print_message("60 networks, largest error %.2f of the bound\n", worst);
}

static void one_axis_networks_agree_with_the_oracle(void **state)
{
    (void)state;
    struct net net;
    net_init(&net, 5, SHAPE(1, 9, 31));
    const int a = net_unary(&net, "Relu", net_same_conv(&net, net.graph.inputs[0], 16));
    const int b = net_random_pool(&net, net_same_conv(&net, a, 12));
    net_output(&net, b);
    net_output(&net, net_head(&net, b));
    check(&net, 2, 5);
}

/* The convolution may not add into its shortcut where others still read that. */
static void a_residual_that_is_read_again_is_not_overwritten(void **state)
{
    (void)state;
    struct net net;
    net_init(&net, 3, SHAPE(1, 8, 4, 6, 6));
    const int x = net.graph.inputs[0];
    const int a = net_unary(&net, "Relu", net_same_conv(&net, x, 8));
    const int sum = net_binary(&net, "Add", net_same_conv(&net, a, 8), a); /* a is read below */
    const int input_sum = net_binary(&net, "Add", net_same_conv(&net, sum, 8), x);
    net_output(&net, net_binary(&net, "Add", a, input_sum));
    net_output(&net, sum);
    net_output(&net, net_unary(&net, "Relu", net_same_conv(&net, input_sum, 8)));
    check(&net, 2, 3);
}

/* net_conv(x) + x with a 1x1 kernel: source and shortcut are one place. */
static void a_shortcut_around_one_convolution_is_kept_apart(void **state)
{
    (void)state;
    struct net net;
    const struct net_window w = {
        .rank = 3, .kernel = { 1, 1, 1 }, .stride = { 1, 1, 1 }, .dilation = { 1, 1, 1 }
    };
    net_init(&net, 4, SHAPE(1, 16, 3, 5, 5));
    const int a = net_same_conv(&net, net.graph.inputs[0], 16);
    const int sum = net_binary(&net, "Add", net_conv(&net, a, 16, 1, &w), a);
    net_output(&net, net_unary(&net, "Relu", sum));
    check(&net, 1, 4);
}

/* A 1x1x1 convolution with a stride, alone and as the shortcut that a block ends in. */
static void strided_shortcuts_agree_with_the_oracle(void **state)
{
    (void)state;
    struct net net;
    const struct net_window w = {
        .rank = 3, .kernel = { 1, 1, 1 }, .stride = { 2, 1, 2 }, .dilation = { 1, 1, 1 }
    };
    net_init(&net, 6, SHAPE(1, 8, 5, 6, 7));
    const int a = net_unary(&net, "Relu", net_same_conv(&net, net.graph.inputs[0], 19));
    const int shortcut = net_conv(&net, a, 16, 1, &w);
    const int branch = net_same_conv(&net, net_conv(&net, a, 24, 1, &w), 16);
    net_output(&net, net_unary(&net, "Relu", net_binary(&net, "Add", branch, shortcut)));
    net_output(&net, net_conv(&net, net.graph.inputs[0], 9, 1, &w));
    check(&net, 2, 6);
}

/*
 * Point-wise functions. oneDNN evaluates them by polynomials in float: besides the rounding of x
 * and of the result (Lipschitz constant at most 1.13 for these, hence 2.2 eps max(|x|, |y|)) it
 * documents no bound; its exp, the worst of them, was measured within 3 eps here. Together below
 * 8 eps max(1, |x|, |y|).
 */
static void activations_agree_with_the_oracle(void **state)
{
    static const char *const types[] = { "Relu",      "LeakyRelu", "Elu", "Sigmoid", "Tanh",
                                         "HardSwish", "Gelu",      "Abs", "Exp",     "Softplus",
                                         "Neg",       "Floor",     "Erf" };
    (void)state;
    double worst = 0;
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        struct net net;
        int64_t n;
        net_init(&net, t, SHAPE(1, 13, 3, 4, 5));
        net_output(&net, net_unary(&net, types[t], net.graph.inputs[0]));
        net_finish(&net);
        float *x = net_random_input(&net, 1);
        for (int64_t i = 0; i < 13 * 60; i++)
            x[i] *= 4;
        double *got = net_run(&net, (struct net_setting){ AO_BACKEND_ONEDNN, 1, 1 }, x, 0, &n);
        double *want =
            net_run(&net, (struct net_setting){ AO_BACKEND_REFERENCE_F64, 1, 1 }, x, 0, &n);
        for (int64_t i = 0; i < n; i++) {
            const double scale = fmax(1, fmax(fabs((double)x[i]), fabs(want[i])));
            const double error = fabs(got[i] - want[i]) / (EPS * scale);
            if (!(error <= 8))
                fail_msg("%s(%.9g) is %.9g, not %.9g", types[t], (double)x[i], got[i], want[i]);
            worst = fmax(worst, error);
        }
        free(x);
        free(got);
        free(want);
        ao_graph_fini(&net.graph);
    }
    print_message("largest error %.2f eps\n", worst);
}

/* x * Sigmoid(x) after a convolution becomes one post-op; its derivative is below 1.1. */
static void swish_is_fused_into_the_convolution(void **state)
{
    (void)state;
    struct net net;
    net_init(&net, 9, SHAPE(1, 8, 3, 6, 6));
    const int a = net_same_conv(&net, net.graph.inputs[0], 16);
    const int swish = net_binary(&net, "Mul", a, net_unary(&net, "Sigmoid", a));
    net_output(&net, net_same_conv(&net, swish, 4));
    net.terms += 8; /* of the function itself, as above; |swish(x)| <= |x| keeps the rest */
    check(&net, 2, 9);
}

/* Mul of two values that vary, with and without broadcasting; Sub and Div by constants. */
static void binary_operators_agree_with_the_oracle(void **state)
{
    (void)state;
    struct net net;
    net_init(&net, 11, SHAPE(1, 12, 2, 5, 6));
    const int x = net.graph.inputs[0];
    const int a = net_same_conv(&net, x, 12);
    const int gate = net_unary(&net, "GlobalAveragePool", a);
    net.terms += 60;
    net_output(&net, net_binary(&net, "Mul", a, gate));
    net_output(&net, net_binary(&net, "Mul", gate, a));
    net_output(&net, net_binary(&net, "Mul", a, x));
    net_output(&net, net_binary(&net, "Add", net_constant(&net, SHAPE(12, 1, 1, 1), -1, 1), a));
    net_output(&net, net_binary(&net, "Div", a, net_constant(&net, SHAPE(1), 0.5, 2)));
    check(&net, 2, 11);
}

static void products_agree_with_the_oracle(void **state)
{
    (void)state;
    struct net net;
    net_init(&net, 12, SHAPE(1, 6, 10));
    const int x = net.graph.inputs[0];
    net.terms += 10 + 6;
    const int dense = net_binary(&net, "MatMul", x, net_constant(&net, SHAPE(10, 9), -1, 1));
    net_output(&net, net_binary(&net, "Add", dense, net_constant(&net, SHAPE(9), -1, 1)));
    const struct ao_attr perm = INTS("perm", 0, 2, 1);
    const int turned = net_node(&net, "Transpose", (const int32_t[]){ x, -1, -1 }, &perm, 1);
    net_output(&net, net_binary(&net, "MatMul", x, turned));
    check(&net, 3, 12);
}

/* Softmax: exp and its sum are within a few eps, and the result is at most 1. */
static void softmax_adds_up_to_one(void **state)
{
    (void)state;
    struct net net;
    int64_t n;
    net_init(&net, 13, SHAPE(1, 400));
    net_output(&net, net_unary(&net, "Softmax", net.graph.inputs[0]));
    net_finish(&net);
    float *x = net_random_input(&net, 2);
    double *got = net_run(&net, (struct net_setting){ AO_BACKEND_ONEDNN, 2, 1 }, x, 0, &n);
    double *want = net_run(&net, (struct net_setting){ AO_BACKEND_REFERENCE_F64, 2, 1 }, x, 0, &n);
    assert_int_equal(n, 800);
    for (int64_t i = 0; i < n; i++)
        assert_true(fabs(got[i] - want[i]) <= 2 * 400 * EPS * want[i]);
    free(x);
    free(got);
    free(want);
    ao_graph_fini(&net.graph);
}

/* Means over T, H, W with and without keeping the axes; Reshape needs row-major order. */
static void means_and_reshapes_agree_with_the_oracle(void **state)
{
    (void)state;
    struct net net;
    net_init(&net, 14, SHAPE(1, 5, 4, 3, 6));
    const int a = net_same_conv(&net, net.graph.inputs[0], 11);
    const int axes = net_integers(&net, 3, (const int64_t[]){ 2, 3, -1 });
    const struct ao_attr drop = { .name = "keepdims", .type = AO_ATTR_INT, .i = 0 };
    net.terms += 72;
    net_output(&net, net_node(&net, "ReduceMean", (const int32_t[]){ a, axes, -1 }, &drop, 1));
    net_output(&net, net_node(&net, "ReduceMean", (const int32_t[]){ a, axes, -1 }, NULL, 0));
    const int one = net_integers(&net, 1, (const int64_t[]){ 1 });
    net_output(&net, net_node(&net, "ReduceMean", (const int32_t[]){ a, one, -1 }, NULL, 0));
    const int shape = net_integers(&net, 3, (const int64_t[]){ -1, 44, 18 });
    const int flat = net_node(&net, "Reshape", (const int32_t[]){ a, shape, -1 }, NULL, 0);
    net_output(&net, net_unary(&net, "Relu", flat));
    net_output(&net, a);
    check(&net, 2, 14);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_networks_agree_with_the_oracle),
        cmocka_unit_test(one_axis_networks_agree_with_the_oracle),
        cmocka_unit_test(a_residual_that_is_read_again_is_not_overwritten),
        cmocka_unit_test(a_shortcut_around_one_convolution_is_kept_apart),
        cmocka_unit_test(strided_shortcuts_agree_with_the_oracle),
        cmocka_unit_test(activations_agree_with_the_oracle),
        cmocka_unit_test(swish_is_fused_into_the_convolution),
        cmocka_unit_test(binary_operators_agree_with_the_oracle),
        cmocka_unit_test(products_agree_with_the_oracle),
        cmocka_unit_test(softmax_adds_up_to_one),
        cmocka_unit_test(means_and_reshapes_agree_with_the_oracle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
