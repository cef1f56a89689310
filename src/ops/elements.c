/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ops/backward.h"
#include "ops/check.h"
#include "ops/element.h"
#include "ops/move.h"

/* GatherElements: y[i][j][k] = x[i][index[i][j][k]][k] for axis 1, and likewise for others. */

static aosa_status check_indices(const struct ao_node *node, const struct ao_value *indices,
                                 const struct ao_shape *x, int axis)
{
    const int64_t extent = x->dims[axis], count = ao_shape_count(&indices->shape);
    char text[2][AO_SHAPE_TEXT];
    bool fits = indices->shape.rank == x->rank;
    for (int i = 0; fits && i < x->rank; i++)
        fits = i == axis || indices->shape.dims[i] <= x->dims[i];
    if (!fits || (count > 0 && extent < 1))
        return ao_op_fail(node, AOSA_ERR_FORMAT, "indices of shape %s do not fit data of shape %s",
                          ao_shape_text(&indices->shape, text[0]), ao_shape_text(x, text[1]));
    return ao_op_indices(node, indices, extent);
}

static aosa_status gather_elements_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, 2, 2, 1));
    const struct ao_value *x = ao_op_in(graph, node, 0), *indices = ao_op_in(graph, node, 1);
    AO_TRY(ao_op_index_type(node, indices));
    struct ao_axis_params *params = ao_op_params(graph, node, sizeof *params);
    if (!params)
        return AOSA_ERR_NOMEM;
    AO_TRY(ao_op_axis(node, ao_node_int(node, "axis", 0), x->shape.rank, &params->axis));
    AO_TRY(check_indices(node, indices, &x->shape, params->axis));
    return ao_op_set(graph, node, 0, x->dtype, &indices->shape);
}

/* Computed indices are held inside the axis. */
static void gather_elements_forward(const struct ao_op_call *call)
{
    const int axis = ((const struct ao_axis_params *)call->node->params)->axis;
    const struct ao_view *x = &call->in[0], *indices = &call->in[1], *y = &call->out[0];
    const size_t size = ao_dtype_size(x->dtype);
    const int64_t extent = x->shape.dims[axis], count = ao_shape_count(&y->shape);
    struct ao_view grid = *x; /* x at the places of y, the axis left out */
    grid.shape = y->shape;
    grid.strides[axis] = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t at = ao_element_int(indices, ao_view_offset(indices, i));
        at = at < 0 ? at + extent : at;
        at = at < 0 ? 0 : at >= extent ? extent - 1 : at;
        memcpy(ao_element_at(y, ao_view_offset(y, i)),
               ao_element_at(x, ao_view_offset(&grid, i) + at * x->strides[axis]), size);
    }
}

/* Constant indices would have to be repeated for every clip. */
static bool gather_elements_keeps_batch(const struct ao_graph *graph, const struct ao_node *node)
{
    return ((const struct ao_axis_params *)node->params)->axis != 0 &&
           ao_op_in(graph, node, 0)->batched && ao_op_in(graph, node, 1)->batched;
}

const struct ao_op ao_op_GatherElements = {
    .type = "GatherElements",
    .infer = gather_elements_infer,
    .forward = gather_elements_forward,
    .vjp = ao_vjp_moved,
    .batch = AO_BATCH_ASKS,
    .keeps_batch = gather_elements_keeps_batch,
};
