/* SPDX-License-Identifier: Apache-2.0 */
#include "model/randomise.h"

#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "core/rng.h"

struct ao_randomised {
    struct aosa_model model;   /* the original's, but for onnx */
    struct ao_onnx_model onnx; /* the original's, but for the table of values and the arena */
    const struct ao_graph *original;
    int32_t *layers; /* [n_layers] nodes, the last one first */
    int n_layers, n_random;
    uint64_t seed;
};

static bool is_weight(const struct ao_graph *graph, int32_t v)
{
    return v >= 0 && graph->values[v].data && graph->values[v].dtype == AO_F32 &&
           ao_shape_count(&graph->values[v].shape) > 1;
}

static bool is_layer(const struct ao_graph *graph, const struct ao_node *node)
{
    if (strcmp(node->type, "Conv") != 0 && strcmp(node->type, "Gemm") != 0 &&
        strcmp(node->type, "MatMul") != 0)
        return false;
    for (int i = 0; i < node->n_in; i++)
        if (is_weight(graph, node->in[i]))
            return true;
    return false;
}

/* Nodes and all texts are borrowed; values are our own, and the arena is for their data. */
static aosa_status copy_graph(struct ao_randomised *r)
{
    const struct ao_graph *original = r->original;
    struct ao_graph *graph = &r->onnx.graph;
    *graph = *original;
    ao_arena_init(&graph->arena, 0);
    graph->values =
        ao_arena_copy(&graph->arena, original->values, original->n_values * sizeof *graph->values);
    r->layers = ao_alloc(original->n_nodes + 1, sizeof *r->layers);
    if (!graph->values || !r->layers)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for a random copy", r->model.path);
    for (size_t k = original->n_nodes; k-- > 0;)
        if (is_layer(original, &original->nodes[k]))
            r->layers[r->n_layers++] = (int32_t)k;
    return r->n_layers > 0
               ? AOSA_OK
               : ao_fail(AOSA_ERR_UNSUPPORTED,
                         "%s: no Conv, Gemm or MatMul with weights of its own to make random",
                         r->model.path);
}

aosa_status ao_randomised_create(const struct aosa_model *model, uint64_t seed,
                                 struct ao_randomised **randomised)
{
    struct ao_randomised *r = ao_alloc(1, sizeof *r);
    if (!r)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for a random copy", model->path);
    r->model = *model;
    r->onnx = *model->onnx;
    r->model.onnx = &r->onnx;
    r->original = ao_model_graph(model);
    r->seed = seed;
    const aosa_status status = copy_graph(r);
    if (status == AOSA_OK)
        *randomised = r;
    else
        ao_randomised_destroy(&r);
    return status;
}

void ao_randomised_destroy(struct ao_randomised **randomised)
{
    struct ao_randomised *r = *randomised;
    if (!r)
        return;
    ao_arena_fini(&r->onnx.graph.arena);
    ao_free(r->layers);
    ao_free(r);
    *randomised = NULL;
}

int ao_randomised_layers(const struct ao_randomised *r)
{
    return r->n_layers;
}

static void measure(const void *weights, int64_t n, double *mean, double *deviation)
{
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)ao_weight(weights, i);
    *mean = sum / (double)n;
    for (int64_t i = 0; i < n; i++) {
        const double d = (double)ao_weight(weights, i) - *mean;
        squares += d * d;
    }
    *deviation = sqrt(squares / (double)n);
}

static aosa_status randomise_value(struct ao_randomised *r, int32_t v, struct ao_rng *rng)
{
    struct ao_graph *graph = &r->onnx.graph;
    struct ao_value *value = &graph->values[v];
    const int64_t n = ao_shape_count(&value->shape);
    double mean, deviation;
    if (value->data != r->original->values[v].data)
        return AOSA_OK; /* by a later layer */
    float *weights = ao_arena_alloc_raw(&graph->arena, (size_t)n, sizeof *weights);
    if (!weights)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for %lld random weights", r->model.path,
                       (long long)n);
    measure(value->data, n, &mean, &deviation);
    for (int64_t i = 0; i < n; i++)
        weights[i] = (float)(mean + deviation * ao_rng_normal(rng));
    value->data = weights;
    return AOSA_OK;
}

aosa_status ao_randomised_cascade(struct ao_randomised *r, int n)
{
    for (; r->n_random < n && r->n_random < r->n_layers; r->n_random++) {
        const struct ao_node *node = &r->original->nodes[r->layers[r->n_random]];
        struct ao_rng rng;
        ao_rng_init(&rng, r->seed + (uint64_t)r->n_random);
        for (int i = 0; i < node->n_in; i++)
            if (is_weight(r->original, node->in[i]))
                AO_TRY(randomise_value(r, node->in[i], &rng));
    }
    return AOSA_OK;
}

const struct aosa_model *ao_randomised_model(const struct ao_randomised *r)
{
    return &r->model;
}
