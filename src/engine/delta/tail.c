/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/delta/internal.h"

#include <string.h>

#include "core/alloc.h"
#include "ops/element.h"

/*
 * The rest of the network behind nodes without a delta rule: whole tensors, mask by mask, with the
 * operators' own loops in double. What enters is base + change, summed in double, so that nothing
 * of the change is rounded away.
 */

static struct ao_view wide_view(const struct ao_value *value, void *data)
{
    const enum ao_dtype dtype = value->dtype == AO_F32 ? AO_F64 : value->dtype;
    return ao_view_dense(data, dtype, &value->shape);
}

static aosa_status widen_constant(struct ao_delta *delta, int32_t v)
{
    const struct ao_value *value = &delta->graph->values[v];
    struct ao_view *view = &delta->tail.views[v];
    if (view->data)
        return AOSA_OK;
    *view = wide_view(value, (void *)(uintptr_t)value->data);
    if (view->dtype == value->dtype)
        return AOSA_OK;
    const size_t n = (size_t)ao_shape_count(&value->shape);
    view->data = ao_arena_alloc(&delta->arena, n, sizeof(double));
    if (!view->data)
        return ao_fail(AOSA_ERR_NOMEM, "delta walk: no memory for constant '%s' in double",
                       value->name ? value->name : "");
    ao_constant_convert(view, value);
    return AOSA_OK;
}

/* A value of the tail needs a place, alive from its first to its last use there. */
static void use(struct ao_delta *delta, int32_t v, int64_t time)
{
    struct ao_span *span = &delta->tail.spans[v];
    const struct ao_view view = wide_view(&delta->graph->values[v], NULL);
    if (span->bytes == 0)
        span->first = time;
    span->bytes = (size_t)ao_shape_count(&view.shape) * ao_dtype_size(view.dtype) + AO_ALIGNMENT;
    span->last = time;
}

static aosa_status plan_node(struct ao_delta *delta, int i)
{
    struct ao_delta_tail *tail = &delta->tail;
    const struct ao_node *node = &delta->graph->nodes[tail->nodes[i]];
    const size_t scratch = node->op->scratch ? node->op->scratch(delta->graph, node, 1) : 0;
    tail->scratch_bytes = scratch > tail->scratch_bytes ? scratch : tail->scratch_bytes;
    for (int k = 0; k < node->n_in; k++) {
        const int32_t v = node->in[k];
        if (v >= 0 && delta->graph->values[v].data)
            AO_TRY(widen_constant(delta, v));
        else if (v >= 0)
            use(delta, v, delta->values[v].changed && tail->spans[v].bytes == 0 ? 0 : i + 1);
        if (v >= 0 && delta->values[v].changed)
            tail->spans[v].last = tail->n_nodes + 1;
    }
    for (int k = 0; k < node->n_out; k++)
        if (node->out[k] >= 0)
            use(delta, node->out[k], i + 1);
    return AOSA_OK;
}

aosa_status ao_delta_tail_create(struct ao_delta *delta)
{
    struct ao_delta_tail *tail = &delta->tail;
    const size_t n = delta->graph->n_values;
    if (tail->n_nodes == 0)
        return AOSA_OK;
    tail->views = ao_arena_alloc(&delta->arena, n, sizeof *tail->views);
    tail->spans = ao_arena_alloc(&delta->arena, n, sizeof *tail->spans);
    if (!tail->views || !tail->spans)
        return ao_fail(AOSA_ERR_NOMEM, "delta walk: no memory for %zu values", n);
    for (int i = 0; i < tail->n_nodes; i++)
        AO_TRY(plan_node(delta, i));
    const int32_t output = delta->graph->outputs[0];
    if (!delta->values[output].changed)
        tail->spans[output].last = tail->n_nodes + 1;
    return ao_plan_pack(tail->spans, n, &tail->block_bytes);
}

/* base + change of mask m in the tensor's own order; nothing changes for m < 0. */
static void enter(const struct ao_delta_session *session, const struct ao_delta_base *base,
                  int32_t v, int m, double *dst)
{
    const struct ao_delta_value *value = &session->delta->values[v];
    const size_t C = (size_t)value->extent.C, P = (size_t)ao_delta_positions(&value->extent);
    const size_t step_p = value->last ? C : 1, step_c = value->last ? 1 : P;
    const float *y = base->floats + value->keep;
    for (size_t p = 0; p < P; p++)
        for (size_t c = 0; c < C; c++)
            dst[c * step_c + p * step_p] = (double)y[p * C + c];
    if (m < 0)
        return;
    const struct ao_delta_support *support = ao_delta_support_of(session, v);
    const uint32_t *positions = ao_delta_positions_of(session, support);
    const float *rows = ao_delta_rows(session, v);
    for (uint32_t r = support->first[m]; r < support->first[m + 1]; r++)
        for (size_t c = 0; c < C; c++)
            dst[c * step_c + positions[r] * step_p] += (double)rows[r * C + c];
}

/* Views of a node's inputs and outputs; absent ones have no data. */
static void link(const struct ao_delta_session *session, const int32_t *values, int n,
                 struct ao_view *views)
{
    const struct ao_delta_tail *tail = &session->delta->tail;
    for (int k = 0; k < n; k++) {
        views[k] = (struct ao_view){ .data = NULL };
        if (values[k] < 0)
            continue;
        const struct ao_value *value = &session->delta->graph->values[values[k]];
        views[k] = value->data
                       ? tail->views[values[k]]
                       : wide_view(value, session->tail_block + tail->spans[values[k]].offset);
    }
}

static void run_mask(const struct ao_delta *delta, const struct ao_delta_base *base,
                     struct ao_delta_session *session, int m, float *output)
{
    const struct ao_delta_tail *tail = &delta->tail;
    for (size_t v = 0; v < delta->graph->n_values; v++)
        if (tail->spans[v].bytes > 0 && delta->values[v].changed)
            enter(session, base, (int32_t)v, m,
                  (double *)(void *)(session->tail_block + tail->spans[v].offset));
    for (int i = 0; i < tail->n_nodes; i++) {
        const struct ao_node *node = &delta->graph->nodes[tail->nodes[i]];
        struct ao_view *views = session->tail_views;
        link(session, node->in, node->n_in, views);
        link(session, node->out, node->n_out, views + node->n_in);
        const struct ao_op_call call = {
            .node = node, .in = views, .out = views + node->n_in, .scratch = session->tail_scratch
        };
        node->op->forward(&call);
    }
    struct ao_view result;
    link(session, &delta->graph->outputs[0], 1, &result);
    for (int64_t i = 0; i < ao_delta_outputs(delta); i++)
        output[i] = (float)((const double *)result.data)[i];
}

/* The output is a value with a delta. */
static void add_output(const struct ao_delta_session *session, const struct ao_delta_base *base,
                       int m, float *output)
{
    const struct ao_delta *delta = session->delta;
    const int32_t v = delta->graph->outputs[0];
    const struct ao_delta_value *value = &delta->values[v];
    const size_t C = (size_t)value->extent.C, P = (size_t)ao_delta_positions(&value->extent);
    const struct ao_delta_support *support = ao_delta_support_of(session, v);
    const uint32_t *positions = ao_delta_positions_of(session, support);
    const float *rows = ao_delta_rows(session, v);
    const size_t step_p = value->last ? C : 1, step_c = value->last ? 1 : P;
    memcpy(output, base->output, C * P * sizeof *output);
    for (uint32_t r = support->first[m]; r < support->first[m + 1]; r++)
        for (size_t c = 0; c < C; c++)
            output[c * step_c + positions[r] * step_p] += rows[r * C + c];
}

void ao_delta_tail_base(const struct ao_delta *delta, const struct ao_delta_base *base,
                        struct ao_delta_session *session, float *output)
{
    const struct ao_delta_value *value = &delta->values[delta->graph->outputs[0]];
    if (!value->changed) {
        run_mask(delta, base, session, -1, output);
        return;
    }
    const size_t C = (size_t)value->extent.C, P = (size_t)ao_delta_positions(&value->extent);
    const size_t step_p = value->last ? C : 1, step_c = value->last ? 1 : P;
    for (size_t p = 0; p < P; p++)
        for (size_t c = 0; c < C; c++)
            output[c * step_c + p * step_p] = base->floats[value->keep + (int64_t)(p * C + c)];
}

aosa_status ao_delta_tail_run(const struct ao_delta *delta, const struct ao_delta_base *base,
                              struct ao_delta_session *session, float *outputs)
{
    const int64_t n = ao_delta_outputs(delta);
    for (int m = 0; m < session->n; m++) {
        if (delta->values[delta->graph->outputs[0]].changed)
            add_output(session, base, m, outputs + m * n);
        else
            run_mask(delta, base, session, m, outputs + m * n);
    }
    return AOSA_OK;
}
