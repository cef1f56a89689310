/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/delta/internal.h"

#include <string.h>

#include "ops/linear.h"

/*
 * Gemm and MatMul of changed row vectors with a constant matrix: a convolution with one tap. Where
 * there is one vector its channels are read as taps of `depth` channels, so that a panel's taps fit
 * the cache.
 */

#define DEEPEST 1024

static int64_t depth_of(int64_t channels)
{
    for (int64_t depth = channels < DEEPEST ? channels : DEEPEST; depth >= 64; depth--)
        if (channels % depth == 0)
            return depth;
    return channels;
}

/* y = x B with x one row vector, or one at each position: B's extents if the node has that form. */
static bool is_product(const struct ao_delta *delta, const struct ao_node *node, int64_t *in,
                       int64_t *out)
{
    const struct ao_graph *graph = delta->graph;
    const bool gemm = strcmp(node->type, "Gemm") == 0;
    if ((!gemm && strcmp(node->type, "MatMul") != 0) || !delta->values[node->in[0]].changed)
        return false;
    const struct ao_value *b = &graph->values[node->in[1]], *y = &graph->values[node->out[0]];
    const struct ao_gemm_params *params = node->params;
    if (!b->data || b->dtype != AO_F32 || b->shape.rank != 2 || (gemm && params->trans_a))
        return false;
    if (gemm && node->n_in > 2 && node->in[2] >= 0 && delta->values[node->in[2]].changed)
        return false;
    const bool flip = gemm && params->trans_b;
    *in = b->shape.dims[flip];
    *out = b->shape.dims[!flip];
    const struct ao_delta_value *x = &delta->values[node->in[0]];
    const int64_t positions = ao_delta_positions(&x->extent);
    return (positions == 1 || x->last) && x->extent.C == *in &&
           ao_shape_count(&y->shape) == positions * *out;
}

aosa_status ao_delta_rule_linear(struct ao_delta *delta, const struct ao_node *node, bool *done,
                                 const char **reason)
{
    int64_t in, out;
    if (strcmp(node->type, "Gemm") != 0 && strcmp(node->type, "MatMul") != 0)
        return AOSA_OK;
    if (!is_product(delta, node, &in, &out)) {
        *reason = "is no product of one vector with a constant matrix";
        return AOSA_OK;
    }
    struct ao_delta_extent extent = delta->values[node->in[0]].extent;
    const bool matrix = ao_delta_positions(&extent) == 1;
    extent.C = out;
    struct ao_delta_step *step;
    AO_TRY(ao_delta_add_step(delta, node, 0, AO_DELTA_CONV, &extent, &step));
    step->window = (struct ao_delta_window){ .kernel = { 1, 1, 1 },
                                             .stride = { 1, 1, 1 },
                                             .dilation = { 1, 1, 1 } };
    step->conv = (struct ao_delta_conv){
        .group = 1, .in = in, .out = out, .matrix = matrix, .depth = depth_of(in)
    };
    step->conv.taps = in / step->conv.depth;
    delta->values[step->out].last = delta->values[step->in[0]].last;
    *done = true;
    return AOSA_OK;
}
