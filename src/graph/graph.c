/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/graph.h"

#include <stdio.h>
#include <string.h>

#include "core/alloc.h"

void ao_graph_init(struct ao_graph *graph, size_t max_bytes)
{
    *graph = (struct ao_graph){ 0 };
    ao_arena_init(&graph->arena, max_bytes);
}

void ao_graph_fini(struct ao_graph *graph)
{
    ao_free(graph->values);
    ao_free(graph->nodes);
    ao_arena_fini(&graph->arena);
    *graph = (struct ao_graph){ 0 };
}

aosa_status ao_graph_add_value(struct ao_graph *graph, const char *name, int *value)
{
    void *items = graph->values;
    if (graph->n_values >= INT32_MAX ||
        !ao_grow(&items, &graph->cap_values, graph->n_values, sizeof *graph->values))
        return ao_fail(AOSA_ERR_NOMEM, "graph: no memory for value %zu", graph->n_values + 1);
    graph->values = items;
    graph->values[graph->n_values] = (struct ao_value){ .name = name, .producer = -1 };
    *value = (int)graph->n_values++;
    return AOSA_OK;
}

static const char *default_name(struct ao_graph *graph, const char *type)
{
    char text[96];
    const int length = snprintf(text, sizeof text, "%.64s_%zu", type, graph->n_nodes);
    return ao_arena_strndup(&graph->arena, text, (size_t)length);
}

aosa_status ao_graph_add_node(struct ao_graph *graph, const struct ao_node *node, int *index)
{
    void *items = graph->nodes;
    if (graph->n_nodes >= INT32_MAX ||
        !ao_grow(&items, &graph->cap_nodes, graph->n_nodes, sizeof *graph->nodes))
        return ao_fail(AOSA_ERR_NOMEM, "graph: no memory for node %zu", graph->n_nodes + 1);
    graph->nodes = items;

    struct ao_node *added = &graph->nodes[graph->n_nodes];
    *added = *node;
    if (!added->name || !*added->name)
        added->name = default_name(graph, node->type);
    if (!added->name)
        return ao_fail(AOSA_ERR_NOMEM, "graph: no memory for the name of node %zu",
                       graph->n_nodes + 1);
    for (int i = 0; i < added->n_out; i++)
        if (added->out[i] >= 0)
            graph->values[added->out[i]].producer = (int)graph->n_nodes;
    *index = (int)graph->n_nodes++;
    return AOSA_OK;
}

aosa_status ao_graph_add_constant(struct ao_graph *graph, const char *name, enum ao_dtype dtype,
                                  const struct ao_shape *shape, const void *data, int *value)
{
    AO_TRY(ao_graph_add_value(graph, name, value));
    struct ao_value *added = &graph->values[*value];
    added->dtype = dtype;
    added->shape = *shape;
    added->data = data;
    return AOSA_OK;
}

aosa_status ao_graph_add_file(struct ao_graph *graph, const struct ao_file *file)
{
    const struct ao_graph_file added = { *file, graph->files };
    graph->files = ao_arena_copy(&graph->arena, &added, sizeof added);
    if (!graph->files)
        return ao_fail(AOSA_ERR_NOMEM, "graph: no memory for a file");
    return AOSA_OK;
}

size_t ao_value_bytes(const struct ao_value *value)
{
    return (size_t)ao_shape_count(&value->shape) * ao_dtype_size(value->dtype);
}

bool ao_value_is_aligned(const struct ao_value *value)
{
    return (uintptr_t)value->data % ao_dtype_size(value->dtype) == 0;
}

aosa_status ao_graph_align(struct ao_graph *graph, int32_t value)
{
    struct ao_value *moved = &graph->values[value];
    if (ao_value_is_aligned(moved))
        return AOSA_OK;
    const void *copy = ao_arena_copy(&graph->arena, moved->data, ao_value_bytes(moved));
    if (!copy)
        return ao_fail(AOSA_ERR_NOMEM, "'%s': no memory for %zu bytes of weights", moved->name,
                       ao_value_bytes(moved));
    moved->data = copy;
    return AOSA_OK;
}

void ao_graph_release(const struct ao_graph *graph, int32_t value)
{
    const struct ao_value *v = &graph->values[value];
    const uintptr_t at = (uintptr_t)v->data;
    for (const struct ao_graph_file *f = graph->files; v->data && f; f = f->next)
        if (at - (uintptr_t)f->file.bytes < f->file.size)
            ao_file_release(&(struct ao_file){ v->data, ao_value_bytes(v) });
}

const struct ao_attr *ao_node_attr(const struct ao_node *node, const char *name)
{
    for (int i = 0; i < node->n_attrs; i++)
        if (strcmp(node->attrs[i].name, name) == 0)
            return &node->attrs[i];
    return NULL;
}

int64_t ao_node_int(const struct ao_node *node, const char *name, int64_t initial)
{
    const struct ao_attr *attr = ao_node_attr(node, name);
    return attr && attr->type == AO_ATTR_INT ? attr->i : initial;
}

double ao_node_float(const struct ao_node *node, const char *name, double initial)
{
    const struct ao_attr *attr = ao_node_attr(node, name);
    return attr && attr->type == AO_ATTR_FLOAT ? (double)attr->f : initial;
}

const char *ao_node_text(const struct ao_node *node, const char *name, const char *initial)
{
    const struct ao_attr *attr = ao_node_attr(node, name);
    return attr && attr->type == AO_ATTR_TEXT ? attr->text : initial;
}

struct ao_shape ao_value_shape(const struct ao_value *value, int64_t batch)
{
    struct ao_shape shape = value->shape;
    if (value->batched && shape.rank > 0)
        shape.dims[0] *= batch;
    return shape;
}

/* A node that reads the value twice counts twice: a fusion must replace every reader. */
static int count_reads(const struct ao_node *nodes, size_t n_nodes, int value)
{
    int reads = 0;
    for (size_t k = 0; k < n_nodes; k++) {
        for (int i = 0; i < nodes[k].n_in; i++)
            reads += nodes[k].in[i] == value;
        for (int i = 0; i < nodes[k].n_attrs; i++) {
            const struct ao_attr *attr = &nodes[k].attrs[i];
            if (attr->type != AO_ATTR_BLOCK)
                continue;
            /* The importer bounds the depth of blocks. */
            reads += count_reads(attr->block->nodes, (size_t)attr->block->n_nodes, value);
            for (int j = 0; j < attr->block->n_outputs; j++)
                reads += attr->block->outputs[j] == value;
        }
    }
    return reads;
}

int ao_graph_uses(const struct ao_graph *graph, int value)
{
    int uses = count_reads(graph->nodes, graph->n_nodes, value);
    for (int i = 0; i < graph->n_outputs; i++)
        uses += graph->outputs[i] == value;
    return uses;
}
