/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/alloc.h"
#include "passes/edit.h"

/*
 * Exporters write TensorFlow's "same" padding as a Pad node. Conv pads with zeros itself, so a
 * zero Pad before it is a matter of its attribute. MaxPool pads with minus infinity; that is the
 * same only if no value is negative and every window keeps a real element.
 */

struct pad {
    int32_t input;
    int rank;
    int64_t lo[AO_MAX_RANK], hi[AO_MAX_RANK];
};

static bool read_axes(const struct ao_graph *graph, const struct ao_node *node, int rank, int *axes,
                      int *n)
{
    const struct ao_value *given = ao_pass_constant(graph, node, 3);
    if (node->n_in > 3 && node->in[3] >= 0 && (!given || given->dtype != AO_I64))
        return false;
    const int64_t count = given ? ao_shape_count(&given->shape) : rank;
    if (count > rank)
        return false;
    *n = (int)count;
    for (int i = 0; i < *n; i++) {
        const int64_t axis = given ? ((const int64_t *)given->data)[i] : i;
        axes[i] = (int)(axis < 0 ? axis + rank : axis);
        if (axes[i] < 0 || axes[i] >= rank)
            return false;
    }
    return true;
}

static bool pads_with_zero(const struct ao_graph *graph, const struct ao_node *node)
{
    if (strcmp(ao_node_text(node, "mode", "constant"), "constant") != 0)
        return false;
    if (node->n_in <= 2 || node->in[2] < 0)
        return true;
    const struct ao_value *value = ao_pass_constant(graph, node, 2);
    return value && value->dtype == AO_F32 && ao_shape_count(&value->shape) == 1 &&
           *(const float *)value->data == 0;
}

/* A zero Pad that only lengthens spatial axes, or false. */
static bool read_pad(const struct ao_graph *graph, const struct ao_node *node, struct pad *pad)
{
    const struct ao_value *pads = ao_pass_constant(graph, node, 1);
    int axes[AO_MAX_RANK], n;
    *pad = (struct pad){ .input = node->in[0], .rank = graph->values[node->out[0]].shape.rank };
    if (strcmp(node->type, "Pad") != 0 || !pads || pads->dtype != AO_I64 ||
        !pads_with_zero(graph, node) || !read_axes(graph, node, pad->rank, axes, &n) ||
        ao_shape_count(&pads->shape) != 2 * n)
        return false;
    const int64_t *amounts = pads->data;
    for (int i = 0; i < n; i++) {
        pad->lo[axes[i]] = amounts[i];
        pad->hi[axes[i]] = amounts[n + i];
        if (amounts[i] < 0 || amounts[n + i] < 0 ||
            (axes[i] < 2 && (amounts[i] > 0 || amounts[n + i] > 0)))
            return false;
    }
    return true;
}

/* Attribute pads = the node's own plus the Pad's; pads[] is begin of each axis, then end. */
static bool sum_pads(const struct ao_node *node, const struct pad *pad, int64_t *sum)
{
    const int n = pad->rank - 2;
    const struct ao_attr *own = ao_node_attr(node, "pads");
    if (strcmp(ao_node_text(node, "auto_pad", "NOTSET"), "NOTSET") != 0 ||
        (own && (own->type != AO_ATTR_INTS || own->n != 2 * n)))
        return false;
    for (int i = 0; i < n; i++) {
        sum[i] = (own ? own->ints[i] : 0) + pad->lo[2 + i];
        sum[n + i] = (own ? own->ints[n + i] : 0) + pad->hi[2 + i];
    }
    return true;
}

static int64_t entry(const struct ao_node *node, const char *name, int i, int64_t initial)
{
    const struct ao_attr *attr = ao_node_attr(node, name);
    return attr && attr->type == AO_ATTR_INTS && i < attr->n ? attr->ints[i] : initial;
}

/*
 * Whether every window of the pooling, with these pads, covers an element of the input: the first
 * one reaches past the padding before it, the last one begins before the padding behind.
 */
static bool windows_keep_elements(const struct ao_graph *graph, const struct ao_node *pool,
                                  const struct pad *pad, const int64_t *pads)
{
    const struct ao_shape *in = &graph->values[pad->input].shape;
    const struct ao_shape *out = &graph->values[pool->out[0]].shape;
    for (int i = 0; i < pad->rank - 2; i++) {
        const int64_t last = (out->dims[2 + i] - 1) * entry(pool, "strides", i, 1) - pads[i];
        if (entry(pool, "dilations", i, 1) != 1 || pads[i] >= entry(pool, "kernel_shape", i, 1) ||
            last >= in->dims[2 + i])
            return false;
    }
    return true;
}

static bool may_pool(const struct ao_graph *graph, const struct ao_node *node,
                     const struct pad *pad, const int64_t *pads, const unsigned char *nonnegative)
{
    const bool has_indices = node->n_out > 1 && node->out[1] >= 0;
    return strcmp(node->type, "MaxPool") == 0 && nonnegative[pad->input] && !has_indices &&
           ao_node_int(node, "ceil_mode", 0) == 0 && windows_keep_elements(graph, node, pad, pads);
}

static aosa_status absorb_pad(struct ao_graph *graph, struct ao_node *node,
                              const unsigned char *nonnegative, struct ao_passes_report *report)
{
    const bool is_conv = strcmp(node->type, "Conv") == 0;
    if ((!is_conv && strcmp(node->type, "MaxPool") != 0) || graph->values[node->in[0]].producer < 0)
        return AOSA_OK;
    struct pad pad;
    int64_t pads[2 * AO_MAX_RANK];
    if (!read_pad(graph, &graph->nodes[graph->values[node->in[0]].producer], &pad) ||
        !sum_pads(node, &pad, pads) ||
        (!is_conv && !may_pool(graph, node, &pad, pads, nonnegative)))
        return AOSA_OK;
    AO_TRY(ao_pass_set_ints(graph, node, "pads", pads, 2 * (pad.rank - 2)));
    node->in[0] = pad.input;
    report->conv_pads += is_conv;
    report->pool_pads += !is_conv;
    return node->op->infer(graph, node);
}

static bool is_one_of(const char *type, const char *const *types)
{
    for (; *types; types++)
        if (strcmp(type, *types) == 0)
            return true;
    return false;
}

/* Whether output 0 has no negative value whatever the clip. */
static bool is_nonnegative(const struct ao_graph *graph, const struct ao_node *node,
                           const unsigned char *nonnegative)
{
    static const char *const always[] = { "Relu", "Sigmoid", "Softmax", "HardSigmoid",
                                          "Abs",  "Exp",     "Sqrt",    NULL };
    static const char *const inherit[] = { "MaxPool",
                                           "AveragePool",
                                           "GlobalMaxPool",
                                           "GlobalAveragePool",
                                           "Concat",
                                           "Transpose",
                                           "Reshape",
                                           "Flatten",
                                           "Squeeze",
                                           "Unsqueeze",
                                           "Identity",
                                           "Slice",
                                           "Add",
                                           "Mul",
                                           NULL };
    if (is_one_of(node->type, always))
        return true;
    if (strcmp(node->type, "Pad") == 0)
        return nonnegative[node->in[0]] && pads_with_zero(graph, node);
    if (!is_one_of(node->type, inherit))
        return false;
    for (int i = 0; i < node->n_in; i++) {
        const int32_t in = node->in[i];
        const bool steers = i > 0 && in >= 0 && graph->values[in].dtype == AO_I64; /* a shape */
        if (in >= 0 && !steers && !nonnegative[in])
            return false;
    }
    return true;
}

aosa_status ao_pass_pads(struct ao_graph *graph, struct ao_passes_report *report)
{
    unsigned char *nonnegative = ao_alloc(graph->n_values, 1);
    if (!nonnegative)
        return ao_pass_no_memory("folding pads");
    aosa_status status = AOSA_OK;
    for (size_t k = 0; k < graph->n_nodes && status == AOSA_OK; k++) {
        struct ao_node *node = &graph->nodes[k];
        if (node->n_in < 1 || node->in[0] < 0 || node->n_out < 1 || node->out[0] < 0)
            continue;
        status = absorb_pad(graph, node, nonnegative, report);
        nonnegative[node->out[0]] = is_nonnegative(graph, node, nonnegative);
    }
    ao_free(nonnegative);
    return status;
}
