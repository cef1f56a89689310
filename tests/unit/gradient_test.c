/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/alloc.h"
#include "support/double_run.h"
#include "support/random_net.h"

/* x -> Relu -> times (1, 1, -1, -1, 2), seed 1: g = (1, 1, -1, -1, 2) at x = (1, -1, 1, -1, 0). */
static void check_rule(enum ao_relu_rule rule, const double want[5])
{
    static const float factors[] = { 1, 1, -1, -1, 2 };
    static const double x[] = { 1, -1, 1, -1, 0 }, ones[] = { 1, 1, 1, 1, 1 };
    struct net net;
    int value;
    net_init(&net, 1, SHAPE(1, 5));
    assert_int_equal(ao_graph_add_constant(&net.graph, "w", AO_F32, &SHAPE(5), factors, &value),
                     AOSA_OK);
    const int positive = net_unary(&net, "Relu", net.graph.inputs[0]);
    net_output(&net, net_binary(&net, "Mul", positive, value));
    net_finish(&net);
    struct ao_gradient *gradient =
        gradient_of(&net.graph, &(struct ao_gradient_options){ .clip = true, .relu = rule });
    struct pass pass = gradient_run(gradient, AO_BACKEND_REFERENCE_F64, x, NULL, ones);
    check_values(&pass, gradient->clip_output, want, 5, 0);
    pass_close(&pass);
    ao_gradient_destroy(&gradient);
    ao_graph_fini(&net.graph);
}

static void the_rules_of_relu(void **state)
{
    (void)state;
    check_rule(AO_RELU_PLAIN, (const double[]){ 1, 0, -1, 0, 0 });
    check_rule(AO_RELU_GUIDED, (const double[]){ 1, 0, 0, 0, 0 });
    check_rule(AO_RELU_DECONVNET, (const double[]){ 1, 1, 0, 0, 2 });
}

static void a_tie_of_maxima_goes_to_the_first(void **state)
{
    (void)state;
    static const int64_t kernel[] = { 2, 2 };
    static const double x[] = { 3, 3, 1, 3, 0, 2, 2, 2, 2 }, ones[] = { 1, 1, 1, 1 };
    struct net net;
    net_init(&net, 1, SHAPE(1, 1, 3, 3));
    const struct ao_attr size = {
        .name = "kernel_shape", .type = AO_ATTR_INTS, .n = 2, .ints = kernel
    };
    net_output(&net, net_node(&net, "MaxPool", (const int32_t[]){ net.graph.inputs[0], -1, -1 },
                              &size, 1));
    net_finish(&net);
    struct ao_gradient *gradient =
        gradient_of(&net.graph, &(struct ao_gradient_options){ .clip = true });
    struct pass pass = gradient_run(gradient, AO_BACKEND_REFERENCE_F64, x, NULL, ones);
    check_values(&pass, gradient->clip_output, (const double[]){ 1, 1, 0, 1, 0, 1, 0, 0, 0 }, 9, 0);
    pass_close(&pass);
    ao_gradient_destroy(&gradient);
    ao_graph_fini(&net.graph);
}

/* A network whose input carries x (7 numbers) and e (12): y = f(a), a = 12 numbers from x, plus e.
 * Then dL/da is dL/de, part of the clip's gradient. */
struct tapped {
    struct net net;
    int32_t a, aside, unused, y;
};

static int slice_of(struct net *net, int64_t first, int64_t last)
{
    const int32_t in[] = { net->graph.inputs[0], net_integers(net, 1, &first),
                           net_integers(net, 1, &last),
                           net_integers(net, 1, (const int64_t[]){ 1 }) };
    int32_t value;
    assert_int_equal(ao_vjp_node(&net->graph, "Slice", in, 4, NULL, 0, &value), AOSA_OK);
    return value;
}

static int dense(struct net *net, int x, int64_t n)
{
    return net_binary(net, "MatMul", x,
                      net_constant(net, SHAPE(net_shape(net, x).dims[1], n), -1, 1));
}

static void tapped_init(struct tapped *t)
{
    struct net *net = &t->net;
    net_init(net, 9, SHAPE(1, 19));
    const int x = slice_of(net, 0, 7), e = slice_of(net, 7, 19);
    t->a = net_binary(net, "Add", dense(net, net_unary(net, "Tanh", x), 12), e);
    t->aside = dense(net, net_unary(net, "Sigmoid", x), 5);
    t->y = net_binary(net, "Mul", dense(net, net_unary(net, "Relu", t->a), 5), t->aside);
    t->y = net_binary(net, "Add", t->y, dense(net, t->a, 5)); /* `a` is read twice */
    t->unused = dense(net, t->y, 4);                          /* y is read further */
    net_output(net, t->y);
    net_output(net, t->unused);
    net_finish(net);
}

static void check_taps(struct tapped *t, bool clip)
{
    const int32_t taps[] = { t->a, t->y, t->aside, t->a };
    const struct ao_gradient_options options = { .clip = clip, .taps = taps, .n_taps = 4 };
    struct ao_rng rng;
    ao_rng_init(&rng, 11);
    double *x = random_values(&rng, 19), *u = random_values(&rng, 5);
    struct ao_gradient *whole =
        gradient_of(&t->net.graph, &(struct ao_gradient_options){ .clip = true });
    struct ao_gradient *gradient = gradient_of(&t->net.graph, &options);
    assert_int_equal(gradient->graph.n_outputs, 1 + clip + 8);
    assert_int_equal(gradient->clip_output, clip ? 1 : -1);
    struct pass a = gradient_run(whole, AO_BACKEND_REFERENCE_F64, x, NULL, u),
                b = gradient_run(gradient, AO_BACKEND_REFERENCE_F64, x, NULL, u);
    int64_t n;
    double *g = take(&a, whole->clip_output, &n);
    if (clip)
        check_values(&b, gradient->clip_output, g, 19, 0);
    check_values(&b, gradient->first_tap + 1, g + 7, 12, 0);
    check_values(&b, gradient->first_tap + 7, g + 7, 12, 0);
    check_values(&b, gradient->first_tap + 3, u, 5, 0);
    double *y = take(&b, 0, &n);
    check_values(&b, gradient->first_tap + 2, y, 5, 0);
    free(y);
    free(g);
    free(x);
    free(u);
    pass_close(&a);
    pass_close(&b);
    /* What only serves the second output is gone; without the clip the walk ends at the taps. */
    assert_true(gradient->n_forward < t->net.graph.n_nodes);
    const size_t n_whole = whole->graph.n_nodes - whole->n_forward;
    const size_t n_taps = gradient->graph.n_nodes - gradient->n_forward;
    assert_true(clip ? n_taps >= n_whole : n_taps < n_whole);
    ao_gradient_destroy(&whole);
    ao_gradient_destroy(&gradient);
}

static void taps_receive_their_gradient(void **state)
{
    (void)state;
    struct tapped t;
    tapped_init(&t);
    check_taps(&t, true);
    check_taps(&t, false);
    ao_graph_fini(&t.net.graph);
}

/* Also where the value is infinite: 0 times it would be NaN. */
static void a_tap_without_influence_has_gradient_zero(void **state)
{
    (void)state;
    struct tapped t;
    tapped_init(&t);
    const int32_t taps[] = { t.unused };
    struct ao_rng rng;
    ao_rng_init(&rng, 12);
    double *x = random_values(&rng, 19), *u = random_values(&rng, 5);
    static const double zeros[4] = { 0 };
    x[0] = HUGE_VAL;
    struct ao_gradient *gradient =
        gradient_of(&t.net.graph, &(struct ao_gradient_options){ .taps = taps, .n_taps = 1 });
    struct pass pass = gradient_run(gradient, AO_BACKEND_REFERENCE_F64, x, NULL, u);
    check_values(&pass, gradient->first_tap + 1, zeros, 4, 0);
    pass_close(&pass);
    ao_gradient_destroy(&gradient);
    free(x);
    free(u);
    ao_graph_fini(&t.net.graph);
}

/* Clip and output as taps, and an output that does not depend on the clip by a derivative. */
static void ends_of_the_network_can_be_tapped(void **state)
{
    (void)state;
    static const double x[] = { 0.5, 2.25, -1.5 }, u[] = { 1, 2, 3 };
    static const double floors[] = { 0, 2, -2 }, zeros[3] = { 0 };
    struct net net;
    net_init(&net, 1, SHAPE(1, 3));
    net_output(&net, net_unary(&net, "Floor", net.graph.inputs[0]));
    net_finish(&net);
    const int32_t taps[] = { net.graph.inputs[0], net.graph.outputs[0] };
    struct ao_gradient *gradient = gradient_of(
        &net.graph, &(struct ao_gradient_options){ .clip = true, .taps = taps, .n_taps = 2 });
    struct pass pass = gradient_run(gradient, AO_BACKEND_REFERENCE_F64, x, NULL, u);
    check_values(&pass, 0, floors, 3, 0);
    check_values(&pass, gradient->clip_output, zeros, 3, 0);
    check_values(&pass, gradient->first_tap, x, 3, 0);
    check_values(&pass, gradient->first_tap + 1, zeros, 3, 0);
    check_values(&pass, gradient->first_tap + 2, floors, 3, 0);
    check_values(&pass, gradient->first_tap + 3, u, 3, 0);
    pass_close(&pass);
    ao_gradient_destroy(&gradient);
    ao_graph_fini(&net.graph);
}

/* Weights and a divisor that depend on the clip: both are named, and the second Conv counted. */
static void operators_without_a_backward_are_all_named(void **state)
{
    (void)state;
    struct net net;
    struct ao_gradient *gradient = NULL;
    net_init(&net, 1, SHAPE(1, 2, 3, 3));
    const int x = net.graph.inputs[0];
    const int w = net_binary(&net, "Mul", net_unary(&net, "GlobalAveragePool", x),
                             net_constant(&net, SHAPE(2, 1, 1, 1), -1, 1));
    const struct ao_attr fmod = { .name = "fmod", .type = AO_ATTR_INT, .i = 1 };
    const int first = net_node(&net, "Mod", (const int32_t[]){ x, x, -1 }, &fmod, 1);
    const int second = net_binary(&net, "Conv", first, w);
    net_output(&net, net_binary(&net, "Conv", net_unary(&net, "Relu", second), w));
    net_finish(&net);
    assert_int_equal(
        ao_gradient_create(&net.graph, &(struct ao_gradient_options){ .clip = true }, &gradient),
        AOSA_ERR_UNSUPPORTED);
    print_message("%s\n", aosa_error_message());
    assert_non_null(strstr(aosa_error_message(), "Conv (node 'Conv_5' and 1 more)"));
    assert_non_null(strstr(aosa_error_message(), "Mod (node 'Mod_2')"));
    assert_null(gradient);
    /* Behind them all is well: the output of the first Conv has a gradient. */
    const int32_t taps[] = { second };
    assert_int_equal(ao_gradient_create(&net.graph,
                                        &(struct ao_gradient_options){ .taps = taps, .n_taps = 1 },
                                        &gradient),
                     AOSA_OK);
    ao_gradient_destroy(&gradient);
    ao_graph_fini(&net.graph);
}

static void taps_that_are_no_floats_are_refused(void **state)
{
    (void)state;
    struct net net;
    struct ao_gradient *gradient = NULL;
    net_init(&net, 1, SHAPE(1, 3));
    const int x = net.graph.inputs[0];
    const int above = net_binary(&net, "Greater", x, net_constant(&net, SHAPE(1), 0, 1));
    net_output(&net, x);
    net_finish(&net);
    for (int i = 0; i < 2; i++) {
        const int32_t tap = i == 0 ? above : 77;
        const struct ao_gradient_options options = { .taps = &tap, .n_taps = 1 };
        assert_int_equal(ao_gradient_create(&net.graph, &options, &gradient), AOSA_ERR_ARGUMENT);
        assert_non_null(strstr(aosa_error_message(), i == 0 ? "bool" : "value 77"));
    }
    ao_graph_fini(&net.graph);
}

/* Every allocation fails once. */
static void memory_may_end_anywhere(void **state)
{
    (void)state;
    struct tapped t;
    tapped_init(&t);
    const int32_t taps[] = { t.a };
    const struct ao_gradient_options options = {
        .clip = true, .rescale = true, .taps = taps, .n_taps = 1
    };
    long n = 1;
    for (bool failed = true; failed; n++) {
        struct ao_gradient *gradient = NULL;
        ao_alloc_fail_at(n);
        const aosa_status status = ao_gradient_create(&t.net.graph, &options, &gradient);
        failed = ao_alloc_has_failed();
        assert_int_equal(status, failed ? AOSA_ERR_NOMEM : AOSA_OK);
        assert_true(failed == !gradient);
        ao_gradient_destroy(&gradient);
    }
    ao_alloc_fail_at(0);
    print_message("%ld allocations\n", n - 2);
    assert_true(n > 10);
    ao_graph_fini(&t.net.graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rules_of_relu),
        cmocka_unit_test(a_tie_of_maxima_goes_to_the_first),
        cmocka_unit_test(taps_receive_their_gradient),
        cmocka_unit_test(a_tap_without_influence_has_gradient_zero),
        cmocka_unit_test(ends_of_the_network_can_be_tapped),
        cmocka_unit_test(operators_without_a_backward_are_all_named),
        cmocka_unit_test(taps_that_are_no_floats_are_refused),
        cmocka_unit_test(memory_may_end_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
