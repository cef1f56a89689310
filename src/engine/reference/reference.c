/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/backend.h"

#include <string.h>

#include "core/alloc.h"
#include "engine/plan.h"
#include "ops/element.h"
#include "ops/op.h"

/*
 * The operators' own loops, node by node, over row-major values. In double precision every float32
 * value is stored as float64, constants included, so that nothing is rounded to float on the way:
 * the oracle the other backends are measured against.
 */

struct reference_program {
    const struct ao_graph *graph;
    struct ao_view *views; /* [n_values] at this batch; data only for constants */
    struct ao_span *spans; /* [n_values] places in a session's block */
    char *constants;       /* constants widened to double, or NULL */
    struct ao_program_memory memory;
    size_t n_links; /* inputs and outputs of all nodes together */
    size_t pause;   /* node */
};

struct reference_session {
    const struct reference_program *program;
    char *block, *scratch;
    struct ao_view *values;            /* [n_values] */
    struct ao_view *links;             /* [n_links]: node by node, its inputs, then its outputs */
    const struct ao_view *pause_links; /* those of the node of the pause */
};

static void program_destroy(void *opaque)
{
    struct reference_program *program = opaque;
    ao_free(program->views);
    ao_free(program->spans);
    ao_free(program->constants);
    ao_budget_give(program->graph->budget, program->memory.weight_bytes);
    ao_free(program);
}

static size_t view_bytes(const struct ao_view *view)
{
    return (size_t)ao_shape_count(&view->shape) * ao_dtype_size(view->dtype);
}

/* Constants stay where they are unless their type widens or they are not aligned. */
static aosa_status place_constants(struct reference_program *program)
{
    const struct ao_graph *graph = program->graph;
    struct ao_span *spans = program->spans;
    for (size_t i = 0; i < graph->n_values; i++) {
        const struct ao_value *value = &graph->values[i];
        const bool copied =
            value->data && (program->views[i].dtype != value->dtype || !ao_value_is_aligned(value));
        /* All alive together: one after the other. */
        spans[i] = (struct ao_span){ .bytes = copied ? view_bytes(&program->views[i]) : 0 };
    }
    AO_TRY(ao_plan_pack(spans, graph->n_values, &program->memory.weight_bytes));
    if (program->memory.weight_bytes == 0)
        return AOSA_OK;
    const size_t bytes = program->memory.weight_bytes;
    program->memory.weight_bytes = 0; /* of which nothing is booked yet */
    AO_TRY(ao_budget_take(graph->budget, bytes, "copied weights"));
    program->memory.weight_bytes = bytes;
    program->constants = ao_alloc_raw(bytes, 1);
    if (!program->constants)
        return ao_fail(AOSA_ERR_NOMEM, "copied weights: no memory for %zu bytes", bytes);
    for (size_t i = 0; i < graph->n_values; i++) {
        if (spans[i].bytes == 0)
            continue;
        program->views[i].data = program->constants + spans[i].offset;
        ao_constant_convert(&program->views[i], &graph->values[i]);
        ao_graph_release(graph, (int32_t)i);
    }
    return AOSA_OK;
}

static aosa_status place_activations(struct reference_program *program, int batch)
{
    const struct ao_graph *graph = program->graph;
    ao_plan_lifetimes(graph, program->spans);
    for (size_t i = 0; i < graph->n_values; i++)
        program->spans[i].bytes = graph->values[i].data ? 0 : view_bytes(&program->views[i]);
    AO_TRY(ao_plan_pack(program->spans, graph->n_values, &program->memory.activation_bytes));
    for (size_t k = 0; k < graph->n_nodes; k++) {
        const struct ao_node *node = &graph->nodes[k];
        const size_t bytes = node->op->scratch ? node->op->scratch(graph, node, batch) : 0;
        if (bytes > program->memory.scratch_bytes)
            program->memory.scratch_bytes = bytes;
        program->n_links += (size_t)(node->n_in + node->n_out);
    }
    return AOSA_OK;
}

static void describe_values(struct reference_program *program,
                            const struct ao_program_options *options)
{
    const struct ao_graph *graph = program->graph;
    for (size_t i = 0; i < graph->n_values; i++) {
        const struct ao_value *value = &graph->values[i];
        const struct ao_shape shape = ao_value_shape(value, options->batch);
        enum ao_dtype dtype = value->dtype;
        if (options->backend == AO_BACKEND_REFERENCE_F64 && dtype == AO_F32)
            dtype = AO_F64;
        program->views[i] = ao_view_dense((void *)(uintptr_t)value->data, dtype, &shape);
    }
}

static aosa_status fill_program(struct reference_program *program,
                                const struct ao_program_options *options)
{
    const size_t n = program->graph->n_values;
    program->views = ao_alloc(n, sizeof *program->views);
    program->spans = ao_alloc(n, sizeof *program->spans);
    if (!program->views || !program->spans)
        return ao_fail(AOSA_ERR_NOMEM, "reference program: no memory for %zu values", n);
    describe_values(program, options);
    AO_TRY(place_constants(program));
    return place_activations(program, options->batch);
}

static aosa_status program_create(const struct ao_graph *graph,
                                  const struct ao_program_options *options, void **result)
{
    struct reference_program *program = ao_alloc(1, sizeof *program);
    if (!program)
        return ao_fail(AOSA_ERR_NOMEM, "reference program: %zu bytes", sizeof *program);
    program->graph = graph;
    program->pause = options->pause;
    const aosa_status status = fill_program(program, options);
    if (status != AOSA_OK) {
        program_destroy(program);
        return status;
    }
    *result = program;
    return AOSA_OK;
}

static struct ao_program_memory program_memory(const void *program)
{
    return ((const struct reference_program *)program)->memory;
}

static void session_destroy(void *opaque)
{
    struct reference_session *session = opaque;
    ao_free(session->block);
    ao_free(session->scratch);
    ao_free(session->values);
    ao_free(session->links);
    ao_free(session);
}

/* Views of each node's inputs and outputs, so that a run only follows pointers. */
static void link_nodes(struct reference_session *session)
{
    const struct reference_program *program = session->program;
    const struct ao_graph *graph = program->graph;
    for (size_t i = 0; i < graph->n_values; i++) {
        session->values[i] = program->views[i];
        if (!session->values[i].data)
            session->values[i].data = session->block + program->spans[i].offset;
    }
    struct ao_view *link = session->links;
    for (size_t k = 0; k < graph->n_nodes; k++) {
        const struct ao_node *node = &graph->nodes[k];
        if (k == program->pause)
            session->pause_links = link;
        for (int i = 0; i < node->n_in; i++, link++)
            if (node->in[i] >= 0)
                *link = session->values[node->in[i]];
        for (int i = 0; i < node->n_out; i++, link++)
            if (node->out[i] >= 0)
                *link = session->values[node->out[i]];
    }
}

static aosa_status session_create(const void *opaque, void **result)
{
    const struct reference_program *program = opaque;
    const struct ao_program_memory *memory = &program->memory;
    struct reference_session *session = ao_alloc(1, sizeof *session);
    if (!session)
        return ao_fail(AOSA_ERR_NOMEM, "reference session: %zu bytes", sizeof *session);
    session->program = program;
    session->block = ao_alloc(memory->activation_bytes + AO_ALIGNMENT, 1);
    session->scratch = ao_alloc(memory->scratch_bytes + AO_ALIGNMENT, 1);
    session->values = ao_alloc(program->graph->n_values, sizeof *session->values);
    session->links = ao_alloc(program->n_links + 1, sizeof *session->links);
    if (!session->block || !session->scratch || !session->values || !session->links) {
        session_destroy(session);
        return ao_fail(AOSA_ERR_NOMEM, "reference session: %zu bytes of values, %zu of scratch",
                       memory->activation_bytes, memory->scratch_bytes);
    }
    link_nodes(session);
    *result = session;
    return AOSA_OK;
}

static struct ao_view session_input(const void *opaque, int index)
{
    const struct reference_session *session = opaque;
    return session->values[session->program->graph->inputs[index]];
}

static struct ao_view session_output(const void *opaque, int index)
{
    const struct reference_session *session = opaque;
    return session->values[session->program->graph->outputs[index]];
}

static aosa_status session_run(void *opaque, enum ao_run_part part, const struct ao_poll *poll)
{
    const struct reference_session *session = opaque;
    const struct ao_graph *graph = session->program->graph;
    const bool first = part == AO_RUN_BEFORE_PAUSE;
    const struct ao_view *link = first ? session->links : session->pause_links;
    const size_t end = first ? session->program->pause : graph->n_nodes;
    for (size_t k = first ? 0 : session->program->pause; k < end; k++) {
        const struct ao_node *node = &graph->nodes[k];
        const struct ao_op_call call = {
            .node = node,
            .in = link,
            .out = link + node->n_in,
            .scratch = session->scratch,
        };
        AO_TRY(ao_poll_ask(poll));
        node->op->forward(&call);
        link += node->n_in + node->n_out;
    }
    return AOSA_OK;
}

static const char *isa(void)
{
    return "c";
}

static const char *version(void)
{
    return "reference";
}

const struct ao_backend_ops ao_backend_reference = {
    .name = "reference",
    .create = program_create,
    .destroy = program_destroy,
    .memory = program_memory,
    .session_create = session_create,
    .session_destroy = session_destroy,
    .input = session_input,
    .output = session_output,
    .run = session_run,
    .isa = isa,
    .version = version,
};
