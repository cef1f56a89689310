/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "core/options.h"
#include "ops/backward.h"
#include "ops/check.h"
#include "ops/element.h"
#include "ops/move.h"

static aosa_status read_pads(struct ao_graph *graph, struct ao_node *node, int rank,
                             struct ao_pad_params *params)
{
    const int64_t *pads, *axes;
    int64_t n_pads, n_axes;
    bool used[AO_MAX_RANK];
    AO_TRY(ao_op_ints(graph, node, 1, "pads", &pads, &n_pads));
    AO_TRY(ao_op_ints(graph, node, 3, "axes", &axes, &n_axes));
    if (!ao_op_in(graph, node, 3))
        n_axes = rank;
    if (n_axes > rank || n_pads != 2 * n_axes)
        return ao_op_fail(node, AOSA_ERR_FORMAT,
                          "has %" PRId64 " pads for %" PRId64 " axes of an input of %d axes",
                          n_pads, n_axes, rank);
    if (axes)
        AO_TRY(ao_op_axes(node, axes, n_axes, rank, used));
    for (int64_t i = 0; i < n_axes; i++) {
        int axis = (int)i;
        if (axes)
            AO_TRY(ao_op_axis(node, axes[i], rank, &axis));
        params->lo[axis] = pads[i];
        params->hi[axis] = pads[i + n_axes];
    }
    return AOSA_OK;
}

/* Borders that the mode cannot make: from nothing, or reflected further than the input reaches. */
static aosa_status check_axis(const struct ao_node *node, const struct ao_pad_params *params,
                              int axis, int64_t extent)
{
    const int64_t lo = params->lo[axis], hi = params->hi[axis];
    const int64_t limit = (int64_t)1 << 44;
    if (lo < -limit || lo > limit || hi < -limit || hi > limit || extent + lo + hi < 0)
        return ao_op_fail(node, AOSA_ERR_FORMAT,
                          "pads axis %d of %" PRId64 " elements by %" PRId64 " and %" PRId64, axis,
                          extent, lo, hi);
    const int64_t most = params->mode == AO_PAD_REFLECT ? extent - 1 : limit;
    if (params->mode != AO_PAD_CONSTANT && (lo > most || hi > most || extent == 0) &&
        (lo > 0 || hi > 0))
        return ao_op_fail(node, AOSA_ERR_FORMAT,
                          "reflects %" PRId64 " and %" PRId64
                          " elements of axis %d, which has %" PRId64,
                          lo, hi, axis, extent);
    return AOSA_OK;
}

static aosa_status pad_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, 2, 4, 1));
    const struct ao_value *x = ao_op_in(graph, node, 0), *value = ao_op_in(graph, node, 2);
    struct ao_pad_params *params = ao_op_params(graph, node, sizeof *params);
    if (!params)
        return AOSA_ERR_NOMEM;
    const char *name = ao_node_text(node, "mode", "constant");
    const int mode = ao_choice_index("constant|reflect|edge|wrap", name);
    if (mode < 0)
        return ao_op_fail(node, AOSA_ERR_FORMAT,
                          "attribute mode is '%s', not constant, reflect, edge or wrap", name);
    params->mode = (enum ao_pad_mode)mode;
    if (value && (value->dtype != x->dtype || ao_shape_count(&value->shape) != 1))
        return ao_op_fail(node, AOSA_ERR_FORMAT, "value (input 2) is not one %s",
                          ao_dtype_name(x->dtype));
    AO_TRY(read_pads(graph, node, x->shape.rank, params));
    struct ao_shape shape = x->shape;
    for (int i = 0; i < shape.rank; i++) {
        AO_TRY(check_axis(node, params, i, x->shape.dims[i]));
        shape.dims[i] += params->lo[i] + params->hi[i];
    }
    return ao_op_set(graph, node, 0, x->dtype, &shape);
}

/* The part of y that shows x, and the part of x it shows: pads may be negative. */
static void copy_inner(const struct ao_pad_params *params, const struct ao_view *x,
                       const struct ao_view *y)
{
    struct ao_view src = *x, dst = *y;
    int64_t src_at = 0, dst_at = 0;
    for (int i = 0; i < x->shape.rank; i++) {
        const int64_t lo = params->lo[i];
        const int64_t begin = lo > 0 ? lo : 0; /* in y */
        int64_t end = x->shape.dims[i] + lo;
        if (end > y->shape.dims[i])
            end = y->shape.dims[i];
        if (end <= begin)
            return;
        src.shape.dims[i] = dst.shape.dims[i] = end - begin;
        dst_at += begin * y->strides[i];
        src_at += (begin - lo) * x->strides[i];
    }
    src.data = ao_element_at(x, src_at);
    dst.data = ao_element_at(y, dst_at);
    ao_view_copy(&dst, &src);
}

static void pad_constant(const struct ao_op_call *call)
{
    const struct ao_view *y = &call->out[0];
    const uint64_t zero = 0;
    struct ao_view value = { .data = (void *)(uintptr_t)&zero, .dtype = y->dtype };
    if (call->node->n_in > 2 && call->in[2].data)
        value.data = call->in[2].data;
    const struct ao_view border = ao_view_broadcast(&value, &y->shape);
    ao_view_copy(y, &border);
    copy_inner(call->node->params, &call->in[0], y);
}

/* Input index that output position o - lo = at shows. */
static int64_t source_index(enum ao_pad_mode mode, int64_t at, int64_t extent)
{
    if (mode == AO_PAD_REFLECT)
        return at < 0 ? -at : at >= extent ? 2 * (extent - 1) - at : at;
    if (mode == AO_PAD_EDGE)
        return at < 0 ? 0 : at >= extent ? extent - 1 : at;
    const int64_t rest = at % extent;
    return rest < 0 ? rest + extent : rest;
}

static void pad_mirrored(const struct ao_op_call *call)
{
    const struct ao_pad_params *params = call->node->params;
    const struct ao_view *x = &call->in[0], *y = &call->out[0];
    const size_t size = ao_dtype_size(y->dtype);
    const int64_t count = ao_shape_count(&y->shape);
    for (int64_t i = 0; i < count; i++) {
        int64_t rest = i, src = 0, dst = 0;
        for (int d = y->shape.rank - 1; d >= 0; d--) {
            const int64_t o = rest % y->shape.dims[d];
            rest /= y->shape.dims[d];
            dst += o * y->strides[d];
            src += source_index(params->mode, o - params->lo[d], x->shape.dims[d]) * x->strides[d];
        }
        memcpy(ao_element_at(y, dst), ao_element_at(x, src), size);
    }
}

static void pad_forward(const struct ao_op_call *call)
{
    const struct ao_pad_params *params = call->node->params;
    if (params->mode == AO_PAD_CONSTANT)
        pad_constant(call);
    else
        pad_mirrored(call);
}

static bool pad_keeps_batch(const struct ao_graph *graph, const struct ao_node *node)
{
    const struct ao_pad_params *params = node->params;
    const struct ao_value *value = ao_op_in(graph, node, 2);
    return ao_op_in(graph, node, 0)->shape.rank > 0 && params->lo[0] == 0 && params->hi[0] == 0 &&
           !(value && value->batched);
}

const struct ao_op ao_op_Pad = {
    .type = "Pad",
    .infer = pad_infer,
    .forward = pad_forward,
    .vjp = ao_vjp_pad,
    .batch = AO_BATCH_ASKS,
    .keeps_batch = pad_keeps_batch,
};
