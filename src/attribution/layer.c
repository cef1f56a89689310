/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/layer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"
#include "ops/op.h"

/* Axes of these outputs are [N][C][t][h][w], whatever their input was called. */
static bool makes_maps(const char *type)
{
    static const char *const types[] = { "Conv",
                                         "MaxPool",
                                         "AveragePool",
                                         "BatchNormalization",
                                         "InstanceNormalization",
                                         "GroupNormalization" };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (!strcmp(type, types[i]))
            return true;
    return false;
}

/* A map comes out where a map goes in. */
static bool keeps_maps(const struct ao_node *node)
{
    static const char *const types[] = { "Relu",      "Sigmoid", "Tanh",    "HardSigmoid",
                                         "HardSwish", "Elu",     "Gelu",    "LeakyRelu",
                                         "Softplus",  "Clip",    "Dropout", "Identity",
                                         "Concat",    "Pad",     "Slice",   "Split" };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (!strcmp(node->type, types[i]))
            return true;
    return node->op->batch == AO_BATCH_POINTWISE;
}

/* What is known of one value. */
struct fact {
    bool mapped;     /* its axes are those of a feature map */
    bool useful;     /* it reaches the class outputs */
    size_t last_use; /* the last node on the way there that reads it; n_nodes: it is their value */
};

static void mark_useful(const struct ao_graph *graph, struct fact *facts)
{
    facts[graph->outputs[0]] = (struct fact){ .useful = true, .last_use = graph->n_nodes };
    for (size_t k = graph->n_nodes; k-- > 0;) {
        const struct ao_node *node = &graph->nodes[k];
        bool wanted = false;
        for (int i = 0; i < node->n_out; i++)
            wanted |= node->out[i] >= 0 && facts[node->out[i]].useful;
        for (int i = 0; wanted && i < node->n_in; i++) {
            struct fact *fact = node->in[i] < 0 ? NULL : &facts[node->in[i]];
            if (fact && !fact->useful)
                *fact = (struct fact){ .useful = true, .last_use = k };
        }
    }
}

/* The last node that reads one of the batched values, if it is later than `node`. */
static size_t later(const struct ao_graph *graph, const struct fact *facts, const int32_t *values,
                    int n, size_t node)
{
    for (int i = 0; i < n; i++) {
        const int32_t v = values[i];
        if (v >= 0 && graph->values[v].batched && facts[v].useful && facts[v].last_use > node)
            node = facts[v].last_use;
    }
    return node;
}

static bool is_map(const struct ao_graph *graph, const struct fact *facts,
                   const struct ao_node *node, int32_t value)
{
    const struct ao_value *v = &graph->values[value];
    const bool volume = v->shape.rank == 5 && v->shape.dims[0] == 1;
    const bool frames = v->shape.rank == 4 && v->shape.dims[0] > 1;
    if (!v->batched || v->dtype != AO_F32 || !(volume || frames))
        return false;
    bool from_map = makes_maps(node->type);
    for (int i = 0; !from_map && keeps_maps(node) && i < node->n_in; i++)
        from_map = node->in[i] >= 0 && facts[node->in[i]].mapped;
    return from_map;
}

struct list {
    struct ao_layer *layers;
    size_t capacity;
    int n;
};

static struct ao_layer describe(const struct ao_graph *graph, const struct ao_node *node,
                                int32_t value, int index)
{
    const struct ao_shape *shape = &graph->values[value].shape;
    const bool frames_first = shape->rank == 4;
    return (struct ao_layer){
        .value = value,
        .index = index,
        .name = graph->values[value].name ? graph->values[value].name : "",
        .node = node->name,
        .type = node->type,
        .C = shape->dims[1],
        .t = shape->dims[frames_first ? 0 : 2],
        .h = shape->dims[shape->rank - 2],
        .w = shape->dims[shape->rank - 1],
        .frames_first = frames_first,
    };
}

/* Appends the useful feature maps among the outputs of one node; `alone` when no earlier value is
 * read after it. */
static aosa_status collect(const struct ao_graph *graph, const struct ao_node *node, bool alone,
                           struct fact *facts, struct list *list)
{
    for (int i = 0; i < node->n_out; i++) {
        const int32_t value = node->out[i];
        if (value < 0 || !is_map(graph, facts, node, value))
            continue;
        facts[value].mapped = true;
        struct ao_layer layer = describe(graph, node, value, list->n);
        layer.whole = alone && node->n_out == 1;
        if (!facts[value].useful || layer.C < 1 || layer.t * layer.h * layer.w <= 1)
            continue;
        if (!ao_grow((void **)&list->layers, &list->capacity, (size_t)list->n,
                     sizeof *list->layers))
            return ao_fail(AOSA_ERR_NOMEM, "layers: no memory for %d of them", list->n + 1);
        list->layers[list->n++] = layer;
    }
    return AOSA_OK;
}

/*
 * A value is whole if, when it has been computed, no other one is still needed. Whatever the order
 * of the nodes: if all paths go through it, all useful nodes are before or behind it on a path.
 */
static aosa_status collect_all(const struct ao_graph *graph, struct fact *facts, struct list *list)
{
    mark_useful(graph, facts);
    size_t needed = later(graph, facts, graph->inputs, graph->n_inputs, 0);
    for (size_t k = 0; k < graph->n_nodes; k++) {
        const struct ao_node *node = &graph->nodes[k];
        AO_TRY(collect(graph, node, needed <= k, facts, list));
        needed = later(graph, facts, node->out, node->n_out, needed);
    }
    return AOSA_OK;
}

aosa_status ao_layers(const struct aosa_model *model, struct ao_layer **layers, int *n)
{
    const struct ao_graph *graph = ao_model_graph(model);
    struct fact *facts = ao_alloc(graph->n_values, sizeof *facts);
    struct list list = { 0 };
    *layers = NULL;
    *n = 0;
    if (!facts)
        return ao_fail(AOSA_ERR_NOMEM, "layers: no memory for %zu values", graph->n_values);
    const aosa_status status = collect_all(graph, facts, &list);
    ao_free(facts);
    if (status != AOSA_OK) {
        ao_free(list.layers);
        return status;
    }
    *layers = list.layers;
    *n = list.n;
    return AOSA_OK;
}

/* Last layer in time and space, whole if that is asked for; -1: none. */
static int find_last(const struct ao_layer *layers, int n, bool whole)
{
    int i = n - 1;
    while (i >= 0 &&
           !(layers[i].t > 1 && layers[i].h * layers[i].w > 1 && (layers[i].whole || !whole)))
        i--;
    return i;
}

static int find_default(const struct ao_layer *layers, int n)
{
    const int whole = find_last(layers, n, true), any = find_last(layers, n, false);
    return whole >= 0 ? whole : any >= 0 ? any : n - 1;
}

/* Its index, or -1 where `text` is no layer. */
static int find(const struct ao_layer *layers, int n, const char *text)
{
    char *end;
    long index = strtol(text, &end, 10);
    if (end != text && !*end) {
        index += index < 0 ? n : 0;
        return index >= 0 && index < n ? (int)index : -1;
    }
    for (int i = n - 1; i >= 0; i--)
        if (!strcmp(text, layers[i].name) || !strcmp(text, layers[i].node))
            return i;
    return -1;
}

static bool is_alike(const struct ao_layer *layer, const char *part)
{
    return strstr(layer->name, part) || strstr(layer->node, part);
}

/* How many names a message holds, and how much of it they may take. */
enum { LISTED = 8, LIST_TEXT = 720 };

/* "0 'a', 1 'b', ... 7 'h'": the last LISTED layers whose names contain `part`; how many there are.
 */
static int name_layers(const struct ao_layer *layers, int n, const char *part, char text[LIST_TEXT])
{
    int found = 0, length = 0;
    for (int i = 0; i < n; i++)
        found += is_alike(&layers[i], part);
    const char *before = found > LISTED ? "..., " : "";
    text[0] = '\0';
    for (int i = 0, k = 0; i < n && length < LIST_TEXT; i++) {
        if (!is_alike(&layers[i], part) || k++ < found - LISTED)
            continue;
        length += snprintf(text + length, (size_t)(LIST_TEXT - length), "%s%d '%.64s'", before,
                           layers[i].index, layers[i].node);
        before = ", ";
    }
    return found;
}

static aosa_status no_such_layer(const struct ao_layer *layers, int n, const char *text)
{
    char names[LIST_TEXT];
    if (name_layers(layers, n, text, names) > 0)
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "--layer '%.80s': no feature map has this name or index (0 to %d); alike: "
                       "%s; aosa inspect --layer list shows all",
                       text, n - 1, names);
    name_layers(layers, n, "", names);
    return ao_fail(AOSA_ERR_ARGUMENT,
                   "--layer '%.80s': no feature map has this name or index (0 to %d): %s; aosa "
                   "inspect --layer list shows all",
                   text, n - 1, names);
}

aosa_status ao_layer_find(const struct aosa_model *model, const char *text, struct ao_layer *layer)
{
    struct ao_layer *layers;
    int n;
    AO_TRY(ao_layers(model, &layers, &n));
    if (n == 0)
        return ao_fail(AOSA_ERR_UNSUPPORTED,
                       "%s: no value is a feature map [1,C,t,h,w] or [t,C,h,w] with more than one "
                       "position; the cam methods need one",
                       model->path);
    const int found = text ? find(layers, n, text) : find_default(layers, n);
    const aosa_status status = found < 0 ? no_such_layer(layers, n, text) : AOSA_OK;
    if (found >= 0)
        *layer = layers[found];
    ao_free(layers);
    return status;
}

struct ao_view ao_layer_view(const struct ao_layer *layer, const struct ao_view *values)
{
    struct ao_view view = { .data = values->data, .dtype = values->dtype, .shape.rank = 4 };
    const int skip = values->shape.rank - 4;
    for (int a = 0; a < 4; a++) {
        const int from = skip + (layer->frames_first && a < 2 ? 1 - a : a);
        view.shape.dims[a] = values->shape.dims[from];
        view.strides[a] = values->strides[from];
    }
    return view;
}

json_t *ao_layer_json(const struct ao_layer *layer)
{
    return json_pack("{s:{s:o, s:o, s:s, s:i, s:[I, I, I, I]}}", "layer", "value",
                     ao_json_text(layer->name), "node", ao_json_text(layer->node), "operator",
                     layer->type, "index", layer->index, "shape", (json_int_t)layer->C,
                     (json_int_t)layer->t, (json_int_t)layer->h, (json_int_t)layer->w);
}
