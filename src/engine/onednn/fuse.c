/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "engine/onednn/onednn.h"

static bool is_type(const struct ao_node *node, const char *type)
{
    return strcmp(node->type, type) == 0;
}

/* A value's producer and a reader run in the same part; no fusion reaches over the pause. */
static bool is_near(const struct ao_dnnl_build *build, int value, int reader)
{
    const int pause = (int)build->program->pause;
    return (build->graph->values[value].producer < pause) == (reader < pause);
}

/* The one node that reads a value, -1 when several do, the value is an output or it is not near. */
static int sole_reader(const struct ao_dnnl_build *build, const int *reader, int value)
{
    const int only = build->uses[value] == 1 ? reader[value] : -1;
    return only >= 0 && is_near(build, value, only) ? only : -1;
}

/* `value` goes into Mul twice, once through Sigmoid: x * Sigmoid(x), the activation Swish. */
static bool find_swish(const struct ao_dnnl_build *build, const int *reader, int value,
                       struct ao_dnnl_fusion *fusion)
{
    const struct ao_graph *graph = build->graph;
    const int mul = reader[value];
    if (build->uses[value] != 2 || mul < 0 || !is_type(&graph->nodes[mul], "Mul") ||
        !is_near(build, value, mul))
        return false;
    const struct ao_node *gate = &graph->nodes[mul];
    const int other = gate->in[0] == value ? gate->in[1] : gate->in[0];
    const int sigmoid = graph->values[other].producer;
    if (sigmoid < 0 || !is_type(&graph->nodes[sigmoid], "Sigmoid") ||
        graph->nodes[sigmoid].in[0] != value || sole_reader(build, reader, other) != mul)
        return false;
    fusion->act = sigmoid;
    fusion->gate = mul;
    fusion->result = gate->out[0];
    return true;
}

static void find_activation(const struct ao_dnnl_build *build, const int *reader,
                            struct ao_dnnl_fusion *fusion)
{
    dnnl_alg_kind_t kind;
    float alpha, beta;
    if (find_swish(build, reader, fusion->result, fusion))
        return;
    const int act = sole_reader(build, reader, fusion->result);
    if (act < 0 || !ao_dnnl_activation(&build->graph->nodes[act], &kind, &alpha, &beta))
        return;
    fusion->act = act;
    fusion->result = build->graph->nodes[act].out[0];
}

/* A residual Add takes the convolution that comes last, so that the other operand exists. */
static void find_residual(struct ao_dnnl_build *build, const int *reader, int conv,
                          struct ao_dnnl_fusion *fusion)
{
    const struct ao_graph *graph = build->graph;
    const int add = sole_reader(build, reader, fusion->result);
    if (add < 0 || build->owner[add] >= 0 || !is_type(&graph->nodes[add], "Add"))
        return;
    const struct ao_node *node = &graph->nodes[add];
    const int residual = node->in[0] == fusion->result ? node->in[1] : node->in[0];
    const struct ao_value *value = &graph->values[residual];
    if (value->data || value->producer > conv || value->dtype != AO_F32 ||
        value->batched != graph->values[fusion->result].batched ||
        !ao_shape_equal(&value->shape, &graph->values[fusion->result].shape))
        return;
    fusion->add = add;
    fusion->residual = residual;
    fusion->result = node->out[0];
}

static void claim(struct ao_dnnl_build *build, int node)
{
    const struct ao_dnnl_fusion *fusion = &build->fusions[node];
    const int taken[] = { fusion->add, fusion->act, fusion->gate };
    for (int i = 0; i < 3; i++)
        if (taken[i] >= 0)
            build->owner[taken[i]] = node;
}

static void find_readers(const struct ao_graph *graph, int *reader)
{
    for (size_t v = 0; v < graph->n_values; v++)
        reader[v] = -1;
    for (size_t k = 0; k < graph->n_nodes; k++)
        for (int i = 0; i < graph->nodes[k].n_in; i++)
            if (graph->nodes[k].in[i] >= 0)
                reader[graph->nodes[k].in[i]] = (int)k; /* the last one */
}

/* Convolutions first: an Add that none of them wants may still take an activation itself. */
void ao_dnnl_fuse(struct ao_dnnl_build *build, int *reader)
{
    const struct ao_graph *graph = build->graph;
    find_readers(graph, reader);
    for (size_t k = 0; k < graph->n_nodes; k++) {
        const int result = graph->nodes[k].n_out > 0 ? graph->nodes[k].out[0] : -1;
        build->owner[k] = -1;
        build->fusions[k] = (struct ao_dnnl_fusion){
            .add = -1, .residual = -1, .act = -1, .gate = -1, .result = result
        };
    }
    for (int pass = 0; pass < 2; pass++)
        for (size_t k = 0; k < graph->n_nodes; k++) {
            struct ao_dnnl_fusion *fusion = &build->fusions[k];
            const bool is_conv =
                is_type(&graph->nodes[k], "Conv") || is_type(&graph->nodes[k], "ConvGradData");
            const bool takes =
                pass == 0 ? is_conv
                          : is_type(&graph->nodes[k], "Add") || is_type(&graph->nodes[k], "Gemm");
            if (!takes || fusion->result < 0 || build->owner[k] >= 0)
                continue;
            if (is_conv)
                find_residual(build, reader, (int)k, fusion);
            find_activation(build, reader, fusion);
            claim(build, (int)k);
        }
}
