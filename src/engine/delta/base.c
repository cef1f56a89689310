/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/delta/internal.h"

#include <string.h>

#include "core/alloc.h"
#include "engine/engine.h"
#include "ops/element.h"

/*
 * The dense pass goes over the walk's own kernels and weights (forward.c). Not so where gates
 * multiply two changed values (squeeze and excite): every position changes a little, and the float
 * errors of the activations, times the gates' changes, would be as large as what is asked for.
 * There a program of the same graph, with the kept values as further outputs, runs in double; where
 * the walk knows the changes of a node but not its values, one on oneDNN.
 */
static bool needs_program(const struct ao_delta *delta, enum ao_backend *backend)
{
    bool needed = delta->shifts;
    *backend = AO_BACKEND_ONEDNN;
    for (int i = 0; i < delta->n_steps; i++) {
        needed |= delta->steps[i].rule == AO_DELTA_LAYER_NORM;
        if (delta->steps[i].rule == AO_DELTA_MULTIPLY) {
            *backend = AO_BACKEND_REFERENCE_F64;
            return true;
        }
    }
    return needed;
}

static struct ao_view own_view(const struct ao_delta *delta, int32_t v, float *data)
{
    const struct ao_value *value = &delta->graph->values[v];
    return ao_delta_positions(&delta->values[v].extent) == 1 || delta->values[v].last
               ? ao_view_dense(data, AO_F32, &value->shape)
               : ao_view_channels_last(data, AO_F32, &value->shape);
}

static void store_clip(const struct ao_delta *delta, const float *clip, struct ao_delta_base *base)
{
    const int32_t input = delta->graph->inputs[0];
    const struct ao_view src =
        ao_view_dense((void *)(uintptr_t)clip, AO_F32, &delta->graph->values[input].shape);
    const struct ao_view dst = own_view(delta, input, base->floats + delta->values[input].keep);
    ao_view_copy(&dst, &src);
}

/* Output 0 first, then every kept value that is not the clip itself. */
aosa_status ao_delta_base_plan(struct ao_delta *delta, int threads)
{
    struct ao_graph *graph = &delta->base_graph;
    struct ao_program_options options = { .batch = 1, .inner_threads = threads };
    delta->threads = threads;
    if (!needs_program(delta, &options.backend))
        return AOSA_OK;
    int32_t *outputs = ao_arena_alloc(&delta->arena, (size_t)delta->n_kept + 1, sizeof *outputs);
    if (!outputs)
        return ao_fail(AOSA_ERR_NOMEM, "delta base: no memory for %d values", delta->n_kept);
    *graph = *delta->graph;
    graph->outputs = outputs;
    graph->n_outputs = 0;
    outputs[graph->n_outputs++] = delta->graph->outputs[0];
    for (int i = 0; i < delta->n_kept; i++)
        if (delta->kept[i] != delta->graph->inputs[0])
            outputs[graph->n_outputs++] = delta->kept[i];
    return ao_program_create(graph, &options, &delta->program);
}

static aosa_status run_dense(const struct ao_delta *delta, const float *clip,
                             const struct ao_poll *poll, struct ao_delta_base *base)
{
    const struct ao_graph *graph = &delta->base_graph;
    struct ao_session *session = NULL;
    AO_TRY(ao_session_create(delta->program, &session));
    const struct ao_view input = ao_session_input(session, 0);
    const struct ao_view clip_view = ao_view_dense((void *)(uintptr_t)clip, AO_F32, &input.shape);
    ao_view_convert(&input, &clip_view);
    ao_session_set_poll(session, poll);
    const aosa_status status = ao_session_run(session);
    for (int i = 0; status == AOSA_OK && i < graph->n_outputs; i++) {
        const int32_t v = graph->outputs[i];
        const struct ao_view src = ao_session_output(session, i);
        const struct ao_view dst = i == 0
                                       ? ao_view_dense(base->output, AO_F32, &src.shape)
                                       : own_view(delta, v, base->floats + delta->values[v].keep);
        ao_view_convert(&dst, &src);
    }
    ao_session_destroy(&session);
    return status;
}

aosa_status ao_delta_base_create(const struct ao_delta *delta, const float *clip,
                                 const struct ao_poll *poll, struct ao_delta_base **result)
{
    struct ao_delta_base *base = ao_alloc(1, sizeof *base);
    if (!base)
        return ao_fail(AOSA_ERR_NOMEM, "delta base: %zu bytes", sizeof *base);
    const size_t n = (size_t)delta->base_floats, k = (size_t)ao_delta_outputs(delta);
    base->budget = delta->graph->budget;
    aosa_status status =
        ao_budget_take(base->budget, (n + k) * sizeof *base->floats, "the clip's own activations");
    if (status == AOSA_OK) {
        base->bytes = (n + k) * sizeof *base->floats;
        base->floats = ao_alloc_raw(n, sizeof *base->floats);
        base->output = ao_alloc_raw(k, sizeof *base->output);
        if (!base->floats || !base->output)
            status = ao_fail(AOSA_ERR_NOMEM, "delta base: %zu bytes", base->bytes);
    }
    if (status == AOSA_OK) {
        store_clip(delta, clip, base);
        status = delta->program ? run_dense(delta, clip, poll, base)
                                : ao_delta_forward(delta, poll, base);
    }
    if (status != AOSA_OK) {
        ao_delta_base_destroy(&base);
        return status;
    }
    *result = base;
    return AOSA_OK;
}

void ao_delta_base_destroy(struct ao_delta_base **base)
{
    if (!*base)
        return;
    ao_free((*base)->floats);
    ao_free((*base)->output);
    ao_budget_give((*base)->budget, (*base)->bytes);
    ao_free(*base);
    *base = NULL;
}

const float *ao_delta_base_output(const struct ao_delta_base *base)
{
    return base->output;
}

size_t ao_delta_base_bytes(const struct ao_delta_base *base)
{
    return base->bytes;
}
