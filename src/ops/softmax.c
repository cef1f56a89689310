/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "ops/backward.h"
#include "ops/check.h"
#include "ops/element.h"
#include "ops/move.h"

static aosa_status softmax_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, 1, 1, 1));
    AO_TRY(ao_op_float(graph, node, 0));
    struct ao_axis_params *params = ao_op_params(graph, node, sizeof *params);
    if (!params)
        return AOSA_ERR_NOMEM;
    AO_TRY(ao_op_axis(node, ao_node_int(node, "axis", -1), ao_op_in(graph, node, 0)->shape.rank,
                      &params->axis));
    return ao_op_set_like(graph, node);
}

/*
 * p_i = exp(x_i - max) / sum_j exp(x_j - max), or its logarithm x_i - max - log sum: nothing
 * overflows, and the largest term of the sum is 1.
 */
static void softmax_line(const struct ao_view *x, int64_t src, int64_t src_step,
                         const struct ao_view *y, int64_t dst, int64_t dst_step, int64_t n,
                         bool log_of)
{
    double max = -HUGE_VAL, sum = 0;
    for (int64_t i = 0; i < n; i++) {
        const double value = ao_element(x, src + i * src_step);
        if (value > max || isnan(value))
            max = value;
    }
    for (int64_t i = 0; i < n; i++)
        sum += exp(ao_element(x, src + i * src_step) - max);
    for (int64_t i = 0; i < n; i++) {
        const double above = ao_element(x, src + i * src_step) - max;
        const double value = log_of ? above - log(sum) : exp(above) / sum;
        ao_row_store(y, dst + i * dst_step, 1, &value, 1);
    }
}

static void softmax_forward(const struct ao_op_call *call)
{
    const int axis = ((const struct ao_axis_params *)call->node->params)->axis;
    const bool log_of = strcmp(call->node->type, "LogSoftmax") == 0;
    const struct ao_view *x = &call->in[0], *y = &call->out[0];
    /* Where each line starts: the axis itself has one step. */
    struct ao_view src = *x, dst = *y;
    src.shape.dims[axis] = dst.shape.dims[axis] = 1;
    const int64_t count = ao_shape_count(&src.shape);
    for (int64_t i = 0; i < count; i++)
        softmax_line(x, ao_view_offset(&src, i), x->strides[axis], y, ao_view_offset(&dst, i),
                     y->strides[axis], x->shape.dims[axis], log_of);
}

static bool softmax_keeps_batch(const struct ao_graph *graph, const struct ao_node *node)
{
    (void)graph;
    return ((const struct ao_axis_params *)node->params)->axis != 0;
}

const struct ao_op ao_op_Softmax = {
    .type = "Softmax",
    .infer = softmax_infer,
    .forward = softmax_forward,
    .vjp = ao_vjp_softmax,
    .batch = AO_BATCH_ASKS,
    .keeps_batch = softmax_keeps_batch,
};
const struct ao_op ao_op_LogSoftmax = {
    .type = "LogSoftmax",
    .infer = softmax_infer,
    .forward = softmax_forward,
    .vjp = ao_vjp_log_softmax,
    .batch = AO_BATCH_ASKS,
    .keeps_batch = softmax_keeps_batch,
};
