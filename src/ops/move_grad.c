/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "core/alloc.h"
#include "ops/backward.h"
#include "ops/check.h"
#include "ops/element.h"
#include "ops/move.h"

/*
 * The transposes of operators that only move elements: they move them back, and sum those that
 * were shown more than once.
 *
 * SliceGrad(dL/dy): zeros of shape `extent`, with dL/dy at start + o step on each axis.
 * MoveGrad(dL/dy, from): the sum, at each element of x (shape `extent`), of the dL/dy that have its
 * number in `from`; -1 is nowhere. `from` is one clip's, constant, with the shape of dL/dy.
 */

static aosa_status read_extent(const struct ao_graph *graph, const struct ao_node *node, int rank,
                               struct ao_shape *extent)
{
    extent->rank = rank;
    AO_TRY(ao_op_float(graph, node, 0));
    return ao_op_attr_ints(node, "extent", rank, 0, AO_OP_MAX_ELEMENTS, 0, extent->dims);
}

static aosa_status slice_grad_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, 1, 1, 1));
    const struct ao_value *gy = ao_op_in(graph, node, 0);
    const int rank = gy->shape.rank;
    struct ao_shape extent;
    struct ao_slice_params *params = ao_op_params(graph, node, sizeof *params);
    if (!params)
        return AOSA_ERR_NOMEM;
    AO_TRY(read_extent(graph, node, rank, &extent));
    const int64_t most = AO_OP_MAX_ELEMENTS;
    AO_TRY(ao_op_attr_ints(node, "start", rank, 0, most, 0, params->start));
    AO_TRY(ao_op_attr_ints(node, "step", rank, -most, most, 1, params->step));
    for (int i = 0; i < rank; i++) {
        const int64_t n = gy->shape.dims[i];
        const int64_t room =
            params->step[i] < 0 ? params->start[i] : extent.dims[i] - 1 - params->start[i];
        const int64_t size = params->step[i] < 0 ? -params->step[i] : params->step[i];
        if (n > 0 && (params->start[i] >= extent.dims[i] || size == 0 || (n - 1) > room / size))
            return ao_op_fail(node, AOSA_ERR_FORMAT,
                              "takes %" PRId64 " elements from %" PRId64 " in steps of %" PRId64
                              " out of an axis of %" PRId64,
                              n, params->start[i], params->step[i], extent.dims[i]);
    }
    return ao_op_set(graph, node, 0, gy->dtype, &extent);
}

static void fill_zero(const struct ao_view *dst)
{
    const double zero = 0; /* all bytes 0 in every type */
    const struct ao_view number = { .data = (void *)(uintptr_t)&zero, .dtype = dst->dtype };
    const struct ao_view wide = ao_view_broadcast(&number, &dst->shape);
    ao_view_copy(dst, &wide);
}

static void slice_grad_forward(const struct ao_op_call *call)
{
    const struct ao_slice_params *params = call->node->params;
    const struct ao_view *gy = &call->in[0], *gx = &call->out[0];
    struct ao_view part = { .dtype = gx->dtype, .shape = gy->shape };
    int64_t offset = 0;
    fill_zero(gx);
    if (ao_shape_count(&gy->shape) == 0)
        return;
    for (int i = 0; i < gy->shape.rank; i++) {
        offset += params->start[i] * gx->strides[i];
        part.strides[i] = gx->strides[i] * params->step[i];
    }
    part.data = ao_element_at(gx, offset);
    ao_view_copy(&part, gy);
}

static bool slice_grad_keeps_batch(const struct ao_graph *graph, const struct ao_node *node)
{
    const struct ao_slice_params *params = node->params;
    const struct ao_shape *gy = &ao_op_in(graph, node, 0)->shape;
    const struct ao_shape *gx = &ao_op_out(graph, node, 0)->shape;
    return gy->rank > 0 && params->start[0] == 0 && gy->dims[0] == gx->dims[0] &&
           (params->step[0] == 1 || gy->dims[0] == 1);
}

static aosa_status move_grad_infer(struct ao_graph *graph, struct ao_node *node)
{
    char text[2][AO_SHAPE_TEXT];
    AO_TRY(ao_op_arity(node, 2, 2, 1));
    const struct ao_value *gy = ao_op_in(graph, node, 0), *from = ao_op_in(graph, node, 1);
    const struct ao_attr *attr = ao_node_attr(node, "extent");
    struct ao_shape extent;
    const int64_t rank = attr && attr->type == AO_ATTR_INTS ? attr->n : 0;
    if (rank > AO_MAX_RANK)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "to %" PRId64 " axes", rank);
    AO_TRY(read_extent(graph, node, (int)rank, &extent));
    if (!from->data || from->dtype != AO_I64 || !ao_shape_equal(&from->shape, &gy->shape))
        return ao_op_fail(node, AOSA_ERR_FORMAT, "of shape %s: places are %s of shape %s",
                          ao_shape_text(&gy->shape, text[0]), ao_dtype_name(from->dtype),
                          ao_shape_text(&from->shape, text[1]));
    AO_TRY(ao_op_set(graph, node, 0, gy->dtype, &extent));
    const int64_t n = ao_shape_count(&extent), *places = from->data;
    for (int64_t i = 0; i < ao_shape_count(&from->shape); i++)
        if (places[i] < -1 || places[i] >= n)
            return ao_op_fail(node, AOSA_ERR_FORMAT, "place %" PRId64 " of %" PRId64, places[i], n);
    return AOSA_OK;
}

/* Clip `i` of `n` in a batch. */
static struct ao_view block_of(const struct ao_view *view, int64_t i, int64_t n)
{
    struct ao_view block = *view;
    if (view->shape.rank == 0)
        return block;
    block.shape.dims[0] = view->shape.dims[0] / n;
    block.data = ao_element_at(view, i * block.shape.dims[0] * view->strides[0]);
    return block;
}

static void sum_block(const struct ao_view *gy, const struct ao_view *from, double *sums)
{
    const int64_t *const strides[] = { gy->strides, from->strides };
    double row[AO_ROW];
    int64_t place[AO_ROW];
    struct ao_walk walk;
    ao_walk_init(&walk, &gy->shape, 2, strides);
    while (ao_walk_next(&walk)) {
        ao_row_load(row, gy, walk.offset[0], walk.stride[0], walk.n);
        ao_row_load_int(place, from, walk.offset[1], walk.stride[1], walk.n);
        for (int64_t i = 0; i < walk.n; i++)
            if (place[i] >= 0)
                sums[place[i]] += row[i];
    }
}

static void move_grad_forward(const struct ao_op_call *call)
{
    const struct ao_view *gy = &call->in[0], *from = &call->in[1], *gx = &call->out[0];
    double *sums = call->scratch;
    if (ao_shape_count(&from->shape) == 0) {
        fill_zero(gx);
        return;
    }
    const int64_t clips = ao_shape_count(&gy->shape) / ao_shape_count(&from->shape);
    for (int64_t i = 0; i < clips; i++) {
        const struct ao_view src = block_of(gy, i, clips), dst = block_of(gx, i, clips);
        const struct ao_view total = ao_view_dense(sums, AO_F64, &dst.shape);
        memset(sums, 0, (size_t)ao_shape_count(&dst.shape) * sizeof *sums);
        sum_block(&src, from, sums);
        ao_view_convert(&dst, &total);
    }
}

static size_t move_grad_scratch(const struct ao_graph *graph, const struct ao_node *node,
                                int64_t batch)
{
    (void)batch;
    return (size_t)ao_shape_count(&ao_op_out(graph, node, 0)->shape) * sizeof(double);
}

/* Whoever kept clips apart in the forward numbers them apart. */
static bool move_grad_keeps_batch(const struct ao_graph *graph, const struct ao_node *node)
{
    return ao_op_in(graph, node, 0)->shape.rank > 0 && ao_op_out(graph, node, 0)->shape.rank > 0;
}

const struct ao_op ao_op_SliceGrad = {
    .type = "SliceGrad",
    .own = true,
    .infer = slice_grad_infer,
    .forward = slice_grad_forward,
    .batch = AO_BATCH_ASKS,
    .keeps_batch = slice_grad_keeps_batch,
};
const struct ao_op ao_op_MoveGrad = {
    .type = "MoveGrad",
    .own = true,
    .infer = move_grad_infer,
    .forward = move_grad_forward,
    .scratch = move_grad_scratch,
    .batch = AO_BATCH_ASKS,
    .keeps_batch = move_grad_keeps_batch,
};

aosa_status ao_vjp_same(struct ao_vjp *vjp)
{
    vjp->grad_in[0] = vjp->grad_out[0];
    return vjp->status;
}

aosa_status ao_vjp_reshaped(struct ao_vjp *vjp)
{
    const struct ao_shape shape = ao_vjp_shape(vjp, vjp->node.in[0]);
    vjp->grad_in[0] = ao_vjp_reshape(vjp, vjp->grad_out[0], &shape);
    return vjp->status;
}

aosa_status ao_vjp_transpose(struct ao_vjp *vjp)
{
    const struct ao_transpose_params *params = vjp->node.params;
    const int rank = ao_vjp_shape(vjp, vjp->node.in[0]).rank;
    int64_t inverse[AO_MAX_RANK] = { 0 };
    for (int i = 0; i < rank; i++)
        inverse[params->perm[i]] = i;
    const struct ao_attr perm = {
        .name = "perm", .type = AO_ATTR_INTS, .n = rank, .ints = inverse
    };
    vjp->grad_in[0] = ao_vjp_apply(vjp, "Transpose", vjp->grad_out, 1, &perm, 1);
    return vjp->status;
}

/* Elements [first, first + n) of one axis. */
static int32_t slice(struct ao_vjp *vjp, int32_t value, int64_t axis, int64_t first, int64_t n)
{
    const int64_t last = first + n;
    const int32_t starts = ao_vjp_ints(vjp, &first, 1), ends = ao_vjp_ints(vjp, &last, 1);
    const int32_t in[] = { value, starts, ends, ao_vjp_ints(vjp, &axis, 1) };
    return ao_vjp_apply(vjp, "Slice", in, 4, NULL, 0);
}

aosa_status ao_vjp_concat(struct ao_vjp *vjp)
{
    const int axis = ((const struct ao_axis_params *)vjp->node.params)->axis;
    int64_t first = 0;
    for (int i = 0; i < vjp->node.n_in; i++) {
        const int64_t n = ao_vjp_shape(vjp, vjp->node.in[i]).dims[axis];
        if (vjp->wanted[i])
            vjp->grad_in[i] = slice(vjp, vjp->grad_out[0], axis, first, n);
        first += n;
    }
    return vjp->status;
}

aosa_status ao_vjp_expand_back(struct ao_vjp *vjp)
{
    const struct ao_shape shape = ao_vjp_shape(vjp, vjp->node.in[0]);
    vjp->grad_in[0] = ao_vjp_fold(vjp, vjp->grad_out[0], &shape);
    return vjp->status;
}

/* Puts a piece of input 0 back into its place among zeros. */
static int32_t place_piece(struct ao_vjp *vjp, int32_t piece, const int64_t *start,
                           const int64_t *step)
{
    const struct ao_shape x = ao_vjp_shape(vjp, vjp->node.in[0]);
    const struct ao_attr attrs[] = {
        { .name = "extent", .type = AO_ATTR_INTS, .n = x.rank, .ints = x.dims },
        { .name = "start", .type = AO_ATTR_INTS, .n = x.rank, .ints = start },
        { .name = "step", .type = AO_ATTR_INTS, .n = step ? x.rank : 0, .ints = step },
    };
    return ao_vjp_apply(vjp, "SliceGrad", &piece, 1, attrs, step ? 3 : 2);
}

aosa_status ao_vjp_slice(struct ao_vjp *vjp)
{
    const struct ao_slice_params *params = vjp->node.params;
    vjp->grad_in[0] = place_piece(vjp, vjp->grad_out[0], params->start, params->step);
    return vjp->status;
}

aosa_status ao_vjp_split(struct ao_vjp *vjp)
{
    const struct ao_split_params *params = vjp->node.params;
    int32_t sum = -1;
    for (int i = 0; i < vjp->node.n_out; i++) {
        int64_t start[AO_MAX_RANK] = { 0 };
        if (vjp->grad_out[i] < 0)
            continue;
        start[params->axis] = params->first[i];
        const int32_t piece = place_piece(vjp, vjp->grad_out[i], start, NULL);
        sum = sum < 0 ? piece : ao_vjp_two(vjp, "Add", sum, piece);
    }
    vjp->grad_in[0] = sum;
    return vjp->status;
}

/* The forward itself, on the numbers of the elements of x: `from` of MoveGrad. */
static aosa_status number_places(struct ao_vjp *vjp, struct ao_view *in, int64_t *numbers,
                                 int32_t *value)
{
    const struct ao_node *node = &vjp->node;
    struct ao_graph *graph = vjp->graph;
    const struct ao_shape x = ao_vjp_shape(vjp, node->in[0]), y = ao_vjp_shape(vjp, node->out[0]);
    for (int64_t i = 0; i < ao_shape_count(&x); i++)
        numbers[i] = i;
    in[0] = ao_view_dense(numbers, AO_I64, &x);
    for (int i = 1; i < node->n_in; i++) {
        const struct ao_value *other = ao_op_in(graph, node, i);
        if (other && !other->data)
            return ao_vjp_refuse(vjp, "for places that depend on the clip");
        if (other)
            in[i] = ao_view_dense((void *)(uintptr_t)other->data, other->dtype, &other->shape);
    }
    const size_t n = (size_t)ao_shape_count(&y);
    const struct ao_view out =
        ao_view_dense(ao_arena_alloc(&graph->arena, n, sizeof(int64_t)), AO_I64, &y);
    const struct ao_op_call call = { .node = node, .in = in, .out = &out };
    int made;
    if (!out.data)
        return ao_fail(AOSA_ERR_NOMEM, "no memory for the backward pass");
    node->op->forward(&call);
    AO_TRY(ao_graph_add_constant(graph, "", AO_I64, &y, out.data, &made));
    *value = made;
    return AOSA_OK;
}

/* Any operator that shows elements of input 0 at places its other inputs and attributes tell. */
aosa_status ao_vjp_moved(struct ao_vjp *vjp)
{
    const struct ao_shape x = ao_vjp_shape(vjp, vjp->node.in[0]);
    const struct ao_attr extent = {
        .name = "extent", .type = AO_ATTR_INTS, .n = x.rank, .ints = x.dims
    };
    struct ao_view *in = ao_alloc((size_t)vjp->node.n_in, sizeof *in);
    int64_t *numbers = ao_alloc((size_t)ao_shape_count(&x) + 1, sizeof *numbers);
    int32_t from[] = { vjp->grad_out[0], -1 };
    vjp->status = in && numbers ? number_places(vjp, in, numbers, &from[1])
                                : ao_fail(AOSA_ERR_NOMEM, "no memory for the backward pass");
    ao_free(in);
    ao_free(numbers);
    vjp->grad_in[0] = ao_vjp_apply(vjp, "MoveGrad", from, 2, &extent, 1);
    return vjp->status;
}

/* A border of constants is cut off: negative pads. */
aosa_status ao_vjp_pad(struct ao_vjp *vjp)
{
    const struct ao_pad_params *params = vjp->node.params;
    const int rank = ao_vjp_shape(vjp, vjp->node.in[0]).rank;
    int64_t pads[2 * AO_MAX_RANK];
    if (vjp->node.n_in > 2 && vjp->wanted[2])
        return ao_vjp_refuse(vjp, "for a border that depends on the clip");
    if (params->mode != AO_PAD_CONSTANT)
        return ao_vjp_moved(vjp);
    for (int i = 0; i < rank; i++) {
        pads[i] = -params->lo[i];
        pads[rank + i] = -params->hi[i];
    }
    const int32_t cut = ao_vjp_ints(vjp, pads, 2 * rank);
    vjp->grad_in[0] = ao_vjp_two(vjp, "Pad", vjp->grad_out[0], cut);
    return vjp->status;
}

/* Updates receive what stands in their places; the data the rest, or all where they are added. */
aosa_status ao_vjp_scatter_nd(struct ao_vjp *vjp)
{
    const int32_t g = vjp->grad_out[0], places = vjp->node.in[1];
    const char *reduction = ao_node_text(&vjp->node, "reduction", "none");
    const bool adds = strcmp(reduction, "add") == 0;
    if (!adds && strcmp(reduction, "none") != 0)
        return ao_op_fail(&vjp->node, AOSA_ERR_UNSUPPORTED, "with reduction '%s' has no gradient",
                          reduction);
    if (vjp->wanted[0] && adds)
        vjp->grad_in[0] = g;
    if (vjp->wanted[0] && !adds) {
        int32_t in[] = { g, places, -1 };
        AO_TRY(ao_vjp_zeros(vjp->graph, vjp->node.in[2], &in[2]));
        vjp->grad_in[0] = ao_vjp_apply(vjp, "ScatterND", in, 3, NULL, 0);
    }
    if (vjp->wanted[2])
        vjp->grad_in[2] = ao_vjp_two(vjp, "GatherND", g, places);
    return vjp->status;
}

aosa_status ao_vjp_cast(struct ao_vjp *vjp)
{
    const struct ao_attr type = { .name = "to",
                                  .type = AO_ATTR_INT,
                                  .i = ao_vjp_onnx_type(vjp, vjp->node.in[0]) };
    vjp->grad_in[0] = ao_vjp_apply(vjp, "Cast", vjp->grad_out, 1, &type, 1);
    return vjp->status;
}
