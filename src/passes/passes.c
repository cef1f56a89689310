/* SPDX-License-Identifier: Apache-2.0 */
#include "passes/passes.h"

#include "core/alloc.h"
#include "passes/edit.h"

aosa_status ao_passes_run(struct ao_graph *graph, struct ao_passes_report *report)
{
    report->nodes_before = graph->n_nodes;
    AO_TRY(ao_pass_dead(graph, report));
    AO_TRY(ao_pass_operators(graph, report));
    AO_TRY(ao_pass_fold(graph, report));
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
    ao_free(report->unsupported);
    ao_free(report->traced);
    *report = (struct ao_passes_report){ 0 };
}
