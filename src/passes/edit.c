/* SPDX-License-Identifier: Apache-2.0 */
#include "passes/edit.h"

#include <string.h>

#include "core/alloc.h"

aosa_status ao_pass_no_memory(const char *what)
{
    return ao_fail(AOSA_ERR_NOMEM,
                   "no memory for %s, or the model needs more than it may (--max-memory)", what);
}

static void count_reads(const struct ao_node *nodes, size_t n, int32_t *reads)
{
    for (size_t k = 0; k < n; k++) {
        for (int i = 0; i < nodes[k].n_in; i++)
            if (nodes[k].in[i] >= 0)
                reads[nodes[k].in[i]]++;
        for (int i = 0; i < nodes[k].n_attrs; i++) {
            if (nodes[k].attrs[i].type != AO_ATTR_BLOCK)
                continue;
            const struct ao_block *block = nodes[k].attrs[i].block;
            count_reads(block->nodes, (size_t)block->n_nodes, reads);
            for (int j = 0; j < block->n_outputs; j++)
                reads[block->outputs[j]]++;
        }
    }
}

int32_t *ao_pass_reads(const struct ao_graph *graph)
{
    int32_t *reads = ao_alloc(graph->n_values, sizeof *reads);
    if (!reads)
        return NULL;
    count_reads(graph->nodes, graph->n_nodes, reads);
    for (int i = 0; i < graph->n_outputs; i++)
        reads[graph->outputs[i]]++;
    return reads;
}

void ao_pass_set_producers(struct ao_graph *graph)
{
    for (size_t v = 0; v < graph->n_values; v++)
        graph->values[v].producer = -1;
    for (size_t k = 0; k < graph->n_nodes; k++)
        for (int i = 0; i < graph->nodes[k].n_out; i++)
            if (graph->nodes[k].out[i] >= 0)
                graph->values[graph->nodes[k].out[i]].producer = (int)k;
}

void ao_pass_keep_nodes(struct ao_graph *graph, const unsigned char *keep)
{
    size_t n = 0;
    for (size_t k = 0; k < graph->n_nodes; k++)
        if (keep[k])
            graph->nodes[n++] = graph->nodes[k];
    graph->n_nodes = n;
    ao_pass_set_producers(graph);
}

bool ao_pass_is_input(const struct ao_graph *graph, int32_t value)
{
    for (int i = 0; i < graph->n_inputs; i++)
        if (graph->inputs[i] == value)
            return true;
    return false;
}

bool ao_pass_is_output(const struct ao_graph *graph, int32_t value)
{
    for (int i = 0; i < graph->n_outputs; i++)
        if (graph->outputs[i] == value)
            return true;
    return false;
}

const struct ao_value *ao_pass_constant(const struct ao_graph *graph, const struct ao_node *node,
                                        int i)
{
    if (i >= node->n_in || node->in[i] < 0 || !graph->values[node->in[i]].data)
        return NULL;
    return &graph->values[node->in[i]];
}

aosa_status ao_pass_set_ints(struct ao_graph *graph, struct ao_node *node, const char *name,
                             const int64_t *ints, int n)
{
    int at = 0;
    while (at < node->n_attrs && strcmp(node->attrs[at].name, name) != 0)
        at++;
    const size_t n_attrs = (size_t)(at == node->n_attrs ? at + 1 : node->n_attrs);
    struct ao_attr *attrs = ao_arena_alloc(&graph->arena, n_attrs, sizeof *attrs);
    int64_t *copy = ao_arena_copy(&graph->arena, ints, (size_t)n * sizeof *ints);
    if (!attrs || !copy)
        return ao_pass_no_memory("an attribute");
    if (node->n_attrs > 0)
        memcpy(attrs, node->attrs, (size_t)node->n_attrs * sizeof *attrs);
    attrs[at] = (struct ao_attr){ .name = name, .type = AO_ATTR_INTS, .n = n, .ints = copy };
    node->attrs = attrs;
    node->n_attrs = (int)n_attrs;
    return AOSA_OK;
}

aosa_status ao_pass_append(struct ao_graph *graph, const char *name, const char *type, int n_in,
                           const int32_t *in, const struct ao_attr *attr, int32_t *out)
{
    struct ao_node node = { .name = name, .type = type, .n_in = n_in, .n_out = 1 };
    int index, value = *out;
    node.op = ao_op_find(type);
    node.in = ao_arena_copy(&graph->arena, in, (size_t)n_in * sizeof *in);
    node.out = ao_arena_alloc(&graph->arena, 1, sizeof *node.out);
    if (attr) {
        node.attrs = ao_arena_copy(&graph->arena, attr, sizeof *attr);
        node.n_attrs = 1;
    }
    if (!node.in || !node.out || (attr && !node.attrs))
        return ao_pass_no_memory("a node");
    if (value < 0)
        AO_TRY(ao_graph_add_value(graph, name, &value));
    *out = node.out[0] = value;
    AO_TRY(ao_graph_add_node(graph, &node, &index));
    return node.op->infer(graph, &graph->nodes[index]);
}

aosa_status ao_pass_new_ints(struct ao_graph *graph, const char *name, int n, const int64_t *ints,
                             int32_t *value)
{
    const struct ao_shape shape = { .rank = 1, .dims = { n } };
    const int64_t *copy = ao_arena_copy(&graph->arena, ints, (size_t)n * sizeof *ints);
    int index;
    if (!copy)
        return ao_pass_no_memory("a constant");
    AO_TRY(ao_graph_add_constant(graph, name, AO_I64, &shape, copy, &index));
    *value = index;
    return AOSA_OK;
}

/* Every value a node refers to, attributes included; after folding there are no branches left. */
static void mark_values(const struct ao_node *node, int32_t *number)
{
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] >= 0)
            number[node->in[i]] = 1;
    for (int i = 0; i < node->n_out; i++)
        if (node->out[i] >= 0)
            number[node->out[i]] = 1;
    for (int i = 0; i < node->n_attrs; i++)
        if (node->attrs[i].type == AO_ATTR_VALUE)
            number[node->attrs[i].value] = 1;
}

static void renumber(struct ao_node *node, const int32_t *number)
{
    for (int i = 0; i < node->n_in; i++)
        node->in[i] = node->in[i] >= 0 ? number[node->in[i]] : -1;
    for (int i = 0; i < node->n_out; i++)
        node->out[i] = node->out[i] >= 0 ? number[node->out[i]] : -1;
    for (int i = 0; i < node->n_attrs; i++)
        if (node->attrs[i].type == AO_ATTR_VALUE)
            node->attrs[i].value = number[node->attrs[i].value];
}

aosa_status ao_pass_drop_values(struct ao_graph *graph)
{
    int32_t *number = ao_alloc(graph->n_values, sizeof *number); /* 1: used; then the new number */
    if (!number)
        return ao_pass_no_memory("values");
    for (size_t k = 0; k < graph->n_nodes; k++)
        mark_values(&graph->nodes[k], number);
    for (int i = 0; i < graph->n_inputs; i++)
        number[graph->inputs[i]] = 1;
    for (int i = 0; i < graph->n_outputs; i++)
        number[graph->outputs[i]] = 1;
    int32_t n = 0;
    for (size_t v = 0; v < graph->n_values; v++) {
        if (!number[v])
            continue;
        graph->values[n] = graph->values[v];
        number[v] = n++;
    }
    graph->n_values = (size_t)n;
    for (size_t k = 0; k < graph->n_nodes; k++)
        renumber(&graph->nodes[k], number);
    for (int i = 0; i < graph->n_inputs; i++)
        graph->inputs[i] = number[graph->inputs[i]];
    for (int i = 0; i < graph->n_outputs; i++)
        graph->outputs[i] = number[graph->outputs[i]];
    ao_free(number);
    return AOSA_OK;
}

aosa_status ao_pass_infer(struct ao_graph *graph)
{
    for (size_t k = 0; k < graph->n_nodes; k++)
        AO_TRY(graph->nodes[k].op->infer(graph, &graph->nodes[k]));
    return AOSA_OK;
}
