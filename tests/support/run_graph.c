/* SPDX-License-Identifier: Apache-2.0 */
#include "support/run_graph.h"

#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"
#include "ops/op.h"

#define SLOTS 16

static struct ao_view view_of(const struct ao_graph *graph, void **memory, int32_t v)
{
    const struct ao_value *value = &graph->values[v];
    void *data = value->data ? (void *)(uintptr_t)value->data : memory[v];
    return ao_view_dense(data, value->dtype, &value->shape);
}

static void *new_value(const struct ao_value *value)
{
    void *data = ao_alloc((size_t)ao_shape_count(&value->shape), ao_dtype_size(value->dtype));
    if (!data)
        abort();
    return data;
}

static void run_node(const struct ao_graph *graph, const struct ao_node *node, void **memory)
{
    struct ao_view in[SLOTS] = { 0 }, out[SLOTS] = { 0 };
    if (node->n_in > SLOTS || node->n_out > SLOTS)
        abort();
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] >= 0)
            in[i] = view_of(graph, memory, node->in[i]);
    for (int i = 0; i < node->n_out; i++) {
        if (node->out[i] < 0)
            continue;
        memory[node->out[i]] = new_value(&graph->values[node->out[i]]);
        out[i] = view_of(graph, memory, node->out[i]);
    }
    void *scratch = ao_alloc(node->op->scratch ? node->op->scratch(graph, node, 1) : 0, 1);
    const struct ao_op_call call = { .node = node, .in = in, .out = out, .scratch = scratch };
    node->op->forward(&call);
    ao_free(scratch);
}

int64_t run_graph(struct ao_graph *graph, const float *input, float *output)
{
    void **memory = ao_alloc(graph->n_values, sizeof *memory);
    if (!memory)
        abort();
    if (graph->n_inputs > 0) {
        const struct ao_value *value = &graph->values[graph->inputs[0]];
        memory[graph->inputs[0]] = new_value(value);
        memcpy(memory[graph->inputs[0]], input,
               (size_t)ao_shape_count(&value->shape) * sizeof *input);
    }
    for (size_t k = 0; k < graph->n_nodes; k++)
        run_node(graph, &graph->nodes[k], memory);
    const struct ao_view result = view_of(graph, memory, graph->outputs[0]);
    const int64_t n = ao_shape_count(&result.shape);
    memcpy(output, result.data, (size_t)n * sizeof *output);
    for (size_t v = 0; v < graph->n_values; v++)
        ao_free(memory[v]);
    ao_free(memory);
    return n;
}
