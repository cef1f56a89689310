/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/delta/internal.h"

#include "core/alloc.h"

/* What is asked for is behind the value, so nodes after the one that makes it are not needed, and
 * those before it keep their numbers. */
static aosa_status end_at(struct ao_delta *delta, int32_t value)
{
    struct ao_graph *until = &delta->until;
    *until = *delta->graph;
    until->n_nodes = (size_t)(delta->graph->values[value].producer + 1);
    until->n_outputs = 1;
    until->outputs = ao_arena_alloc(&delta->arena, 1, sizeof *until->outputs);
    if (!until->outputs)
        return ao_fail(AOSA_ERR_NOMEM, "delta walk: no memory for its end");
    until->outputs[0] = value;
    delta->graph = until;
    return AOSA_OK;
}

static aosa_status check_tracked(const struct ao_delta *delta, int32_t value)
{
    const struct ao_graph *graph = delta->graph;
    if (delta->values[value].changed)
        return AOSA_OK;
    return ao_fail(AOSA_ERR_UNSUPPORTED,
                   "delta walk: node '%s' %s, so that changes of '%s' are not tracked",
                   graph->nodes[delta->tail.nodes[0]].name, delta->tail.reason,
                   graph->values[value].name ? graph->values[value].name : "");
}

/* `value` is where the walk ends, or AO_NO_VALUE. */
static aosa_status plan(struct ao_delta *delta, int32_t value, int threads)
{
    if (value == AO_NO_VALUE)
        return ao_delta_plan(delta, threads);
    AO_TRY(end_at(delta, value));
    AO_TRY(ao_delta_plan(delta, threads));
    return check_tracked(delta, value);
}

static aosa_status create(const struct ao_graph *graph, int32_t value, int threads,
                          struct ao_delta **result)
{
    enum ao_isa isa;
    const char *asked = ao_isa_asked();
    if (asked && !ao_isa_parse(asked, &isa))
        return ao_fail(AOSA_ERR_ARGUMENT, "AOSA_ISA=%s: give one of %s", asked, AO_ISA_CHOICES);
    struct ao_delta *delta = ao_alloc(1, sizeof *delta);
    if (!delta)
        return ao_fail(AOSA_ERR_NOMEM, "delta walk: %zu bytes", sizeof *delta);
    delta->graph = graph;
    delta->kernels = ao_kernels();
    ao_arena_init(&delta->arena, 0);
    const aosa_status status = plan(delta, value, threads);
    if (status != AOSA_OK) {
        ao_delta_destroy(&delta);
        return status;
    }
    *result = delta;
    return AOSA_OK;
}

aosa_status ao_delta_create(const struct ao_graph *graph, int threads, struct ao_delta **result)
{
    return create(graph, AO_NO_VALUE, threads, result);
}

aosa_status ao_delta_create_until(const struct ao_graph *graph, int32_t value, int threads,
                                  struct ao_delta **result)
{
    return create(graph, value, threads, result);
}

void ao_delta_destroy(struct ao_delta **delta)
{
    struct ao_delta *d = *delta;
    if (!d)
        return;
    for (int i = 0; i < d->n_steps; i++) {
        ao_free(d->steps[i].conv.weights);
        for (int f = 0; f < d->steps[i].n_winograd; f++)
            ao_free(d->steps[i].winograd[f].weights);
    }
    ao_budget_give(d->graph->budget, d->weight_bytes);
    ao_program_destroy(&d->program);
    ao_arena_fini(&d->arena);
    ao_free(d);
    *delta = NULL;
}

int64_t ao_delta_outputs(const struct ao_delta *delta)
{
    return ao_shape_count(&delta->graph->values[delta->graph->outputs[0]].shape);
}

size_t ao_delta_weight_bytes(const struct ao_delta *delta)
{
    const size_t walk = delta->arena.used_bytes + delta->weight_bytes;
    return walk + (delta->program ? ao_program_memory(delta->program).weight_bytes : 0);
}

int ao_delta_stages(const struct ao_delta *delta)
{
    return delta->n_steps + (delta->tail.n_nodes > 0);
}

struct ao_delta_stage ao_delta_stage(const struct ao_delta *delta,
                                     const struct ao_delta_session *session, int stage)
{
    const bool tail = stage == delta->n_steps;
    const struct ao_delta_step *step = &delta->steps[stage];
    const struct ao_delta_stat *stat = &session->stats[stage];
    return (struct ao_delta_stage){
        .node = tail ? delta->graph->nodes[delta->tail.nodes[0]].name : step->node->name,
        .what = tail ? "dense tail" : step->what,
        .macs_dense = tail ? delta->tail.macs : step->macs,
        .macs_done = stat->macs_done,
        .macs_reached = stat->macs_reached,
        .rows = stat->rows,
        .seconds = stat->seconds,
    };
}

const char *ao_delta_dense_from(const struct ao_delta *delta, const char **reason)
{
    for (int i = 0; i < delta->n_steps; i++)
        if (delta->steps[i].everywhere) {
            *reason = "multiplies by a gate that changes everywhere";
            return delta->steps[i].node->name;
        }
    if (delta->tail.n_nodes == 0)
        return "";
    *reason = delta->tail.reason;
    return delta->graph->nodes[delta->tail.nodes[0]].name;
}
