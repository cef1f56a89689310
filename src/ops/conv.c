/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/conv.h"

#include <inttypes.h>

#include "ops/backward.h"
#include "ops/check.h"
#include "ops/conv_run.h"

static aosa_status check_channels(const struct ao_graph *graph, const struct ao_node *node,
                                  int64_t group)
{
    const struct ao_shape *x = &ao_op_in(graph, node, 0)->shape;
    const struct ao_shape *w = &ao_op_in(graph, node, 1)->shape;
    if (group < 1 || group > x->dims[1])
        return ao_op_fail(node, AOSA_ERR_FORMAT,
                          "has %" PRId64 " groups, the input has %" PRId64 " channels", group,
                          x->dims[1]);
    if (x->dims[1] % group != 0 || w->dims[1] != x->dims[1] / group)
        return ao_op_fail(node, AOSA_ERR_FORMAT,
                          "weights have %" PRId64 " input channels x %" PRId64
                          " groups, the input has %" PRId64,
                          w->dims[1], group, x->dims[1]);
    if (w->dims[0] % group != 0)
        return ao_op_fail(node, AOSA_ERR_FORMAT,
                          "makes %" PRId64 " channels, not a multiple of %" PRId64 " groups",
                          w->dims[0], group);
    return AOSA_OK;
}

static aosa_status check_ranks(const struct ao_graph *graph, const struct ao_node *node)
{
    const struct ao_shape *x = &ao_op_in(graph, node, 0)->shape;
    char text[AO_SHAPE_TEXT];
    if (x->rank < 3 || x->rank > 2 + AO_SPATIAL)
        return ao_op_fail(node, AOSA_ERR_UNSUPPORTED,
                          "input has shape %s, [N,C] and 1 to %d more axes are supported",
                          ao_shape_text(x, text), AO_SPATIAL);
    return ao_op_rank(graph, node, 1, x->rank, "weights");
}

static aosa_status conv_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, 2, 3, 1));
    for (int i = 0; i < 3; i++)
        AO_TRY(ao_op_float(graph, node, i));
    AO_TRY(check_ranks(graph, node));
    struct ao_conv_params *params = ao_op_params(graph, node, sizeof *params);
    if (!params)
        return AOSA_ERR_NOMEM;
    const struct ao_value *x = ao_op_in(graph, node, 0);
    const struct ao_shape *w = &ao_op_in(graph, node, 1)->shape;
    const int rank = x->shape.rank - 2;
    params->group = ao_node_int(node, "group", 1);
    AO_TRY(check_channels(graph, node, params->group));
    AO_TRY(ao_op_vector(graph, node, 2, w->dims[0], "bias"));

    struct ao_window *window = &params->window;
    window->rank = rank;
    AO_TRY(ao_op_attr_ints(node, "kernel_shape", rank, 1, INT64_MAX, 0, window->kernel));
    for (int i = 0; i < rank; i++) {
        if (ao_node_attr(node, "kernel_shape") && window->kernel[i] != w->dims[2 + i])
            return ao_op_fail(node, AOSA_ERR_FORMAT,
                              "attribute kernel_shape has %" PRId64 ", the weights have %" PRId64,
                              window->kernel[i], w->dims[2 + i]);
        window->kernel[i] = w->dims[2 + i];
    }
    struct ao_shape out = { .rank = rank + 2, .dims = { x->shape.dims[0], w->dims[0] } };
    AO_TRY(ao_window_infer(node, window, x->shape.dims + 2, out.dims + 2));
    return ao_op_set(graph, node, 0, x->dtype, &out);
}

static void conv_forward(const struct ao_op_call *call)
{
    const struct ao_conv_run run = {
        .params = call->node->params,
        .src = &call->in[0],
        .w = &call->in[1],
        .bias = call->node->n_in > 2 && call->in[2].data ? &call->in[2] : NULL,
        .dst = &call->out[0],
    };
    ao_conv_run(&run, call->scratch);
}

static size_t conv_scratch(const struct ao_graph *graph, const struct ao_node *node, int64_t batch)
{
    const struct ao_conv_params *params = node->params;
    (void)batch;
    return ao_conv_scratch(params, ao_op_in(graph, node, 1)->shape.dims[0] / params->group);
}

static double conv_macs(const struct ao_graph *graph, const struct ao_node *node)
{
    const struct ao_shape *w = &ao_op_in(graph, node, 1)->shape;
    const struct ao_shape *y = &ao_op_out(graph, node, 0)->shape;
    return (double)ao_shape_count(y) * (double)w->dims[1] * (double)ao_conv_taps(node->params);
}

const struct ao_op ao_op_Conv = {
    .type = "Conv",
    .infer = conv_infer,
    .forward = conv_forward,
    .scratch = conv_scratch,
    .macs = conv_macs,
    .vjp = ao_vjp_conv,
    .batch = AO_BATCH_KEEPS,
};
