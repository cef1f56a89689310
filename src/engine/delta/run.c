/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/delta/internal.h"

#include <string.h>
#include <time.h>

#include "core/alloc.h"
#include "engine/backend.h"

/*
 * A batch in two passes: first where every value changes (positions only), which tells how much
 * memory the batch needs, then the changes themselves.
 */

static size_t most_pool_taps(const struct ao_delta *delta)
{
    int64_t most = 1;
    for (int i = 0; i < delta->n_steps; i++) {
        const int64_t *kernel = delta->steps[i].window.kernel;
        const int64_t taps = kernel[0] * kernel[1] * kernel[2];
        most = delta->steps[i].rule == AO_DELTA_MAX_POOL && taps > most ? taps : most;
    }
    return (size_t)most;
}

aosa_status ao_delta_session_create(const struct ao_delta *delta, struct ao_delta_session **result)
{
    struct ao_delta_session *session = ao_alloc(1, sizeof *session);
    if (!session)
        return ao_fail(AOSA_ERR_NOMEM, "delta session: %zu bytes", sizeof *session);
    const size_t n = delta->graph->n_values, P = (size_t)delta->max_positions;
    const size_t taps = most_pool_taps(delta), stages = (size_t)delta->n_steps + 1;
    const size_t flags = ao_delta_most_flags(delta);
    size_t links = 1;
    for (size_t k = 0; k < delta->graph->n_nodes; k++) {
        const struct ao_node *node = &delta->graph->nodes[k];
        const size_t own = (size_t)(node->n_in + node->n_out);
        links = own > links ? own : links;
    }
    session->delta = delta;
    session->supports = ao_alloc(n, sizeof *session->supports);
    session->spans = ao_alloc(n, sizeof *session->spans);
    session->order = ao_alloc(2 * n, sizeof *session->order);
    session->map = ao_alloc(P, sizeof *session->map);
    session->stats = ao_alloc(stages, sizeof *session->stats);
    session->tail_block = ao_alloc(delta->tail.block_bytes + AO_ALIGNMENT, 1);
    session->tail_scratch = ao_alloc(delta->tail.scratch_bytes + AO_ALIGNMENT, 1);
    session->tail_views = ao_alloc(links, sizeof *session->tail_views);
    bool whole = session->supports && session->spans && session->order && session->map &&
                 session->stats && session->tail_block && session->tail_scratch &&
                 session->tail_views;
    for (int i = 0; i < 3; i++)
        whole &= (session->flags[i] = ao_alloc(flags, 1)) != NULL;
    for (int i = 0; i < 2; i++)
        whole &= (session->taps[i] = ao_alloc(taps, sizeof *session->taps[i])) != NULL;
    session->bytes = n * (sizeof *session->supports + sizeof *session->spans) +
                     P * sizeof *session->map + 3 * flags + 2 * taps * sizeof(uint32_t) +
                     delta->tail.block_bytes + delta->tail.scratch_bytes;
    aosa_status status = AOSA_OK;
    if (whole)
        status = ao_delta_tiles_create(delta, &session->tiles, &session->bytes);
    if (status == AOSA_OK && whole)
        status = ao_delta_winograd_reserve(session);
    if (!whole)
        status = ao_fail(AOSA_ERR_NOMEM, "delta session: %zu bytes", session->bytes);
    if (status == AOSA_OK)
        status = ao_delta_session_book(session, 0);
    if (status != AOSA_OK) {
        ao_delta_session_destroy(&session);
        return status;
    }
    *result = session;
    return AOSA_OK;
}

void ao_delta_session_destroy(struct ao_delta_session **session)
{
    struct ao_delta_session *s = *session;
    if (!s)
        return;
    ao_free(s->supports);
    ao_free(s->spans);
    ao_free(s->order);
    ao_free(s->map);
    ao_free(s->stats);
    ao_free(s->tail_block);
    ao_free(s->tail_scratch);
    ao_free(s->tail_views);
    for (int i = 0; i < 3; i++)
        ao_free(s->flags[i]);
    for (int i = 0; i < 2; i++)
        ao_free(s->taps[i]);
    ao_free(s->positions);
    ao_free(s->block);
    ao_free(s->grids);
    ao_free(s->chosen);
    ao_free(s->out_map);
    ao_free(s->components[0]);
    ao_free(s->components[1]);
    ao_delta_tiles_destroy(&s->tiles);
    ao_budget_give(s->delta->graph->budget, s->booked);
    ao_free(s);
    *session = NULL;
}

size_t ao_delta_session_bytes(const struct ao_delta_session *session)
{
    return session->bytes + session->block_bytes;
}

float *ao_delta_rows(const struct ao_delta_session *session, int32_t value)
{
    const struct ao_span *span = &session->spans[session->delta->values[value].of];
    return session->block + span->offset / sizeof(float);
}

static void use(struct ao_delta_session *session, int32_t value, int64_t time)
{
    if (value != AO_NO_VALUE)
        session->spans[session->delta->values[value].of].last = time;
}

static void describe_spans(struct ao_delta_session *session)
{
    const struct ao_delta *delta = session->delta;
    memset(session->spans, 0, delta->graph->n_values * sizeof *session->spans);
    for (int i = -1; i < delta->n_steps; i++) {
        const int32_t v = i < 0 ? delta->graph->inputs[0] : delta->steps[i].out;
        const size_t rows = (size_t)session->supports[v].first[session->n] + 1;
        session->spans[v] = (struct ao_span){
            .bytes = rows * (size_t)delta->values[v].extent.C * sizeof(float),
            .first = i + 1,
            .last = i + 1,
        };
        for (int k = 0; i >= 0 && k < delta->steps[i].n_in; k++)
            use(session, delta->steps[i].in[k], i + 1);
        if (i >= 0)
            use(session, delta->steps[i].add, i + 1);
    }
    for (int i = 0; i < delta->tail.n_nodes; i++) {
        const struct ao_node *node = &delta->graph->nodes[delta->tail.nodes[i]];
        for (int k = 0; k < node->n_in; k++)
            if (node->in[k] >= 0 && delta->values[node->in[k]].changed)
                use(session, node->in[k], delta->n_steps + 1);
    }
    if (delta->values[delta->graph->outputs[0]].changed)
        use(session, delta->graph->outputs[0], delta->n_steps + 1);
}

static aosa_status pack_block(struct ao_delta_session *session, size_t *bytes)
{
    describe_spans(session);
    return ao_plan_pack_in(session->spans, session->delta->graph->n_values, session->order, bytes);
}

aosa_status ao_delta_session_book(struct ao_delta_session *session, size_t block_bytes)
{
    struct ao_budget *budget = session->delta->graph->budget;
    const size_t bytes = session->bytes + block_bytes;
    if (bytes <= session->booked)
        return AOSA_OK;
    AO_TRY(ao_budget_take(budget, bytes - session->booked, "changes of one thread"));
    session->booked = bytes;
    return AOSA_OK;
}

static aosa_status reserve_block(struct ao_delta_session *session, size_t bytes)
{
    if (bytes <= session->block_bytes)
        return AOSA_OK;
    AO_TRY(ao_delta_session_book(session, bytes));
    ao_free(session->block);
    session->block_bytes = 0;
    session->block = ao_alloc_raw(bytes, 1);
    if (!session->block)
        return ao_fail(AOSA_ERR_NOMEM, "delta session: %zu bytes for a batch of masks", bytes);
    session->block_bytes = bytes;
    return AOSA_OK;
}

aosa_status ao_delta_plan_block(struct ao_delta_session *session)
{
    size_t bytes;
    AO_TRY(pack_block(session, &bytes));
    return reserve_block(session, bytes);
}

/* Where every value changes. A step has no more Winograd tiles than changed outputs. */
static aosa_status measure_batch(struct ao_delta_session *session,
                                 const struct ao_delta_mask *masks, struct ao_delta_need *need)
{
    const struct ao_delta *delta = session->delta;
    size_t tiles = 0, bytes;
    AO_TRY(ao_delta_support_masks(session, masks));
    for (int i = 0; i < delta->n_steps; i++) {
        const struct ao_delta_step *step = &delta->steps[i];
        AO_TRY(ao_delta_support_step(session, step));
        tiles += step->n_winograd ? session->supports[step->out].first[session->n] : 0;
    }
    AO_TRY(pack_block(session, &bytes));
    const size_t positions = session->n_positions + tiles + (size_t)delta->max_positions;
    need->block_bytes = bytes > need->block_bytes ? bytes : need->block_bytes;
    need->positions = positions > need->positions ? positions : need->positions;
    return AOSA_OK;
}

aosa_status ao_delta_session_measure(struct ao_delta_session *session,
                                     const struct ao_delta_mask *masks, int n,
                                     struct ao_delta_need *need)
{
    for (int m = 0; m < n; m += session->n) {
        session->n = ao_delta_batch(n - m);
        AO_TRY(measure_batch(session, masks + m, need));
    }
    return AOSA_OK;
}

aosa_status ao_delta_session_reserve(struct ao_delta_session *session,
                                     const struct ao_delta_need *need)
{
    session->n_positions = 0;
    AO_TRY(ao_delta_reserve_positions(session, need->positions));
    return reserve_block(session, need->block_bytes);
}

/* d = fill - x where the masks lie. */
static void occlude(struct ao_delta_session *session, const struct ao_delta_base *base,
                    const struct ao_delta_fill *fill)
{
    const struct ao_delta *delta = session->delta;
    const int32_t input = delta->graph->inputs[0];
    const struct ao_delta_support *support = &session->supports[input];
    const uint32_t *positions = ao_delta_positions_of(session, support);
    const size_t P = (size_t)ao_delta_positions(&delta->values[input].extent);
    const float *clip = base->floats + delta->values[input].keep;
    float *dst = ao_delta_rows(session, input);
    for (uint32_t r = 0; r < support->first[session->n]; r++)
        for (size_t c = 0; c < 3; c++) {
            const size_t p = positions[r];
            const float f = fill->volume ? fill->volume[c * P + p] : fill->value[c];
            dst[r * 3 + c] = f - clip[p * 3 + c];
        }
}

void ao_delta_clear_last_row(struct ao_delta_session *session, int32_t value)
{
    const size_t C = (size_t)session->delta->values[value].extent.C;
    const size_t rows = session->supports[value].first[session->n];
    memset(ao_delta_rows(session, value) + rows * C, 0, C * sizeof(float));
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void ao_delta_run_step(struct ao_delta_session *session, const struct ao_delta_base *base, int i)
{
    const struct ao_delta_step *step = &session->delta->steps[i];
    struct ao_delta_stat *stat = &session->stats[i];
    const double start = now();
    switch (step->rule) {
    case AO_DELTA_CONV:
        if (session->chosen[i])
            ao_delta_run_winograd(session, base, i, stat);
        else
            ao_delta_run_conv(session, base, step, stat);
        break;
    case AO_DELTA_MAX_POOL:
        ao_delta_run_max_pool(session, base, step);
        break;
    case AO_DELTA_AVERAGE:
        ao_delta_run_average(session, step);
        break;
    case AO_DELTA_SELECT:
        ao_delta_run_select(session, step);
        break;
    case AO_DELTA_LAYER_NORM:
        ao_delta_run_layer_norm(session, base, step);
        break;
    case AO_DELTA_RELU:
    case AO_DELTA_POINTWISE:
    case AO_DELTA_SCALE:
    case AO_DELTA_ADD:
    case AO_DELTA_MULTIPLY:
    case AO_DELTA_CONCAT:
    case AO_DELTA_FLATTEN:
        ao_delta_run_rows(session, base, step);
        break;
    }
    ao_delta_clear_last_row(session, step->out);
    stat->rows += session->supports[step->out].first[session->n];
    stat->seconds += now() - start;
}

aosa_status ao_delta_walk(struct ao_delta_session *session, const struct ao_delta_base *base,
                          const struct ao_delta_mask *masks, const struct ao_delta_fill *fill)
{
    const struct ao_delta *delta = session->delta;
    AO_TRY(ao_delta_support_masks(session, masks));
    for (int i = 0; i < delta->n_steps; i++) {
        const double start = now();
        AO_TRY(ao_delta_support_step(session, &delta->steps[i]));
        AO_TRY(ao_delta_winograd_choose(session, i));
        session->stats[i].seconds += now() - start;
    }
    AO_TRY(ao_delta_plan_block(session));
    occlude(session, base, fill);
    ao_delta_clear_last_row(session, delta->graph->inputs[0]);
    for (int i = 0; i < delta->n_steps; i++) {
        AO_TRY(ao_poll_ask(session->poll));
        ao_delta_run_step(session, base, i);
    }
    return AOSA_OK;
}

static aosa_status run_batch(struct ao_delta_session *session, const struct ao_delta_base *base,
                             const struct ao_delta_mask *masks, const struct ao_delta_fill *fill,
                             float *outputs)
{
    const struct ao_delta *delta = session->delta;
    AO_TRY(ao_delta_walk(session, base, masks, fill));
    const double start = now();
    AO_TRY(ao_delta_tail_run(delta, base, session, outputs));
    session->stats[delta->n_steps].seconds += now() - start;
    session->stats[delta->n_steps].macs_done += delta->tail.macs * session->n;
    return AOSA_OK;
}

void ao_delta_session_set_poll(struct ao_delta_session *session, const struct ao_poll *poll)
{
    session->poll = poll;
}

aosa_status ao_delta_run(const struct ao_delta *delta, const struct ao_delta_base *base,
                         struct ao_delta_session *session, const struct ao_delta_mask *masks, int n,
                         const struct ao_delta_fill *fill, float *outputs)
{
    const int64_t row = ao_delta_outputs(delta);
    for (int m = 0; m < n; m += session->n) {
        session->n = ao_delta_batch(n - m);
        AO_TRY(run_batch(session, base, masks + m, fill, outputs + m * row));
    }
    return AOSA_OK;
}
