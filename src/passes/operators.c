/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "core/alloc.h"
#include "passes/edit.h"

#define MAX_LISTED 256 /* no real file names more; a hostile one is not searched for long */

static aosa_status add_missing(struct ao_passes_report *report, const struct ao_node *node)
{
    for (size_t i = 0; i < report->n_unsupported; i++) {
        if (strcmp(report->unsupported[i].type, node->type) == 0) {
            report->unsupported[i].count++;
            return AOSA_OK;
        }
    }
    if (report->n_unsupported == MAX_LISTED)
        return AOSA_OK;
    void *items = report->unsupported;
    if (!ao_grow(&items, &report->cap_unsupported, report->n_unsupported,
                 sizeof *report->unsupported))
        return ao_pass_no_memory("the list of operators");
    report->unsupported = items;
    report->unsupported[report->n_unsupported++] =
        (struct ao_unsupported){ .type = node->type, .node = node->name, .count = 1 };
    return AOSA_OK;
}

static aosa_status refuse(const struct ao_graph *graph, const struct ao_passes_report *report)
{
    const struct ao_unsupported *first = &report->unsupported[0];
    if (report->n_unsupported == 1)
        return ao_fail(AOSA_ERR_UNSUPPORTED,
                       "operator %s of opset %" PRId64 " is not supported (node '%s'): run aosa "
                       "inspect",
                       first->type, graph->opset, first->node);
    return ao_fail(AOSA_ERR_UNSUPPORTED,
                   "operator %s of opset %" PRId64 " is not supported (node '%s'), nor are %zu "
                   "other types: run aosa inspect for the list",
                   first->type, graph->opset, first->node, report->n_unsupported - 1);
}

/* If is no operator of the engine: folding replaces it by one of its branches. */
aosa_status ao_pass_find_operators(const struct ao_graph *graph, struct ao_node *nodes, size_t n,
                                   struct ao_passes_report *report)
{
    for (size_t k = 0; k < n; k++) {
        const struct ao_op *op = ao_op_find(nodes[k].type);
        nodes[k].op = op && !op->own ? op : NULL;
        if (!nodes[k].op && strcmp(nodes[k].type, "If") != 0)
            AO_TRY(add_missing(report, &nodes[k]));
    }
    return report->n_unsupported ? refuse(graph, report) : AOSA_OK;
}

aosa_status ao_pass_operators(struct ao_graph *graph, struct ao_passes_report *report)
{
    return ao_pass_find_operators(graph, graph->nodes, graph->n_nodes, report);
}
