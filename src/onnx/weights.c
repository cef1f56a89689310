/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/alloc.h"
#include "onnx/import.h"

/* Operators whose input 1 every reader takes at any address, see graph.h. */
static bool takes_weights(const struct ao_node *node, int i)
{
    static const char *const types[] = { "Conv", "Gemm", "MatMul" };
    for (size_t k = 0; i == 1 && k < sizeof types / sizeof *types; k++)
        if (strcmp(node->type, types[k]) == 0)
            return true;
    return false;
}

/* Marks what must be aligned. The importer bounds the depth of branches. */
static void mark_reads(const struct ao_node *nodes, size_t n_nodes, bool *reads)
{
    for (size_t k = 0; k < n_nodes; k++) {
        const struct ao_node *node = &nodes[k];
        for (int i = 0; i < node->n_in; i++)
            if (node->in[i] >= 0 && !takes_weights(node, i))
                reads[node->in[i]] = true;
        for (int i = 0; i < node->n_attrs; i++) {
            const struct ao_attr *attr = &node->attrs[i];
            if (attr->type == AO_ATTR_VALUE)
                reads[attr->value] = true;
            if (attr->type != AO_ATTR_BLOCK)
                continue;
            mark_reads(attr->block->nodes, (size_t)attr->block->n_nodes, reads);
            for (int j = 0; j < attr->block->n_outputs; j++)
                reads[attr->block->outputs[j]] = true;
        }
    }
}

aosa_status ao_onnx_align(struct ao_graph *graph)
{
    bool *reads = ao_alloc(graph->n_values, sizeof *reads);
    if (!reads)
        return ao_onnx_no_memory("the list of constants");
    mark_reads(graph->nodes, graph->n_nodes, reads);
    for (int i = 0; i < graph->n_outputs; i++)
        reads[graph->outputs[i]] = true;
    aosa_status status = AOSA_OK;
    for (size_t v = 0; v < graph->n_values && status == AOSA_OK; v++)
        if (reads[v])
            status = ao_graph_align(graph, (int32_t)v);
    ao_free(reads);
    return status;
}
