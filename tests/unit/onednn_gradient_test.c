/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ops/element.h"
#include "passes/gradient.h"
#include "support/random_net.h"

/*
 * Backward passes on the oneDNN backend, and the convolutions by our own loops in it, against the
 * operators' own loops in double. Allowed are the 1e-4 of the largest value that issue 3 grants
 * whole networks: sums of up to 4000 terms in float differ by some 1e-6 of it, while a wrong pad,
 * tap or stride changes the first digit. Where a ReLU or a maximum sees two values closer than a
 * rounding the two may choose differently, and the gradient there is another: the networks of many
 * values below have no such operator, and of the small ones that do FLIPS in 40 may differ.
 */
#define TOLERANCE 1e-4
#define FLIPS 3

/* All outputs of a graph behind one another, in double; freed by the caller. */
static double *run_graph_of(const struct ao_graph *graph, enum ao_backend backend, int batch,
                            const float *const *inputs, int64_t *counts)
{
    const struct ao_program_options options = { .backend = backend,
                                                .batch = batch,
                                                .inner_threads = 1 };
    struct ao_program *program = NULL;
    struct ao_session *session = NULL;
    int64_t total = 0;
    if (ao_program_create(graph, &options, &program) != AOSA_OK ||
        ao_session_create(program, &session) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    for (int i = 0; i < graph->n_inputs; i++) {
        const struct ao_view in = ao_session_input(session, i);
        const struct ao_view src = ao_view_dense((void *)(uintptr_t)inputs[i], AO_F32, &in.shape);
        ao_view_convert(&in, &src);
    }
    for (int i = 0; i < graph->n_outputs; i++) {
        const struct ao_view out = ao_session_output(session, i);
        counts[i] = ao_shape_count(&out.shape);
        total += counts[i];
    }
    double *values = malloc((size_t)total * sizeof *values + 1);
    assert_non_null(values);
    for (int twice = 0; twice < 2; twice++)
        if (ao_session_run(session) != AOSA_OK)
            fail_msg("%s", aosa_error_message());
    for (int64_t i = 0, at = 0; i < graph->n_outputs; at += counts[i++]) {
        const struct ao_view out = ao_session_output(session, (int)i);
        const struct ao_view dst = ao_view_dense(values + at, AO_F64, &out.shape);
        ao_view_convert(&dst, &out);
    }
    ao_session_destroy(&session);
    ao_program_destroy(&program);
    return values;
}

static float *random_floats(struct ao_rng *rng, int64_t n)
{
    float *values = malloc((size_t)n * sizeof *values + 1);
    assert_non_null(values);
    for (int64_t i = 0; i < n; i++)
        values[i] = (float)ao_rng_range(rng, -1, 1);
    return values;
}

/* Largest error of any output as a fraction of that output's largest value. */
static double compare(const struct ao_graph *graph, int batch, struct ao_rng *rng)
{
    float *inputs[2] = { NULL, NULL };
    int64_t counts[8];
    double worst = 0;
    assert_true(graph->n_inputs <= 2 && graph->n_outputs <= 8);
    for (int i = 0; i < graph->n_inputs; i++) {
        const struct ao_shape shape = ao_value_shape(&graph->values[graph->inputs[i]], batch);
        inputs[i] = random_floats(rng, ao_shape_count(&shape));
    }
    const float *const *feed = (const float *const *)inputs;
    double *got = run_graph_of(graph, AO_BACKEND_ONEDNN, batch, feed, counts);
    double *want = run_graph_of(graph, AO_BACKEND_REFERENCE_F64, batch, feed, counts);
    for (int64_t i = 0, at = 0; i < graph->n_outputs; at += counts[i++]) {
        double largest = 0, error = 0;
        for (int64_t e = at; e < at + counts[i]; e++) {
            const double difference = fabs(got[e] - want[e]);
            largest = fmax(largest, fabs(want[e]));
            error = difference <= error ? error : difference; /* a NaN is taken, and stays */
        }
        if (largest > 0 || error > 0)
            worst = error / largest <= worst ? worst : error / largest;
    }
    free(got);
    free(want);
    free(inputs[0]);
    free(inputs[1]);
    return worst;
}

/* The gradient of a finished network to its input and to one value in the middle. */
static double check_gradient(struct net *net, int tap, int batch)
{
    const struct ao_gradient_options options = { .clip = true, .taps = &tap, .n_taps = 1 };
    struct ao_gradient *gradient = NULL;
    net_finish(net);
    if (ao_gradient_create(&net->graph, &options, &gradient) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    const double worst = compare(&gradient->graph, batch, &net->rng);
    ao_gradient_destroy(&gradient);
    ao_graph_fini(&net->graph);
    return worst;
}

static void gradients_of_random_networks_agree_with_the_oracle(void **state)
{
    double worst = 0;
    int flips = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct net net;
        net_random(&net, seed);
        net.graph.outputs[0] = net.graph.outputs[1]; /* the classes */
        net.graph.n_outputs = 1;
        const int middle = net.graph.nodes[net.graph.n_nodes / 2].out[0];
        const double found = check_gradient(&net, middle, 1 + (int)(seed % 2));
        if (!(found <= TOLERANCE) && ++flips > FLIPS)
            fail_msg("seed %d: error %g of the largest value", (int)seed, found);
        if (found <= TOLERANCE)
            worst = fmax(worst, found);
    }
    print_message("40 networks, largest error %.2g of the largest value, %d flips\n", worst, flips);
}

/* Kernels up to 5 that fit, strides up to 3, any padding that leaves every window an input. */
static struct net_window any_window(struct net *net, int x)
{
    const struct ao_shape shape = net_shape(net, x);
    struct net_window w = { .rank = shape.rank - 2 };
    for (int i = 0; i < w.rank; i++) {
        const int64_t extent = shape.dims[2 + i];
        w.kernel[i] = net_pick(net, 1, extent < 5 ? extent : 5);
        w.stride[i] = net_pick(net, 1, 3);
        w.dilation[i] = 2 * w.kernel[i] <= extent && net_pick(net, 0, 9) == 0 ? 2 : 1;
        w.pads[i] = net_pick(net, 0, w.kernel[i] - 1);
        w.pads[w.rank + i] = net_pick(net, 0, w.kernel[i] - 1);
    }
    return w;
}

/*
 * One value read by two convolutions, so that their gradients are added up, behind a first one of
 * few or many channels.
 */
static void any_convolution_has_its_gradient(void **state)
{
    double worst = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 80; seed++) {
        struct net net;
        struct ao_rng rng;
        ao_rng_init(&rng, seed);
        struct ao_shape shape = { .rank = 3 + (int)ao_rng_below(&rng, 3), .dims = { 1 } };
        shape.dims[1] = 1 + (int64_t)ao_rng_below(&rng, seed % 2 ? 7 : 40);
        for (int i = 2; i < shape.rank; i++)
            shape.dims[i] = 9 + (int64_t)ao_rng_below(&rng, 6);
        net_init(&net, seed, shape);
        const struct net_window first = any_window(&net, net.graph.inputs[0]);
        const int64_t channels = net_pick(&net, 1, 2) * net_pick(&net, 1, 20);
        const int64_t group = channels % 2 == 0 && net_pick(&net, 0, 4) == 0 ? 2 : 1;
        const int x = net_conv(&net, net.graph.inputs[0], channels, 1, &first);
        const struct net_window second = any_window(&net, x);
        const int a = net_conv(&net, x, group * net_pick(&net, 1, 20), group, &second);
        const int b = net_conv(&net, x, net_shape(&net, a).dims[1], 1, &second);
        const int sum = net_binary(&net, "Add", a, b);
        net_output(&net, net_head(&net, sum));
        const double found = check_gradient(&net, x, 1 + (int)(seed % 2));
        if (!(found <= TOLERANCE))
            fail_msg("seed %d: error %g of the largest value", (int)seed, found);
        worst = fmax(worst, found);
    }
    print_message("80 convolutions, largest error %.2g of the largest value\n", worst);
}

/*
 * Convolutions of stride 1 that Winograd's tiles take: enough channels and positions, 3 taps on
 * some axes, one on the others, odd extents, paddings 0 to 2, with and without residual. Answers
 * the value between the two last.
 */
static int build_tiled(struct net *net, uint64_t seed, bool relu)
{
    struct ao_rng rng;
    ao_rng_init(&rng, seed);
    const int rank = seed % 3 ? 3 : 2;
    struct ao_shape shape = { .rank = 2 + rank, .dims = { 1, 16 + 8 * (int64_t)(seed % 4) } };
    for (int i = 0; i < rank; i++)
        shape.dims[2 + i] = (i == 0 && rank == 3 ? 2 : 17) + (int64_t)ao_rng_below(&rng, 5);
    net_init(net, seed, shape);
    struct net_window w = { .rank = rank, .stride = { 1, 1, 1 }, .dilation = { 1, 1, 1 } };
    for (int i = 0; i < rank; i++) {
        w.kernel[i] = i < rank - 1 && net_pick(net, 0, 3) == 0 ? 1 : 3;
        w.pads[i] = w.kernel[i] == 3 ? net_pick(net, i == 0, 2) : 0;
        w.pads[rank + i] = w.kernel[i] == 3 ? net_pick(net, 0, 2) : 0;
    }
    int x = net_same_conv(net, net->graph.inputs[0], 32);
    x = relu ? net_unary(net, "Relu", x) : x;
    const int y = net_binary(net, "Add", net_same_conv(net, x, 32), x);
    const int z = net_conv(net, relu ? net_unary(net, "Relu", y) : y, 40, 1, &w);
    net_output(net, net_head(net, relu ? net_unary(net, "Relu", z) : z));
    return y;
}

static void tiled_convolutions_agree_with_the_oracle(void **state)
{
    double worst[2] = { 0, 0 };
    (void)state;
    for (uint64_t seed = 0; seed < 4; seed++) {
        const int batch = 2;
        double found[2];
        struct net net;
        build_tiled(&net, seed, true);
        net_finish(&net);
        found[0] = compare(&net.graph, batch, &net.rng);
        ao_graph_fini(&net.graph);
        const int tap = build_tiled(&net, seed, false);
        found[1] = check_gradient(&net, tap, batch);
        for (int i = 0; i < 2; i++) {
            if (!(found[i] <= TOLERANCE))
                fail_msg("seed %d: error %g of the largest value", (int)seed, found[i]);
            worst[i] = fmax(worst[i], found[i]);
        }
    }
    print_message("4 networks, largest errors %.2g of the largest value, %.2g of gradients\n",
                  worst[0], worst[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_of_random_networks_agree_with_the_oracle),
        cmocka_unit_test(any_convolution_has_its_gradient),
        cmocka_unit_test(tiled_convolutions_agree_with_the_oracle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
