/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "core/alloc.h"
#include "ops/backward.h"
#include "ops/check.h"
#include "ops/conv_run.h"

/*
 * ConvGradData(dL/dy, W): dL/dx of Conv, its transpose. Attributes are those of the Conv, and
 * `extent`, the spatial extents of x, which stride and pads do not tell.
 */

static aosa_status check_shapes(const struct ao_graph *graph, const struct ao_node *node,
                                int64_t group)
{
    const struct ao_shape *gy = &ao_op_in(graph, node, 0)->shape;
    const struct ao_shape *w = &ao_op_in(graph, node, 1)->shape;
    char text[2][AO_SHAPE_TEXT];
    if (gy->rank < 3 || gy->rank > 2 + AO_SPATIAL || w->rank != gy->rank ||
        gy->dims[1] != w->dims[0] || group < 1 || w->dims[0] % group != 0 || w->dims[1] < 1)
        return ao_op_fail(node, AOSA_ERR_FORMAT,
                          "of shape %s does not fit weights of shape %s in %" PRId64 " groups",
                          ao_shape_text(gy, text[0]), ao_shape_text(w, text[1]), group);
    return AOSA_OK;
}

static aosa_status conv_grad_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, 2, 2, 1));
    AO_TRY(ao_op_float(graph, node, 0));
    AO_TRY(ao_op_float(graph, node, 1));
    struct ao_conv_params *params = ao_op_params(graph, node, sizeof *params);
    if (!params)
        return AOSA_ERR_NOMEM;
    params->group = ao_node_int(node, "group", 1);
    AO_TRY(check_shapes(graph, node, params->group));
    const struct ao_value *gy = ao_op_in(graph, node, 0);
    const struct ao_shape *w = &ao_op_in(graph, node, 1)->shape;
    struct ao_window *window = &params->window;
    window->rank = w->rank - 2;
    for (int i = 0; i < window->rank; i++)
        window->kernel[i] = w->dims[2 + i];
    const int64_t channels[] = { w->dims[1], params->group };
    struct ao_shape x = { .rank = w->rank, .dims = { gy->shape.dims[0] } }, y = gy->shape;
    AO_TRY(ao_op_attr_ints(node, "extent", window->rank, 1, AO_OP_MAX_ELEMENTS, 1, x.dims + 2));
    AO_TRY(ao_window_infer(node, window, x.dims + 2, y.dims + 2));
    char text[2][AO_SHAPE_TEXT];
    if (!ao_shape_equal(&y, &gy->shape) || !ao_count(channels, 2, &x.dims[1]))
        return ao_op_fail(node, AOSA_ERR_FORMAT, "of shape %s, the convolution gives %s",
                          ao_shape_text(&gy->shape, text[0]), ao_shape_text(&y, text[1]));
    return ao_op_set(graph, node, 0, gy->dtype, &x);
}

static void conv_grad_forward(const struct ao_op_call *call)
{
    const struct ao_conv_run run = {
        .params = call->node->params,
        .src = &call->in[0],
        .w = &call->in[1],
        .dst = &call->out[0],
        .transpose = true,
    };
    ao_conv_run(&run, call->scratch);
}

static size_t conv_grad_scratch(const struct ao_graph *graph, const struct ao_node *node,
                                int64_t batch)
{
    (void)batch;
    return ao_conv_scratch(node->params, ao_op_in(graph, node, 1)->shape.dims[1]);
}

static double conv_grad_macs(const struct ao_graph *graph, const struct ao_node *node)
{
    const struct ao_shape *gy = &ao_op_in(graph, node, 0)->shape;
    const struct ao_shape *w = &ao_op_in(graph, node, 1)->shape;
    return (double)ao_shape_count(gy) * (double)w->dims[1] * (double)ao_conv_taps(node->params);
}

aosa_status ao_vjp_conv(struct ao_vjp *vjp)
{
    const struct ao_node *node = &vjp->node;
    for (int i = 1; i < node->n_in; i++)
        if (vjp->wanted[i])
            return ao_vjp_refuse(vjp, "for weights that depend on the clip");
    const struct ao_shape x = ao_vjp_shape(vjp, node->in[0]);
    const struct ao_attr extent = {
        .name = "extent", .type = AO_ATTR_INTS, .n = x.rank - 2, .ints = x.dims + 2
    };
    const int32_t in[] = { vjp->grad_out[0], node->in[1] };
    vjp->grad_in[0] = ao_vjp_inherit(vjp, "ConvGradData", in, 2, &extent);
    return vjp->status;
}

const struct ao_op ao_op_ConvGradData = {
    .type = "ConvGradData",
    .own = true,
    .infer = conv_grad_infer,
    .forward = conv_grad_forward,
    .scratch = conv_grad_scratch,
    .macs = conv_grad_macs,
    .batch = AO_BATCH_KEEPS,
};
