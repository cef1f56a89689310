/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "passes/edit.h"

/*
 * Conv is linear, so a following y -> scale[c] y + shift[c] goes into it:
 * W'[c] = scale[c] W[c], b'[c] = scale[c] b[c] + shift[c], computed in double and rounded once.
 */

struct affine {
    int64_t n; /* channels */
    double *scale, *shift;
};

static aosa_status affine_init(struct affine *affine, int64_t n)
{
    affine->n = n;
    affine->scale = ao_alloc((size_t)n, sizeof(double));
    affine->shift = ao_alloc((size_t)n, sizeof(double));
    if (affine->scale && affine->shift)
        return AOSA_OK;
    return ao_pass_no_memory("folding a BatchNormalization");
}

static void affine_fini(struct affine *affine)
{
    ao_free(affine->scale);
    ao_free(affine->shift);
}

/* Per-channel floats, or NULL. */
static const float *vector_of(const struct ao_graph *graph, const struct ao_node *node, int i,
                              int64_t n)
{
    const struct ao_value *value = ao_pass_constant(graph, node, i);
    if (!value || value->dtype != AO_F32 || ao_shape_count(&value->shape) != n)
        return NULL;
    return value->data;
}

/* Inference form: (x - mean) scale / sqrt(var + epsilon) + bias (Ioffe and Szegedy 2015). */
static bool read_batch_norm(const struct ao_graph *graph, const struct ao_node *node,
                            struct affine *affine)
{
    const float *scale = vector_of(graph, node, 1, affine->n);
    const float *bias = vector_of(graph, node, 2, affine->n);
    const float *mean = vector_of(graph, node, 3, affine->n);
    const float *var = vector_of(graph, node, 4, affine->n);
    if (!scale || !bias || !mean || !var || ao_node_int(node, "training_mode", 0) != 0)
        return false;
    const double epsilon = (double)(float)ao_node_float(node, "epsilon", 1e-5);
    for (int64_t c = 0; c < affine->n; c++) {
        affine->scale[c] = (double)scale[c] / sqrt((double)var[c] + epsilon);
        affine->shift[c] = (double)bias[c] - (double)mean[c] * affine->scale[c];
    }
    return true;
}

/*
 * The constant of a Mul or Add as one value per channel: aligned at the last axis as broadcasting
 * does, every axis but the channels' (axis 1 of the output) has size 1.
 */
static const float *per_channel(const struct ao_graph *graph, const struct ao_node *node, int i,
                                int64_t channels, int64_t *step)
{
    const struct ao_value *value = ao_pass_constant(graph, node, i);
    const int rank = graph->values[node->out[0]].shape.rank;
    if (!value || value->dtype != AO_F32 || value->shape.rank > rank)
        return NULL;
    *step = 0;
    for (int a = 0; a < value->shape.rank; a++) {
        const int axis = rank - value->shape.rank + a;
        if (value->shape.dims[a] == 1)
            continue;
        if (axis != 1 || value->shape.dims[a] != channels)
            return NULL;
        *step = 1;
    }
    return value->data;
}

static bool read_scale(const struct ao_graph *graph, const struct ao_node *node, int i,
                       struct affine *affine)
{
    int64_t step;
    const bool is_mul = strcmp(node->type, "Mul") == 0;
    const float *values = per_channel(graph, node, i, affine->n, &step);
    if (!values)
        return false;
    for (int64_t c = 0; c < affine->n; c++) {
        affine->scale[c] = is_mul ? (double)values[c * step] : 1;
        affine->shift[c] = is_mul ? 0 : (double)values[c * step];
    }
    return true;
}

static bool is_finite(const struct affine *affine)
{
    for (int64_t c = 0; c < affine->n; c++)
        if (!isfinite((float)affine->scale[c]) || !isfinite((float)affine->shift[c]))
            return false;
    return true;
}

/* New weights and bias for the Conv; the old ones may have other readers. */
static aosa_status rewrite_conv(struct ao_graph *graph, struct ao_node *conv,
                                const struct affine *affine)
{
    const struct ao_value *weights = ao_pass_constant(graph, conv, 1);
    const struct ao_value *bias = ao_pass_constant(graph, conv, 2);
    const struct ao_shape w_shape = weights->shape;
    const struct ao_shape b_shape = { .rank = 1, .dims = { affine->n } };
    const int64_t count = ao_shape_count(&w_shape), per = count / affine->n;
    const void *w = weights->data;
    const float *b = bias ? bias->data : NULL;
    float *new_w = ao_arena_alloc_raw(&graph->arena, (size_t)count, sizeof *new_w);
    float *new_b = ao_arena_alloc(&graph->arena, (size_t)affine->n, sizeof *new_b);
    int32_t *in = ao_arena_alloc(&graph->arena, 3, sizeof *in);
    if (!new_w || !new_b || !in)
        return ao_pass_no_memory("folded weights");
    for (int64_t c = 0; c < affine->n; c++) {
        for (int64_t i = 0; i < per; i++)
            new_w[c * per + i] = (float)((double)ao_weight(w, c * per + i) * affine->scale[c]);
        new_b[c] = (float)((b ? (double)b[c] * affine->scale[c] : 0) + affine->shift[c]);
    }
    ao_graph_release(graph, conv->in[1]);
    int value;
    in[0] = conv->in[0];
    AO_TRY(ao_graph_add_constant(graph, weights->name, AO_F32, &w_shape, new_w, &value));
    in[1] = value;
    AO_TRY(ao_graph_add_constant(graph, conv->name, AO_F32, &b_shape, new_b, &value));
    in[2] = value;
    conv->in = in;
    conv->n_in = 3;
    return AOSA_OK;
}

/* The Conv that makes input i of the node and nothing else reads, with constant weights. */
static struct ao_node *sole_conv(struct ao_graph *graph, const struct ao_node *node, int i,
                                 const int32_t *reads)
{
    if (i >= node->n_in || node->in[i] < 0)
        return NULL;
    const int producer = graph->values[node->in[i]].producer;
    if (producer < 0 || reads[node->in[i]] != 1)
        return NULL;
    struct ao_node *conv = &graph->nodes[producer];
    if (strcmp(conv->type, "Conv") != 0)
        return NULL;
    const struct ao_value *weights = ao_pass_constant(graph, conv, 1);
    const bool has_bias = conv->n_in > 2 && conv->in[2] >= 0;
    if (!weights || weights->dtype != AO_F32 || (has_bias && !ao_pass_constant(graph, conv, 2)))
        return NULL;
    return ao_shape_equal(&graph->values[node->in[i]].shape, &graph->values[node->out[0]].shape)
               ? conv
               : NULL;
}

/* Tries to put a node into the Conv it reads; *done tells whether it did. */
static aosa_status absorb(struct ao_graph *graph, const struct ao_node *node, int i,
                          const int32_t *reads, bool is_norm, bool *done)
{
    struct ao_node *conv = sole_conv(graph, node, i, reads);
    if (!conv)
        return AOSA_OK;
    struct affine affine = { 0 };
    aosa_status status = affine_init(&affine, graph->values[conv->in[1]].shape.dims[0]);
    if (status == AOSA_OK) {
        *done = (is_norm ? read_batch_norm(graph, node, &affine)
                         : read_scale(graph, node, 1 - i, &affine)) &&
                is_finite(&affine);
        if (*done)
            status = rewrite_conv(graph, conv, &affine);
    }
    affine_fini(&affine);
    if (status != AOSA_OK || !*done)
        return status;
    graph->values[node->out[0]].producer = (int)(conv - graph->nodes);
    conv->out[0] = node->out[0];
    return conv->op->infer(graph, conv);
}

aosa_status ao_pass_batch_norm(struct ao_graph *graph, struct ao_passes_report *report)
{
    int32_t *reads = ao_pass_reads(graph); /* of the values there are now; new ones are weights */
    unsigned char *keep = ao_alloc(graph->n_nodes, 1);
    aosa_status status = reads && keep ? AOSA_OK : ao_pass_no_memory("folding");
    for (size_t k = 0; k < graph->n_nodes && status == AOSA_OK; k++) {
        const struct ao_node *node = &graph->nodes[k];
        const bool is_norm = strcmp(node->type, "BatchNormalization") == 0;
        const bool is_scale = strcmp(node->type, "Mul") == 0 || strcmp(node->type, "Add") == 0;
        bool done = false;
        for (int i = 0; i < (is_scale ? 2 : is_norm) && !done && status == AOSA_OK; i++)
            status = absorb(graph, node, i, reads, is_norm, &done);
        keep[k] = !done;
        report->batch_norms += done && is_norm;
        report->scales += done && is_scale;
    }
    if (status == AOSA_OK)
        ao_pass_keep_nodes(graph, keep);
    ao_free(reads);
    ao_free(keep);
    return status;
}
