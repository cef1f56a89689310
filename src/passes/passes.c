/* SPDX-License-Identifier: Apache-2.0 */
#include "passes/passes.h"

#include <string.h>

#include "core/alloc.h"
#include "passes/edit.h"

static struct ao_type_count *find_type(const struct ao_passes_report *report, const char *type)
{
    for (size_t i = 0; i < report->n_types; i++)
        if (strcmp(report->types[i].type, type) == 0)
            return &report->types[i];
    return NULL;
}

static aosa_status count_types(const struct ao_graph *graph, struct ao_passes_report *report)
{
    for (size_t k = 0; k < graph->n_nodes; k++) {
        struct ao_type_count *known = find_type(report, graph->nodes[k].type);
        void *items = report->types;
        if (known)
            known->nodes++;
        if (known || report->n_types == AO_MAX_TYPES)
            continue;
        if (!ao_grow(&items, &report->cap_types, report->n_types, sizeof *report->types))
            return ao_pass_no_memory("the list of operators");
        report->types = items;
        report->types[report->n_types++] = (struct ao_type_count){ graph->nodes[k].type, 1 };
    }
    return AOSA_OK;
}

aosa_status ao_passes_run(struct ao_graph *graph, struct ao_passes_report *report)
{
    report->nodes_before = graph->n_nodes;
    AO_TRY(count_types(graph, report));
    AO_TRY(ao_pass_dead(graph, report));
    AO_TRY(ao_pass_operators(graph, report));
    AO_TRY(ao_pass_fold(graph, report));
    AO_TRY(ao_pass_transposes(graph, report));
    AO_TRY(ao_pass_no_ops(graph, report));
    AO_TRY(ao_pass_pads(graph, report));
    AO_TRY(ao_pass_batch_norm(graph, report));
    AO_TRY(ao_pass_dead(graph, report));
    AO_TRY(ao_pass_drop_values(graph));
    AO_TRY(ao_pass_infer(graph));
    AO_TRY(ao_pass_traced(graph, report));
    AO_TRY(ao_pass_batch(graph, report));
    report->nodes_after = graph->n_nodes;
    return AOSA_OK;
}

void ao_passes_report_fini(struct ao_passes_report *report)
{
    ao_free(report->types);
    ao_free(report->unsupported);
    ao_free(report->traced);
    *report = (struct ao_passes_report){ 0 };
}
