/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/delta/internal.h"

#include <string.h>

#include "core/alloc.h"
#include "core/parallel.h"
#include "engine/backend.h"

/*
 * The clip's own activations by the walk: one mask under which every position changes, whose rows
 * are not changes but values. The rounding of the base is most of the error of a difference: where
 * a layer has several forms of Winograd's filtering, the pass takes the finest. Convolutions, where
 * the time goes, are cut into pieces for several threads; the pieces do not depend on how many
 * there are, and so neither do the bits.
 */

#define PIECE_ROWS 2048 /* of a direct convolution */
#define PIECE_TILES 96  /* of one by Winograd */

struct forward {
    struct ao_delta_session *session;
    struct ao_delta_session **scratch; /* [threads] for what a convolution works in */
    int threads;
    int step;
};

/* The pass's session with the work space of this thread. */
static struct ao_delta_session worker(const struct forward *forward, int thread)
{
    struct ao_delta_session view = *forward->session;
    const struct ao_delta_session *own = forward->scratch[thread];
    view.tiles = own->tiles;
    view.map = own->map;
    view.out_map = own->out_map;
    memcpy(view.components, own->components, sizeof view.components);
    return view;
}

static size_t minimum(size_t a, size_t b)
{
    return a < b ? a : b;
}

static aosa_status direct_piece(void *context, int64_t item, int thread)
{
    const struct forward *forward = context;
    struct ao_delta_session view = worker(forward, thread);
    const struct ao_delta_step *step = &view.delta->steps[forward->step];
    const size_t first = (size_t)item * PIECE_ROWS,
                 end = ao_delta_support_of(&view, step->out)->first[1];
    struct ao_delta_stat stat = { 0 };
    ao_delta_conv_range(&view, NULL, step, first, minimum(first + PIECE_ROWS, end), &stat);
    return AOSA_OK;
}

static aosa_status tiles_piece(void *context, int64_t item, int thread)
{
    const struct forward *forward = context;
    struct ao_delta_session view = worker(forward, thread);
    const size_t first = (size_t)item * PIECE_TILES, end = view.grids[forward->step].first[1];
    ao_delta_winograd_range(&view, forward->step, first, minimum(first + PIECE_TILES, end));
    return AOSA_OK;
}

static aosa_status finish_piece(void *context, int64_t item, int thread)
{
    const struct forward *forward = context;
    struct ao_delta_session *session = forward->session;
    const struct ao_delta_step *step = &session->delta->steps[forward->step];
    const size_t first = (size_t)item * PIECE_ROWS,
                 end = ao_delta_support_of(session, step->out)->first[1];
    (void)thread;
    ao_delta_finish(session, NULL, step, first, minimum(first + PIECE_ROWS, end) - first);
    return AOSA_OK;
}

static int64_t pieces(size_t n, size_t size)
{
    return (int64_t)((n + size - 1) / size);
}

static aosa_status run_conv(struct forward *forward)
{
    struct ao_delta_session *session = forward->session;
    const int32_t out = session->delta->steps[forward->step].out;
    const size_t rows = ao_delta_support_of(session, out)->first[1];
    const int64_t row_pieces = pieces(rows, PIECE_ROWS);
    if (session->chosen[forward->step]) {
        const size_t tiles = session->grids[forward->step].first[1];
        AO_TRY(ao_parallel_for(forward->threads, pieces(tiles, PIECE_TILES), tiles_piece, forward));
        AO_TRY(ao_parallel_for(forward->threads, row_pieces, finish_piece, forward));
    } else {
        AO_TRY(ao_parallel_for(forward->threads, row_pieces, direct_piece, forward));
    }
    ao_delta_clear_last_row(session, out);
    return AOSA_OK;
}

/* Kept values that have these rows. */
static void keep_rows(const struct ao_delta_session *session, int32_t root)
{
    const struct ao_delta *delta = session->delta;
    const struct ao_delta_extent *extent = &delta->values[root].extent;
    const size_t n = (size_t)(extent->C * ao_delta_positions(extent));
    for (int i = 0; i < delta->n_kept; i++) {
        const struct ao_delta_value *v = &delta->values[delta->kept[i]];
        if (v->of == root)
            memcpy(session->forward->floats + v->keep, ao_delta_rows(session, root),
                   n * sizeof(float));
    }
}

/* Everything changes everywhere: all values share one list of positions. */
static aosa_status support_all(struct ao_delta_session *session)
{
    const struct ao_delta *delta = session->delta;
    const size_t P = (size_t)delta->max_positions;
    AO_TRY(ao_delta_reserve_positions(session, P));
    for (size_t p = 0; p < P; p++)
        session->positions[p] = (uint32_t)p;
    session->n_positions = P;
    session->n = 1;
    for (size_t v = 0; v < delta->graph->n_values; v++)
        session->supports[v] = (struct ao_delta_support){
            .first = { 0, delta->values[v].changed
                              ? (uint32_t)ao_delta_positions(&delta->values[v].extent)
                              : 0 },
        };
    for (int i = 0; i < delta->n_steps; i++)
        AO_TRY(ao_delta_winograd_finest(session, i));
    return ao_delta_plan_block(session);
}

static aosa_status walk(struct forward *forward, const struct ao_poll *poll)
{
    struct ao_delta_session *session = forward->session;
    const struct ao_delta *delta = session->delta;
    struct ao_delta_base *base = session->forward;
    const int32_t input = delta->graph->inputs[0];
    const size_t n = 3 * (size_t)ao_delta_positions(&delta->values[input].extent);
    AO_TRY(support_all(session));
    memcpy(ao_delta_rows(session, input), base->floats + delta->values[input].keep,
           n * sizeof(float));
    ao_delta_clear_last_row(session, input);
    keep_rows(session, input);
    for (forward->step = 0; forward->step < delta->n_steps; forward->step++) {
        AO_TRY(ao_poll_ask(poll));
        if (delta->steps[forward->step].rule == AO_DELTA_CONV)
            AO_TRY(run_conv(forward));
        else
            ao_delta_run_step(session, NULL, forward->step);
        keep_rows(session, delta->steps[forward->step].out);
    }
    ao_delta_tail_base(delta, base, session, base->output);
    return AOSA_OK;
}

aosa_status ao_delta_forward(const struct ao_delta *delta, const struct ao_poll *poll,
                             struct ao_delta_base *base)
{
    const size_t threads = (size_t)delta->threads;
    struct ao_delta_session **sessions = ao_alloc(threads, sizeof *sessions);
    aosa_status status = sessions ? AOSA_OK : ao_fail(AOSA_ERR_NOMEM, "delta base: no memory");
    for (size_t i = 0; status == AOSA_OK && i < threads; i++)
        status = ao_delta_session_create(delta, &sessions[i]);
    if (status == AOSA_OK) {
        struct forward forward = { sessions[0], sessions, delta->threads, 0 };
        sessions[0]->forward = base;
        status = walk(&forward, poll);
    }
    for (size_t i = 0; sessions && i < threads; i++)
        ao_delta_session_destroy(&sessions[i]);
    ao_free(sessions);
    return status;
}
