/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/backward.h"
#include "ops/check.h"
#include "ops/element.h"
#include "ops/move.h"

/* y[.. i .. j ..] = x[.. index[i ..] .. j ..]: the axis is replaced by the axes of the indices. */

static aosa_status check_indices(const struct ao_node *node, const struct ao_value *indices,
                                 int64_t extent)
{
    AO_TRY(ao_op_indices(node, indices, extent));
    if (ao_shape_count(&indices->shape) > 0 && extent == 0)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "takes elements of an empty axis");
    return AOSA_OK;
}

static aosa_status gather_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, 2, 2, 1));
    const struct ao_value *x = ao_op_in(graph, node, 0), *indices = ao_op_in(graph, node, 1);
    AO_TRY(ao_op_index_type(node, indices));
    struct ao_axis_params *params = ao_op_params(graph, node, sizeof *params);
    if (!params)
        return AOSA_ERR_NOMEM;
    AO_TRY(ao_op_axis(node, ao_node_int(node, "axis", 0), x->shape.rank, &params->axis));
    AO_TRY(check_indices(node, indices, x->shape.dims[params->axis]));
    if (x->shape.rank - 1 + indices->shape.rank > AO_MAX_RANK)
        return ao_op_fail(node, AOSA_ERR_UNSUPPORTED,
                          "output has %d axes, at most %d are supported",
                          x->shape.rank - 1 + indices->shape.rank, AO_MAX_RANK);
    struct ao_shape shape = { .rank = 0 };
    for (int i = 0; i < params->axis; i++)
        shape.dims[shape.rank++] = x->shape.dims[i];
    for (int i = 0; i < indices->shape.rank; i++)
        shape.dims[shape.rank++] = indices->shape.dims[i];
    for (int i = params->axis + 1; i < x->shape.rank; i++)
        shape.dims[shape.rank++] = x->shape.dims[i];
    return ao_op_set(graph, node, 0, x->dtype, &shape);
}

/* The view without n axes from `axis` on. */
static struct ao_view without(const struct ao_view *view, int axis, int n)
{
    struct ao_view rest = *view;
    rest.shape.rank -= n;
    for (int i = axis; i < rest.shape.rank; i++) {
        rest.shape.dims[i] = view->shape.dims[i + n];
        rest.strides[i] = view->strides[i + n];
    }
    return rest;
}

static void gather_forward(const struct ao_op_call *call)
{
    const int axis = ((const struct ao_axis_params *)call->node->params)->axis;
    const struct ao_view *x = &call->in[0], *indices = &call->in[1], *y = &call->out[0];
    const int64_t extent = x->shape.dims[axis];
    struct ao_view src = without(x, axis, 1), dst = without(y, axis, indices->shape.rank);
    struct ao_view grid = { .shape = indices->shape }; /* the index axes inside y */
    for (int i = 0; i < indices->shape.rank; i++)
        grid.strides[i] = y->strides[axis + i];
    const int64_t count = ao_shape_count(&indices->shape);
    for (int64_t i = 0; i < count; i++) {
        int64_t at = ao_element_int(indices, ao_view_offset(indices, i));
        at = at < 0 ? at + extent : at;
        at = at < 0 ? 0 : at >= extent ? extent - 1 : at;
        src.data = ao_element_at(x, at * x->strides[axis]);
        dst.data = ao_element_at(y, ao_view_offset(&grid, i));
        ao_view_copy(&dst, &src);
    }
}

static bool gather_keeps_batch(const struct ao_graph *graph, const struct ao_node *node)
{
    const struct ao_axis_params *params = node->params;
    const struct ao_value *x = ao_op_in(graph, node, 0), *indices = ao_op_in(graph, node, 1);
    if (x->batched)
        return params->axis != 0 && !indices->batched;
    return params->axis == 0 && indices->shape.rank > 0;
}

const struct ao_op ao_op_Gather = {
    .type = "Gather",
    .infer = gather_infer,
    .forward = gather_forward,
    .vjp = ao_vjp_moved,
    .batch = AO_BATCH_ASKS,
    .keeps_batch = gather_keeps_batch,
};
