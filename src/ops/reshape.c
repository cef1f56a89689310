/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "core/alloc.h"
#include "ops/backward.h"
#include "ops/check.h"
#include "ops/element.h"

/* Reshape, Flatten, Squeeze and Unsqueeze: the same elements in the same row-major order. */

static void copy_scattered(const struct ao_view *dst, const struct ao_view *src)
{
    const int64_t count = ao_shape_count(&src->shape);
    const size_t size = ao_dtype_size(src->dtype);
    for (int64_t i = 0; i < count; i++)
        memcpy(ao_element_at(dst, ao_view_offset(dst, i)),
               ao_element_at(src, ao_view_offset(src, i)), size);
}

static void reshape_forward(const struct ao_op_call *call)
{
    const struct ao_view *src = &call->in[0], *dst = &call->out[0];
    /* A dense side can be seen with the shape of the other. */
    if (ao_view_is_dense(src)) {
        const struct ao_view seen = ao_view_dense(src->data, src->dtype, &dst->shape);
        ao_view_copy(dst, &seen);
    } else if (ao_view_is_dense(dst)) {
        const struct ao_view seen = ao_view_dense(dst->data, dst->dtype, &src->shape);
        ao_view_copy(&seen, src);
    } else {
        copy_scattered(dst, src);
    }
}

/* Fills in what 0 (copy, unless allowzero) and -1 (the rest) mean; shape->rank is set. */
static aosa_status resolve_shape(const struct ao_node *node, const struct ao_shape *x,
                                 const int64_t *wanted, struct ao_shape *shape)
{
    const bool allow_zero = ao_node_int(node, "allowzero", 0) != 0;
    int open = -1;
    for (int i = 0; i < shape->rank; i++) {
        shape->dims[i] = wanted[i];
        if (wanted[i] == 0 && !allow_zero) {
            if (i >= x->rank)
                return ao_op_fail(node, AOSA_ERR_FORMAT, "copies axis %d of an input of %d axes", i,
                                  x->rank);
            shape->dims[i] = x->dims[i];
        } else if (wanted[i] == -1) {
            if (open >= 0)
                return ao_op_fail(node, AOSA_ERR_FORMAT, "has two sizes of -1");
            open = i;
            shape->dims[i] = 1;
        } else if (wanted[i] < 0) {
            return ao_op_fail(node, AOSA_ERR_FORMAT, "has the size %" PRId64, wanted[i]);
        }
    }
    int64_t known;
    const int64_t count = ao_shape_count(x);
    char text[2][AO_SHAPE_TEXT];
    if (!ao_count(shape->dims, shape->rank, &known) ||
        (open >= 0 ? known == 0 || count % known != 0 : known != count)) {
        if (open >= 0)
            shape->dims[open] = -1;
        return ao_op_fail(node, AOSA_ERR_FORMAT, "from %s to %s: %" PRId64 " elements do not fit",
                          ao_shape_text(x, text[0]), ao_shape_text(shape, text[1]), count);
    }
    if (open >= 0)
        shape->dims[open] = count / known;
    return AOSA_OK;
}

static aosa_status reshape_infer(struct ao_graph *graph, struct ao_node *node)
{
    const int64_t *wanted;
    int64_t rank;
    AO_TRY(ao_op_arity(node, 2, 2, 1));
    AO_TRY(ao_op_ints(graph, node, 1, "shape", &wanted, &rank));
    if (rank > AO_MAX_RANK)
        return ao_op_fail(node, AOSA_ERR_UNSUPPORTED,
                          "to %" PRId64 " axes, at most %d are supported", rank, AO_MAX_RANK);
    const struct ao_value *x = ao_op_in(graph, node, 0);
    struct ao_shape shape = { .rank = (int)rank };
    AO_TRY(resolve_shape(node, &x->shape, wanted, &shape));
    return ao_op_set(graph, node, 0, x->dtype, &shape);
}

static aosa_status flatten_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, 1, 1, 1));
    const struct ao_value *x = ao_op_in(graph, node, 0);
    const int rank = x->shape.rank;
    int64_t axis = ao_node_int(node, "axis", 1);
    if (axis < -rank || axis > rank)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "axis %" PRId64 " is outside a value of %d axes",
                          axis, rank);
    if (axis < 0)
        axis += rank;
    struct ao_shape shape = { .rank = 2, .dims = { 1, 1 } };
    for (int i = 0; i < rank; i++)
        shape.dims[i >= axis] *= x->shape.dims[i];
    return ao_op_set(graph, node, 0, x->dtype, &shape);
}

static aosa_status squeeze_infer(struct ao_graph *graph, struct ao_node *node)
{
    const int64_t *axes;
    int64_t n;
    bool drop[AO_MAX_RANK];
    AO_TRY(ao_op_arity(node, 1, 2, 1));
    AO_TRY(ao_op_ints(graph, node, 1, "axes", &axes, &n));
    const struct ao_value *x = ao_op_in(graph, node, 0);
    AO_TRY(ao_op_axes(node, axes, n, x->shape.rank, drop));
    struct ao_shape shape = { .rank = 0 };
    for (int i = 0; i < x->shape.rank; i++) {
        if (drop[i] && x->shape.dims[i] != 1)
            return ao_op_fail(node, AOSA_ERR_FORMAT,
                              "drops axis %d, which has %" PRId64 " elements", i, x->shape.dims[i]);
        const bool all_ones = !ao_op_in(graph, node, 1) && x->shape.dims[i] == 1;
        if (!drop[i] && !all_ones)
            shape.dims[shape.rank++] = x->shape.dims[i];
    }
    return ao_op_set(graph, node, 0, x->dtype, &shape);
}

static aosa_status unsqueeze_infer(struct ao_graph *graph, struct ao_node *node)
{
    const int64_t *axes;
    int64_t n;
    bool added[AO_MAX_RANK];
    AO_TRY(ao_op_arity(node, 2, 2, 1));
    AO_TRY(ao_op_ints(graph, node, 1, "axes", &axes, &n));
    const struct ao_value *x = ao_op_in(graph, node, 0);
    if (n > AO_MAX_RANK - x->shape.rank)
        return ao_op_fail(node, AOSA_ERR_UNSUPPORTED,
                          "to %" PRId64 " axes, at most %d are supported", n + x->shape.rank,
                          AO_MAX_RANK);
    struct ao_shape shape = { .rank = x->shape.rank + (int)n };
    AO_TRY(ao_op_axes(node, axes, n, shape.rank, added));
    for (int i = 0, from = 0; i < shape.rank; i++)
        shape.dims[i] = added[i] ? 1 : x->shape.dims[from++];
    return ao_op_set(graph, node, 0, x->dtype, &shape);
}

#define RESHAPE(name, infer_fn)         \
    const struct ao_op ao_op_##name = { \
        .type = #name,                  \
        .infer = infer_fn,              \
        .forward = reshape_forward,     \
        .vjp = ao_vjp_reshaped,         \
        .batch = AO_BATCH_ROWS,         \
    };
RESHAPE(Reshape, reshape_infer)
RESHAPE(Flatten, flatten_infer)
RESHAPE(Squeeze, squeeze_infer)
RESHAPE(Unsqueeze, unsqueeze_infer)
