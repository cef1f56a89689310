/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/norm.h"

#include <inttypes.h>
#include <math.h>

#include "ops/backward.h"
#include "ops/check.h"
#include "ops/element.h"

static struct ao_norm_params *norm_params(struct ao_graph *graph, struct ao_node *node)
{
    struct ao_norm_params *params = ao_op_params(graph, node, sizeof *params);
    if (params)
        params->epsilon = ao_node_float(node, "epsilon", 1e-5);
    return params;
}

static aosa_status check_channels(const struct ao_graph *graph, const struct ao_node *node)
{
    const struct ao_shape *x = &ao_op_in(graph, node, 0)->shape;
    char text[AO_SHAPE_TEXT];
    AO_TRY(ao_op_float(graph, node, 0));
    if (x->rank < 2)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "input has shape %s, [N,C,...] is needed",
                          ao_shape_text(x, text));
    return AOSA_OK;
}

static aosa_status batch_norm_infer(struct ao_graph *graph, struct ao_node *node)
{
    static const char *const names[] = { "input", "scale", "bias", "mean", "variance" };
    AO_TRY(ao_op_arity(node, 5, 5, 5));
    AO_TRY(check_channels(graph, node));
    struct ao_norm_params *params = norm_params(graph, node);
    if (!params)
        return AOSA_ERR_NOMEM;
    params->trains = ao_node_int(node, "training_mode", 0) != 0;
    params->momentum = ao_node_float(node, "momentum", (double)0.9f);
    for (int i = params->trains ? 3 : 1; i < node->n_out; i++)
        if (node->out[i] >= 0)
            return ao_op_fail(node, AOSA_ERR_UNSUPPORTED,
                              "gives statistics of training (output %d): not supported", i);
    for (int i = 1; i < 5; i++)
        AO_TRY(ao_op_vector(graph, node, i, ao_op_in(graph, node, 0)->shape.dims[1], names[i]));
    for (int i = 1; i < 3; i++)
        AO_TRY(ao_op_set(graph, node, i, AO_F32, &ao_op_in(graph, node, 3)->shape));
    return ao_op_set_like(graph, node);
}

/* dst = (src - mean) * factor + shift over two views of one shape. */
static void rescale(const struct ao_view *src, const struct ao_view *dst, double mean,
                    double factor, double shift)
{
    const int64_t *const strides[] = { src->strides, dst->strides };
    double row[AO_ROW];
    struct ao_walk walk;
    ao_walk_init(&walk, &src->shape, 2, strides);
    while (ao_walk_next(&walk)) {
        ao_row_load(row, src, walk.offset[0], walk.stride[0], walk.n);
        for (int64_t i = 0; i < walk.n; i++)
            row[i] = (row[i] - mean) * factor + shift;
        ao_row_store(dst, walk.offset[1], walk.stride[1], row, walk.n);
    }
}

struct ao_view ao_norm_channels(const struct ao_view *view, int64_t image, int64_t c, int64_t n)
{
    struct ao_view part = *view;
    part.data = ao_element_at(view, image * view->strides[0] + c * view->strides[1]);
    part.shape.dims[0] = 1;
    part.shape.dims[1] = n;
    return part;
}

void ao_norm_moments(const struct ao_view *part, double *mean, double *variance)
{
    const double count = (double)ao_shape_count(&part->shape);
    const int64_t *const strides[] = { part->strides };
    double row[AO_ROW], sum = 0, squares = 0;
    struct ao_walk walk;
    ao_walk_init(&walk, &part->shape, 1, strides);
    while (ao_walk_next(&walk)) {
        ao_row_load(row, part, walk.offset[0], walk.stride[0], walk.n);
        for (int64_t i = 0; i < walk.n; i++)
            sum += row[i];
    }
    *mean = sum / count;
    ao_walk_init(&walk, &part->shape, 1, strides);
    while (ao_walk_next(&walk)) {
        ao_row_load(row, part, walk.offset[0], walk.stride[0], walk.n);
        for (int64_t i = 0; i < walk.n; i++)
            squares += (row[i] - *mean) * (row[i] - *mean);
    }
    *variance = squares / count;
}

/* Statistics of channel c over all images, and the running ones that training keeps of them. */
static void train_channel(const struct ao_op_call *call, int64_t c, double *mean, double *variance)
{
    const struct ao_norm_params *params = call->node->params;
    struct ao_view all = ao_norm_channels(&call->in[0], 0, c, 1);
    all.shape.dims[0] = call->in[0].shape.dims[0];
    const double old[] = { *mean, *variance };
    ao_norm_moments(&all, mean, variance);
    const double now[] = { *mean, *variance };
    for (int i = 1; i < 3 && i < call->node->n_out; i++) {
        const struct ao_view *running = &call->out[i];
        const double value = old[i - 1] * params->momentum + now[i - 1] * (1 - params->momentum);
        if (running->data)
            ao_row_store(running, c * running->strides[0], 1, &value, 1);
    }
}

static void batch_norm_forward(const struct ao_op_call *call)
{
    const struct ao_norm_params *params = call->node->params;
    const struct ao_view *x = &call->in[0], *y = &call->out[0];
    for (int64_t c = 0; c < x->shape.dims[1]; c++) {
        double p[5] = { 0 }; /* scale, bias, mean and variance at their input's index */
        for (int i = 1; i < 5; i++)
            p[i] = ao_element(&call->in[i], c * call->in[i].strides[0]);
        if (params->trains)
            train_channel(call, c, &p[3], &p[4]);
        for (int64_t n = 0; n < x->shape.dims[0]; n++) {
            const struct ao_view src = ao_norm_channels(x, n, c, 1),
                                 dst = ao_norm_channels(y, n, c, 1);
            rescale(&src, &dst, p[3], p[1] / sqrt(p[4] + params->epsilon), p[2]);
        }
    }
}

static aosa_status group_norm_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, 3, 3, 1));
    AO_TRY(check_channels(graph, node));
    const int64_t n = ao_op_in(graph, node, 0)->shape.dims[1];
    AO_TRY(ao_op_vector(graph, node, 1, n, "scale"));
    AO_TRY(ao_op_vector(graph, node, 2, n, "bias"));
    struct ao_norm_params *params = norm_params(graph, node);
    if (!params)
        return AOSA_ERR_NOMEM;
    /* InstanceNormalization has no such attribute: every channel is a group. */
    params->groups = ao_node_int(node, "num_groups", n);
    if (params->groups < 1 || n % params->groups != 0)
        return ao_op_fail(node, AOSA_ERR_FORMAT,
                          "has %" PRId64 " groups, the input has %" PRId64 " channels",
                          params->groups, n);
    return ao_op_set_like(graph, node);
}

static void normalise_group(const struct ao_op_call *call, int64_t image, int64_t first, int64_t n)
{
    const struct ao_norm_params *params = call->node->params;
    const struct ao_view *scale = &call->in[1], *bias = &call->in[2];
    const struct ao_view group = ao_norm_channels(&call->in[0], image, first, n);
    double mean, variance;
    ao_norm_moments(&group, &mean, &variance);
    for (int64_t c = first; c < first + n; c++) {
        const struct ao_view src = ao_norm_channels(&call->in[0], image, c, 1);
        const struct ao_view dst = ao_norm_channels(&call->out[0], image, c, 1);
        rescale(&src, &dst, mean,
                ao_element(scale, c * scale->strides[0]) / sqrt(variance + params->epsilon),
                ao_element(bias, c * bias->strides[0]));
    }
}

static void group_norm_forward(const struct ao_op_call *call)
{
    const struct ao_norm_params *params = call->node->params;
    const struct ao_shape *shape = &call->in[0].shape;
    const int64_t n = shape->dims[1] / params->groups;
    for (int64_t image = 0; image < shape->dims[0]; image++)
        for (int64_t g = 0; g < params->groups; g++)
            normalise_group(call, image, g * n, n);
}

/* Outputs 1 and 2, mean and 1 / sqrt(variance + epsilon), have extent 1 from `axis` on. */
static aosa_status layer_norm_outputs(struct ao_graph *graph, const struct ao_node *node, int axis)
{
    struct ao_shape reduced = ao_op_in(graph, node, 0)->shape;
    for (int i = axis; i < reduced.rank; i++)
        reduced.dims[i] = 1;
    for (int i = 1; i < 3; i++)
        AO_TRY(ao_op_set(graph, node, i, AO_F32, &reduced));
    return ao_op_set_like(graph, node);
}

static aosa_status layer_norm_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, 2, 3, 3));
    struct ao_norm_params *params = norm_params(graph, node);
    if (!params)
        return AOSA_ERR_NOMEM;
    struct ao_shape normed = ao_op_in(graph, node, 0)->shape;
    AO_TRY(ao_op_axis(node, ao_node_int(node, "axis", -1), normed.rank, &params->axis));
    normed.rank -= params->axis;
    for (int i = 0; i < normed.rank; i++)
        normed.dims[i] = ao_op_in(graph, node, 0)->shape.dims[params->axis + i];
    for (int i = 0; i < node->n_in; i++) {
        AO_TRY(ao_op_float(graph, node, i));
        const struct ao_value *value = ao_op_in(graph, node, i);
        struct ao_shape wide;
        char text[2][AO_SHAPE_TEXT];
        if (i > 0 && value &&
            (!ao_shape_broadcast(&value->shape, &normed, &wide) || !ao_shape_equal(&wide, &normed)))
            return ao_op_fail(node, AOSA_ERR_FORMAT,
                              "%s has shape %s, which does not broadcast to %s",
                              i == 1 ? "scale" : "bias", ao_shape_text(&value->shape, text[0]),
                              ao_shape_text(&normed, text[1]));
    }
    return layer_norm_outputs(graph, node, params->axis);
}

struct ao_view ao_norm_behind(const struct ao_view *view, int axis)
{
    struct ao_view rest = *view;
    rest.shape.rank -= axis;
    for (int i = 0; i < rest.shape.rank; i++) {
        rest.shape.dims[i] = view->shape.dims[axis + i];
        rest.strides[i] = view->strides[axis + i];
    }
    return rest;
}

/* dst = (src - mean) * inverse * scale + bias, all of one shape; bias->data NULL is none. */
static void normalise_layer(const struct ao_view *src, const struct ao_view *dst,
                            const struct ao_view *scale, const struct ao_view *bias, double mean,
                            double inverse)
{
    const int64_t *const strides[] = { src->strides, dst->strides, scale->strides, bias->strides };
    double row[AO_ROW], factor[AO_ROW], shift[AO_ROW] = { 0 };
    struct ao_walk walk;
    ao_walk_init(&walk, &src->shape, 4, strides);
    while (ao_walk_next(&walk)) {
        ao_row_load(row, src, walk.offset[0], walk.stride[0], walk.n);
        ao_row_load(factor, scale, walk.offset[2], walk.stride[2], walk.n);
        if (bias->data)
            ao_row_load(shift, bias, walk.offset[3], walk.stride[3], walk.n);
        for (int64_t i = 0; i < walk.n; i++)
            row[i] = (row[i] - mean) * inverse * factor[i] + shift[i];
        ao_row_store(dst, walk.offset[1], walk.stride[1], row, walk.n);
    }
}

static void layer_norm_forward(const struct ao_op_call *call)
{
    const struct ao_norm_params *params = call->node->params;
    struct ao_view src_grid = call->in[0], dst_grid = call->out[0];
    struct ao_view src = ao_norm_behind(&src_grid, params->axis),
                   dst = ao_norm_behind(&dst_grid, params->axis);
    src_grid.shape.rank = dst_grid.shape.rank = params->axis;
    const struct ao_view scale = ao_view_broadcast(&call->in[1], &src.shape);
    struct ao_view bias = { .shape = src.shape };
    if (call->node->n_in > 2 && call->in[2].data)
        bias = ao_view_broadcast(&call->in[2], &src.shape);
    const int64_t count = ao_shape_count(&src_grid.shape);
    for (int64_t i = 0; i < count; i++) {
        double found[3] = { 0 }; /* by output: mean and inverse deviation */
        double variance;
        src.data = ao_element_at(&src_grid, ao_view_offset(&src_grid, i));
        ao_norm_moments(&src, &found[1], &variance);
        found[2] = 1 / sqrt(variance + params->epsilon);
        for (int out = 1; out < call->node->n_out; out++)
            if (call->out[out].data)
                ao_row_store(&call->out[out], ao_view_offset(&call->out[out], i), 1, &found[out],
                             1);
        if (!dst_grid.data)
            continue;
        dst.data = ao_element_at(&dst_grid, ao_view_offset(&dst_grid, i));
        normalise_layer(&src, &dst, &scale, &bias, found[1], found[2]);
    }
}

static bool layer_norm_keeps_batch(const struct ao_graph *graph, const struct ao_node *node)
{
    const struct ao_value *scale = ao_op_in(graph, node, 1), *bias = ao_op_in(graph, node, 2);
    return ((const struct ao_norm_params *)node->params)->axis > 0 && !scale->batched &&
           !(bias && bias->batched);
}

static bool batch_norm_keeps_batch(const struct ao_graph *graph, const struct ao_node *node)
{
    for (int i = 1; i < 5; i++)
        if (ao_op_in(graph, node, i)->batched)
            return false;
    return !((const struct ao_norm_params *)node->params)->trains;
}

const struct ao_op ao_op_BatchNormalization = {
    .type = "BatchNormalization",
    .infer = batch_norm_infer,
    .forward = batch_norm_forward,
    .vjp = ao_vjp_batch_norm,
    .batch = AO_BATCH_ASKS,
    .keeps_batch = batch_norm_keeps_batch,
};
const struct ao_op ao_op_GroupNormalization = {
    .type = "GroupNormalization",
    .infer = group_norm_infer,
    .forward = group_norm_forward,
    .vjp = ao_vjp_group_norm,
    .batch = AO_BATCH_KEEPS,
};
const struct ao_op ao_op_InstanceNormalization = {
    .type = "InstanceNormalization",
    .infer = group_norm_infer,
    .forward = group_norm_forward,
    .vjp = ao_vjp_group_norm,
    .batch = AO_BATCH_KEEPS,
};
const struct ao_op ao_op_LayerNormalization = {
    .type = "LayerNormalization",
    .infer = layer_norm_infer,
    .forward = layer_norm_forward,
    .vjp = ao_vjp_layer_norm,
    .batch = AO_BATCH_ASKS,
    .keeps_batch = layer_norm_keeps_batch,
};
