/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "ops/backward.h"
#include "ops/check.h"
#include "ops/element.h"
#include "ops/move.h"

/* Concat and Split: pieces along one axis. */

/* Elements [at, at + n) of the axis. */
static struct ao_view piece(const struct ao_view *whole, int axis, int64_t at, int64_t n)
{
    struct ao_view part = *whole;
    part.data = ao_element_at(whole, at * whole->strides[axis]);
    part.shape.dims[axis] = n;
    return part;
}

static aosa_status concat_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, node->n_in > 0 ? node->n_in : 1, node->n_in, 1));
    if (!ao_node_attr(node, "axis"))
        return ao_op_fail(node, AOSA_ERR_FORMAT, "lacks attribute axis");
    const struct ao_value *first = ao_op_in(graph, node, 0);
    struct ao_axis_params *params = ao_op_params(graph, node, sizeof *params);
    if (!params)
        return AOSA_ERR_NOMEM;
    AO_TRY(ao_op_axis(node, ao_node_int(node, "axis", 0), first->shape.rank, &params->axis));
    struct ao_shape shape = first->shape;
    for (int i = 1; i < node->n_in; i++) {
        const struct ao_value *next = ao_op_in(graph, node, i);
        struct ao_shape same = next->shape;
        char text[2][AO_SHAPE_TEXT];
        if (next->dtype != first->dtype)
            return ao_op_fail(node, AOSA_ERR_FORMAT, "input %d is %s, input 0 is %s", i,
                              ao_dtype_name(next->dtype), ao_dtype_name(first->dtype));
        if (same.rank == shape.rank)
            same.dims[params->axis] = shape.dims[params->axis];
        if (!ao_shape_equal(&same, &shape))
            return ao_op_fail(node, AOSA_ERR_FORMAT,
                              "joins along axis %d, but input %d has shape %s, input 0 %s",
                              params->axis, i, ao_shape_text(&next->shape, text[0]),
                              ao_shape_text(&first->shape, text[1]));
        /* Both at most 2^44: no overflow for any number of inputs that fits in memory. */
        shape.dims[params->axis] += next->shape.dims[params->axis];
    }
    return ao_op_set(graph, node, 0, first->dtype, &shape);
}

static void concat_forward(const struct ao_op_call *call)
{
    const struct ao_axis_params *params = call->node->params;
    int64_t at = 0;
    for (int i = 0; i < call->node->n_in; i++) {
        const int64_t n = call->in[i].shape.dims[params->axis];
        const struct ao_view part = piece(&call->out[0], params->axis, at, n);
        /* A constant piece, such as a class token, is repeated for every clip of a batch. */
        const struct ao_view src = ao_view_broadcast(&call->in[i], &part.shape);
        ao_view_copy(&part, &src);
        at += n;
    }
}

static bool concat_keeps_batch(const struct ao_graph *graph, const struct ao_node *node)
{
    const struct ao_axis_params *params = node->params;
    for (int i = 0; i < node->n_in; i++) {
        const struct ao_value *in = ao_op_in(graph, node, i);
        if (!in->batched && in->shape.dims[0] != 1)
            return false;
    }
    return params->axis != 0;
}

/* Sizes of the pieces: input 1, or num_outputs equal ones of which the last may be smaller. */
static aosa_status split_size(const struct ao_node *node, const int64_t *sizes, int64_t n_sizes,
                              int64_t extent, int64_t done, int i, int64_t *size)
{
    const int n_out = node->n_out;
    if (sizes && n_sizes != n_out)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "has %" PRId64 " sizes for %d outputs", n_sizes,
                          n_out);
    const int64_t equal = (extent + n_out - 1) / n_out;
    *size = sizes ? sizes[i] : i < n_out - 1 ? equal : extent - done;
    if (*size < 0 || *size > extent - done)
        return ao_op_fail(node, AOSA_ERR_FORMAT,
                          "output %d has %" PRId64 " elements, %" PRId64 " of %" PRId64 " are left",
                          i, *size, extent - done, extent);
    return AOSA_OK;
}

static struct ao_split_params *split_params(struct ao_graph *graph, struct ao_node *node)
{
    struct ao_split_params *params = ao_op_params(graph, node, sizeof *params);
    if (!params)
        return NULL;
    params->first = ao_arena_alloc(&graph->arena, (size_t)node->n_out, sizeof *params->first);
    if (!params->first)
        ao_op_fail(node, AOSA_ERR_NOMEM, "has %d outputs", node->n_out);
    return params->first ? params : NULL;
}

static aosa_status split_infer(struct ao_graph *graph, struct ao_node *node)
{
    const int64_t *sizes;
    int64_t n_sizes, done = 0;
    AO_TRY(ao_op_arity(node, 1, 2, node->n_out));
    AO_TRY(ao_op_ints(graph, node, 1, "split", &sizes, &n_sizes));
    const int64_t n_wanted = ao_node_int(node, "num_outputs", node->n_out);
    if (n_wanted != node->n_out)
        return ao_op_fail(node, AOSA_ERR_FORMAT,
                          "attribute num_outputs is %" PRId64 ", the node has %d outputs", n_wanted,
                          node->n_out);
    struct ao_split_params *params = split_params(graph, node);
    if (!params)
        return AOSA_ERR_NOMEM;
    const enum ao_dtype dtype = ao_op_in(graph, node, 0)->dtype;
    struct ao_shape shape = ao_op_in(graph, node, 0)->shape;
    AO_TRY(ao_op_axis(node, ao_node_int(node, "axis", 0), shape.rank, &params->axis));
    const int64_t extent = shape.dims[params->axis];
    for (int i = 0; i < node->n_out; i++) {
        int64_t size = 0;
        AO_TRY(split_size(node, sizes, n_sizes, extent, done, i, &size));
        shape.dims[params->axis] = size;
        AO_TRY(ao_op_set(graph, node, i, dtype, &shape));
        params->first[i] = done;
        done += size;
    }
    if (done != extent)
        return ao_op_fail(node, AOSA_ERR_FORMAT,
                          "outputs have %" PRId64 " elements together, the axis has %" PRId64, done,
                          extent);
    return AOSA_OK;
}

static void split_forward(const struct ao_op_call *call)
{
    const struct ao_split_params *params = call->node->params;
    for (int i = 0; i < call->node->n_out; i++) {
        if (!call->out[i].data)
            continue;
        const struct ao_view part = piece(&call->in[0], params->axis, params->first[i],
                                          call->out[i].shape.dims[params->axis]);
        ao_view_copy(&call->out[i], &part);
    }
}

static bool split_keeps_batch(const struct ao_graph *graph, const struct ao_node *node)
{
    (void)graph;
    return ((const struct ao_split_params *)node->params)->axis != 0;
}

const struct ao_op ao_op_Concat = {
    .type = "Concat",
    .infer = concat_infer,
    .forward = concat_forward,
    .vjp = ao_vjp_concat,
    .batch = AO_BATCH_ASKS,
    .keeps_batch = concat_keeps_batch,
};
const struct ao_op ao_op_Split = {
    .type = "Split",
    .infer = split_infer,
    .forward = split_forward,
    .vjp = ao_vjp_split,
    .batch = AO_BATCH_ASKS,
    .keeps_batch = split_keeps_batch,
};
