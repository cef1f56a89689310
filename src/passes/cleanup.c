/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/alloc.h"
#include "passes/edit.h"

static void want_reads(const struct ao_node *node, unsigned char *wanted)
{
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] >= 0)
            wanted[node->in[i]] = 1;
    for (int i = 0; i < node->n_attrs; i++) {
        if (node->attrs[i].type != AO_ATTR_BLOCK)
            continue;
        const struct ao_block *block = node->attrs[i].block;
        for (int k = 0; k < block->n_nodes; k++)
            want_reads(&block->nodes[k], wanted);
        for (int k = 0; k < block->n_outputs; k++)
            wanted[block->outputs[k]] = 1;
    }
}

/* Marks the producers of what is read, last node first: a node's readers come after it. */
static void mark_live(const struct ao_graph *graph, unsigned char *keep, unsigned char *wanted)
{
    for (int i = 0; i < graph->n_outputs; i++)
        wanted[graph->outputs[i]] = 1;
    for (size_t k = graph->n_nodes; k-- > 0;) {
        const struct ao_node *node = &graph->nodes[k];
        for (int i = 0; i < node->n_out; i++)
            if (node->out[i] >= 0 && wanted[node->out[i]])
                keep[k] = 1;
        if (keep[k])
            want_reads(node, wanted);
    }
}

aosa_status ao_pass_dead(struct ao_graph *graph, struct ao_passes_report *report)
{
    unsigned char *keep = ao_alloc(graph->n_nodes, 1);
    unsigned char *wanted = ao_alloc(graph->n_values, 1);
    const size_t before = graph->n_nodes;
    if (keep && wanted) {
        mark_live(graph, keep, wanted);
        ao_pass_keep_nodes(graph, keep);
        report->dead += (int)(before - graph->n_nodes);
    }
    const bool done = keep && wanted;
    ao_free(keep);
    ao_free(wanted);
    return done ? AOSA_OK : ao_pass_no_memory("dead nodes");
}

static bool type_is_one_of(const struct ao_node *node, const char *const *types)
{
    for (; *types; types++)
        if (strcmp(node->type, *types) == 0)
            return true;
    return false;
}

static bool transposes_nothing(const struct ao_node *node)
{
    const struct ao_attr *perm = ao_node_attr(node, "perm");
    if (!perm || perm->type != AO_ATTR_INTS)
        return false; /* the default reverses the axes */
    for (int64_t i = 0; i < perm->n; i++)
        if (perm->ints[i] != i)
            return false;
    return true;
}

static bool pads_nothing(const struct ao_graph *graph, const struct ao_node *node)
{
    const struct ao_value *pads = ao_pass_constant(graph, node, 1);
    if (!pads || pads->dtype != AO_I64)
        return false;
    for (int64_t i = 0; i < ao_shape_count(&pads->shape); i++)
        if (((const int64_t *)pads->data)[i] != 0)
            return false;
    return true;
}

/* Whether output 0 is input 0, element by element, at any batch size. */
static bool hands_on(const struct ao_graph *graph, const struct ao_node *node)
{
    /* With types and shapes equal, these cannot have moved or changed anything. */
    static const char *const types[] = { "Reshape", "Flatten",  "Squeeze", "Unsqueeze",
                                         "Expand",  "Identity", "Dropout", "Concat",
                                         "Tile",    "Cast",     NULL };
    if (node->n_in < 1 || node->in[0] < 0 || node->n_out < 1 || node->out[0] < 0)
        return false;
    const struct ao_value *in = &graph->values[node->in[0]], *out = &graph->values[node->out[0]];
    if (in->dtype != out->dtype || !ao_shape_equal(&in->shape, &out->shape))
        return false;
    return type_is_one_of(node, types) ||
           (strcmp(node->type, "Transpose") == 0 && transposes_nothing(node)) ||
           (strcmp(node->type, "Pad") == 0 && pads_nothing(graph, node));
}

/* A graph output stays a value of its own when its input must stay one too. */
static bool may_go(const struct ao_graph *graph, const struct ao_node *node, const int32_t *reads)
{
    for (int i = 1; i < node->n_out; i++)
        if (node->out[i] >= 0 && reads[node->out[i]] > 0)
            return false; /* somebody wants the mask of a Dropout */
    if (!ao_pass_is_output(graph, node->out[0]))
        return true;
    const int32_t in = node->in[0];
    return !graph->values[in].data && !ao_pass_is_input(graph, in) && !ao_pass_is_output(graph, in);
}

/* A value that becomes a graph output takes over its name: users ask for outputs by name. */
static void move_output(struct ao_graph *graph, int32_t from, int32_t to)
{
    for (int i = 0; i < graph->n_outputs; i++) {
        if (graph->outputs[i] != from)
            continue;
        graph->outputs[i] = to;
        graph->values[to].name = graph->values[from].name;
    }
}

/* Constant indices 0, 1, 2, ... that take a whole axis: exporters write views of memory so. */
static bool gathers_everything(const struct ao_graph *graph, const struct ao_node *node)
{
    const struct ao_value *indices = ao_pass_constant(graph, node, 1);
    if (strcmp(node->type, "Gather") != 0 || !indices || indices->dtype != AO_I64)
        return false;
    const struct ao_shape *shape = &graph->values[node->in[0]].shape;
    const int64_t axis = ao_node_int(node, "axis", 0);
    const int64_t n = ao_shape_count(&indices->shape);
    if (shape->dims[axis < 0 ? axis + shape->rank : axis] != n)
        return false;
    for (int64_t i = 0; i < n; i++)
        if (((const int64_t *)indices->data)[i] != i)
            return false;
    return true;
}

/* Such a Gather keeps the order of elements: as a Reshape it works on any batch. */
static aosa_status make_reshape(struct ao_graph *graph, struct ao_node *node)
{
    const struct ao_shape out = graph->values[node->out[0]].shape;
    const struct ao_shape shape = { .rank = 1, .dims = { out.rank } };
    const int64_t *dims =
        ao_arena_copy(&graph->arena, out.dims, (size_t)out.rank * sizeof *out.dims);
    if (!dims)
        return ao_pass_no_memory("a shape");
    int value;
    AO_TRY(ao_graph_add_constant(graph, node->name, AO_I64, &shape, dims, &value));
    node->type = "Reshape";
    node->op = ao_op_find("Reshape");
    node->n_attrs = 0;
    node->in[1] = value;
    return node->op->infer(graph, node);
}

static aosa_status simplify_gathers(struct ao_graph *graph)
{
    for (size_t k = 0; k < graph->n_nodes; k++)
        if (gathers_everything(graph, &graph->nodes[k]))
            AO_TRY(make_reshape(graph, &graph->nodes[k]));
    return AOSA_OK;
}

static void remove_no_ops(struct ao_graph *graph, struct ao_passes_report *report, int32_t *alias,
                          const int32_t *reads, unsigned char *keep)
{
    for (size_t k = 0; k < graph->n_nodes; k++) {
        struct ao_node *node = &graph->nodes[k];
        for (int i = 0; i < node->n_in; i++)
            if (node->in[i] >= 0)
                node->in[i] = alias[node->in[i]];
        keep[k] = 1;
        if (!hands_on(graph, node) || !may_go(graph, node, reads))
            continue;
        alias[node->out[0]] = node->in[0];
        keep[k] = 0;
        report->no_ops++;
        move_output(graph, node->out[0], node->in[0]);
    }
}

aosa_status ao_pass_no_ops(struct ao_graph *graph, struct ao_passes_report *report)
{
    AO_TRY(simplify_gathers(graph));
    int32_t *alias = ao_alloc(graph->n_values, sizeof *alias); /* what stands for each value now */
    for (size_t v = 0; alias && v < graph->n_values; v++)
        alias[v] = (int32_t)v;
    int32_t *reads = ao_pass_reads(graph);
    unsigned char *keep = ao_alloc(graph->n_nodes, 1);
    const bool done = alias && reads && keep;
    if (done) {
        remove_no_ops(graph, report, alias, reads, keep);
        ao_pass_keep_nodes(graph, keep);
    }
    ao_free(alias);
    ao_free(reads);
    ao_free(keep);
    return done ? AOSA_OK : ao_pass_no_memory("nodes without effect");
}
