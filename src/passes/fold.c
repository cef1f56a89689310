/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "core/alloc.h"
#include "passes/edit.h"

/*
 * Elements read and written and multiply-adds that folding may cost: seconds. The costliest real
 * export known (swin3d_t, attention masks of 17,142 nodes) takes 4e8; a file written to waste time
 * takes more than this.
 */
#define MAX_WORK 6e8

/* Constants on the way are large and many (0.7 GB for swin3d_t): each lives on the heap until its
 * last reader is computed, and only those that nodes still read at the end go into the arena. */
struct fold {
    struct ao_graph *graph;
    struct ao_passes_report *report;
    void **heap;    /* [value] */
    int32_t *reads; /* [value] that are still to come */
    size_t heap_bytes;
    struct ao_node *kept; /* nodes that are left to run */
    size_t n_kept, cap_kept;
    double work;
};

static aosa_status fold_nodes(struct fold *fold, struct ao_node *nodes, size_t n);

static bool is_constant(const struct fold *fold, const struct ao_node *node)
{
    if (node->op->needs_shape_only)
        return true;
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] >= 0 && !fold->graph->values[node->in[i]].data)
            return false;
    return true;
}

static aosa_status book_work(struct fold *fold, const struct ao_node *node)
{
    const struct ao_graph *graph = fold->graph;
    if (node->op->macs)
        fold->work += node->op->macs(graph, node);
    for (int i = 0; i < node->n_in && !node->op->needs_shape_only; i++)
        if (node->in[i] >= 0)
            fold->work += (double)ao_shape_count(&graph->values[node->in[i]].shape);
    for (int i = 0; i < node->n_out; i++)
        if (node->out[i] >= 0)
            fold->work += (double)ao_shape_count(&graph->values[node->out[i]].shape);
    if (fold->work > MAX_WORK)
        return ao_fail(AOSA_ERR_UNSUPPORTED,
                       "node '%s' (%s): the part of the model that does not depend on the clip "
                       "takes more than %g operations",
                       node->name, node->type, MAX_WORK);
    return AOSA_OK;
}

static struct ao_view view_of(const struct ao_value *value)
{
    return ao_view_dense((void *)(uintptr_t)value->data, value->dtype, &value->shape);
}

static aosa_status make_outputs(struct fold *fold, const struct ao_node *node, struct ao_view *out)
{
    const struct ao_arena *arena = &fold->graph->arena;
    for (int i = 0; i < node->n_out; i++) {
        const int32_t v = node->out[i];
        if (v < 0)
            continue;
        const struct ao_value *value = &fold->graph->values[v];
        const size_t bytes = ao_value_bytes(value); /* infer bounds the elements */
        const size_t used = arena->used_bytes + fold->heap_bytes;
        const bool fits =
            !arena->max_bytes || (used <= arena->max_bytes && bytes <= arena->max_bytes - used);
        fold->heap[v] = fits ? ao_alloc_raw(bytes, 1) : NULL;
        if (!fold->heap[v])
            return ao_fail(AOSA_ERR_NOMEM,
                           "node '%s' (%s): no memory for a constant of %zu bytes, or the model "
                           "needs more than it may (%zu)",
                           node->name, node->type, bytes, arena->max_bytes);
        fold->heap_bytes += bytes;
        out[i] = ao_view_dense(fold->heap[v], value->dtype, &value->shape);
    }
    return AOSA_OK;
}

static void drop_constant(struct fold *fold, int32_t v)
{
    if (!fold->heap[v])
        return;
    ao_free(fold->heap[v]);
    fold->heap[v] = NULL;
    fold->heap_bytes -= ao_value_bytes(&fold->graph->values[v]);
    fold->graph->values[v].data = NULL;
}

static aosa_status run_node(struct fold *fold, const struct ao_node *node, struct ao_view *in,
                            struct ao_view *out)
{
    struct ao_graph *graph = fold->graph;
    for (int i = 0; i < node->n_in; i++) {
        if (node->in[i] < 0)
            continue;
        AO_TRY(ao_graph_align(graph, node->in[i]));
        in[i] = view_of(&graph->values[node->in[i]]);
    }
    AO_TRY(make_outputs(fold, node, out));
    const size_t bytes = node->op->scratch ? node->op->scratch(graph, node, 1) : 0;
    void *scratch = bytes ? ao_alloc_raw(bytes, 1) : NULL;
    if (bytes && !scratch)
        return ao_pass_no_memory("a constant");
    const struct ao_op_call call = { .node = node, .in = in, .out = out, .scratch = scratch };
    node->op->forward(&call);
    ao_free(scratch);
    for (int i = 0; i < node->n_out; i++)
        if (node->out[i] >= 0)
            graph->values[node->out[i]].data = out[i].data;
    return AOSA_OK;
}

static aosa_status compute(struct fold *fold, const struct ao_node *node)
{
    AO_TRY(book_work(fold, node));
    struct ao_view *views = ao_alloc((size_t)node->n_in + (size_t)node->n_out, sizeof *views);
    if (!views)
        return ao_pass_no_memory("a constant");
    const aosa_status status = run_node(fold, node, views, views + node->n_in);
    ao_free(views);
    AO_TRY(status);
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] >= 0 && --fold->reads[node->in[i]] == 0)
            drop_constant(fold, node->in[i]);
    fold->report->folded++;
    return AOSA_OK;
}

static aosa_status keep_node(struct fold *fold, const struct ao_node *node)
{
    void *items = fold->kept;
    if (!ao_grow(&items, &fold->cap_kept, fold->n_kept, sizeof *fold->kept))
        return ao_pass_no_memory("nodes");
    fold->kept = items;
    for (int i = 0; i < node->n_out; i++)
        if (node->out[i] >= 0)
            fold->graph->values[node->out[i]].producer = (int)fold->n_kept;
    fold->kept[fold->n_kept++] = *node;
    return AOSA_OK;
}

static const struct ao_attr *branch_of(const struct ao_node *node, bool condition)
{
    const struct ao_attr *branch = ao_node_attr(node, condition ? "then_branch" : "else_branch");
    return branch && branch->type == AO_ATTR_BLOCK ? branch : NULL;
}

/* What the branch makes goes out under the names of the If. */
static aosa_status hand_out(struct fold *fold, const struct ao_node *node, struct ao_block *block)
{
    for (int i = 0; i < node->n_out; i++) {
        struct ao_node identity = { .name = node->name, .type = "Identity", .n_in = 1, .n_out = 1 };
        identity.op = ao_op_find(identity.type);
        identity.in = &block->outputs[i];
        identity.out = &node->out[i];
        if (node->out[i] >= 0)
            AO_TRY(fold_nodes(fold, &identity, 1));
    }
    return AOSA_OK;
}

/* Puts the nodes of the branch taken in the If's place. */
static aosa_status fold_if(struct fold *fold, const struct ao_node *node)
{
    const struct ao_value *condition = ao_pass_constant(fold->graph, node, 0);
    if (!condition)
        return ao_fail(AOSA_ERR_UNSUPPORTED,
                       "node '%s' (If): its condition depends on the clip; only constant ones are "
                       "supported",
                       node->name);
    if (condition->dtype != AO_BOOL || ao_shape_count(&condition->shape) != 1)
        return ao_fail(AOSA_ERR_FORMAT, "node '%s' (If): its condition is no single bool",
                       node->name);
    const struct ao_attr *branch = branch_of(node, *(const unsigned char *)condition->data != 0);
    if (!branch || branch->block->n_outputs != node->n_out)
        return ao_fail(AOSA_ERR_FORMAT, "node '%s' (If): its branches do not give %d values",
                       node->name, node->n_out);
    struct ao_block *block = branch->block;
    AO_TRY(ao_pass_find_operators(fold->graph, block->nodes, (size_t)block->n_nodes, fold->report));
    AO_TRY(fold_nodes(fold, block->nodes, (size_t)block->n_nodes));
    fold->report->branches++;
    return hand_out(fold, node, block);
}

/* Each input must be known by now: fed, constant, or made by a kept node. */
static aosa_status check_inputs(const struct ao_graph *graph, const struct ao_node *node)
{
    for (int i = 0; i < node->n_in; i++) {
        if (node->in[i] < 0)
            continue;
        const struct ao_value *value = &graph->values[node->in[i]];
        if (!value->data && value->producer < 0 && !ao_pass_is_input(graph, node->in[i]))
            return ao_fail(AOSA_ERR_UNSUPPORTED,
                           "node '%s' (%s) reads '%s', an output that is not computed at "
                           "inference",
                           node->name, node->type, value->name);
    }
    return AOSA_OK;
}

/* Branches lie inside each other at most as deep as the importer allows. */
static aosa_status fold_nodes(struct fold *fold, struct ao_node *nodes, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        struct ao_node *node = &nodes[k];
        AO_TRY(check_inputs(fold->graph, node));
        if (!node->op) {
            AO_TRY(fold_if(fold, node));
            continue;
        }
        AO_TRY(node->op->infer(fold->graph, node));
        if (is_constant(fold, node))
            AO_TRY(compute(fold, node));
        else
            AO_TRY(keep_node(fold, node));
    }
    return AOSA_OK;
}

static aosa_status check_outputs(const struct ao_graph *graph)
{
    for (int i = 0; i < graph->n_outputs; i++) {
        const struct ao_value *value = &graph->values[graph->outputs[i]];
        if (!value->data && value->producer < 0)
            return ao_fail(AOSA_ERR_UNSUPPORTED, "output '%s' is not computed at inference",
                           value->name);
    }
    return AOSA_OK;
}

/* Moves the constants that are still read into the arena, and tells the operators. */
static aosa_status keep_constants(struct fold *fold)
{
    struct ao_graph *graph = fold->graph;
    int32_t *reads = ao_pass_reads(graph);
    if (!reads)
        return ao_pass_no_memory("folding");
    for (size_t v = 0; v < graph->n_values; v++) {
        if (!fold->heap[v] || reads[v] == 0)
            continue;
        struct ao_value *value = &graph->values[v];
        const void *kept = ao_arena_copy(&graph->arena, fold->heap[v], ao_value_bytes(value));
        if (!kept) {
            ao_free(reads);
            return ao_pass_no_memory("folded constants");
        }
        drop_constant(fold, (int32_t)v);
        value->data = kept;
    }
    ao_free(reads);
    return ao_pass_infer(graph);
}

static aosa_status fold_graph(struct fold *fold)
{
    struct ao_graph *graph = fold->graph;
    fold->heap = ao_alloc(graph->n_values, sizeof *fold->heap);
    fold->reads = ao_pass_reads(graph);
    if (!fold->heap || !fold->reads)
        return ao_pass_no_memory("folding");
    for (size_t v = 0; v < graph->n_values; v++)
        graph->values[v].producer = -1;
    AO_TRY(fold_nodes(fold, graph->nodes, graph->n_nodes));
    AO_TRY(check_outputs(graph));
    ao_free(graph->nodes);
    graph->nodes = fold->kept;
    graph->n_nodes = fold->n_kept;
    graph->cap_nodes = fold->cap_kept;
    fold->kept = NULL;
    return keep_constants(fold);
}

aosa_status ao_pass_fold(struct ao_graph *graph, struct ao_passes_report *report)
{
    struct fold fold = { .graph = graph, .report = report };
    const aosa_status status = fold_graph(&fold);
    for (size_t v = 0; fold.heap && v < graph->n_values; v++)
        drop_constant(&fold, (int32_t)v);
    ao_free(fold.heap);
    ao_free(fold.reads);
    ao_free(fold.kept);
    return status;
}
