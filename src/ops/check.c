/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/check.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/alloc.h"
#include "ops/element.h"

aosa_status ao_op_fail(const struct ao_node *node, aosa_status status, const char *format, ...)
{
    char text[AO_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return ao_fail(status, "node '%s': %s %s", node->name, node->type, text);
}

aosa_status ao_op_arity(const struct ao_node *node, int in_min, int in_max, int out_max)
{
    if (node->n_in < in_min || node->n_in > in_max)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "has %d inputs, it takes %d to %d", node->n_in,
                          in_min, in_max);
    for (int i = 0; i < in_min; i++)
        if (node->in[i] < 0)
            return ao_op_fail(node, AOSA_ERR_FORMAT, "lacks its required input %d", i);
    if (node->n_out < 1 || node->n_out > out_max)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "has %d outputs, it gives 1 to %d", node->n_out,
                          out_max);
    return AOSA_OK;
}

const struct ao_value *ao_op_in(const struct ao_graph *graph, const struct ao_node *node, int i)
{
    return i < node->n_in && node->in[i] >= 0 ? &graph->values[node->in[i]] : NULL;
}

const struct ao_value *ao_op_out(const struct ao_graph *graph, const struct ao_node *node, int i)
{
    return i < node->n_out && node->out[i] >= 0 ? &graph->values[node->out[i]] : NULL;
}

bool ao_dtype_is_float(enum ao_dtype dtype)
{
    return dtype == AO_F32 || dtype == AO_F64;
}

aosa_status ao_op_float(const struct ao_graph *graph, const struct ao_node *node, int i)
{
    const struct ao_value *value = ao_op_in(graph, node, i);
    if (!value)
        return AOSA_OK;
    if (!ao_dtype_is_float(value->dtype))
        return ao_op_fail(node, AOSA_ERR_UNSUPPORTED, "input %d is %s, only floats are supported",
                          i, ao_dtype_name(value->dtype));
    const struct ao_value *first = ao_op_in(graph, node, 0);
    if (first && first->dtype != value->dtype)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "input %d is %s, input 0 is %s", i,
                          ao_dtype_name(value->dtype), ao_dtype_name(first->dtype));
    return AOSA_OK;
}

aosa_status ao_op_rank(const struct ao_graph *graph, const struct ao_node *node, int i, int rank,
                       const char *what)
{
    const struct ao_value *value = ao_op_in(graph, node, i);
    char text[AO_SHAPE_TEXT];
    if (value->shape.rank != rank)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "%s has shape %s, %d axes are needed", what,
                          ao_shape_text(&value->shape, text), rank);
    return AOSA_OK;
}

aosa_status ao_op_vector(const struct ao_graph *graph, const struct ao_node *node, int i, int64_t n,
                         const char *what)
{
    const struct ao_value *value = ao_op_in(graph, node, i);
    char text[AO_SHAPE_TEXT];
    if (!value)
        return AOSA_OK;
    AO_TRY(ao_op_float(graph, node, i));
    if (value->shape.rank != 1 || value->shape.dims[0] != n)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "%s has shape %s, [%" PRId64 "] is needed", what,
                          ao_shape_text(&value->shape, text), n);
    return AOSA_OK;
}

static aosa_status widen(struct ao_graph *graph, const struct ao_node *node, const int32_t *src,
                         int64_t n, const int64_t **values)
{
    int64_t *copy = ao_arena_alloc(&graph->arena, (size_t)n, sizeof *copy);
    if (!copy)
        return ao_op_fail(node, AOSA_ERR_NOMEM, "needs %" PRId64 " integers", n);
    for (int64_t i = 0; i < n; i++)
        copy[i] = src[i];
    *values = copy;
    return AOSA_OK;
}

aosa_status ao_op_ints(struct ao_graph *graph, const struct ao_node *node, int i, const char *what,
                       const int64_t **values, int64_t *n)
{
    const struct ao_value *value = ao_op_in(graph, node, i);
    char text[AO_SHAPE_TEXT];
    *values = NULL;
    *n = 0;
    if (!value)
        return AOSA_OK;
    if (value->dtype != AO_I64 && value->dtype != AO_I32)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "%s (input %d) is %s, not integer", what, i,
                          ao_dtype_name(value->dtype));
    if (value->shape.rank > 1)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "%s (input %d) has shape %s, not one axis", what,
                          i, ao_shape_text(&value->shape, text));
    if (!value->data && ao_shape_count(&value->shape) > 0)
        return ao_op_fail(node, AOSA_ERR_UNSUPPORTED,
                          "%s (input %d, '%s') is computed from the clip; only constants are "
                          "supported",
                          what, i, value->name ? value->name : "");
    *n = ao_shape_count(&value->shape);
    if (value->dtype == AO_I32)
        return widen(graph, node, value->data, *n, values);
    *values = value->data;
    return AOSA_OK;
}

aosa_status ao_op_attr_ints(const struct ao_node *node, const char *name, int n, int64_t min,
                            int64_t max, int64_t initial, int64_t *values)
{
    const struct ao_attr *attr = ao_node_attr(node, name);
    for (int i = 0; i < n; i++)
        values[i] = initial;
    if (!attr)
        return AOSA_OK;
    if (attr->type != AO_ATTR_INTS || attr->n != n)
        return ao_op_fail(node, AOSA_ERR_FORMAT,
                          "attribute %s has %" PRId64 " integers, %d are needed", name,
                          attr->type == AO_ATTR_INTS ? attr->n : 0, n);
    for (int i = 0; i < n; i++) {
        if (attr->ints[i] < min || attr->ints[i] > max)
            return ao_op_fail(node, AOSA_ERR_FORMAT,
                              "attribute %s holds %" PRId64 ", allowed is %" PRId64 " to %" PRId64,
                              name, attr->ints[i], min, max);
        values[i] = attr->ints[i];
    }
    return AOSA_OK;
}

aosa_status ao_op_axis(const struct ao_node *node, int64_t axis, int rank, int *result)
{
    if (axis < -rank || axis >= rank)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "axis %" PRId64 " is outside a value of %d axes",
                          axis, rank);
    *result = (int)(axis < 0 ? axis + rank : axis);
    return AOSA_OK;
}

aosa_status ao_op_axes(const struct ao_node *node, const int64_t *axes, int64_t n, int rank,
                       bool flags[AO_MAX_RANK])
{
    for (int i = 0; i < AO_MAX_RANK; i++)
        flags[i] = false;
    for (int64_t i = 0; i < n; i++) {
        int axis = 0;
        AO_TRY(ao_op_axis(node, axes[i], rank, &axis));
        if (flags[axis])
            return ao_op_fail(node, AOSA_ERR_FORMAT, "names axis %d twice", axis);
        flags[axis] = true;
    }
    return AOSA_OK;
}

aosa_status ao_op_index_type(const struct ao_node *node, const struct ao_value *indices)
{
    if (indices->dtype != AO_I64 && indices->dtype != AO_I32)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "indices are %s, not integer",
                          ao_dtype_name(indices->dtype));
    return AOSA_OK;
}

aosa_status ao_op_indices(const struct ao_node *node, const struct ao_value *indices,
                          int64_t extent)
{
    const struct ao_view view =
        ao_view_dense((void *)(uintptr_t)indices->data, indices->dtype, &indices->shape);
    const int64_t count = ao_shape_count(&indices->shape);
    for (int64_t i = 0; indices->data && i < count; i++) {
        const int64_t at = ao_element_int(&view, i);
        if (at < -extent || at >= extent)
            return ao_op_fail(node, AOSA_ERR_FORMAT,
                              "index %" PRId64 " is outside an axis of %" PRId64 " elements", at,
                              extent);
    }
    return AOSA_OK;
}

void *ao_op_params(struct ao_graph *graph, struct ao_node *node, size_t size)
{
    node->params = ao_arena_alloc(&graph->arena, 1, size);
    if (!node->params)
        ao_op_fail(node, AOSA_ERR_NOMEM, "needs %zu bytes of parameters", size);
    return node->params;
}

aosa_status ao_op_set(struct ao_graph *graph, const struct ao_node *node, int i,
                      enum ao_dtype dtype, const struct ao_shape *shape)
{
    int64_t count;
    char text[AO_SHAPE_TEXT];
    if (shape->rank > AO_MAX_RANK)
        return ao_op_fail(node, AOSA_ERR_UNSUPPORTED,
                          "output has %d axes, at most %d are supported", shape->rank, AO_MAX_RANK);
    if (!ao_count(shape->dims, shape->rank, &count) || count > AO_OP_MAX_ELEMENTS)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "output would have shape %s",
                          ao_shape_text(shape, text));
    if (i < node->n_out && node->out[i] >= 0) {
        struct ao_value *value = &graph->values[node->out[i]];
        value->dtype = dtype;
        value->shape = *shape;
    }
    return AOSA_OK;
}

aosa_status ao_op_set_like(struct ao_graph *graph, const struct ao_node *node)
{
    const struct ao_value *x = ao_op_in(graph, node, 0);
    return ao_op_set(graph, node, 0, x->dtype, &x->shape);
}

bool ao_shape_broadcast(const struct ao_shape *a, const struct ao_shape *b, struct ao_shape *result)
{
    const int rank = a->rank > b->rank ? a->rank : b->rank;
    struct ao_shape shape = { .rank = rank };
    for (int i = 0; i < rank; i++) {
        const int in_a = i - (rank - a->rank), in_b = i - (rank - b->rank);
        const int64_t da = in_a < 0 ? 1 : a->dims[in_a];
        const int64_t db = in_b < 0 ? 1 : b->dims[in_b];
        if (da != db && da != 1 && db != 1)
            return false;
        shape.dims[i] = da == 1 ? db : da;
    }
    *result = shape;
    return true;
}

struct ao_view ao_view_broadcast(const struct ao_view *view, const struct ao_shape *shape)
{
    struct ao_view wide = { .data = view->data, .dtype = view->dtype, .shape = *shape };
    const int lead = shape->rank - view->shape.rank;
    for (int i = lead; i < shape->rank; i++)
        wide.strides[i] = view->shape.dims[i - lead] == 1 ? 0 : view->strides[i - lead];
    return wide;
}
