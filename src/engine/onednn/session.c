/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/alloc.h"
#include "core/parallel.h"
#include "engine/backend.h"
#include "engine/onednn/onednn.h"
#include "ops/op.h"

/* What a step is given in this session: memory objects for a primitive, views for op->forward. */
struct call {
    dnnl_exec_arg_t *args; /* the step's, then the scratchpad */
    dnnl_memory_t scratch;
    struct ao_view *views;
};

struct ao_dnnl_session {
    const struct ao_dnnl_program *program;
    dnnl_stream_t stream;
    char *block, *scratch;
    dnnl_memory_t *memories; /* [n_tensors] NULL for constants and tensors without md */
    struct call *calls;      /* [n_steps] */
    struct ao_arena arena;   /* argument lists */
};

void ao_dnnl_session_destroy(void *opaque)
{
    struct ao_dnnl_session *session = opaque;
    for (size_t i = 0; session->calls && i < session->program->n_steps; i++)
        dnnl_memory_destroy(session->calls[i].scratch);
    for (size_t i = 0; session->memories && i < session->program->n_tensors; i++)
        dnnl_memory_destroy(session->memories[i]);
    dnnl_stream_destroy(session->stream);
    ao_arena_fini(&session->arena);
    ao_free(session->calls);
    ao_free(session->memories);
    ao_free(session->block);
    ao_free(session->scratch);
    ao_free(session);
}

static struct ao_view view_of(const struct ao_dnnl_session *session, int tensor)
{
    if (tensor < 0)
        return (struct ao_view){ .data = NULL };
    const struct ao_dnnl_tensor *t = &session->program->tensors[tensor];
    struct ao_view view = t->view;
    if (!view.data)
        view.data = session->block + t->offset;
    return view;
}

static aosa_status make_memories(struct ao_dnnl_session *session)
{
    const struct ao_dnnl_program *program = session->program;
    for (size_t i = 0; i < program->n_tensors; i++) {
        const struct ao_dnnl_tensor *tensor = &program->tensors[i];
        if (!tensor->has_md || tensor->constant)
            continue;
        const dnnl_status_t status = dnnl_memory_create(
            &session->memories[i], &tensor->md, program->engine, session->block + tensor->offset);
        if (status != dnnl_success)
            return ao_dnnl_fail(status, "describe an activation", "session");
    }
    return AOSA_OK;
}

static aosa_status make_primitive_call(struct ao_dnnl_session *session,
                                       const struct ao_dnnl_step *step, struct call *call)
{
    const struct ao_dnnl_program *program = session->program;
    call->args = ao_arena_alloc(&session->arena, (size_t)step->n_args + 1, sizeof *call->args);
    if (!call->args)
        return ao_fail(AOSA_ERR_NOMEM, "session: no memory for %d arguments", step->n_args);
    for (int i = 0; i < step->n_args; i++) {
        const int tensor = step->args[i].tensor;
        const dnnl_memory_t constant = program->tensors[tensor].constant;
        call->args[i].arg = step->args[i].key;
        call->args[i].memory = constant ? constant : session->memories[tensor];
    }
    const dnnl_status_t status =
        dnnl_memory_create(&call->scratch, &step->scratch_md, program->engine, session->scratch);
    if (status != dnnl_success)
        return ao_dnnl_fail(status, "describe scratch memory", "session");
    call->args[step->n_args].arg = DNNL_ARG_SCRATCHPAD;
    call->args[step->n_args].memory = call->scratch;
    return AOSA_OK;
}

static aosa_status make_calls(struct ao_dnnl_session *session)
{
    const struct ao_dnnl_program *program = session->program;
    for (size_t k = 0; k < program->n_steps; k++) {
        const struct ao_dnnl_step *step = &program->steps[k];
        struct call *call = &session->calls[k];
        if (step->primitive) {
            AO_TRY(make_primitive_call(session, step, call));
            continue;
        }
        call->views = ao_arena_alloc(&session->arena, (size_t)step->n_args, sizeof *call->views);
        if (!call->views)
            return ao_fail(AOSA_ERR_NOMEM, "session: no memory for %d views", step->n_args);
        for (int i = 0; i < step->n_args; i++)
            call->views[i] = view_of(session, step->args[i].tensor);
    }
    return AOSA_OK;
}

/* Inputs are zero until the caller writes them; every step writes what later ones read. */
static void clear_inputs(const struct ao_dnnl_session *session)
{
    const struct ao_dnnl_program *program = session->program;
    for (int i = 0; i < program->graph->n_inputs; i++) {
        const struct ao_dnnl_tensor *input = &program->tensors[program->inputs[i]];
        memset(session->block + input->offset, 0, input->bytes);
    }
}

static aosa_status fill(struct ao_dnnl_session *session)
{
    const struct ao_dnnl_program *program = session->program;
    session->block = ao_alloc_raw(program->block_bytes ? program->block_bytes : 1, 1);
    session->scratch = ao_alloc_raw(program->scratch_bytes ? program->scratch_bytes : 1, 1);
    session->memories = ao_alloc(program->n_tensors + 1, sizeof *session->memories);
    session->calls = ao_alloc(program->n_steps + 1, sizeof *session->calls);
    if (!session->block || !session->scratch || !session->memories || !session->calls)
        return ao_fail(AOSA_ERR_NOMEM, "session: %zu bytes of activations, %zu of scratch",
                       program->block_bytes, program->scratch_bytes);
    const dnnl_status_t status =
        dnnl_stream_create(&session->stream, program->engine, dnnl_stream_default_flags);
    if (status != dnnl_success)
        return ao_dnnl_fail(status, "make a stream", "session");
    AO_TRY(make_memories(session));
    AO_TRY(make_calls(session));
    clear_inputs(session);
    return AOSA_OK;
}

aosa_status ao_dnnl_session_create(const void *program, void **result)
{
    struct ao_dnnl_session *session = ao_alloc(1, sizeof *session);
    if (!session)
        return ao_fail(AOSA_ERR_NOMEM, "session: %zu bytes", sizeof *session);
    session->program = program;
    ao_arena_init(&session->arena, 0);
    const aosa_status status = fill(session);
    if (status != AOSA_OK) {
        ao_dnnl_session_destroy(session);
        return status;
    }
    *result = session;
    return AOSA_OK;
}

struct ao_view ao_dnnl_session_input(const void *opaque, int index)
{
    const struct ao_dnnl_session *session = opaque;
    return view_of(session, session->program->inputs[index]);
}

struct ao_view ao_dnnl_session_output(const void *opaque, int index)
{
    const struct ao_dnnl_session *session = opaque;
    return view_of(session, session->program->outputs[index]);
}

static aosa_status run_step(struct ao_dnnl_session *session, size_t k)
{
    const struct ao_dnnl_program *program = session->program;
    const struct ao_dnnl_step *step = &program->steps[k];
    const struct call *call = &session->calls[k];
    if (step->loop.form) {
        const struct ao_dnnl_loop_call loop = { .threads = program->inner_threads,
                                                .src = call->views[0].data,
                                                .dst = call->views[1].data,
                                                .residual =
                                                    step->n_args > 2 ? call->views[2].data : NULL,
                                                .scratch = (float *)(void *)session->scratch };
        return step->loop.run(step->loop.form, &loop);
    }
    if (!step->primitive) {
        const struct ao_op_call forward = { .node = step->node,
                                            .in = call->views,
                                            .out = call->views + step->node->n_in,
                                            .scratch = session->scratch };
        step->node->op->forward(&forward);
        return AOSA_OK;
    }
    if (step->serial)
        ao_set_inner_threads(1);
    const dnnl_status_t status =
        dnnl_primitive_execute(step->primitive, session->stream, step->n_args + 1, call->args);
    if (step->serial)
        ao_set_inner_threads(program->inner_threads);
    if (status != dnnl_success)
        return ao_dnnl_fail(status, "run a primitive", step->node ? step->node->name : "reorder");
    return AOSA_OK;
}

aosa_status ao_dnnl_session_run(void *opaque, enum ao_run_part part, const struct ao_poll *poll)
{
    struct ao_dnnl_session *session = opaque;
    const struct ao_dnnl_program *program = session->program;
    const bool first = part == AO_RUN_BEFORE_PAUSE;
    const size_t end = first ? program->pause_steps : program->n_steps;
    ao_set_inner_threads(program->inner_threads);
    for (size_t k = first ? 0 : program->pause_steps; k < end; k++) {
        AO_TRY(ao_poll_ask(poll));
        AO_TRY(run_step(session, k));
    }
    const dnnl_status_t status = dnnl_stream_wait(session->stream);
    return status == dnnl_success ? AOSA_OK : ao_dnnl_fail(status, "finish a run", "session");
}
