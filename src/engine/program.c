/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

#include <assert.h>

#include "core/alloc.h"
#include "engine/backend.h"
#include "ops/op.h"

static const struct ao_backend_ops *const backends[] = {
    [AO_BACKEND_REFERENCE] = &ao_backend_reference,
    [AO_BACKEND_REFERENCE_F64] = &ao_backend_reference,
    [AO_BACKEND_ONEDNN] = &ao_backend_onednn,
};

struct ao_program {
    const struct ao_backend_ops *ops;
    const struct ao_graph *graph;
    void *impl;
};

struct ao_session {
    const struct ao_program *program;
    const struct ao_poll *poll;
    void *impl;
};

static aosa_status check_options(const struct ao_graph *graph,
                                 const struct ao_program_options *options)
{
    const int n_backends = (int)(sizeof backends / sizeof backends[0]);
    if ((int)options->backend < 0 || (int)options->backend >= n_backends)
        return ao_fail(AOSA_ERR_ARGUMENT, "backend %d, there are %d", (int)options->backend,
                       n_backends);
    if (options->batch < 1 || options->inner_threads < 1)
        return ao_fail(AOSA_ERR_ARGUMENT, "batch %d and %d threads: both must be at least 1",
                       options->batch, options->inner_threads);
    if (options->batch > 1 && !graph->batchable)
        return ao_fail(AOSA_ERR_SHAPE, "batch %d: this model takes one clip at a time (%s)",
                       options->batch, graph->not_batchable);
    if (options->pause > graph->n_nodes)
        return ao_fail(AOSA_ERR_ARGUMENT, "pause before node %zu, there are %zu", options->pause,
                       graph->n_nodes);
    return AOSA_OK;
}

/* Elements of every value at this batch, and their bytes, fit 64 bits. */
static aosa_status check_sizes(const struct ao_graph *graph, int batch)
{
    for (size_t i = 0; i < graph->n_values; i++) {
        const struct ao_shape shape = ao_value_shape(&graph->values[i], 1);
        int64_t dims[AO_MAX_RANK + 1], count;
        for (int d = 0; d < shape.rank; d++)
            dims[d] = shape.dims[d];
        dims[shape.rank] = batch;
        if (!ao_count(dims, shape.rank + 1, &count) || count > INT64_MAX / 64)
            return ao_fail(AOSA_ERR_NOMEM, "value %zu ('%s') at batch %d is too large", i,
                           graph->values[i].name ? graph->values[i].name : "", batch);
    }
    return AOSA_OK;
}

/* Value is constant, fed by the caller or computed by a node before `k`. */
static bool is_known(const struct ao_graph *graph, int32_t value, int64_t k)
{
    const struct ao_value *v = &graph->values[value];
    if (v->data || ao_shape_count(&v->shape) == 0 || (v->producer >= 0 && v->producer < k))
        return true;
    for (int i = 0; i < graph->n_inputs; i++)
        if (graph->inputs[i] == value)
            return true;
    return false;
}

static aosa_status check_order(const struct ao_graph *graph)
{
    const int64_t n_nodes = (int64_t)graph->n_nodes;
    for (int64_t k = 0; k < n_nodes; k++) {
        const struct ao_node *node = &graph->nodes[k];
        for (int i = 0; i < node->n_in; i++)
            if (node->in[i] >= 0 && !is_known(graph, node->in[i], k))
                return ao_fail(AOSA_ERR_FORMAT, "node '%s': nothing computes its input %d before",
                               node->name, i);
        bool wanted = false;
        for (int i = 0; i < node->n_out; i++)
            wanted |= node->out[i] >= 0;
        if (!wanted)
            return ao_fail(AOSA_ERR_FORMAT, "node '%s': none of its outputs has a name",
                           node->name);
    }
    for (int i = 0; i < graph->n_outputs; i++)
        if (!is_known(graph, graph->outputs[i], n_nodes))
            return ao_fail(AOSA_ERR_FORMAT, "nothing computes output %d of the model", i);
    return AOSA_OK;
}

static aosa_status check_graph(const struct ao_graph *graph)
{
    if (graph->n_inputs < 1 || graph->n_outputs < 1)
        return ao_fail(AOSA_ERR_FORMAT, "model has %d inputs and %d outputs, both need one",
                       graph->n_inputs, graph->n_outputs);
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (!graph->nodes[i].op)
            return ao_fail(AOSA_ERR_UNSUPPORTED, "node '%s': operator %s is not supported",
                           graph->nodes[i].name, graph->nodes[i].type);
    return check_order(graph);
}

aosa_status ao_program_create(const struct ao_graph *graph,
                              const struct ao_program_options *options, struct ao_program **program)
{
    AO_TRY(check_options(graph, options));
    AO_TRY(check_graph(graph));
    AO_TRY(check_sizes(graph, options->batch));
    struct ao_program *made = ao_alloc(1, sizeof *made);
    if (!made)
        return ao_fail(AOSA_ERR_NOMEM, "program: %zu bytes", sizeof *made);
    made->ops = backends[options->backend];
    made->graph = graph;
    const aosa_status status = made->ops->create(graph, options, &made->impl);
    if (status != AOSA_OK) {
        ao_free(made);
        return status;
    }
    *program = made;
    return AOSA_OK;
}

void ao_program_destroy(struct ao_program **program)
{
    if (!*program)
        return;
    (*program)->ops->destroy((*program)->impl);
    ao_free(*program);
    *program = NULL;
}

struct ao_program_memory ao_program_memory(const struct ao_program *program)
{
    return program->ops->memory(program->impl);
}

static size_t session_bytes(const struct ao_program *program)
{
    const struct ao_program_memory memory = ao_program_memory(program);
    return memory.activation_bytes + memory.scratch_bytes;
}

aosa_status ao_session_create(const struct ao_program *program, struct ao_session **session)
{
    struct ao_session *made = ao_alloc(1, sizeof *made);
    if (!made)
        return ao_fail(AOSA_ERR_NOMEM, "session: %zu bytes", sizeof *made);
    made->program = program;
    aosa_status status =
        ao_budget_take(program->graph->budget, session_bytes(program), "activations of one thread");
    if (status == AOSA_OK) {
        status = program->ops->session_create(program->impl, &made->impl);
        if (status != AOSA_OK)
            ao_budget_give(program->graph->budget, session_bytes(program));
    }
    if (status != AOSA_OK) {
        ao_free(made);
        return status;
    }
    *session = made;
    return AOSA_OK;
}

void ao_session_destroy(struct ao_session **session)
{
    if (!*session)
        return;
    const struct ao_program *program = (*session)->program;
    program->ops->session_destroy((*session)->impl);
    ao_budget_give(program->graph->budget, session_bytes(program));
    ao_free(*session);
    *session = NULL;
}

struct ao_view ao_session_input(const struct ao_session *session, int index)
{
    assert(index >= 0 && index < session->program->graph->n_inputs);
    return session->program->ops->input(session->impl, index);
}

struct ao_view ao_session_output(const struct ao_session *session, int index)
{
    assert(index >= 0 && index < session->program->graph->n_outputs);
    return session->program->ops->output(session->impl, index);
}

void ao_session_set_poll(struct ao_session *session, const struct ao_poll *poll)
{
    session->poll = poll;
}

aosa_status ao_poll_ask(const struct ao_poll *poll)
{
    if (poll && !poll->go_on(poll->user))
        return ao_fail(AOSA_ERR_CANCELLED, "stopped between two layers");
    return AOSA_OK;
}

aosa_status ao_session_run(struct ao_session *session)
{
    AO_TRY(ao_session_run_part(session, AO_RUN_BEFORE_PAUSE));
    return ao_session_run_part(session, AO_RUN_FROM_PAUSE);
}

aosa_status ao_session_run_part(struct ao_session *session, enum ao_run_part part)
{
    return session->program->ops->run(session->impl, part, session->poll);
}

const char *ao_backend_isa(enum ao_backend backend)
{
    return backends[backend]->isa();
}

const char *ao_backend_version(enum ao_backend backend)
{
    return backends[backend]->version();
}
