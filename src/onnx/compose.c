/* SPDX-License-Identifier: Apache-2.0 */
#include "onnx/canonical.h"

#include <string.h>

/* What has no form in set 21 is composed of operators that have. */

/*
 * Sets before 7 align B with axis `axis` of A: B gets as many axes of size 1 behind as A has left.
 * Ranks are not known yet, so this is written as arithmetic on shapes, which folds away:
 * B' = Reshape(B, Concat(Shape(B), ones(rank A - rank B - axis))).
 */
aosa_status ao_onnx_align_broadcast(struct ao_onnx_import *import, struct ao_node *node)
{
    struct ao_attr axis;
    const bool broadcast = ao_onnx_take_int(node, "broadcast", 0) == 1;
    if (!ao_onnx_take_attr(node, "axis", &axis) || !broadcast || axis.type != AO_ATTR_INT)
        return AOSA_OK;
    if (node->n_in != 2 || node->in[0] < 0 || node->in[1] < 0)
        return ao_fail(AOSA_ERR_FORMAT, "node '%s' (%s) has not two inputs", node->name,
                       node->type);
    const int64_t one = 1;
    int32_t shape[2], rank[2], offset, difference = -1, count = -1, one_value, ones = -1;
    for (int i = 0; i < 2; i++) {
        shape[i] = rank[i] = -1;
        AO_TRY(ao_onnx_new_node(import, node, "Shape", 1, &node->in[i], NULL, &shape[i]));
        AO_TRY(ao_onnx_new_node(import, node, "Shape", 1, &shape[i], NULL, &rank[i]));
    }
    AO_TRY(ao_onnx_new_ints(import, node->name, 1, &axis.i, &offset));
    AO_TRY(ao_onnx_new_ints(import, node->name, 1, &one, &one_value));
    AO_TRY(ao_onnx_new_node(import, node, "Sub", 2, rank, NULL, &difference));
    const int32_t rest[] = { difference, offset };
    AO_TRY(ao_onnx_new_node(import, node, "Sub", 2, rest, NULL, &count));
    const struct ao_attr fill = { .name = "value", .type = AO_ATTR_VALUE, .value = one_value };
    AO_TRY(ao_onnx_new_node(import, node, "ConstantOfShape", 1, &count, &fill, &ones));
    const struct ao_attr along = { .name = "axis", .type = AO_ATTR_INT, .i = 0 };
    const int32_t parts[] = { shape[1], ones };
    int32_t target = -1, aligned = -1;
    AO_TRY(ao_onnx_new_node(import, node, "Concat", 2, parts, &along, &target));
    const int32_t reshape[] = { node->in[1], target };
    AO_TRY(ao_onnx_new_node(import, node, "Reshape", 2, reshape, NULL, &aligned));
    node->in[1] = aligned;
    return AOSA_OK;
}

/*
 * Sets before 13 take the softmax over all axes from `axis` (default 1) on together:
 * Reshape(Softmax(Flatten(x, axis), last axis), Shape(x)).
 */
aosa_status ao_onnx_flatten_softmax(struct ao_onnx_import *import, struct ao_node *node)
{
    if (node->n_in != 1 || node->in[0] < 0)
        return ao_fail(AOSA_ERR_FORMAT, "node '%s' (%s) has not one input", node->name, node->type);
    struct ao_attr axis = { .name = "axis", .type = AO_ATTR_INT, .i = 1 };
    axis.i = ao_onnx_take_int(node, "axis", 1);
    int32_t shape = -1, flat = -1, softmax = -1;
    AO_TRY(ao_onnx_new_node(import, node, "Shape", 1, node->in, NULL, &shape));
    AO_TRY(ao_onnx_new_node(import, node, "Flatten", 1, node->in, &axis, &flat));
    axis.i = -1;
    AO_TRY(ao_onnx_new_node(import, node, node->type, 1, &flat, &axis, &softmax));
    node->type = "Reshape";
    node->n_attrs = 0;
    AO_TRY(ao_onnx_set_input(import, node, 0, softmax));
    return ao_onnx_set_input(import, node, 1, shape);
}

/* Sum and Mean of any number of inputs: Adds in a row, and the product with 1 / number. */
aosa_status ao_onnx_chain_sum(struct ao_onnx_import *import, struct ao_node *node)
{
    const int n = node->n_in;
    const bool is_mean = strcmp(node->type, "Mean") == 0;
    if (n < 1)
        return ao_fail(AOSA_ERR_FORMAT, "node '%s' (%s) has no inputs", node->name, node->type);
    int32_t total = node->in[0];
    for (int i = 1; i < n - !is_mean; i++) {
        const int32_t pair[] = { total, node->in[i] };
        total = -1;
        AO_TRY(ao_onnx_new_node(import, node, "Add", 2, pair, NULL, &total));
    }
    const float part = 1 / (float)n;
    int32_t last = is_mean ? -1 : node->in[n - 1];
    if (is_mean)
        AO_TRY(ao_onnx_new_floats(import, node->name, -1, &part, &last));
    node->type = is_mean ? "Mul" : n == 1 ? "Identity" : "Add";
    node->n_in = 1 + (is_mean || n > 1);
    int32_t *in = ao_arena_alloc(&import->graph->arena, 2, sizeof *in);
    if (!in)
        return ao_onnx_no_memory("inputs of a node");
    in[0] = total;
    in[1] = last;
    node->in = in;
    return AOSA_OK;
}

/* ReduceLogSum(x) = Log(ReduceSum(x)). */
aosa_status ao_onnx_log_of_sum(struct ao_onnx_import *import, struct ao_node *node)
{
    if (node->n_out != 1)
        return ao_fail(AOSA_ERR_FORMAT, "node '%s' (%s) has not one output", node->name,
                       node->type);
    if (import->opset < 18)
        AO_TRY(ao_onnx_move_axes(import, node));
    struct ao_node sum = *node;
    int index;
    sum.type = "ReduceSum";
    sum.out = ao_arena_alloc(&import->graph->arena, 1, sizeof *sum.out);
    if (!sum.out)
        return ao_onnx_no_memory("a node");
    AO_TRY(ao_graph_add_value(import->graph, node->name, &index));
    sum.out[0] = index;
    AO_TRY(ao_onnx_emit(import, &sum));
    node->type = "Log";
    node->n_in = 0; /* the list of inputs is the sum's now */
    node->n_attrs = 0;
    return ao_onnx_set_input(import, node, 0, index);
}

/*
 * Resize as set 10 has it: asymmetric coordinates, and the nearest element below, or above where
 * the axis becomes shorter (its tests, and ONNX Runtime).
 */
static aosa_status resize(struct ao_onnx_import *import, struct ao_node *node, const char *nearest)
{
    const int32_t scales = node->n_in > 1 ? node->in[1] : -1;
    struct ao_attr *attrs = ao_arena_alloc(&import->graph->arena, 3, sizeof *attrs);
    if (!attrs)
        return ao_onnx_no_memory("attributes");
    const char *mode = ao_node_text(node, "mode", "nearest");
    attrs[0] = (struct ao_attr){ .name = "mode", .type = AO_ATTR_TEXT, .text = mode };
    attrs[1] = (struct ao_attr){ .name = "coordinate_transformation_mode",
                                 .type = AO_ATTR_TEXT,
                                 .text = "asymmetric" };
    attrs[2] = (struct ao_attr){ .name = "nearest_mode", .type = AO_ATTR_TEXT, .text = nearest };
    node->type = "Resize";
    node->attrs = attrs;
    node->n_attrs = 3;
    AO_TRY(ao_onnx_set_input(import, node, 1, -1));
    return ao_onnx_set_input(import, node, 2, scales);
}

aosa_status ao_onnx_old_resize(struct ao_onnx_import *import, struct ao_node *node)
{
    return resize(import, node, "simple");
}

/* Upsample(x, scales), the same for axes that become longer. */
aosa_status ao_onnx_upsample(struct ao_onnx_import *import, struct ao_node *node)
{
    struct ao_attr scales;
    int32_t value;
    if (ao_onnx_take_attr(node, "scales", &scales) && scales.type == AO_ATTR_FLOATS) {
        AO_TRY(ao_onnx_new_floats(import, node->name, scales.n, scales.floats, &value));
        AO_TRY(ao_onnx_set_input(import, node, 1, value));
    }
    return resize(import, node, "floor");
}

/* A number for each group, as one for each channel: each C / groups times. */
static aosa_status spread_groups(struct ao_onnx_import *import, const struct ao_node *node,
                                 int32_t target, int32_t *value)
{
    const int64_t one = 1, all = -1;
    int32_t axis, flat, column = -1, wide = -1, spread = -1;
    AO_TRY(ao_onnx_new_ints(import, node->name, 1, &one, &axis));
    AO_TRY(ao_onnx_new_ints(import, node->name, 1, &all, &flat));
    const int32_t unsqueeze[] = { *value, axis };
    AO_TRY(ao_onnx_new_node(import, node, "Unsqueeze", 2, unsqueeze, NULL, &column));
    const int32_t expand[] = { column, target };
    AO_TRY(ao_onnx_new_node(import, node, "Expand", 2, expand, NULL, &wide));
    const int32_t reshape[] = { wide, flat };
    AO_TRY(ao_onnx_new_node(import, node, "Reshape", 2, reshape, NULL, &spread));
    *value = spread;
    return AOSA_OK;
}

/* [groups, C / groups], written as arithmetic on the shape of x, which folds away. */
static aosa_status shape_of_groups(struct ao_onnx_import *import, const struct ao_node *node,
                                   int64_t groups, int32_t *target)
{
    const int64_t one = 1;
    const struct ao_attr along = { .name = "axis", .type = AO_ATTR_INT, .i = 0 };
    int32_t count, index, shape = -1, channels = -1, each = -1;
    AO_TRY(ao_onnx_new_ints(import, node->name, 1, &groups, &count));
    AO_TRY(ao_onnx_new_ints(import, node->name, 1, &one, &index));
    AO_TRY(ao_onnx_new_node(import, node, "Shape", 1, node->in, NULL, &shape));
    const int32_t gather[] = { shape, index };
    AO_TRY(ao_onnx_new_node(import, node, "Gather", 2, gather, &along, &channels));
    const int32_t divide[] = { channels, count };
    AO_TRY(ao_onnx_new_node(import, node, "Div", 2, divide, NULL, &each));
    const int32_t parts[] = { count, each };
    *target = -1;
    return ao_onnx_new_node(import, node, "Concat", 2, parts, &along, target);
}

/* Sets 18 to 20 give GroupNormalization scale and bias for each group, 21 for each channel. */
aosa_status ao_onnx_old_group_norm(struct ao_onnx_import *import, struct ao_node *node)
{
    const int64_t groups = ao_node_int(node, "num_groups", 0);
    int32_t target;
    if (node->n_in != 3 || node->in[0] < 0 || node->in[1] < 0 || node->in[2] < 0 || groups < 1)
        return ao_fail(AOSA_ERR_FORMAT,
                       "node '%s' (%s) has not three inputs and a number of groups", node->name,
                       node->type);
    AO_TRY(shape_of_groups(import, node, groups, &target));
    AO_TRY(spread_groups(import, node, target, &node->in[1]));
    return spread_groups(import, node, target, &node->in[2]);
}
