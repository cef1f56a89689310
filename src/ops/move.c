/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/move.h"

#include <inttypes.h>

#include "core/alloc.h"
#include "ops/backward.h"
#include "ops/check.h"
#include "ops/element.h"

/* Transpose, Expand and Tile: copies between views of one buffer seen in another way. */

static aosa_status transpose_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, 1, 1, 1));
    const struct ao_value *x = ao_op_in(graph, node, 0);
    const int rank = x->shape.rank;
    struct ao_transpose_params *params = ao_op_params(graph, node, sizeof *params);
    if (!params)
        return AOSA_ERR_NOMEM;
    int64_t perm[AO_MAX_RANK];
    bool used[AO_MAX_RANK];
    AO_TRY(ao_op_attr_ints(node, "perm", rank, 0, rank - 1, 0, perm));
    if (!ao_node_attr(node, "perm"))
        for (int i = 0; i < rank; i++)
            perm[i] = rank - 1 - i;
    AO_TRY(ao_op_axes(node, perm, rank, rank, used));
    struct ao_shape shape = { .rank = rank };
    for (int i = 0; i < rank; i++) {
        params->perm[i] = (int)perm[i];
        shape.dims[i] = x->shape.dims[perm[i]];
    }
    return ao_op_set(graph, node, 0, x->dtype, &shape);
}

static void transpose_forward(const struct ao_op_call *call)
{
    const struct ao_transpose_params *params = call->node->params;
    const struct ao_view *x = &call->in[0], *y = &call->out[0];
    struct ao_view turned = { .data = x->data, .dtype = x->dtype, .shape = y->shape };
    for (int i = 0; i < y->shape.rank; i++)
        turned.strides[i] = x->strides[params->perm[i]];
    ao_view_copy(y, &turned);
}

static bool transpose_keeps_batch(const struct ao_graph *graph, const struct ao_node *node)
{
    const struct ao_transpose_params *params = node->params;
    return ao_op_in(graph, node, 0)->shape.rank > 0 && params->perm[0] == 0;
}

/* The output's axis 0 is the input's: neither made nor repeated. */
static bool same_first_axis(const struct ao_graph *graph, const struct ao_node *node)
{
    const struct ao_shape *x = &ao_op_in(graph, node, 0)->shape;
    const struct ao_shape *y = &ao_op_out(graph, node, 0)->shape;
    return x->rank == y->rank && x->rank > 0 && x->dims[0] == y->dims[0];
}

static aosa_status expand_infer(struct ao_graph *graph, struct ao_node *node)
{
    const int64_t *wanted;
    int64_t rank;
    AO_TRY(ao_op_arity(node, 2, 2, 1));
    AO_TRY(ao_op_ints(graph, node, 1, "shape", &wanted, &rank));
    if (rank > AO_MAX_RANK)
        return ao_op_fail(node, AOSA_ERR_UNSUPPORTED,
                          "to %" PRId64 " axes, at most %d are supported", rank, AO_MAX_RANK);
    const struct ao_value *x = ao_op_in(graph, node, 0);
    struct ao_shape target = { .rank = (int)rank }, shape;
    for (int i = 0; i < target.rank; i++)
        target.dims[i] = wanted[i];
    char text[2][AO_SHAPE_TEXT];
    if (!ao_shape_broadcast(&x->shape, &target, &shape))
        return ao_op_fail(node, AOSA_ERR_FORMAT, "from %s to %s: they do not broadcast",
                          ao_shape_text(&x->shape, text[0]), ao_shape_text(&target, text[1]));
    return ao_op_set(graph, node, 0, x->dtype, &shape);
}

static void expand_forward(const struct ao_op_call *call)
{
    const struct ao_view wide = ao_view_broadcast(&call->in[0], &call->out[0].shape);
    ao_view_copy(&call->out[0], &wide);
}

static aosa_status tile_infer(struct ao_graph *graph, struct ao_node *node)
{
    const int64_t *repeats;
    int64_t n;
    AO_TRY(ao_op_arity(node, 2, 2, 1));
    AO_TRY(ao_op_ints(graph, node, 1, "repeats", &repeats, &n));
    const struct ao_value *x = ao_op_in(graph, node, 0);
    struct ao_tile_params *params = ao_op_params(graph, node, sizeof *params);
    if (!params)
        return AOSA_ERR_NOMEM;
    if (n != x->shape.rank)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "has %" PRId64 " repeats for an input of %d axes",
                          n, x->shape.rank);
    struct ao_shape shape = x->shape;
    for (int i = 0; i < shape.rank; i++) {
        const int64_t pair[] = { x->shape.dims[i], repeats[i] };
        if (!ao_count(pair, 2, &shape.dims[i]))
            return ao_op_fail(node, AOSA_ERR_FORMAT, "repeats axis %d %" PRId64 " times", i,
                              repeats[i]);
        params->repeats[i] = repeats[i];
    }
    return ao_op_set(graph, node, 0, x->dtype, &shape);
}

static void tile_forward(const struct ao_op_call *call)
{
    const struct ao_tile_params *params = call->node->params;
    const struct ao_view *x = &call->in[0], *y = &call->out[0];
    /* Copies of x stand on a grid of `repeats` inside y; the grid is walked row-major. */
    struct ao_view grid = *y, part = *y;
    part.shape = x->shape;
    for (int i = 0; i < y->shape.rank; i++) {
        grid.shape.dims[i] = params->repeats[i];
        grid.strides[i] = y->strides[i] * x->shape.dims[i];
    }
    if (ao_shape_count(&y->shape) == 0)
        return;
    const int64_t count = ao_shape_count(&grid.shape);
    for (int64_t i = 0; i < count; i++) {
        part.data = ao_element_at(y, ao_view_offset(&grid, i));
        ao_view_copy(&part, x);
    }
}

static bool tile_keeps_batch(const struct ao_graph *graph, const struct ao_node *node)
{
    const struct ao_tile_params *params = node->params;
    return same_first_axis(graph, node) && params->repeats[0] == 1;
}

const struct ao_op ao_op_Transpose = {
    .type = "Transpose",
    .infer = transpose_infer,
    .forward = transpose_forward,
    .vjp = ao_vjp_transpose,
    .batch = AO_BATCH_ASKS,
    .keeps_batch = transpose_keeps_batch,
};
const struct ao_op ao_op_Expand = {
    .type = "Expand",
    .infer = expand_infer,
    .forward = expand_forward,
    .vjp = ao_vjp_expand_back,
    .batch = AO_BATCH_ASKS,
    .keeps_batch = same_first_axis,
};
const struct ao_op ao_op_Tile = {
    .type = "Tile",
    .infer = tile_infer,
    .forward = tile_forward,
    .vjp = ao_vjp_moved,
    .batch = AO_BATCH_ASKS,
    .keeps_batch = tile_keeps_batch,
};
