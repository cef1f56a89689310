/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>

#include "core/alloc.h"
#include "ops/check.h"
#include "ops/element.h"

/*
 * Shape, Size, Constant, ConstantOfShape and Range: values that do not depend on the clip. They
 * exist to be folded; at batch N a Shape would see N clips, so none of them may be batched.
 */

static bool never_keeps_batch(const struct ao_graph *graph, const struct ao_node *node)
{
    (void)graph;
    (void)node;
    return false;
}

/* Axes [start, end) of the input, in place of negative and missing bounds. */
struct shape_params {
    int start, end;
};

static int clamp_axis(int64_t axis, int rank)
{
    if (axis < 0)
        axis += rank;
    return (int)(axis < 0 ? 0 : axis > rank ? rank : axis);
}

static aosa_status shape_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, 1, 1, 1));
    const int rank = ao_op_in(graph, node, 0)->shape.rank;
    struct shape_params *params = ao_op_params(graph, node, sizeof *params);
    if (!params)
        return AOSA_ERR_NOMEM;
    params->start = clamp_axis(ao_node_int(node, "start", 0), rank);
    params->end = clamp_axis(ao_node_int(node, "end", rank), rank);
    if (params->end < params->start)
        params->end = params->start;
    const struct ao_shape shape = { .rank = 1, .dims = { params->end - params->start } };
    return ao_op_set(graph, node, 0, AO_I64, &shape);
}

static void shape_forward(const struct ao_op_call *call)
{
    const struct shape_params *params = call->node->params;
    for (int i = params->start; i < params->end; i++)
        ao_row_store_int(&call->out[0], (i - params->start) * call->out[0].strides[0], 1,
                         &call->in[0].shape.dims[i], 1);
}

static aosa_status size_infer(struct ao_graph *graph, struct ao_node *node)
{
    const struct ao_shape number = { .rank = 0 };
    AO_TRY(ao_op_arity(node, 1, 1, 1));
    return ao_op_set(graph, node, 0, AO_I64, &number);
}

static void size_forward(const struct ao_op_call *call)
{
    const int64_t count = ao_shape_count(&call->in[0].shape);
    ao_row_store_int(&call->out[0], 0, 1, &count, 1);
}

/* Constant: a tensor, or numbers in an attribute; node->params is the view of them. */
static aosa_status constant_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, 0, 0, 1));
    struct ao_view *view = ao_op_params(graph, node, sizeof *view);
    if (!view)
        return AOSA_ERR_NOMEM;
    struct ao_shape shape = { .rank = 0 };
    for (int i = 0; i < node->n_attrs; i++) {
        const struct ao_attr *attr = &node->attrs[i];
        shape.dims[0] = attr->n;
        shape.rank = attr->type == AO_ATTR_INTS || attr->type == AO_ATTR_FLOATS;
        if (attr->type == AO_ATTR_VALUE) {
            const struct ao_value *value = &graph->values[attr->value];
            *view = ao_view_dense((void *)(uintptr_t)value->data, value->dtype, &value->shape);
        } else if (attr->type == AO_ATTR_INT) {
            *view = ao_view_dense((void *)(uintptr_t)&attr->i, AO_I64, &shape);
        } else if (attr->type == AO_ATTR_FLOAT) {
            *view = ao_view_dense((void *)(uintptr_t)&attr->f, AO_F32, &shape);
        } else if (attr->type == AO_ATTR_INTS) {
            *view = ao_view_dense((void *)(uintptr_t)attr->ints, AO_I64, &shape);
        } else if (attr->type == AO_ATTR_FLOATS) {
            *view = ao_view_dense((void *)(uintptr_t)attr->floats, AO_F32, &shape);
        } else {
            continue;
        }
        return ao_op_set(graph, node, 0, view->dtype, &view->shape);
    }
    return ao_op_fail(node, AOSA_ERR_UNSUPPORTED,
                      "has no value of a supported kind (tensors and numbers are)");
}

static void constant_forward(const struct ao_op_call *call)
{
    ao_view_convert(&call->out[0], call->node->params);
}

/* ConstantOfShape: node->params is the view of the one element to repeat, data NULL for 0. */
static aosa_status filled_infer(struct ao_graph *graph, struct ao_node *node)
{
    const int64_t *dims;
    int64_t rank;
    AO_TRY(ao_op_arity(node, 1, 1, 1));
    AO_TRY(ao_op_ints(graph, node, 0, "shape", &dims, &rank));
    if (rank > AO_MAX_RANK)
        return ao_op_fail(node, AOSA_ERR_UNSUPPORTED,
                          "makes %" PRId64 " axes, at most %d are supported", rank, AO_MAX_RANK);
    struct ao_view *view = ao_op_params(graph, node, sizeof *view);
    if (!view)
        return AOSA_ERR_NOMEM;
    const struct ao_attr *attr = ao_node_attr(node, "value");
    if (attr && attr->type == AO_ATTR_VALUE) {
        const struct ao_value *value = &graph->values[attr->value];
        if (ao_shape_count(&value->shape) != 1)
            return ao_op_fail(node, AOSA_ERR_FORMAT,
                              "attribute value has %" PRId64 " elements, one is needed",
                              ao_shape_count(&value->shape));
        *view = (struct ao_view){ .data = (void *)(uintptr_t)value->data, .dtype = value->dtype };
    }
    struct ao_shape shape = { .rank = (int)rank };
    for (int i = 0; i < shape.rank; i++)
        shape.dims[i] = dims[i];
    return ao_op_set(graph, node, 0, view->dtype, &shape);
}

static void filled_forward(const struct ao_op_call *call)
{
    const uint64_t zero = 0;
    struct ao_view element = *(const struct ao_view *)call->node->params;
    if (!element.data)
        element.data = (void *)(uintptr_t)&zero;
    const struct ao_view wide = ao_view_broadcast(&element, &call->out[0].shape);
    ao_view_convert(&call->out[0], &wide);
}

/* Range: start + i * delta for 0 <= i < ceil((limit - start) / delta), all constants. */
static aosa_status range_element(const struct ao_graph *graph, const struct ao_node *node, int i,
                                 struct ao_view *view)
{
    const struct ao_value *value = ao_op_in(graph, node, i);
    if (!value->data || ao_shape_count(&value->shape) != 1)
        return ao_op_fail(node, AOSA_ERR_UNSUPPORTED, "input %d is not one constant number", i);
    if (value->dtype != ao_op_in(graph, node, 0)->dtype || value->dtype == AO_BOOL)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "input %d is %s, input 0 is %s", i,
                          ao_dtype_name(value->dtype),
                          ao_dtype_name(ao_op_in(graph, node, 0)->dtype));
    *view = (struct ao_view){ .data = (void *)(uintptr_t)value->data, .dtype = value->dtype };
    return AOSA_OK;
}

/* Exact for integers whose span fits 64 bits; larger ones exceed any memory. */
static double range_count(const struct ao_view in[3])
{
    double count;
    if (ao_dtype_is_float(in[0].dtype)) {
        count = ceil((ao_element(&in[1], 0) - ao_element(&in[0], 0)) / ao_element(&in[2], 0));
    } else {
        const int64_t start = ao_element_int(&in[0], 0), limit = ao_element_int(&in[1], 0);
        const int64_t delta = ao_element_int(&in[2], 0);
        const bool empty = delta > 0 ? limit <= start : limit >= start;
        const uint64_t span =
            delta > 0 ? (uint64_t)limit - (uint64_t)start : (uint64_t)start - (uint64_t)limit;
        const uint64_t size = delta > 0 ? (uint64_t)delta : 0 - (uint64_t)delta;
        count = empty ? 0 : (double)((span - 1) / size) + 1;
    }
    return count > 0 ? count : 0;
}

static aosa_status range_infer(struct ao_graph *graph, struct ao_node *node)
{
    struct ao_view in[3];
    AO_TRY(ao_op_arity(node, 3, 3, 1));
    for (int i = 0; i < 3; i++)
        AO_TRY(range_element(graph, node, i, &in[i]));
    if (ao_element(&in[2], 0) == 0)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "has step 0");
    const double count = range_count(in);
    if (!(count <= (double)AO_OP_MAX_ELEMENTS))
        return ao_op_fail(node, AOSA_ERR_FORMAT, "would have %g elements", count);
    const struct ao_shape shape = { .rank = 1, .dims = { (int64_t)count } };
    return ao_op_set(graph, node, 0, in[0].dtype, &shape);
}

static void range_forward(const struct ao_op_call *call)
{
    const struct ao_view *in = call->in, *y = &call->out[0];
    for (int64_t i = 0; i < y->shape.dims[0]; i++) {
        if (ao_dtype_is_float(y->dtype)) {
            const double value = ao_element(&in[0], 0) + (double)i * ao_element(&in[2], 0);
            ao_row_store(y, i * y->strides[0], 1, &value, 1);
        } else {
            const uint64_t step = (uint64_t)i * (uint64_t)ao_element_int(&in[2], 0);
            const int64_t value = (int64_t)((uint64_t)ao_element_int(&in[0], 0) + step);
            ao_row_store_int(y, i * y->strides[0], 1, &value, 1);
        }
    }
}

const struct ao_op ao_op_Shape = {
    .type = "Shape",
    .infer = shape_infer,
    .forward = shape_forward,
    .batch = AO_BATCH_ASKS,
    .keeps_batch = never_keeps_batch,
    .needs_shape_only = true,
};
const struct ao_op ao_op_Size = {
    .type = "Size",
    .infer = size_infer,
    .forward = size_forward,
    .batch = AO_BATCH_ASKS,
    .keeps_batch = never_keeps_batch,
    .needs_shape_only = true,
};
const struct ao_op ao_op_Constant = {
    .type = "Constant",
    .infer = constant_infer,
    .forward = constant_forward,
    .batch = AO_BATCH_ASKS,
    .keeps_batch = never_keeps_batch,
};
const struct ao_op ao_op_ConstantOfShape = {
    .type = "ConstantOfShape",
    .infer = filled_infer,
    .forward = filled_forward,
    .batch = AO_BATCH_ASKS,
    .keeps_batch = never_keeps_batch,
};
const struct ao_op ao_op_Range = {
    .type = "Range",
    .infer = range_infer,
    .forward = range_forward,
    .batch = AO_BATCH_ASKS,
    .keeps_batch = never_keeps_batch,
};
