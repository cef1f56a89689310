/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/reduce.h"

#include <math.h>
#include <string.h>

#include "ops/backward.h"
#include "ops/check.h"
#include "ops/element.h"

static double sum_step(double total, double x)
{
    return total + x;
}

static double product_step(double total, double x)
{
    return total * x;
}

static double square_step(double total, double x)
{
    return total + x * x;
}

static double absolute_step(double total, double x)
{
    return total + fabs(x);
}

/* A NaN once taken stays. */
static double greatest_step(double best, double x)
{
    return x > best || isnan(x) ? x : best;
}

static double least_step(double best, double x)
{
    return x < best || isnan(x) ? x : best;
}

static int64_t sum_step_int(int64_t total, int64_t x)
{
    return (int64_t)((uint64_t)total + (uint64_t)x);
}

static int64_t product_step_int(int64_t total, int64_t x)
{
    return (int64_t)((uint64_t)total * (uint64_t)x);
}

static int64_t greatest_step_int(int64_t best, int64_t x)
{
    return x > best ? x : best;
}

static int64_t least_step_int(int64_t best, int64_t x)
{
    return x < best ? x : best;
}

static double keep(double total, double count)
{
    (void)count;
    return total;
}

static double mean(double total, double count)
{
    return total / count;
}

static double root(double total, double count)
{
    (void)count;
    return sqrt(total);
}

struct row {
    const char *type;
    double start;
    double (*step)(double total, double x);
    double (*finish)(double total, double count);
    int64_t start_int;
    int64_t (*step_int)(int64_t total, int64_t x); /* NULL: floats only */
};

static const struct row rows[] = {
    { "ReduceSum", 0, sum_step, keep, 0, sum_step_int },
    { "ReduceMean", 0, sum_step, mean, 0, NULL },
    { "ReduceProd", 1, product_step, keep, 1, product_step_int },
    { "ReduceMax", -HUGE_VAL, greatest_step, keep, INT64_MIN, greatest_step_int },
    { "ReduceMin", HUGE_VAL, least_step, keep, INT64_MAX, least_step_int },
    { "ReduceSumSquare", 0, square_step, keep, 0, NULL },
    { "ReduceL1", 0, absolute_step, keep, 0, NULL },
    { "ReduceL2", 0, square_step, root, 0, NULL },
};

static const struct row *row_of(const char *type)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].type, type) == 0)
            return &rows[i];
    return NULL;
}

static aosa_status reduce_infer(struct ao_graph *graph, struct ao_node *node)
{
    const int64_t *axes;
    int64_t n;
    AO_TRY(ao_op_arity(node, 1, 2, 1));
    AO_TRY(ao_op_ints(graph, node, 1, "axes", &axes, &n));
    const struct ao_value *x = ao_op_in(graph, node, 0);
    if (!row_of(node->type)->step_int || x->dtype == AO_BOOL)
        AO_TRY(ao_op_float(graph, node, 0));
    struct ao_reduce_params *params = ao_op_params(graph, node, sizeof *params);
    if (!params)
        return AOSA_ERR_NOMEM;
    params->keepdims = ao_node_int(node, "keepdims", 1) != 0;
    AO_TRY(ao_op_axes(node, axes, n, x->shape.rank, params->axes));
    const bool all = n == 0 && ao_node_int(node, "noop_with_empty_axes", 0) == 0;
    struct ao_shape shape = { .rank = 0 };
    for (int i = 0; i < x->shape.rank; i++) {
        params->axes[i] |= all;
        if (params->axes[i] && params->keepdims)
            shape.dims[shape.rank++] = 1;
        else if (!params->axes[i])
            shape.dims[shape.rank++] = x->shape.dims[i];
    }
    return ao_op_set(graph, node, 0, x->dtype, &shape);
}

static double reduce_real(const struct row *row, const struct ao_view *part)
{
    const int64_t *const strides[] = { part->strides };
    double total = row->start, values[AO_ROW];
    struct ao_walk walk;
    ao_walk_init(&walk, &part->shape, 1, strides);
    while (ao_walk_next(&walk)) {
        ao_row_load(values, part, walk.offset[0], walk.stride[0], walk.n);
        for (int64_t i = 0; i < walk.n; i++)
            total = row->step(total, values[i]);
    }
    return row->finish(total, (double)ao_shape_count(&part->shape));
}

static int64_t reduce_exact(const struct row *row, const struct ao_view *part)
{
    const int64_t *const strides[] = { part->strides };
    int64_t total = row->start_int, values[AO_ROW];
    struct ao_walk walk;
    ao_walk_init(&walk, &part->shape, 1, strides);
    while (ao_walk_next(&walk)) {
        ao_row_load_int(values, part, walk.offset[0], walk.stride[0], walk.n);
        for (int64_t i = 0; i < walk.n; i++)
            total = row->step_int(total, values[i]);
    }
    return total;
}

/* x as a grid of its kept axes, each cell a part made of the reduced ones. */
static void split_axes(const struct ao_view *x, const bool *reduced, struct ao_view *grid,
                       struct ao_view *part)
{
    *grid = (struct ao_view){ .dtype = x->dtype };
    *part = (struct ao_view){ .dtype = x->dtype };
    for (int i = 0; i < x->shape.rank; i++) {
        struct ao_view *to = reduced[i] ? part : grid;
        to->shape.dims[to->shape.rank] = x->shape.dims[i];
        to->strides[to->shape.rank++] = x->strides[i];
    }
}

static void reduce_forward(const struct ao_op_call *call)
{
    const struct ao_reduce_params *params = call->node->params;
    const struct row *row = row_of(call->node->type);
    const struct ao_view *x = &call->in[0], *y = &call->out[0];
    struct ao_view grid, part;
    split_axes(x, params->axes, &grid, &part);
    const int64_t count = ao_shape_count(&grid.shape);
    for (int64_t i = 0; i < count; i++) {
        /* With or without keepdims, outputs have the row-major order of the kept axes. */
        const int64_t dst = ao_view_offset(y, i);
        part.data = ao_element_at(x, ao_view_offset(&grid, i));
        if (ao_dtype_is_float(x->dtype)) {
            const double value = reduce_real(row, &part);
            ao_row_store(y, dst, 1, &value, 1);
        } else {
            const int64_t value = reduce_exact(row, &part);
            ao_row_store_int(y, dst, 1, &value, 1);
        }
    }
}

static bool reduce_keeps_batch(const struct ao_graph *graph, const struct ao_node *node)
{
    const struct ao_reduce_params *params = node->params;
    return ao_op_in(graph, node, 0)->shape.rank > 0 && !params->axes[0];
}

#define REDUCE(name, vjp_fn)               \
    const struct ao_op ao_op_##name = {    \
        .type = #name,                     \
        .infer = reduce_infer,             \
        .forward = reduce_forward,         \
        .vjp = vjp_fn,                     \
        .batch = AO_BATCH_ASKS,            \
        .keeps_batch = reduce_keeps_batch, \
    };
REDUCE(ReduceSum, ao_vjp_reduce_sum)
REDUCE(ReduceMean, ao_vjp_reduce_mean)
REDUCE(ReduceProd, ao_vjp_reduce_prod)
REDUCE(ReduceMax, ao_vjp_reduce_extreme)
REDUCE(ReduceMin, ao_vjp_reduce_extreme)
REDUCE(ReduceSumSquare, ao_vjp_reduce_sum_square)
REDUCE(ReduceL1, ao_vjp_reduce_l1)
REDUCE(ReduceL2, ao_vjp_reduce_l2)
