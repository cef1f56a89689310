/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "passes/edit.h"

static bool reads_batched(const struct ao_graph *graph, const struct ao_node *node)
{
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] >= 0 && graph->values[node->in[i]].batched)
            return true;
    return false;
}

aosa_status ao_pass_batch(struct ao_graph *graph, struct ao_passes_report *report)
{
    (void)report;
    for (size_t v = 0; v < graph->n_values; v++)
        graph->values[v].batched = false;
    for (int i = 0; i < graph->n_inputs; i++)
        graph->values[graph->inputs[i]].batched = true;
    graph->batchable = true;
    graph->not_batchable[0] = '\0';
    for (size_t k = 0; k < graph->n_nodes; k++) {
        const struct ao_node *node = &graph->nodes[k];
        if (!reads_batched(graph, node))
            continue;
        if (graph->batchable && !ao_op_keeps_batch(graph, node)) {
            graph->batchable = false;
            snprintf(graph->not_batchable, sizeof graph->not_batchable,
                     "node '%.80s' (%.30s) mixes the clips of a batch", node->name, node->type);
        }
        for (int i = 0; i < node->n_out; i++)
            if (node->out[i] >= 0)
                graph->values[node->out[i]].batched = true;
    }
    return AOSA_OK;
}
