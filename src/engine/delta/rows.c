/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/delta/internal.h"

#include <string.h>

#include "ops/pointwise.h"

/* Rules that work row by row. */

struct rows_run {
    struct ao_delta_session *session;
    const struct ao_delta_base *base;
    const struct ao_delta_step *step;
    const struct ao_delta_value *values;
    const struct ao_delta_support *out;
    const uint32_t *positions; /* of the output's rows */
    float *dst;
    size_t C; /* channels of the output */
};

static const float *base_at(const struct rows_run *run, int32_t value, uint32_t position)
{
    const struct ao_delta_value *v = &run->values[value];
    return run->base->floats + v->keep + (size_t)position * (size_t)v->extent.C;
}

static void relu(const struct rows_run *run)
{
    const float *src = ao_delta_rows(run->session, run->step->in[0]);
    const uint32_t n = run->out->first[run->session->n];
    memcpy(run->dst, src, n * run->C * sizeof *run->dst);
    for (size_t i = 0; run->session->forward && i < n * run->C; i++)
        run->dst[i] = run->dst[i] > 0 ? run->dst[i] : 0;
    for (uint32_t r = 0; !run->session->forward && r < n; r++)
        run->session->delta->kernels->relu_delta(
            run->dst + r * run->C, base_at(run, run->step->in[0], run->positions[r]), run->C);
}

static void pointwise(const struct rows_run *run)
{
    const ao_pointwise_fn f = ao_pointwise_find(run->step->node->type);
    const struct ao_pointwise_params *params = run->step->node->params;
    const float *src = ao_delta_rows(run->session, run->step->in[0]);
    const uint32_t n = run->out->first[run->session->n];
    for (size_t i = 0; run->session->forward && i < n * run->C; i++)
        run->dst[i] = (float)f((double)src[i], params);
    for (uint32_t r = 0; !run->session->forward && r < n; r++) {
        const float *y = base_at(run, run->step->in[0], run->positions[r]);
        for (size_t c = 0; c < run->C; c++) {
            const double x = (double)y[c];
            const double changed = f(x + (double)src[r * run->C + c], params);
            run->dst[r * run->C + c] = (float)(changed - f(x, params));
        }
    }
}

static void scale(const struct rows_run *run)
{
    const float *src = ao_delta_rows(run->session, run->step->in[0]);
    const uint32_t n = run->out->first[run->session->n];
    for (uint32_t r = 0; r < n; r++)
        for (size_t c = 0; c < run->C; c++)
            run->dst[r * run->C + c] = src[r * run->C + c] * run->step->scale[c];
    const float *shift = run->step->shift;
    for (uint32_t r = 0; run->session->forward && shift && r < n; r++)
        run->session->delta->kernels->add(run->dst + r * run->C, shift, run->C);
}

/* Adds the rows of input i, C_in channels wide, at channel `channel` of the output's rows. */
static void add_input(const struct rows_run *run, int i, size_t channel)
{
    const int32_t value = run->step->in[i];
    const size_t C_in = (size_t)run->values[value].extent.C;
    const float *src = ao_delta_rows(run->session, value);
    for (int m = 0; m < run->session->n; m++) {
        struct ao_delta_cursor cursor = ao_delta_cursor(run->session, value, m);
        for (uint32_t r = run->out->first[m]; r < run->out->first[m + 1]; r++) {
            const uint32_t row = ao_delta_row_at(&cursor, run->positions[r]);
            if (row != AO_NO_ROW)
                run->session->delta->kernels->add(run->dst + r * run->C + channel, src + row * C_in,
                                                  C_in);
        }
    }
}

static void clear(const struct rows_run *run)
{
    memset(run->dst, 0, run->out->first[run->session->n] * run->C * sizeof *run->dst);
}

static void add(const struct rows_run *run)
{
    clear(run);
    for (int i = 0; i < run->step->n_in; i++)
        add_input(run, i, 0);
}

static void concat(const struct rows_run *run)
{
    size_t channel = 0;
    clear(run);
    for (int i = 0; i < run->step->n_in; i++) {
        add_input(run, i, channel);
        channel += (size_t)run->values[run->step->in[i]].extent.C;
    }
}

/* A factor's base and change at a position of the product; a factor at one position is repeated. */
struct factor {
    const float *y, *d; /* d NULL: no change */
};

static struct factor factor_at(const struct rows_run *run, int i, struct ao_delta_cursor *cursor,
                               uint32_t position)
{
    const int32_t value = run->step->in[i];
    const struct ao_delta_extent *extent = &run->values[value].extent;
    const uint32_t own = ao_delta_positions(extent) == 1 ? 0 : position;
    const uint32_t row = ao_delta_row_at(cursor, own);
    const float *rows = ao_delta_rows(run->session, value);
    return (struct factor){ base_at(run, value, own),
                            row == AO_NO_ROW ? NULL : rows + row * (size_t)extent->C };
}

/* (a + da)(b + db) - a b = da (b + db) + a db. */
static void multiply(const struct rows_run *run)
{
    for (int m = 0; m < run->session->n; m++) {
        struct ao_delta_cursor at_a = ao_delta_cursor(run->session, run->step->in[0], m);
        struct ao_delta_cursor at_b = ao_delta_cursor(run->session, run->step->in[1], m);
        for (uint32_t r = run->out->first[m]; r < run->out->first[m + 1]; r++) {
            const struct factor a = factor_at(run, 0, &at_a, run->positions[r]);
            const struct factor b = factor_at(run, 1, &at_b, run->positions[r]);
            for (size_t c = 0; c < run->C; c++) {
                const float da = a.d ? a.d[c] : 0, db = b.d ? b.d[c] : 0;
                run->dst[r * run->C + c] = da * (b.y[c] + db) + a.y[c] * db;
            }
        }
    }
}

/* Rows become one row in the order [C][T][H][W]. */
static void flatten(const struct rows_run *run)
{
    const int32_t value = run->step->in[0];
    const size_t C_in = (size_t)run->values[value].extent.C, P = run->C / C_in;
    const struct ao_delta_support *in = ao_delta_support_of(run->session, value);
    const uint32_t *positions = ao_delta_positions_of(run->session, in);
    const float *src = ao_delta_rows(run->session, value);
    clear(run);
    for (int m = 0; m < run->session->n; m++) {
        float *dst = run->dst + run->out->first[m] * run->C;
        for (uint32_t r = in->first[m]; r < in->first[m + 1]; r++)
            for (size_t c = 0; c < C_in; c++)
                dst[c * P + positions[r]] = src[r * C_in + c];
    }
}

void ao_delta_run_rows(struct ao_delta_session *session, const struct ao_delta_base *base,
                       const struct ao_delta_step *step)
{
    const struct ao_delta_support *out = ao_delta_support_of(session, step->out);
    const struct rows_run run = {
        .session = session,
        .base = base,
        .step = step,
        .values = session->delta->values,
        .out = out,
        .positions = ao_delta_positions_of(session, out),
        .dst = ao_delta_rows(session, step->out),
        .C = (size_t)session->delta->values[step->out].extent.C,
    };
    static void (*const by_rule[])(const struct rows_run *run) = {
        [AO_DELTA_RELU] = relu,       [AO_DELTA_POINTWISE] = pointwise,
        [AO_DELTA_SCALE] = scale,     [AO_DELTA_ADD] = add,
        [AO_DELTA_CONCAT] = concat,   [AO_DELTA_MULTIPLY] = multiply,
        [AO_DELTA_FLATTEN] = flatten,
    };
    by_rule[step->rule](&run);
}
