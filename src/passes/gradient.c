/* SPDX-License-Identifier: Apache-2.0 */
#include "passes/gradient.h"

#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "ops/check.h"
#include "passes/edit.h"

#define MAX_NAMED 8 /* operators without a backward that a message names */

struct walk {
    const struct ao_graph *network;
    const struct ao_gradient_options *options;
    struct ao_gradient *made;
    struct ao_graph *graph; /* of made */
    bool *live;             /* [network values] what output or taps are computed from */
    bool *changes;          /* [network values] depends on the clip */
    bool *wanted;           /* [network values] depends on what a gradient is wanted of */
    int32_t *baseline;      /* [network values] */
    int32_t *grad;          /* [network values] value of dL/dv so far, -1: none yet */
    struct ao_unsupported refused[MAX_NAMED]; /* operators without a backward */
    int n_refused;
};

static aosa_status no_memory(void)
{
    return ao_pass_no_memory("the backward pass");
}

/* Sets the flags of everything that is computed from a flagged value. */
static void flag_dependents(const struct ao_graph *graph, bool *flags, bool floats_only)
{
    for (size_t k = 0; k < graph->n_nodes; k++) {
        const struct ao_node *node = &graph->nodes[k];
        bool reads = false;
        for (int i = 0; i < node->n_in; i++)
            reads |= node->in[i] >= 0 && flags[node->in[i]];
        for (int i = 0; i < node->n_out && reads; i++)
            if (node->out[i] >= 0 &&
                (!floats_only || ao_dtype_is_float(graph->values[node->out[i]].dtype)))
                flags[node->out[i]] = true;
    }
}

static bool makes_live(const struct walk *walk, const struct ao_node *node)
{
    for (int i = 0; i < node->n_out; i++)
        if (node->out[i] >= 0 && walk->live[node->out[i]])
            return true;
    return false;
}

static void flag_live(struct walk *walk)
{
    const struct ao_graph *network = walk->network;
    walk->live[network->outputs[0]] = true;
    for (int i = 0; i < walk->options->n_taps; i++)
        walk->live[walk->options->taps[i]] = true;
    for (size_t k = network->n_nodes; k-- > 0;) {
        const struct ao_node *node = &network->nodes[k];
        if (!makes_live(walk, node))
            continue;
        for (int i = 0; i < node->n_in; i++)
            if (node->in[i] >= 0)
                walk->live[node->in[i]] = true;
        for (int i = 0; i < node->n_out; i++) /* made, though nobody may read them */
            if (node->out[i] >= 0)
                walk->live[node->out[i]] = true;
    }
}

static aosa_status check_taps(const struct walk *walk)
{
    for (int i = 0; i < walk->options->n_taps; i++) {
        const int32_t v = walk->options->taps[i];
        if (v < 0 || (size_t)v >= walk->network->n_values)
            return ao_fail(AOSA_ERR_ARGUMENT, "tap %d is value %d, the network has %zu", i, (int)v,
                           walk->network->n_values);
        const struct ao_value *value = &walk->network->values[v];
        if (!ao_dtype_is_float(value->dtype))
            return ao_fail(AOSA_ERR_ARGUMENT, "tap %d ('%s') is %s: only floats have a gradient", i,
                           value->name ? value->name : "", ao_dtype_name(value->dtype));
    }
    return AOSA_OK;
}

static aosa_status flag_values(struct walk *walk)
{
    const size_t n = walk->network->n_values;
    walk->live = ao_alloc(n, sizeof *walk->live);
    walk->changes = ao_alloc(n, sizeof *walk->changes);
    walk->wanted = ao_alloc(n, sizeof *walk->wanted);
    walk->baseline = ao_alloc(n, sizeof *walk->baseline);
    walk->grad = ao_alloc(n, sizeof *walk->grad);
    if (!walk->live || !walk->changes || !walk->wanted || !walk->baseline || !walk->grad)
        return no_memory();
    const int32_t clip = walk->network->inputs[0];
    for (size_t v = 0; v < n; v++) {
        walk->grad[v] = -1;
        walk->baseline[v] = (int32_t)v;
    }
    flag_live(walk);
    walk->changes[clip] = true;
    flag_dependents(walk->network, walk->changes, false);
    walk->wanted[clip] = walk->options->clip;
    for (int i = 0; i < walk->options->n_taps; i++)
        walk->wanted[walk->options->taps[i]] = true;
    flag_dependents(walk->network, walk->wanted, true);
    return AOSA_OK;
}

/* Values keep their numbers; those that nothing reads any more have no producer and no size. */
static aosa_status copy_network(struct walk *walk)
{
    const struct ao_graph *network = walk->network;
    int index;
    for (size_t v = 0; v < network->n_values; v++) {
        AO_TRY(ao_graph_add_value(walk->graph, network->values[v].name, &index));
        if (walk->live[v] || ao_pass_is_input(network, (int32_t)v))
            walk->graph->values[v] = network->values[v];
    }
    for (size_t k = 0; k < network->n_nodes; k++)
        if (makes_live(walk, &network->nodes[k]))
            AO_TRY(ao_graph_add_node(walk->graph, &network->nodes[k], &index));
    return AOSA_OK;
}

/* A new value with the type and shape of another. */
static aosa_status add_alike(struct walk *walk, int32_t like, const char *name, int32_t *value)
{
    int made;
    AO_TRY(ao_graph_add_value(walk->graph, name, &made));
    const struct ao_value *model = &walk->graph->values[like];
    walk->graph->values[made].dtype = model->dtype;
    walk->graph->values[made].shape = model->shape;
    *value = made;
    return AOSA_OK;
}

static aosa_status copy_node(struct walk *walk, const struct ao_node *node)
{
    struct ao_arena *arena = &walk->graph->arena;
    struct ao_node copy = *node;
    int index;
    copy.in = ao_arena_copy(arena, node->in, (size_t)node->n_in * sizeof *node->in);
    copy.out = ao_arena_copy(arena, node->out, (size_t)node->n_out * sizeof *node->out);
    if (!copy.in || !copy.out)
        return no_memory();
    for (int i = 0; i < copy.n_in; i++)
        if (copy.in[i] >= 0)
            copy.in[i] = walk->baseline[copy.in[i]];
    for (int i = 0; i < copy.n_out; i++)
        if (copy.out[i] >= 0) {
            const int32_t v = copy.out[i];
            AO_TRY(add_alike(walk, v, walk->network->values[v].name, &copy.out[i]));
            walk->baseline[v] = copy.out[i];
        }
    return ao_graph_add_node(walk->graph, &copy, &index);
}

/* The network once more, as far as it depends on the clip, for the baseline's clip. */
static aosa_status copy_baseline(struct walk *walk, int32_t input)
{
    const struct ao_graph *network = walk->network;
    walk->baseline[network->inputs[0]] = input;
    for (size_t k = 0; k < network->n_nodes; k++) {
        const struct ao_node *node = &network->nodes[k];
        bool changes = false;
        for (int i = 0; i < node->n_in; i++)
            changes |= node->in[i] >= 0 && walk->changes[node->in[i]];
        if (changes && makes_live(walk, node))
            AO_TRY(copy_node(walk, node));
    }
    return AOSA_OK;
}

static aosa_status add_inputs(struct walk *walk)
{
    struct ao_graph *graph = walk->graph;
    const int n = walk->network->n_inputs;
    graph->inputs = ao_arena_alloc(&graph->arena, (size_t)n + 2, sizeof *graph->inputs);
    if (!graph->inputs)
        return no_memory();
    memcpy(graph->inputs, walk->network->inputs, (size_t)n * sizeof *graph->inputs);
    graph->n_inputs = n;
    walk->made->clip_input = 0;
    walk->made->baseline_input = -1;
    if (walk->options->rescale) {
        int32_t *input = &graph->inputs[graph->n_inputs];
        AO_TRY(add_alike(walk, graph->inputs[0], "baseline", input));
        walk->made->baseline_input = graph->n_inputs++;
    }
    walk->made->seed_input = graph->n_inputs;
    AO_TRY(add_alike(walk, walk->network->outputs[0], "seed", &graph->inputs[graph->n_inputs]));
    graph->n_inputs++;
    return AOSA_OK;
}

static void note_refusal(struct walk *walk, const struct ao_node *node)
{
    for (int i = 0; i < walk->n_refused; i++)
        if (strcmp(walk->refused[i].type, node->type) == 0) {
            walk->refused[i].count++;
            return;
        }
    if (walk->n_refused < MAX_NAMED)
        walk->refused[walk->n_refused++] = (struct ao_unsupported){ node->type, node->name, 1 };
}

static aosa_status report_refusals(const struct walk *walk)
{
    char text[AO_ERROR_TEXT] = "";
    size_t used = 0;
    if (walk->n_refused == 0)
        return AOSA_OK;
    for (int i = 0; i < walk->n_refused && used < sizeof text; i++) {
        const struct ao_unsupported *item = &walk->refused[i];
        char more[24] = "";
        if (item->count > 1)
            snprintf(more, sizeof more, " and %d more", item->count - 1);
        const int n = snprintf(text + used, sizeof text - used, "%s%.24s (node '%.40s'%s)",
                               i > 0 ? ", " : "", item->type, item->node, more);
        used += n > 0 ? (size_t)n : 0;
    }
    return ao_fail(AOSA_ERR_UNSUPPORTED,
                   "no backward for %s; methods that only run the network forward still work",
                   text);
}

/* dL/dv is the sum over the readers of v. */
static aosa_status add_gradient(struct walk *walk, int32_t v, int32_t gradient)
{
    const int32_t both[] = { walk->grad[v], gradient };
    if (both[0] < 0)
        walk->grad[v] = gradient;
    else
        AO_TRY(ao_vjp_node(walk->graph, "Add", both, 2, NULL, 0, &walk->grad[v]));
    return AOSA_OK;
}

/* Any gradient, so that the walk goes on and finds the other operators to name. */
static aosa_status answer_zeros(struct walk *walk, struct ao_vjp *vjp)
{
    note_refusal(walk, &vjp->node);
    for (int i = 0; i < vjp->node.n_in; i++)
        if (vjp->wanted[i])
            AO_TRY(ao_vjp_zeros(walk->graph, vjp->node.in[i], &vjp->grad_in[i]));
    return AOSA_OK;
}

static aosa_status ask(struct walk *walk, struct ao_vjp *vjp)
{
    const struct ao_op *op = vjp->node.op;
    const aosa_status status = op->vjp ? op->vjp(vjp) : AOSA_ERR_UNSUPPORTED;
    if (status == AOSA_ERR_UNSUPPORTED)
        AO_TRY(answer_zeros(walk, vjp));
    else
        AO_TRY(status);
    for (int i = 0; i < vjp->node.n_in; i++)
        if (vjp->wanted[i] && vjp->grad_in[i] >= 0)
            AO_TRY(add_gradient(walk, vjp->node.in[i], vjp->grad_in[i]));
    return AOSA_OK;
}

/* Takes the answer of one node if its outputs influence L and somebody wants a gradient of its
 * inputs. */
static aosa_status visit(struct walk *walk, const struct ao_node *node)
{
    struct ao_arena *arena = &walk->graph->arena;
    int32_t *grad_out = ao_arena_alloc(arena, (size_t)node->n_out, sizeof *grad_out);
    int32_t *grad_in = ao_arena_alloc(arena, (size_t)node->n_in, sizeof *grad_in);
    bool *wanted = ao_arena_alloc(arena, (size_t)node->n_in, sizeof *wanted);
    if (!grad_out || !grad_in || !wanted)
        return no_memory();
    bool reached = false, any = false;
    for (int i = 0; i < node->n_out; i++) {
        grad_out[i] = node->out[i] >= 0 ? walk->grad[node->out[i]] : -1;
        reached |= grad_out[i] >= 0;
    }
    for (int i = 0; i < node->n_in; i++) {
        grad_in[i] = -1;
        wanted[i] = node->in[i] >= 0 && walk->wanted[node->in[i]];
        any |= wanted[i];
    }
    struct ao_vjp vjp = { .graph = walk->graph,
                          .node = *node,
                          .grad_out = grad_out,
                          .wanted = wanted,
                          .grad_in = grad_in,
                          .relu = walk->options->relu,
                          .baseline = walk->options->rescale ? walk->baseline : NULL };
    return reached && any ? ask(walk, &vjp) : AOSA_OK;
}

static aosa_status walk_back(struct walk *walk)
{
    const struct ao_graph *network = walk->network;
    if (walk->wanted[network->outputs[0]])
        walk->grad[network->outputs[0]] = walk->graph->inputs[walk->made->seed_input];
    for (size_t k = network->n_nodes; k-- > 0;)
        if (makes_live(walk, &network->nodes[k]))
            AO_TRY(visit(walk, &network->nodes[k]));
    return report_refusals(walk);
}

/* What is no node's result is handed on by one: outputs lie apart from inputs. */
static aosa_status add_output(struct walk *walk, int32_t value)
{
    struct ao_graph *graph = walk->graph;
    if (graph->values[value].producer < 0)
        AO_TRY(ao_vjp_node(graph, "Identity", &value, 1, NULL, 0, &value));
    graph->outputs[graph->n_outputs++] = value;
    return AOSA_OK;
}

static aosa_status add_gradient_output(struct walk *walk, int32_t v)
{
    int32_t gradient = walk->grad[v];
    if (gradient < 0)
        AO_TRY(ao_vjp_zeros(walk->graph, v, &gradient));
    return add_output(walk, gradient);
}

static aosa_status add_outputs(struct walk *walk)
{
    const struct ao_gradient_options *options = walk->options;
    struct ao_graph *graph = walk->graph;
    const size_t n = 2 + 2 * (size_t)options->n_taps;
    graph->outputs = ao_arena_alloc(&graph->arena, n, sizeof *graph->outputs);
    if (!graph->outputs)
        return no_memory();
    AO_TRY(add_output(walk, walk->network->outputs[0]));
    walk->made->clip_output = options->clip ? graph->n_outputs : -1;
    if (options->clip)
        AO_TRY(add_gradient_output(walk, walk->network->inputs[0]));
    walk->made->first_tap = graph->n_outputs;
    for (int i = 0; i < options->n_taps; i++) {
        AO_TRY(add_output(walk, options->taps[i]));
        AO_TRY(add_gradient_output(walk, options->taps[i]));
    }
    return AOSA_OK;
}

static aosa_status build(struct walk *walk)
{
    struct ao_passes_report report = { 0 };
    AO_TRY(check_taps(walk));
    AO_TRY(flag_values(walk));
    AO_TRY(copy_network(walk));
    AO_TRY(add_inputs(walk));
    if (walk->options->rescale)
        AO_TRY(copy_baseline(walk, walk->graph->inputs[walk->made->baseline_input]));
    walk->made->n_forward = walk->graph->n_nodes;
    AO_TRY(walk_back(walk));
    AO_TRY(add_outputs(walk));
    return ao_pass_batch(walk->graph, &report);
}

aosa_status ao_gradient_create(const struct ao_graph *network,
                               const struct ao_gradient_options *options,
                               struct ao_gradient **gradient)
{
    struct ao_gradient *made = ao_alloc(1, sizeof *made);
    if (!made)
        return no_memory();
    ao_graph_init(&made->graph, 0);
    made->graph.files = network->files;
    made->graph.budget = network->budget;
    struct walk walk = {
        .network = network, .options = options, .made = made, .graph = &made->graph
    };
    const aosa_status status = build(&walk);
    ao_free(walk.live);
    ao_free(walk.changes);
    ao_free(walk.wanted);
    ao_free(walk.baseline);
    ao_free(walk.grad);
    if (status != AOSA_OK) {
        ao_gradient_destroy(&made);
        return status;
    }
    *gradient = made;
    return AOSA_OK;
}

void ao_gradient_destroy(struct ao_gradient **gradient)
{
    if (!*gradient)
        return;
    ao_graph_fini(&(*gradient)->graph);
    ao_free(*gradient);
    *gradient = NULL;
}

aosa_status ao_gradient_check(const struct ao_graph *network,
                              const struct ao_gradient_options *options)
{
    struct ao_gradient *gradient = NULL;
    const aosa_status status = ao_gradient_create(network, options, &gradient);
    ao_gradient_destroy(&gradient);
    return status;
}
