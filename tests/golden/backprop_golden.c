/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/parallel.h"
#include "engine/engine.h"
#include "ops/element.h"
#include "passes/gradient.h"
#include "passes/passes.h"
#include "support/shared.h"
#include "support/zoo.h"

/* Gradients of whole networks with respect to the clip, on the oneDNN backend. */

struct loaded {
    struct ao_onnx_model *model;
    struct ao_gradient *gradient;
    int64_t n_in, n_out;
    float *x, *seed;
};

static void load(struct loaded *net, const char *name)
{
    struct ao_passes_report report = { 0 };
    const struct ao_gradient_options options = { .clip = true };
    aosa_status status = zoo_open(name, &net->model);
    if (status == AOSA_OK)
        status = ao_passes_run(&net->model->graph, &report);
    ao_passes_report_fini(&report);
    if (status == AOSA_OK)
        status = ao_gradient_create(&net->model->graph, &options, &net->gradient);
    if (status != AOSA_OK)
        fail_msg("%s: %s", name, aosa_error_message());
    const struct ao_graph *graph = &net->model->graph;
    net->n_in = ao_shape_count(&graph->values[graph->inputs[0]].shape);
    net->n_out = ao_shape_count(&graph->values[graph->outputs[0]].shape);
    net->x = malloc((size_t)net->n_in * sizeof *net->x);
    net->seed = malloc((size_t)net->n_out * sizeof *net->seed);
    assert_true(net->x && net->seed);
    zoo_input(0, graph->values[graph->inputs[0]].name, net->n_in, net->x);
    zoo_input(0, "seed", net->n_out, net->seed);
}

static void unload(struct loaded *net)
{
    free(net->x);
    free(net->seed);
    ao_gradient_destroy(&net->gradient);
    ao_onnx_close(&net->model);
}

static void feed(struct ao_session *session, int index, const float *values)
{
    const struct ao_view in = ao_session_input(session, index);
    const struct ao_view src = ao_view_dense((void *)(uintptr_t)values, AO_F32, &in.shape);
    ao_view_convert(&in, &src);
}

static double *read(const struct ao_session *session, int index)
{
    const struct ao_view out = ao_session_output(session, index);
    double *values = malloc((size_t)ao_shape_count(&out.shape) * sizeof *values);
    assert_non_null(values);
    const struct ao_view dst = ao_view_dense(values, AO_F64, &out.shape);
    ao_view_convert(&dst, &out);
    return values;
}

/* dL/dclip for L = seed . output, or the output itself for a graph of one input. */
static double *run(const struct loaded *net, const struct ao_graph *graph, enum ao_backend backend,
                   const float *x)
{
    const struct ao_program_options options = { .backend = backend,
                                                .batch = 1,
                                                .inner_threads = ao_default_threads() };
    struct ao_program *program = NULL;
    struct ao_session *session = NULL;
    if (ao_program_create(graph, &options, &program) != AOSA_OK ||
        ao_session_create(program, &session) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    feed(session, 0, x);
    if (graph->n_inputs > 1)
        feed(session, net->gradient->seed_input, net->seed);
    if (ao_session_run(session) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    double *values = read(session, graph->n_inputs > 1 ? net->gradient->clip_output : 0);
    ao_session_destroy(&session);
    ao_program_destroy(&program);
    return values;
}

/*
 * Float sums in another order move ReLU and maxima that see two values closer than that, and with
 * each of them its share of the gradient: the difference is measured as a whole, in the Euclidean
 * norm, and may be 1 %. A wrong tap or layout makes it of the order of 1.
 */
static void gradients_agree_with_the_operators_own_loops(void **state)
{
    static const char *const names[] = { "i3d_112.tsdyn17" };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct loaded net = { .model = NULL };
        load(&net, names[i]);
        double *got = run(&net, &net.gradient->graph, AO_BACKEND_ONEDNN, net.x);
        double *want = run(&net, &net.gradient->graph, AO_BACKEND_REFERENCE, net.x);
        double error = 0, size = 0;
        for (int64_t e = 0; e < net.n_in; e++) {
            error += pow(got[e] - want[e], 2);
            size += want[e] * want[e];
        }
        print_message("%-22s |difference| / |gradient| %.2g\n", names[i], sqrt(error / size));
        assert_true(sqrt(error / size) < 0.01);
        free(got);
        free(want);
        unload(&net);
    }
}

/*
 * <J v, seed> = <v, J' seed>, the left side as a central difference of two float runs, h = 2^-10 of
 * the clip's unit size apart. A run's rounding, some 1e-6 of the output, makes 1e-3 of the
 * quotient; ReLU and maxima that switch between the two clips make up to 5 % of |g| |v| in networks
 * of many poolings (measured), and less with h. A wrong backward gives an error of its own size.
 * A random v has little of the gradient's direction, so v is half that.
 */
static double jacobian_error(const char *name)
{
    struct loaded net = { .model = NULL };
    load(&net, name);
    const struct ao_graph *graph = &net.model->graph;
    double *g = run(&net, &net.gradient->graph, AO_BACKEND_ONEDNN, net.x), g2 = 0;
    float *v = malloc((size_t)net.n_in * sizeof *v), *moved = malloc((size_t)net.n_in * sizeof *v);
    assert_true(v && moved);
    zoo_input(1, "direction", net.n_in, v);
    for (int64_t i = 0; i < net.n_in; i++)
        g2 += g[i] * g[i];
    const double scale = sqrt((double)net.n_in / g2);
    double right = 0, left = 0, size = 0;
    for (int64_t i = 0; i < net.n_in; i++) {
        v[i] = (float)(0.5 * (double)v[i] + 0.5 * scale * g[i]);
        right += (double)v[i] * g[i];
        size += (double)v[i] * (double)v[i];
    }
    for (int side = -1; side <= 1; side += 2) {
        for (int64_t i = 0; i < net.n_in; i++)
            moved[i] = net.x[i] + (float)side * 0x1p-10F * v[i];
        double *y = run(&net, graph, AO_BACKEND_ONEDNN, moved);
        for (int64_t i = 0; i < net.n_out; i++)
            left += side * (double)net.seed[i] * y[i] / 0x1p-9;
        free(y);
    }
    free(v);
    free(moved);
    free(g);
    unload(&net);
    return fabs(left - right) / sqrt(g2 * size);
}

static void differences_along_a_direction_are_the_gradients(void **state)
{
    static const char *const names[] = { "r3d_18.ts18",         "c3d.tsdyn17", "r2plus1d_18.ts18",
                                         "i3d_112.tsdyn17",     "p3d63.ts18",  "x3d_s.dy18",
                                         "k3d_densenet121.dy18" };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const double error = jacobian_error(names[i]);
        print_message("%-22s |<Jv,u> - <v,J'u>| %.2g of |v| |J'u|\n", names[i], error);
        assert_true(error < 0.1);
    }
}

int main(void)
{
    if (shared_is_missing())
        return EXIT_SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_agree_with_the_operators_own_loops),
        cmocka_unit_test(differences_along_a_direction_are_the_gradients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
