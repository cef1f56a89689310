/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_TESTS_SUPPORT_DOUBLE_RUN_H
#define AO_TESTS_SUPPORT_DOUBLE_RUN_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/rng.h"
#include "ops/element.h"
#include "passes/gradient.h"
#include "engine/engine.h"

/* Runs of graphs whose values are given and taken as doubles, and gradients of networks. Arrays
 * are freed by the caller; whatever fails, fails the test. */

struct pass {
    struct ao_program *program;
    struct ao_session *session;
};

static inline struct pass pass_open(const struct ao_graph *graph, enum ao_backend backend,
                                    int batch)
{
    const struct ao_program_options options = { .backend = backend,
                                                .batch = batch,
                                                .inner_threads = 1 };
    struct pass pass = { 0 };
    if (ao_program_create(graph, &options, &pass.program) != AOSA_OK ||
        ao_session_create(pass.program, &pass.session) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    return pass;
}

static inline void pass_close(struct pass *pass)
{
    ao_session_destroy(&pass->session);
    ao_program_destroy(&pass->program);
}

static inline void pass_run(const struct pass *pass)
{
    if (ao_session_run(pass->session) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
}

static inline void put(const struct pass *pass, int input, const double *values)
{
    const struct ao_view view = ao_session_input(pass->session, input);
    const struct ao_view src = ao_view_dense((void *)(uintptr_t)values, AO_F64, &view.shape);
    ao_view_convert(&view, &src);
}

static inline double *doubles(int64_t n)
{
    double *values = malloc((size_t)n * sizeof *values + 1);
    assert_non_null(values);
    return values;
}

static inline double *take(const struct pass *pass, int output, int64_t *n)
{
    const struct ao_view view = ao_session_output(pass->session, output);
    *n = ao_shape_count(&view.shape);
    double *values = doubles(*n);
    const struct ao_view dst = ao_view_dense(values, AO_F64, &view.shape);
    ao_view_convert(&dst, &view);
    return values;
}

/* Uniform in [-1, 1). */
static inline double *random_values(struct ao_rng *rng, int64_t n)
{
    double *values = doubles(n);
    for (int64_t i = 0; i < n; i++)
        values[i] = ao_rng_range(rng, -1, 1);
    return values;
}

static inline double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static inline int64_t count_of(const struct ao_graph *graph, int32_t value)
{
    return ao_shape_count(&graph->values[value].shape);
}

/* <u, y(x)>; with `size` not NULL, also the sum of the magnitudes. */
static inline double score_of(const struct pass *forward, const double *x, const double *u,
                              double *size)
{
    int64_t n;
    put(forward, 0, x);
    pass_run(forward);
    double *y = take(forward, 0, &n);
    const double score = dot(u, y, n);
    if (size)
        *size = 0;
    for (int64_t i = 0; size && i < n; i++)
        *size += fabs(u[i] * y[i]);
    free(y);
    return score;
}

/* (s(x + h v) - s(x - h v)) / 2h of s = <u, y>. */
static inline double slope_of(const struct pass *forward, const double *x, const double *v,
                              double h, const double *u, int64_t n)
{
    double *moved = doubles(n), score[2];
    for (int side = 0; side < 2; side++) {
        for (int64_t i = 0; i < n; i++)
            moved[i] = x[i] + (side == 0 ? h : -h) * v[i];
        score[side] = score_of(forward, moved, u, NULL);
    }
    free(moved);
    return (score[0] - score[1]) / (2 * h);
}

static inline struct ao_gradient *gradient_of(const struct ao_graph *network,
                                              const struct ao_gradient_options *options)
{
    struct ao_gradient *gradient = NULL;
    if (ao_gradient_create(network, options, &gradient) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    return gradient;
}

/* One clip; baseline NULL for plain gradients. */
static inline struct pass gradient_run(const struct ao_gradient *gradient, enum ao_backend backend,
                                       const double *x, const double *baseline, const double *seed)
{
    const struct pass pass = pass_open(&gradient->graph, backend, 1);
    put(&pass, gradient->clip_input, x);
    if (baseline)
        put(&pass, gradient->baseline_input, baseline);
    put(&pass, gradient->seed_input, seed);
    pass_run(&pass);
    return pass;
}

static inline void check_values(const struct pass *pass, int output, const double *want, int64_t n,
                                double tolerance)
{
    int64_t n_got;
    double *got = take(pass, output, &n_got);
    assert_int_equal(n_got, n);
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(got[i] - want[i]) <= tolerance))
            fail_msg("element %d of output %d is %.17g, not %.17g", (int)i, output, got[i],
                     want[i]);
    free(got);
}

#endif
