/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/delta/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"

/* Rows of a batch, and floats of a patch, are numbered in 32 bits. */
#define MOST_POSITIONS ((int64_t)1 << 26)

/* Behind a node without a rule at most this part of the work may stand. */
#define TAIL_SHARE 0.02

bool ao_delta_lift(const struct ao_shape *shape, struct ao_delta_extent *extent)
{
    if (shape->rank < 2 || shape->rank > 5 || shape->dims[0] != 1)
        return false;
    *extent = (struct ao_delta_extent){ .C = shape->dims[1], .dims = { 1, 1, 1 } };
    for (int i = 2; i < shape->rank; i++)
        extent->dims[3 - shape->rank + i] = shape->dims[i];
    return extent->C > 0 && ao_delta_positions(extent) > 0;
}

void ao_delta_set(struct ao_delta *delta, int32_t value, const struct ao_delta_extent *extent,
                  int32_t of)
{
    struct ao_delta_value *v = &delta->values[value];
    v->changed = true;
    v->extent = *extent;
    v->of = of;
    v->keep = -1;
    const int64_t positions = ao_delta_positions(extent);
    delta->max_positions = positions > delta->max_positions ? positions : delta->max_positions;
}

void ao_delta_keep(struct ao_delta *delta, int32_t value)
{
    struct ao_delta_value *v = &delta->values[value];
    if (v->keep >= 0)
        return;
    v->keep = delta->base_floats;
    delta->base_floats += v->extent.C * ao_delta_positions(&v->extent);
}

aosa_status ao_delta_add_step(struct ao_delta *delta, const struct ao_node *node, int output,
                              enum ao_delta_rule rule, const struct ao_delta_extent *extent,
                              struct ao_delta_step **step)
{
    struct ao_delta_step *made = &delta->steps[delta->n_steps];
    *made = (struct ao_delta_step){
        .rule = rule,
        .node = node,
        .out = node->out[output],
        .add = AO_NO_VALUE,
        .relu_of = AO_NO_VALUE,
        .macs = node->op->macs ? node->op->macs(delta->graph, node) : 0,
    };
    snprintf(made->what, sizeof made->what, "%s", node->type);
    made->in = ao_arena_alloc(&delta->arena, (size_t)node->n_in, sizeof *made->in);
    if (!made->in)
        return ao_fail(AOSA_ERR_NOMEM, "delta walk: no memory for node '%s'", node->name);
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] >= 0 && delta->values[node->in[i]].changed)
            made->in[made->n_in++] = node->in[i];
    ao_delta_set(delta, made->out, extent, made->out);
    delta->n_steps++;
    *step = made;
    return AOSA_OK;
}

static aosa_status check_input(struct ao_delta *delta)
{
    const struct ao_graph *graph = delta->graph;
    char text[AO_SHAPE_TEXT];
    if (graph->n_inputs != 1)
        return ao_fail(AOSA_ERR_UNSUPPORTED, "delta walk: the network has %d inputs, one is needed",
                       graph->n_inputs);
    const struct ao_value *input = &graph->values[graph->inputs[0]];
    struct ao_delta_extent extent;
    if (input->dtype != AO_F32 || input->shape.rank != 5 ||
        !ao_delta_lift(&input->shape, &extent) || extent.C != 3)
        return ao_fail(AOSA_ERR_UNSUPPORTED,
                       "delta walk: the input has shape %s, [1,3,T,H,W] is needed",
                       ao_shape_text(&input->shape, text));
    ao_delta_set(delta, graph->inputs[0], &extent, graph->inputs[0]);
    ao_delta_keep(delta, graph->inputs[0]);
    return AOSA_OK;
}

/* Whether an input depends on the clip through a value that has no delta. */
static bool behind_tail(const struct ao_delta *delta, const struct ao_node *node)
{
    for (int i = 0; i < node->n_in; i++) {
        const int32_t in = node->in[i];
        if (in >= 0 && !delta->graph->values[in].data && !delta->values[in].changed)
            return true;
    }
    return false;
}

static aosa_status add_to_tail(struct ao_delta *delta, int32_t k, const char *reason)
{
    struct ao_delta_tail *tail = &delta->tail;
    const struct ao_node *node = &delta->graph->nodes[k];
    if (tail->n_nodes == 0)
        tail->reason = reason;
    tail->nodes[tail->n_nodes++] = k;
    tail->macs += node->op->macs ? node->op->macs(delta->graph, node) : 0;
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] >= 0 && delta->values[node->in[i]].changed)
            ao_delta_keep(delta, node->in[i]);
    return AOSA_OK;
}

static aosa_status place_node(struct ao_delta *delta, int32_t k)
{
    const struct ao_node *node = &delta->graph->nodes[k];
    const char *reason = "stands behind a dense node";
    bool done = false;
    if (!behind_tail(delta, node)) {
        AO_TRY(ao_delta_rule_for(delta, node, &done, &reason));
        if (!done)
            AO_TRY(ao_delta_rule_linear(delta, node, &done, &reason));
    }
    return done ? AOSA_OK : add_to_tail(delta, k, reason);
}

static aosa_status check_tail(const struct ao_delta *delta)
{
    const struct ao_delta_tail *tail = &delta->tail;
    if (tail->n_nodes == 0 || tail->macs <= TAIL_SHARE * delta->macs)
        return AOSA_OK;
    const struct ao_node *node = &delta->graph->nodes[tail->nodes[0]];
    return ao_fail(AOSA_ERR_UNSUPPORTED,
                   "delta walk: node '%s' (%s) %s, and %.0f %% of the multiply-accumulates "
                   "stand behind it: use the dense engine",
                   node->name, node->type, tail->reason, 100 * tail->macs / delta->macs);
}

/* Bases that steps read: non-linear nodes only. */
static void keep_bases(struct ao_delta *delta)
{
    for (int i = 0; i < delta->n_steps; i++) {
        const struct ao_delta_step *step = &delta->steps[i];
        const bool reads = step->rule == AO_DELTA_RELU || step->rule == AO_DELTA_POINTWISE ||
                           step->rule == AO_DELTA_MULTIPLY || step->rule == AO_DELTA_MAX_POOL ||
                           step->rule == AO_DELTA_LAYER_NORM;
        for (int k = 0; reads && k < step->n_in; k++)
            ao_delta_keep(delta, step->in[k]);
    }
    const int32_t output = delta->graph->outputs[0];
    if (delta->values[output].changed)
        ao_delta_keep(delta, output);
}

static aosa_status list_kept(struct ao_delta *delta)
{
    const size_t n = delta->graph->n_values;
    delta->kept = ao_arena_alloc(&delta->arena, n, sizeof *delta->kept);
    if (!delta->kept)
        return ao_fail(AOSA_ERR_NOMEM, "delta walk: no memory for %zu values", n);
    for (size_t v = 0; v < n; v++)
        if (delta->values[v].changed && delta->values[v].keep >= 0)
            delta->kept[delta->n_kept++] = (int32_t)v;
    return AOSA_OK;
}

static aosa_status reserve(struct ao_delta *delta)
{
    const struct ao_graph *graph = delta->graph;
    size_t n_outputs = 0;
    for (size_t k = 0; k < graph->n_nodes; k++)
        n_outputs += (size_t)graph->nodes[k].n_out;
    delta->values = ao_arena_alloc(&delta->arena, graph->n_values, sizeof *delta->values);
    delta->steps = ao_arena_alloc(&delta->arena, n_outputs + 1, sizeof *delta->steps);
    delta->tail.nodes =
        ao_arena_alloc(&delta->arena, graph->n_nodes + 1, sizeof *delta->tail.nodes);
    if (!delta->values || !delta->steps || !delta->tail.nodes)
        return ao_fail(AOSA_ERR_NOMEM, "delta walk: no memory for %zu nodes", graph->n_nodes);
    for (size_t v = 0; v < graph->n_values; v++)
        delta->values[v].keep = -1;
    return AOSA_OK;
}

aosa_status ao_delta_plan(struct ao_delta *delta, int threads)
{
    const struct ao_graph *graph = delta->graph;
    AO_TRY(reserve(delta));
    AO_TRY(check_input(delta));
    for (size_t k = 0; k < graph->n_nodes; k++)
        if (graph->nodes[k].op->macs)
            delta->macs += graph->nodes[k].op->macs(graph, &graph->nodes[k]);
    for (size_t k = 0; k < graph->n_nodes; k++)
        AO_TRY(place_node(delta, (int32_t)k));
    if (delta->max_positions > MOST_POSITIONS)
        return ao_fail(AOSA_ERR_UNSUPPORTED,
                       "delta walk: a value has %" PRId64 " positions, at most %" PRId64
                       " are supported: use the dense engine",
                       delta->max_positions, MOST_POSITIONS);
    AO_TRY(check_tail(delta));
    keep_bases(delta);
    ao_delta_fuse(delta);
    AO_TRY(list_kept(delta));
    for (int i = 0; i < delta->n_steps; i++)
        if (delta->steps[i].rule == AO_DELTA_CONV)
            AO_TRY(ao_delta_pack(delta, &delta->steps[i], threads));
    AO_TRY(ao_delta_tail_create(delta));
    return ao_delta_base_plan(delta, threads);
}
