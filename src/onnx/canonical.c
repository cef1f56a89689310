/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "core/alloc.h"
#include "onnx/import.h"

/*
 * Differences between operator sets 6 and 21, from the change log of the ONNX operators. What
 * newer sets moved from attributes to inputs becomes an input; defaults that changed are spelled
 * out; what has no form in set 21 is composed of operators that have.
 */

static aosa_status refuse(const struct ao_node *node, const char *why)
{
    return ao_fail(AOSA_ERR_UNSUPPORTED, "node '%s' (%s): %s", node->name, node->type, why);
}

/* Removes an attribute; false if it is not there. */
static bool take_attr(struct ao_node *node, const char *name, struct ao_attr *attr)
{
    for (int i = 0; i < node->n_attrs; i++) {
        if (strcmp(node->attrs[i].name, name) != 0)
            continue;
        *attr = node->attrs[i];
        node->n_attrs--;
        memmove(node->attrs + i, node->attrs + i + 1,
                (size_t)(node->n_attrs - i) * sizeof *node->attrs);
        return true;
    }
    return false;
}

static int64_t take_int(struct ao_node *node, const char *name, int64_t initial)
{
    struct ao_attr attr;
    return take_attr(node, name, &attr) && attr.type == AO_ATTR_INT ? attr.i : initial;
}

static aosa_status set_input(struct ao_onnx_import *import, struct ao_node *node, int index,
                             int32_t value)
{
    if (index >= node->n_in) {
        int32_t *in = ao_arena_alloc(&import->graph->arena, (size_t)index + 1, sizeof *in);
        if (!in)
            return ao_onnx_no_memory("inputs of a node");
        for (int i = 0; i <= index; i++)
            in[i] = i < node->n_in ? node->in[i] : -1;
        node->in = in;
        node->n_in = index + 1;
    }
    node->in[index] = value;
    return AOSA_OK;
}

static aosa_status ints_to_input(struct ao_onnx_import *import, struct ao_node *node,
                                 const char *name, int index)
{
    struct ao_attr attr;
    if (!take_attr(node, name, &attr))
        return AOSA_OK;
    if (attr.type != AO_ATTR_INTS)
        return ao_fail(AOSA_ERR_FORMAT, "node '%s' (%s): attribute '%s' is no list of integers",
                       node->name, node->type, name);
    int32_t value;
    AO_TRY(ao_onnx_new_ints(import, node->name, attr.n, attr.ints, &value));
    return set_input(import, node, index, value);
}

static aosa_status float_to_input(struct ao_onnx_import *import, struct ao_node *node,
                                  const char *name, int index)
{
    struct ao_attr attr;
    if (!take_attr(node, name, &attr))
        return AOSA_OK;
    if (attr.type != AO_ATTR_FLOAT)
        return ao_fail(AOSA_ERR_FORMAT, "node '%s' (%s): attribute '%s' is no number", node->name,
                       node->type, name);
    int32_t value;
    AO_TRY(ao_onnx_new_floats(import, node->name, -1, &attr.f, &value));
    return set_input(import, node, index, value);
}

static aosa_status move_axes(struct ao_onnx_import *import, struct ao_node *node)
{
    return ints_to_input(import, node, "axes", 1);
}

static aosa_status move_clip(struct ao_onnx_import *import, struct ao_node *node)
{
    AO_TRY(float_to_input(import, node, "min", 1));
    return float_to_input(import, node, "max", 2);
}

static aosa_status move_pad(struct ao_onnx_import *import, struct ao_node *node)
{
    AO_TRY(ints_to_input(import, node, "pads", 1));
    return float_to_input(import, node, "value", 2);
}

static aosa_status move_slice(struct ao_onnx_import *import, struct ao_node *node)
{
    AO_TRY(ints_to_input(import, node, "starts", 1));
    AO_TRY(ints_to_input(import, node, "ends", 2));
    return ints_to_input(import, node, "axes", 3);
}

static aosa_status move_split(struct ao_onnx_import *import, struct ao_node *node)
{
    return ints_to_input(import, node, "split", 1);
}

static aosa_status rename_scatter(struct ao_onnx_import *import, struct ao_node *node)
{
    (void)import;
    node->type = "ScatterElements";
    return AOSA_OK;
}

static aosa_status refuse_resize(struct ao_onnx_import *import, struct ao_node *node)
{
    (void)import;
    return refuse(node, "the form of opset 10 is not supported: export with opset 11 or newer");
}

static aosa_status refuse_group_norm(struct ao_onnx_import *import, struct ao_node *node)
{
    (void)import;
    return refuse(node, "scale and bias per group are not supported: export with opset 21, or 17 "
                        "or older");
}

/* Sets before 14 tell training by the wish for more outputs, set 6 by is_test. */
static aosa_status check_batch_norm(struct ao_onnx_import *import, struct ao_node *node)
{
    if (take_int(node, "spatial", 1) != 1)
        return refuse(node, "spatial = 0 is not supported");
    const bool tests = take_int(node, "is_test", 0) == 1;
    const bool trains = ao_node_int(node, "training_mode", 0) != 0;
    if ((import->opset < 7 && !tests) || (trains && !import->options->raw))
        return refuse(node, "is in training mode: export the model with model.eval()");
    if (!trains)
        node->n_out = node->n_out > 1 ? 1 : node->n_out;
    return AOSA_OK;
}

static aosa_status drop_broadcast(struct ao_onnx_import *import, struct ao_node *node)
{
    (void)import;
    take_int(node, "broadcast", 0);
    return AOSA_OK;
}

/*
 * Sets before 7 align B with axis `axis` of A: B gets as many axes of size 1 behind as A has left.
 * Ranks are not known yet, so this is written as arithmetic on shapes, which folds away:
 * B' = Reshape(B, Concat(Shape(B), ones(rank A - rank B - axis))).
 */
static aosa_status align_broadcast(struct ao_onnx_import *import, struct ao_node *node)
{
    struct ao_attr axis;
    const bool broadcast = take_int(node, "broadcast", 0) == 1;
    if (!take_attr(node, "axis", &axis) || !broadcast || axis.type != AO_ATTR_INT)
        return AOSA_OK;
    if (node->n_in != 2 || node->in[0] < 0 || node->in[1] < 0)
        return ao_fail(AOSA_ERR_FORMAT, "node '%s' (%s) has not two inputs", node->name,
                       node->type);
    const int64_t one = 1, zero = 0;
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
    const struct ao_attr along = { .name = "axis", .type = AO_ATTR_INT, .i = zero };
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
static aosa_status flatten_softmax(struct ao_onnx_import *import, struct ao_node *node)
{
    if (node->n_in != 1 || node->in[0] < 0)
        return ao_fail(AOSA_ERR_FORMAT, "node '%s' (%s) has not one input", node->name, node->type);
    struct ao_attr axis = { .name = "axis", .type = AO_ATTR_INT, .i = 1 };
    axis.i = take_int(node, "axis", 1);
    int32_t shape = -1, flat = -1, softmax = -1;
    AO_TRY(ao_onnx_new_node(import, node, "Shape", 1, node->in, NULL, &shape));
    AO_TRY(ao_onnx_new_node(import, node, "Flatten", 1, node->in, &axis, &flat));
    axis.i = -1;
    AO_TRY(ao_onnx_new_node(import, node, node->type, 1, &flat, &axis, &softmax));
    node->type = "Reshape";
    node->n_attrs = 0;
    AO_TRY(set_input(import, node, 0, softmax));
    return set_input(import, node, 1, shape);
}

/* Sum and Mean of any number of inputs: Adds in a row, and the product with 1 / number. */
static aosa_status chain_sum(struct ao_onnx_import *import, struct ao_node *node)
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
static aosa_status log_of_sum(struct ao_onnx_import *import, struct ao_node *node)
{
    if (node->n_out != 1)
        return ao_fail(AOSA_ERR_FORMAT, "node '%s' (%s) has not one output", node->name,
                       node->type);
    if (import->opset < 18)
        AO_TRY(move_axes(import, node));
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
    return set_input(import, node, 0, index);
}

/* Upsample(x, scales) was Resize with asymmetric coordinates, rounded down. */
static aosa_status upsample(struct ao_onnx_import *import, struct ao_node *node)
{
    struct ao_attr scales;
    int32_t value = node->n_in > 1 ? node->in[1] : -1;
    if (take_attr(node, "scales", &scales) && scales.type == AO_ATTR_FLOATS)
        AO_TRY(ao_onnx_new_floats(import, node->name, scales.n, scales.floats, &value));
    struct ao_attr *attrs = ao_arena_alloc(&import->graph->arena, 3, sizeof *attrs);
    if (!attrs)
        return ao_onnx_no_memory("attributes");
    const char *mode = ao_node_text(node, "mode", "nearest");
    attrs[0] = (struct ao_attr){ .name = "mode", .type = AO_ATTR_TEXT, .text = mode };
    attrs[1] = (struct ao_attr){ .name = "coordinate_transformation_mode",
                                 .type = AO_ATTR_TEXT,
                                 .text = "asymmetric" };
    attrs[2] = (struct ao_attr){ .name = "nearest_mode", .type = AO_ATTR_TEXT, .text = "floor" };
    node->type = "Resize";
    node->attrs = attrs;
    node->n_attrs = 3;
    AO_TRY(set_input(import, node, 1, -1));
    return set_input(import, node, 2, value);
}

/* Every float is a float32 here (see tensor.c). Casts to integers keep their meaning. */
static aosa_status cast_to_float(struct ao_onnx_import *import, struct ao_node *node)
{
    (void)import;
    enum { FLOAT = 1, FLOAT16 = 10, DOUBLE = 11, BFLOAT16 = 16 };
    for (int i = 0; i < node->n_attrs; i++) {
        struct ao_attr *attr = &node->attrs[i];
        if (strcmp(attr->name, "to") == 0 && attr->type == AO_ATTR_INT &&
            (attr->i == FLOAT16 || attr->i == DOUBLE || attr->i == BFLOAT16))
            attr->i = FLOAT;
    }
    return AOSA_OK;
}

#define ALWAYS INT64_MAX

static const struct {
    const char *type;
    int64_t before; /* sets older than this one need the change */
    aosa_status (*change)(struct ao_onnx_import *import, struct ao_node *node);
} changes[] = {
    { "Squeeze", 13, move_axes },
    { "Unsqueeze", 13, move_axes },
    { "ReduceSum", 13, move_axes },
    { "ReduceMean", 18, move_axes },
    { "ReduceMax", 18, move_axes },
    { "ReduceMin", 18, move_axes },
    { "ReduceProd", 18, move_axes },
    { "ReduceL1", 18, move_axes },
    { "ReduceL2", 18, move_axes },
    { "ReduceLogSum", ALWAYS, log_of_sum },
    { "ReduceSumSquare", 18, move_axes },
    { "Clip", 11, move_clip },
    { "Pad", 11, move_pad },
    { "Slice", 10, move_slice },
    { "Split", 13, move_split },
    { "Scatter", ALWAYS, rename_scatter },
    { "Resize", 11, refuse_resize },
    { "Upsample", ALWAYS, upsample },
    { "Sum", ALWAYS, chain_sum },
    { "Mean", ALWAYS, chain_sum },
    { "GroupNormalization", 21, refuse_group_norm },
    { "BatchNormalization", ALWAYS, check_batch_norm },
    { "Gemm", 7, drop_broadcast },
    { "Add", 7, align_broadcast },
    { "Sub", 7, align_broadcast },
    { "Mul", 7, align_broadcast },
    { "Div", 7, align_broadcast },
    { "Pow", 7, align_broadcast },
    { "And", 7, align_broadcast },
    { "Or", 7, align_broadcast },
    { "Xor", 7, align_broadcast },
    { "Equal", 7, align_broadcast },
    { "Greater", 7, align_broadcast },
    { "Less", 7, align_broadcast },
    { "Softmax", 13, flatten_softmax },
    { "LogSoftmax", 13, flatten_softmax },
    { "Cast", ALWAYS, cast_to_float },
};

/*
 * Set 6 dropped attributes and moved others to inputs; those operators we have that already were
 * as they are in set 6 stand in files of older sets too.
 */
static aosa_status check_old(const struct ao_onnx_import *import, const struct ao_node *node)
{
    static const char *const unchanged[] = {
        "Conv",
        "MaxPool",
        "AveragePool",
        "GlobalMaxPool",
        "GlobalAveragePool",
        "Softplus",
        "Identity",
        "Not",
        "Pow",
        "Equal",
        "Less",
        "Greater",
        "And",
        "Or",
        "Xor",
        "MatMul",
        "Flatten",
        "Squeeze",
        "Unsqueeze",
        "Transpose",
        "Slice",
        "Gather",
        "ReduceSum",
        "ReduceMean",
        "ReduceProd",
        "ReduceMax",
        "ReduceMin",
        "ReduceL1",
        "ReduceL2",
        "ReduceSumSquare",
        "ReduceLogSum",

        "Softmax",
        "LogSoftmax",
        "Shape",
        "Size",
        "Constant",
        "ArgMax",
        "ArgMin",

    };
    for (size_t i = 0; i < sizeof unchanged / sizeof *unchanged; i++)
        if (strcmp(node->type, unchanged[i]) == 0)
            return AOSA_OK;
    return ao_fail(AOSA_ERR_UNSUPPORTED,
                   "node '%s' (%s): the form of opset %" PRId64 " is not supported, those of %d to "
                   "%d are: export with opset_version=18",
                   node->name, node->type, import->opset, AO_ONNX_MIN_OPSET, AO_ONNX_MAX_OPSET);
}

aosa_status ao_onnx_canonicalise(struct ao_onnx_import *import, struct ao_node *node)
{
    if (import->opset < AO_ONNX_MIN_OPSET)
        AO_TRY(check_old(import, node));
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        if (import->opset < changes[i].before && strcmp(node->type, changes[i].type) == 0)
            return changes[i].change(import, node);
    return AOSA_OK;
}
