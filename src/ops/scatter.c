/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "ops/backward.h"
#include "ops/check.h"
#include "ops/element.h"

/*
 * GatherND and ScatterND: the last axis of the indices holds k coordinates, which name a slice of
 * the data along its axes [batch_dims, batch_dims + k). ScatterND has no batch axes.
 */
struct slice_params {
    int batch_dims, k;
    double (*combine)(double old, double update); /* ScatterND; NULL: the update replaces */
};

static double sum(double old, double update)
{
    return old + update;
}

static double product(double old, double update)
{
    return old * update;
}

/* A NaN once there stays, as in ReduceMax and ReduceMin. */
static double greatest(double old, double update)
{
    return update > old || isnan(update) ? update : old;
}

static double least(double old, double update)
{
    return update < old || isnan(update) ? update : old;
}

static struct ao_view index_view(const struct ao_value *value)
{
    return ao_view_dense((void *)(uintptr_t)value->data, value->dtype, &value->shape);
}

/* Constant coordinates are checked here; computed ones are held inside when they are used. */
static aosa_status check_coordinates(const struct ao_node *node, const struct ao_value *indices,
                                     const struct ao_shape *x, const struct slice_params *params)
{
    const struct ao_view view = index_view(indices);
    const int64_t count = ao_shape_count(&indices->shape);
    for (int64_t i = 0; i < count; i++) {
        const int axis = params->batch_dims + (int)(i % params->k);
        const int64_t extent = x->dims[axis];
        const int64_t at = indices->data ? ao_element_int(&view, i) : 0;
        if (at < -extent || at >= extent)
            return ao_op_fail(node, AOSA_ERR_FORMAT,
                              "index %" PRId64 " is outside axis %d of %" PRId64 " elements", at,
                              axis, extent);
        if (!indices->data && i + 1 == params->k)
            break; /* computed: every axis has been seen not to be empty */
    }
    return AOSA_OK;
}

static aosa_status slice_infer(struct ao_graph *graph, struct ao_node *node,
                               struct slice_params *params)
{
    const struct ao_value *x = ao_op_in(graph, node, 0), *indices = ao_op_in(graph, node, 1);
    char text[2][AO_SHAPE_TEXT];
    AO_TRY(ao_op_index_type(node, indices));
    const int rank = indices->shape.rank, b = params->batch_dims;
    const int64_t k = rank > 0 ? indices->shape.dims[rank - 1] : 0;
    if (k < 1 || b < 0 || b >= rank || k > x->shape.rank - b ||
        memcmp(x->shape.dims, indices->shape.dims, (size_t)b * sizeof x->shape.dims[0]) != 0)
        return ao_op_fail(node, AOSA_ERR_FORMAT,
                          "indices of shape %s do not fit data of shape %s with %d batch axes",
                          ao_shape_text(&indices->shape, text[0]),
                          ao_shape_text(&x->shape, text[1]), b);
    params->k = (int)k;
    return check_coordinates(node, indices, &x->shape, params);
}

/* Shape of all slices: the indices' without the last axis, then what the coordinates leave. */
static aosa_status slices_shape(const struct ao_graph *graph, const struct ao_node *node,
                                const struct slice_params *params, struct ao_shape *shape)
{
    const struct ao_shape *x = &ao_op_in(graph, node, 0)->shape;
    const struct ao_shape *indices = &ao_op_in(graph, node, 1)->shape;
    const int left = x->rank - params->batch_dims - params->k;
    if (indices->rank - 1 + left > AO_MAX_RANK)
        return ao_op_fail(node, AOSA_ERR_UNSUPPORTED,
                          "slices have %d axes, at most %d are supported", indices->rank - 1 + left,
                          AO_MAX_RANK);
    *shape = *indices;
    shape->rank--;
    for (int i = x->rank - left; i < x->rank; i++)
        shape->dims[shape->rank++] = x->dims[i];
    return AOSA_OK;
}

static aosa_status gather_nd_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, 2, 2, 1));
    struct slice_params *params = ao_op_params(graph, node, sizeof *params);
    if (!params)
        return AOSA_ERR_NOMEM;
    const int64_t batch_dims = ao_node_int(node, "batch_dims", 0);
    params->batch_dims = batch_dims < 0 || batch_dims > AO_MAX_RANK ? -1 : (int)batch_dims;
    AO_TRY(slice_infer(graph, node, params));
    struct ao_shape shape;
    AO_TRY(slices_shape(graph, node, params, &shape));
    return ao_op_set(graph, node, 0, ao_op_in(graph, node, 0)->dtype, &shape);
}

static double (*find_reduction(const char *name))(double old, double update)
{
    static const struct {
        const char *name;
        double (*combine)(double old, double update);
    } reductions[] = { { "add", sum }, { "mul", product }, { "max", greatest }, { "min", least } };
    for (size_t i = 0; i < sizeof reductions / sizeof *reductions; i++)
        if (strcmp(name, reductions[i].name) == 0)
            return reductions[i].combine;
    return NULL;
}

static aosa_status scatter_nd_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, 3, 3, 1));
    struct slice_params *params = ao_op_params(graph, node, sizeof *params);
    if (!params)
        return AOSA_ERR_NOMEM;
    const struct ao_value *x = ao_op_in(graph, node, 0), *updates = ao_op_in(graph, node, 2);
    const char *reduction = ao_node_text(node, "reduction", "none");
    params->combine = find_reduction(reduction);
    if (params->combine ? !ao_dtype_is_float(x->dtype) : strcmp(reduction, "none") != 0)
        return ao_op_fail(node, AOSA_ERR_UNSUPPORTED,
                          "with reduction '%s' of %s is not supported (none, and add, mul, max and "
                          "min of floats, are)",
                          reduction, ao_dtype_name(x->dtype));
    AO_TRY(slice_infer(graph, node, params));
    struct ao_shape shape;
    char text[2][AO_SHAPE_TEXT];
    AO_TRY(slices_shape(graph, node, params, &shape));
    if (updates->dtype != x->dtype || !ao_shape_equal(&updates->shape, &shape))
        return ao_op_fail(node, AOSA_ERR_FORMAT, "updates are %s %s, %s %s is needed",
                          ao_dtype_name(updates->dtype), ao_shape_text(&updates->shape, text[0]),
                          ao_dtype_name(x->dtype), ao_shape_text(&shape, text[1]));
    return ao_op_set_like(graph, node);
}

/* The slice of `data` that tuple number `tuple` (row-major over the index axes) names. */
static struct ao_view named_slice(const struct ao_view *data, const struct ao_view *indices,
                                  const struct slice_params *params, int64_t tuple)
{
    struct ao_view slice = *data;
    const int b = params->batch_dims, taken = b + params->k;
    int64_t offset = 0, inner = 1;
    for (int i = b; i < indices->shape.rank - 1; i++)
        inner *= indices->shape.dims[i];
    /* The batch axes are those of the indices. */
    for (int i = b - 1; i >= 0; i--) {
        offset += tuple / inner % indices->shape.dims[i] * data->strides[i];
        inner *= indices->shape.dims[i];
    }
    for (int i = 0; i < params->k; i++) {
        const int64_t extent = data->shape.dims[b + i];
        int64_t at = ao_element_int(indices, ao_view_offset(indices, tuple * params->k + i));
        at = at < 0 ? at + extent : at;
        at = at < 0 ? 0 : at >= extent ? extent - 1 : at;
        offset += at * data->strides[b + i];
    }
    slice.data = ao_element_at(data, offset);
    slice.shape.rank -= taken;
    for (int i = 0; i < slice.shape.rank; i++) {
        slice.shape.dims[i] = data->shape.dims[taken + i];
        slice.strides[i] = data->strides[taken + i];
    }
    return slice;
}

/* Slice number `tuple` of the gathered result or the updates: the index axes come first. */
static struct ao_view listed_slice(const struct ao_view *list, const struct ao_view *indices,
                                   int64_t tuple)
{
    const int lead = indices->shape.rank - 1;
    struct ao_view grid = *list, slice = *list;
    grid.shape.rank = lead;
    slice.data = ao_element_at(list, ao_view_offset(&grid, tuple));
    slice.shape.rank -= lead;
    for (int i = 0; i < slice.shape.rank; i++) {
        slice.shape.dims[i] = list->shape.dims[lead + i];
        slice.strides[i] = list->strides[lead + i];
    }
    return slice;
}

static int64_t count_tuples(const struct ao_view *indices)
{
    struct ao_shape tuples = indices->shape;
    tuples.rank--;
    return ao_shape_count(&tuples);
}

static void gather_nd_forward(const struct ao_op_call *call)
{
    const struct ao_view *indices = &call->in[1];
    const int64_t count = count_tuples(indices);
    for (int64_t i = 0; i < count; i++) {
        const struct ao_view src = named_slice(&call->in[0], indices, call->node->params, i);
        const struct ao_view dst = listed_slice(&call->out[0], indices, i);
        ao_view_copy(&dst, &src);
    }
}

static void combine_into(const struct ao_view *dst, const struct ao_view *src,
                         double (*combine)(double old, double update))
{
    const int64_t *const strides[] = { dst->strides, src->strides };
    double old[AO_ROW], update[AO_ROW];
    struct ao_walk walk;
    ao_walk_init(&walk, &dst->shape, 2, strides);
    while (ao_walk_next(&walk)) {
        ao_row_load(old, dst, walk.offset[0], walk.stride[0], walk.n);
        ao_row_load(update, src, walk.offset[1], walk.stride[1], walk.n);
        for (int64_t i = 0; i < walk.n; i++)
            old[i] = combine(old[i], update[i]);
        ao_row_store(dst, walk.offset[0], walk.stride[0], old, walk.n);
    }
}

static void scatter_nd_forward(const struct ao_op_call *call)
{
    const struct slice_params *params = call->node->params;
    const struct ao_view *indices = &call->in[1];
    const int64_t count = count_tuples(indices);
    ao_view_copy(&call->out[0], &call->in[0]);
    for (int64_t i = 0; i < count; i++) {
        const struct ao_view dst = named_slice(&call->out[0], indices, params, i);
        const struct ao_view src = listed_slice(&call->in[2], indices, i);
        if (params->combine)
            combine_into(&dst, &src, params->combine);
        else
            ao_view_copy(&dst, &src);
    }
}

/* Constant coordinates name slices of one clip only. */
static bool never_keeps_batch(const struct ao_graph *graph, const struct ao_node *node)
{
    (void)graph;
    (void)node;
    return false;
}

const struct ao_op ao_op_GatherND = {
    .type = "GatherND",
    .infer = gather_nd_infer,
    .forward = gather_nd_forward,
    .vjp = ao_vjp_moved,
    .batch = AO_BATCH_ASKS,
    .keeps_batch = never_keeps_batch,
};
const struct ao_op ao_op_ScatterND = {
    .type = "ScatterND",
    .infer = scatter_nd_infer,
    .forward = scatter_nd_forward,
    .vjp = ao_vjp_scatter_nd,
    .batch = AO_BATCH_ASKS,
    .keeps_batch = never_keeps_batch,
};
