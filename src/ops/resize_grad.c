/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ops/backward.h"
#include "ops/check.h"
#include "ops/element.h"
#include "ops/resize.h"

/*
 * ResizeGrad(dL/dy, roi, scales, sizes): each dL/dy goes to the elements that its output was
 * interpolated from, by their weights. Attributes and further inputs are those of the Resize, and
 * `extent` is the shape of x.
 */

static aosa_status resize_grad_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, 1, 4, 1));
    AO_TRY(ao_op_float(graph, node, 0));
    const struct ao_shape *gy = &ao_op_in(graph, node, 0)->shape;
    struct ao_shape x = { .rank = gy->rank };
    char text[2][AO_SHAPE_TEXT];
    AO_TRY(ao_op_attr_ints(node, "extent", x.rank, 1, AO_OP_MAX_ELEMENTS, 1, x.dims));
    struct ao_shape y = x;
    AO_TRY(ao_resize_read(graph, node, &y));
    if (!ao_shape_equal(&y, gy))
        return ao_op_fail(node, AOSA_ERR_FORMAT, "of shape %s, resizing gives %s",
                          ao_shape_text(gy, text[0]), ao_shape_text(&y, text[1]));
    return ao_op_set(graph, node, 0, ao_op_in(graph, node, 0)->dtype, &x);
}

/* Adds value to the corners of the cell around the place that output `at` looks at. */
static void add_corners(const struct ao_view *sums, const struct ao_resize_params *params,
                        const int64_t *at, int axis, int64_t offset, double value)
{
    if (axis == sums->shape.rank) {
        ((double *)sums->data)[offset] += value;
        return;
    }
    const int64_t step = sums->strides[axis];
    if (!params->taps[axis]) {
        add_corners(sums, params, at, axis + 1, offset + at[axis] * step, value);
        return;
    }
    const struct ao_resize_tap *tap = &params->taps[axis][at[axis]];
    const double weight = tap->lo == tap->hi ? 0 : tap->weight;
    add_corners(sums, params, at, axis + 1, offset + tap->lo * step, value * (1 - weight));
    if (weight != 0)
        add_corners(sums, params, at, axis + 1, offset + tap->hi * step, value * weight);
}

static void resize_grad_forward(const struct ao_op_call *call)
{
    const struct ao_view *gy = &call->in[0], *gx = &call->out[0];
    const struct ao_view sums = ao_view_dense(call->scratch, AO_F64, &gx->shape);
    const int64_t count = ao_shape_count(&gy->shape);
    int64_t at[AO_MAX_RANK] = { 0 };
    memset(call->scratch, 0, (size_t)ao_shape_count(&gx->shape) * sizeof(double));
    for (int64_t o = 0; o < count; o++) {
        add_corners(&sums, call->node->params, at, 0, 0, ao_element(gy, ao_view_offset(gy, o)));
        for (int a = gy->shape.rank - 1; a >= 0 && ++at[a] == gy->shape.dims[a]; a--)
            at[a] = 0;
    }
    ao_view_convert(gx, &sums);
}

static size_t resize_grad_scratch(const struct ao_graph *graph, const struct ao_node *node,
                                  int64_t batch)
{
    const struct ao_shape x = ao_value_shape(ao_op_out(graph, node, 0), batch);
    return (size_t)ao_shape_count(&x) * sizeof(double);
}

static bool resize_grad_keeps_batch(const struct ao_graph *graph, const struct ao_node *node)
{
    return ao_op_in(graph, node, 0)->shape.rank > 0 &&
           !((const struct ao_resize_params *)node->params)->taps[0];
}

aosa_status ao_vjp_resize(struct ao_vjp *vjp)
{
    const struct ao_node *node = &vjp->node;
    const struct ao_shape x = ao_vjp_shape(vjp, node->in[0]);
    const struct ao_attr extent = {
        .name = "extent", .type = AO_ATTR_INTS, .n = x.rank, .ints = x.dims
    };
    int32_t in[4] = { vjp->grad_out[0] };
    memcpy(in + 1, node->in + 1, (size_t)(node->n_in - 1) * sizeof *in);
    vjp->grad_in[0] = ao_vjp_inherit(vjp, "ResizeGrad", in, node->n_in, &extent);
    return vjp->status;
}

const struct ao_op ao_op_ResizeGrad = {
    .type = "ResizeGrad",
    .own = true,
    .infer = resize_grad_infer,
    .forward = resize_grad_forward,
    .scratch = resize_grad_scratch,
    .batch = AO_BATCH_ASKS,
    .keeps_batch = resize_grad_keeps_batch,
};
