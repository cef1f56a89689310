/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/alloc.h"
#include "passes/edit.h"

/*
 * Code that leaves the traced graph (`out.data` in kenshohara's shortcut of type A) turns what it
 * computes from the example clip into a constant of the export: Add(Conv, [1,128,4,14,14]). A
 * constant that a network means has one value per channel; position embeddings and attention
 * biases are added to tokens, not to feature maps.
 */

static bool is_feature_map(const struct ao_graph *graph, int32_t value)
{
    static const char *const makers[] = { "Conv",    "BatchNormalization",
                                          "Relu",    "AveragePool",
                                          "MaxPool", "Add" };
    const int producer = graph->values[value].producer;
    if (producer < 0)
        return false;
    for (size_t i = 0; i < sizeof makers / sizeof *makers; i++)
        if (strcmp(graph->nodes[producer].type, makers[i]) == 0)
            return graph->values[value].shape.rank >= 4;
    return false;
}

static bool is_traced(const struct ao_graph *graph, int32_t constant, int32_t other)
{
    const struct ao_value *value = &graph->values[constant];
    const struct ao_shape *shape = &value->shape;
    if (!value->data || !is_feature_map(graph, other) ||
        !ao_shape_equal(shape, &graph->values[other].shape))
        return false;
    int64_t extent = 1;
    for (int i = 2; i < shape->rank; i++)
        extent *= shape->dims[i];
    return extent > 1;
}

aosa_status ao_pass_traced(struct ao_graph *graph, struct ao_passes_report *report)
{
    for (size_t k = 0; k < graph->n_nodes; k++) {
        const struct ao_node *node = &graph->nodes[k];
        if (strcmp(node->type, "Add") != 0)
            continue;
        for (int i = 0; i < 2; i++) {
            if (!is_traced(graph, node->in[i], node->in[1 - i]))
                continue;
            void *items = report->traced;
            if (!ao_grow(&items, &report->cap_traced, report->n_traced, sizeof *report->traced))
                return ao_pass_no_memory("the list of traced constants");
            report->traced = items;
            report->traced[report->n_traced++] =
                (struct ao_traced){ node->name, graph->values[node->in[i]].shape };
        }
    }
    return AOSA_OK;
}
