/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "core/alloc.h"
#include "onnx/canonical.h"

/*
 * Differences between operator sets 6 and 21, from the change log of the ONNX operators. What
 * newer sets moved from attributes to inputs becomes an input; defaults that changed are spelled
 * out; compose.c has what takes several nodes.
 */

static aosa_status refuse(const struct ao_node *node, const char *why)
{
    return ao_fail(AOSA_ERR_UNSUPPORTED, "node '%s' (%s): %s", node->name, node->type, why);
}

bool ao_onnx_take_attr(struct ao_node *node, const char *name, struct ao_attr *attr)
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

int64_t ao_onnx_take_int(struct ao_node *node, const char *name, int64_t initial)
{
    struct ao_attr attr;
    return ao_onnx_take_attr(node, name, &attr) && attr.type == AO_ATTR_INT ? attr.i : initial;
}

aosa_status ao_onnx_set_input(struct ao_onnx_import *import, struct ao_node *node, int index,
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
    if (!ao_onnx_take_attr(node, name, &attr))
        return AOSA_OK;
    if (attr.type != AO_ATTR_INTS)
        return ao_fail(AOSA_ERR_FORMAT, "node '%s' (%s): attribute '%s' is no list of integers",
                       node->name, node->type, name);
    int32_t value;
    AO_TRY(ao_onnx_new_ints(import, node->name, attr.n, attr.ints, &value));
    return ao_onnx_set_input(import, node, index, value);
}

static aosa_status float_to_input(struct ao_onnx_import *import, struct ao_node *node,
                                  const char *name, int index)
{
    struct ao_attr attr;
    if (!ao_onnx_take_attr(node, name, &attr))
        return AOSA_OK;
    if (attr.type != AO_ATTR_FLOAT)
        return ao_fail(AOSA_ERR_FORMAT, "node '%s' (%s): attribute '%s' is no number", node->name,
                       node->type, name);
    int32_t value;
    AO_TRY(ao_onnx_new_floats(import, node->name, -1, &attr.f, &value));
    return ao_onnx_set_input(import, node, index, value);
}

aosa_status ao_onnx_move_axes(struct ao_onnx_import *import, struct ao_node *node)
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

/* Sets before 14 tell training by the wish for more outputs, set 6 by is_test. */
static aosa_status check_batch_norm(struct ao_onnx_import *import, struct ao_node *node)
{
    if (ao_onnx_take_int(node, "spatial", 1) != 1)
        return refuse(node, "spatial = 0 is not supported");
    const bool tests = ao_onnx_take_int(node, "is_test", 0) == 1;
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
    ao_onnx_take_int(node, "broadcast", 0);
    return AOSA_OK;
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
    { "Squeeze", 13, ao_onnx_move_axes },
    { "Unsqueeze", 13, ao_onnx_move_axes },
    { "ReduceSum", 13, ao_onnx_move_axes },
    { "ReduceMean", 18, ao_onnx_move_axes },
    { "ReduceMax", 18, ao_onnx_move_axes },
    { "ReduceMin", 18, ao_onnx_move_axes },
    { "ReduceProd", 18, ao_onnx_move_axes },
    { "ReduceL1", 18, ao_onnx_move_axes },
    { "ReduceL2", 18, ao_onnx_move_axes },
    { "ReduceLogSum", ALWAYS, ao_onnx_log_of_sum },
    { "ReduceSumSquare", 18, ao_onnx_move_axes },
    { "Clip", 11, move_clip },
    { "Pad", 11, move_pad },
    { "Slice", 10, move_slice },
    { "Split", 13, move_split },
    { "Scatter", ALWAYS, rename_scatter },
    { "Resize", 11, ao_onnx_old_resize },
    { "Upsample", ALWAYS, ao_onnx_upsample },
    { "Sum", ALWAYS, ao_onnx_chain_sum },
    { "Mean", ALWAYS, ao_onnx_chain_sum },
    { "GroupNormalization", 21, ao_onnx_old_group_norm },
    { "BatchNormalization", ALWAYS, check_batch_norm },
    { "Gemm", 7, drop_broadcast },
    { "Add", 7, ao_onnx_align_broadcast },
    { "Sub", 7, ao_onnx_align_broadcast },
    { "Mul", 7, ao_onnx_align_broadcast },
    { "Div", 7, ao_onnx_align_broadcast },
    { "Pow", 7, ao_onnx_align_broadcast },
    { "And", 7, ao_onnx_align_broadcast },
    { "Or", 7, ao_onnx_align_broadcast },
    { "Xor", 7, ao_onnx_align_broadcast },
    { "Equal", 7, ao_onnx_align_broadcast },
    { "Greater", 7, ao_onnx_align_broadcast },
    { "Less", 7, ao_onnx_align_broadcast },
    { "Softmax", 13, ao_onnx_flatten_softmax },
    { "LogSoftmax", 13, ao_onnx_flatten_softmax },
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
