/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "ops/check.h"
#include "ops/element.h"

/* ArgMax and ArgMin: index along one axis of the greatest or least element. */
struct arg_params {
    int axis;
    bool keepdims, last; /* of equal elements the last, else the first */
};

static aosa_status arg_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, 1, 1, 1));
    AO_TRY(ao_op_float(graph, node, 0));
    struct arg_params *params = ao_op_params(graph, node, sizeof *params);
    if (!params)
        return AOSA_ERR_NOMEM;
    const struct ao_shape *x = &ao_op_in(graph, node, 0)->shape;
    AO_TRY(ao_op_axis(node, ao_node_int(node, "axis", 0), x->rank, &params->axis));
    params->keepdims = ao_node_int(node, "keepdims", 1) != 0;
    params->last = ao_node_int(node, "select_last_index", 0) != 0;
    if (x->dims[params->axis] < 1)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "of an axis without elements");
    struct ao_shape shape = { .rank = 0 };
    for (int i = 0; i < x->rank; i++)
        if (i != params->axis)
            shape.dims[shape.rank++] = x->dims[i];
        else if (params->keepdims)
            shape.dims[shape.rank++] = 1;
    return ao_op_set(graph, node, 0, AO_I64, &shape);
}

/* A NaN is both the greatest and the least. */
static bool is_better(double x, double best, bool greatest, bool or_equal)
{
    if (isnan(best))
        return isnan(x) && or_equal;
    return isnan(x) || (greatest ? x > best : x < best) || (or_equal && x == best);
}

static int64_t best_index(const struct ao_view *x, int64_t offset, int axis, bool greatest,
                          bool last)
{
    int64_t best = 0;
    double value = ao_element(x, offset);
    for (int64_t i = 1; i < x->shape.dims[axis]; i++) {
        const double next = ao_element(x, offset + i * x->strides[axis]);
        if (!is_better(next, value, greatest, last))
            continue;
        best = i;
        value = next;
    }
    return best;
}

static void arg_forward(const struct ao_op_call *call)
{
    const struct arg_params *params = call->node->params;
    const struct ao_view *x = &call->in[0], *y = &call->out[0];
    const bool greatest = strcmp(call->node->type, "ArgMax") == 0;
    struct ao_view starts = *x;
    starts.shape.dims[params->axis] = 1;
    /* With or without keepdims, outputs have the row-major order of the other axes. */
    for (int64_t i = 0; i < ao_shape_count(&starts.shape); i++) {
        const int64_t best =
            best_index(x, ao_view_offset(&starts, i), params->axis, greatest, params->last);
        ao_row_store_int(y, ao_view_offset(y, i), 1, &best, 1);
    }
}

static bool arg_keeps_batch(const struct ao_graph *graph, const struct ao_node *node)
{
    (void)graph;
    return ((const struct arg_params *)node->params)->axis != 0;
}

#define ARG(name)                       \
    const struct ao_op ao_op_##name = { \
        .type = #name,                  \
        .infer = arg_infer,             \
        .forward = arg_forward,         \
        .batch = AO_BATCH_ASKS,         \
        .keeps_batch = arg_keeps_batch, \
    };
ARG(ArgMax)
ARG(ArgMin)
