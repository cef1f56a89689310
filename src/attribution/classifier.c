/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/classifier.h"

#include <string.h>

#include "core/alloc.h"
#include "ops/conv.h"
#include "ops/linear.h"
#include "ops/pool.h"

static bool is_one_of(const char *type, const char *const *types)
{
    while (*types && strcmp(type, *types) != 0)
        types++;
    return *types != NULL;
}

static const struct ao_node *producer(const struct ao_graph *graph, int32_t value)
{
    const int node = value >= 0 ? graph->values[value].producer : -1;
    return node >= 0 ? &graph->nodes[node] : NULL;
}

/* The one input that depends on the clip, -1 where there are none or several. */
static int32_t clip_input(const struct ao_graph *graph, const struct ao_node *node)
{
    int32_t found = -1;
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] >= 0 && graph->values[node->in[i]].batched) {
            if (found >= 0)
                return -1;
            found = node->in[i];
        }
    return found;
}

/* Nearest value above that is not made by one of `types`, from one value each. */
static int32_t skip_back(const struct ao_graph *graph, int32_t value, const char *const *types)
{
    for (;;) {
        const struct ao_node *node = producer(graph, value);
        const int32_t above = node && is_one_of(node->type, types) ? clip_input(graph, node) : -1;
        if (above < 0)
            return value;
        value = above;
    }
}

/* Whether a node with constant weights [a][b] or, `conv`, [a][b][1]... is a fully connected layer.
 */
static bool is_connected(const struct ao_node *node, const struct ao_value *w, bool conv)
{
    if (conv)
        return ((const struct ao_conv_params *)node->params)->group == 1 &&
               ao_shape_count(&w->shape) == w->shape.dims[0] * w->shape.dims[1];
    if (w->shape.rank != 2)
        return false;
    const struct ao_gemm_params *gemm = node->params;
    return !strcmp(node->type, "MatMul") ||
           (!strcmp(node->type, "Gemm") && !gemm->trans_a && gemm->alpha == 1);
}

/* Weights of a fully connected layer in whatever form; false for another node. */
static bool read_weights(const struct ao_graph *graph, const struct ao_node *node, int classes,
                         struct ao_classifier *c, int64_t *features)
{
    if (node->n_in < 2 || node->in[1] < 0 || node->in[0] < 0)
        return false;
    const struct ao_value *w = &graph->values[node->in[1]];
    const bool conv = !strcmp(node->type, "Conv");
    if (!w->data || w->dtype != AO_F32 || w->shape.rank < 2 || !is_connected(node, w, conv))
        return false;
    const bool rows = conv || (!strcmp(node->type, "Gemm") &&
                               ((const struct ao_gemm_params *)node->params)->trans_b);
    *features = w->shape.dims[rows ? 1 : 0];
    c->weights = w->data;
    c->class_stride = rows ? *features : 1;
    c->feature_stride = rows ? 1 : classes;
    return *features > 0 && w->shape.dims[rows ? 0 : 1] == classes;
}

/* Whether a node averages a map of `features` channels over y and x, and nothing over channels. */
static bool averages(const struct ao_graph *graph, const struct ao_node *node, int64_t features)
{
    static const char *const types[] = { "GlobalAveragePool", "AveragePool", "ReduceMean", NULL };
    if (!is_one_of(node->type, types))
        return false;
    const struct ao_shape *in = &graph->values[node->in[0]].shape;
    const struct ao_shape *out = &graph->values[node->out[0]].shape;
    if (in->rank < 4 || out->rank < 2 || in->dims[1] != features || out->dims[1] != features)
        return false;
    const struct ao_pool_params *pool = node->params;
    for (int a = in->rank - 2; !strcmp(node->type, "AveragePool") && a < in->rank; a++)
        if (pool->window.kernel[a - 2] != in->dims[a])
            return false;
    /* What is left beside the channels are time steps: the third axis, or that of the images. */
    const int64_t left = ao_shape_count(out) / features;
    return left == 1 || left == (in->rank == 4 ? in->dims[0] : out->rank == 5 ? out->dims[2] : 1);
}

static aosa_status broken(const struct aosa_model *model, const struct ao_node *node)
{
    return ao_fail(AOSA_ERR_UNSUPPORTED,
                   "%s: saliency_tubes needs classes that are weighted sums of average-pooled "
                   "features; '%s' (%s) stands between; gradcam does not need that",
                   model->path, node ? node->name : "input", node ? node->type : "the clip");
}

aosa_status ao_classifier_find(const struct aosa_model *model, struct ao_classifier *c)
{
    static const char *const shapes[] = { "Reshape",  "Flatten", "Squeeze",   "Unsqueeze",
                                          "Identity", "Dropout", "Transpose", NULL };
    static const char *const after[] = { "Reshape",  "Flatten",    "Squeeze",           "Unsqueeze",
                                         "Identity", "Dropout",    "Transpose",         "Softmax",
                                         "Add",      "ReduceMean", "GlobalAveragePool", NULL };
    const struct ao_graph *graph = ao_model_graph(model);
    int64_t features;
    const int32_t logits = skip_back(graph, graph->outputs[0], after);
    const struct ao_node *sum = producer(graph, logits);
    if (!sum || !read_weights(graph, sum, model->classes, c, &features))
        return broken(model, sum);
    const struct ao_node *pool = producer(graph, skip_back(graph, sum->in[0], shapes));
    if (!pool || !averages(graph, pool, features))
        return broken(model, pool);

    struct ao_layer *layers;
    int n, found = 0;
    AO_TRY(ao_layers(model, &layers, &n));
    while (found < n && layers[found].value != pool->in[0])
        found++;
    const aosa_status status = found < n ? AOSA_OK : broken(model, pool);
    if (found < n)
        c->layer = layers[found];
    ao_free(layers);
    return status;
}
