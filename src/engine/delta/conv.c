/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/delta/internal.h"

#include <string.h>

/*
 * Convolution of changed rows: for a block of output rows, find taps, make tiles, then for each
 * weight panel, for each chunk of its taps, all tiles of the block: the chunk is read from memory
 * once and stays in the cache while it meets every mask of the batch.
 */

struct conv_run {
    struct ao_delta_session *session;
    const struct ao_delta_step *step;
    const struct ao_kernels *kernels;
    const float *src;
    size_t src_pitch;
    uint32_t zero; /* source row of zeros */
    float *dst;
    size_t dst_pitch;
    size_t first, n; /* output rows of this block ... */
    size_t end;      /* ... and behind the last block */
    size_t n_tiles;
    int mask; /* whose map or patch is loaded, -1 for none */
    struct ao_delta_stat *stat;
};

static void load_mask(struct conv_run *run, int m)
{
    if (run->mask == m)
        return;
    if (!run->step->conv.along_x) {
        ao_delta_map(run->session, run->step->in[0], m);
    } else {
        if (run->mask >= 0)
            ao_delta_patch_clear(run->session, run->step, run->mask);
        ao_delta_patch(run->session, run->step, m);
    }
    run->mask = m;
}

/* Rows of the next block: as many as fit, but of one mask when they read its patch. */
static size_t block_rows(const struct conv_run *run)
{
    const struct ao_delta_support *out = ao_delta_support_of(run->session, run->step->out);
    size_t rows = ao_delta_block_rows(&run->step->conv), end = run->end;
    for (int m = 0; run->step->conv.along_x && m < run->session->n; m++)
        if (out->first[m + 1] > run->first) {
            end = out->first[m + 1] < end ? out->first[m + 1] : end;
            break;
        }
    return end - run->first < rows ? end - run->first : rows;
}

static void find_taps(struct conv_run *run)
{
    const struct ao_delta_support *out = ao_delta_support_of(run->session, run->step->out);
    const size_t end = run->first + run->n;
    for (int m = 0; m < run->session->n; m++) {
        const size_t lo = out->first[m] > run->first ? out->first[m] : run->first;
        const size_t hi = out->first[m + 1] < end ? out->first[m + 1] : end;
        if (lo >= hi)
            continue;
        load_mask(run, m);
        ao_delta_find_taps(run->session, run->step, lo, hi - lo, lo - run->first);
    }
}

/*
 * The last panel may be narrower than the kernel writes: it goes through a tile of our own. So do
 * the taps of the dense pass, each summed apart and then added, which rounds less: its rounding is
 * most of the error of every difference.
 */
static void multiply_tile(const struct conv_run *run, struct ao_igemm *tile, const uint32_t *row,
                          size_t columns)
{
    static const uint32_t own[AO_IGEMM_ROWS] = { 0, 1, 2, 3, 4, 5 };
    float temp[AO_IGEMM_ROWS * AO_IGEMM_COLS] = { 0 };
    const bool add = tile->accumulate, apart = add && run->session->forward;
    if (columns >= AO_IGEMM_COLS && !apart) {
        run->kernels->igemm(tile);
        return;
    }
    const size_t width = columns < AO_IGEMM_COLS ? columns : AO_IGEMM_COLS;
    float *const dst = tile->dst;
    for (size_t r = 0; add && !apart && r < AO_IGEMM_ROWS; r++)
        memcpy(temp + r * AO_IGEMM_COLS, dst + row[r] * run->dst_pitch, width * sizeof *temp);
    tile->dst = temp;
    tile->dst_pitch = AO_IGEMM_COLS;
    tile->row = own;
    tile->accumulate = add && !apart;
    run->kernels->igemm(tile);
    for (size_t r = 0; r < AO_IGEMM_ROWS; r++) {
        float *to = dst + row[r] * run->dst_pitch;
        if (!apart)
            memcpy(to, temp + r * AO_IGEMM_COLS, width * sizeof *temp);
        else if (r == 0 || row[r] != row[r - 1]) /* the last row fills up its tile */
            run->kernels->add(to, temp + r * AO_IGEMM_COLS, width);
    }
}

/* Taps that are worked through before the next ones. */
static int64_t chunk_of(const struct conv_run *run)
{
    return run->session->forward ? 1 : run->step->conv.chunk;
}

/* All tiles with taps [tap, tap + chunk) of one panel into columns [column, ...) of the block. */
static void multiply_chunk(const struct conv_run *run, const float *panel, size_t group,
                           size_t column, size_t columns, int64_t tap)
{
    const struct ao_delta_conv *conv = &run->step->conv;
    const struct ao_delta_tiles *tiles = &run->session->tiles;
    const size_t taps = (size_t)conv->taps;
    const int64_t end = tap + chunk_of(run);
    for (size_t i = 0; i < run->n_tiles; i++) {
        const uint32_t *tile_tap = tiles->tile_tap + i * taps, from = tiles->cursor[i];
        uint32_t to = from;
        while (to < tiles->n_taps[i] && tile_tap[to] < end)
            to++;
        tiles->cursor[i] = to;
        if (tap > 0 && to == from)
            continue;
        const uint32_t *row = tiles->order + i * AO_IGEMM_ROWS;
        struct ao_igemm tile = {
            .src = run->src + group * (size_t)conv->in,
            .src_pitch = run->src_pitch,
            .at = tiles->tile_at + (i * taps + from) * AO_IGEMM_ROWS,
            .tap = tile_tap + from,
            .n_taps = to - from,
            .depth = (size_t)conv->depth,
            .w = panel,
            .dst = run->dst + run->first * run->dst_pitch + column,
            .dst_pitch = run->dst_pitch,
            .row = row,
            .accumulate = tap > 0,
        };
        multiply_tile(run, &tile, row, columns);
    }
}

static void multiply(const struct conv_run *run)
{
    const struct ao_delta_conv *conv = &run->step->conv;
    struct ao_delta_tiles *tiles = &run->session->tiles;
    const float *panel = conv->weights;
    for (int64_t g = 0; g < conv->group; g++)
        for (int64_t n = 0; n < conv->out; n += AO_IGEMM_COLS) {
            memset(tiles->cursor, 0, run->n_tiles * sizeof *tiles->cursor);
            for (int64_t tap = 0; tap < conv->taps; tap += chunk_of(run))
                multiply_chunk(run, panel, (size_t)g, (size_t)(g * conv->out + n),
                               (size_t)(conv->out - n), tap);
            panel += conv->taps * conv->depth * AO_IGEMM_COLS;
        }
    for (size_t i = 0; i < run->n_tiles; i++)
        run->stat->macs_done += (double)tiles->n_taps[i] * AO_IGEMM_ROWS * (double)conv->depth *
                                (double)(conv->out * conv->group);
}

static void multiply_depthwise(const struct conv_run *run)
{
    const struct ao_delta_conv *conv = &run->step->conv;
    struct ao_delta_tiles *tiles = &run->session->tiles;
    const size_t taps = (size_t)conv->taps;
    for (size_t i = 0; i < run->n; i++) {
        const uint32_t *at = tiles->at + i * taps;
        size_t count = 0;
        for (size_t k = 0; k < taps; k++) {
            tiles->tile_at[count] = at[k];
            tiles->tile_tap[count] = (uint32_t)k;
            count += at[k] != AO_NO_ROW;
        }
        run->kernels->depthwise(&(struct ao_depthwise){
            .src = run->src,
            .src_pitch = run->src_pitch,
            .at = tiles->tile_at,
            .tap = tiles->tile_tap,
            .n_taps = count,
            .channels = (size_t)conv->group,
            .w = conv->weights,
            .w_pitch = (size_t)conv->group,
            .dst = run->dst + (run->first + i) * run->dst_pitch,
        });
        run->stat->macs_done += (double)count * (double)conv->group;
    }
}

/* The dense pass: bias, residual and ReLU of values, of which the one before the ReLU is kept. */
static void finish_forward(struct ao_delta_session *session, const struct ao_delta_step *step,
                           size_t first, size_t n)
{
    const struct ao_delta_value *values = session->delta->values;
    const struct ao_kernels *kernels = session->delta->kernels;
    const size_t C = (size_t)values[step->out].extent.C;
    const float *other = step->add == AO_NO_VALUE ? NULL : ao_delta_rows(session, step->add);
    float *dst = ao_delta_rows(session, step->out);
    for (size_t r = first; r < first + n; r++) {
        float *row = dst + r * C;
        if (step->shift)
            kernels->add(row, step->shift, C);
        if (other)
            kernels->add(row, other + r * C, C);
        if (step->relu_of == AO_NO_VALUE)
            continue;
        memcpy(session->forward->floats + values[step->relu_of].keep + r * C, row, C * sizeof *row);
        for (size_t c = 0; c < C; c++)
            row[c] = row[c] > 0 ? row[c] : 0;
    }
}

void ao_delta_finish(struct ao_delta_session *session, const struct ao_delta_base *base,
                     const struct ao_delta_step *step, size_t first, size_t n)
{
    if (session->forward) {
        finish_forward(session, step, first, n);
        return;
    }
    const struct ao_delta_value *values = session->delta->values;
    const struct ao_kernels *kernels = session->delta->kernels;
    const struct ao_delta_support *out = ao_delta_support_of(session, step->out);
    const uint32_t *positions = ao_delta_positions_of(session, out);
    const size_t C = (size_t)values[step->out].extent.C;
    const bool add = step->add != AO_NO_VALUE, relu = step->relu_of != AO_NO_VALUE;
    const float *other = add ? ao_delta_rows(session, step->add) : NULL;
    const float *y = relu ? base->floats + values[step->relu_of].keep : NULL;
    float *dst = ao_delta_rows(session, step->out);
    for (int m = 0; (add || relu) && m < session->n; m++) {
        const size_t lo = out->first[m] > first ? out->first[m] : first;
        const size_t hi = out->first[m + 1] < first + n ? out->first[m + 1] : first + n;
        struct ao_delta_cursor cursor = ao_delta_cursor(session, add ? step->add : step->out, m);
        for (size_t r = lo; r < hi; r++) {
            const uint32_t row = add ? ao_delta_row_at(&cursor, positions[r]) : AO_NO_ROW;
            if (row != AO_NO_ROW)
                kernels->add(dst + r * C, other + row * C, C);
            if (relu)
                kernels->relu_delta(dst + r * C, y + positions[r] * C, C);
        }
    }
}

static void choose_source(struct conv_run *run)
{
    const struct ao_delta_conv *conv = &run->step->conv;
    struct ao_delta_session *session = run->session;
    const struct ao_delta_support *in = ao_delta_support_of(session, run->step->in[0]);
    run->src = ao_delta_rows(session, run->step->in[0]);
    run->src_pitch = (size_t)(conv->in * conv->group);
    run->zero = in->first[session->n];
    if (conv->matrix) {
        run->src_pitch = (size_t)conv->depth;
        run->zero *= (uint32_t)conv->taps;
    } else if (conv->along_x) {
        run->src = session->tiles.patch;
        run->src_pitch = 1;
        run->zero = (uint32_t)(session->tiles.patch_floats - (size_t)conv->depth);
    }
}

void ao_delta_conv_range(struct ao_delta_session *session, const struct ao_delta_base *base,
                         const struct ao_delta_step *step, size_t first, size_t end,
                         struct ao_delta_stat *stat)
{
    struct conv_run run = {
        .session = session,
        .step = step,
        .kernels = session->delta->kernels,
        .dst = ao_delta_rows(session, step->out),
        .dst_pitch = (size_t)(step->conv.out * step->conv.group),
        .end = end,
        .mask = -1,
        .stat = stat,
    };
    choose_source(&run);
    for (run.first = first; run.first < end; run.first += run.n) {
        run.n = block_rows(&run);
        find_taps(&run);
        if (step->conv.depthwise) {
            multiply_depthwise(&run);
        } else {
            run.n_tiles = ao_delta_make_tiles(&session->tiles, &step->conv, run.n, run.zero);
            multiply(&run);
        }
        ao_delta_finish(session, base, step, run.first, run.n);
    }
    if (step->conv.along_x && run.mask >= 0)
        ao_delta_patch_clear(session, step, run.mask);
    stat->macs_reached += (double)(end - first) * (double)(step->conv.taps * step->conv.depth) *
                          (double)(step->conv.out * step->conv.group);
}

void ao_delta_run_conv(struct ao_delta_session *session, const struct ao_delta_base *base,
                       const struct ao_delta_step *step, struct ao_delta_stat *stat)
{
    const size_t rows = ao_delta_support_of(session, step->out)->first[session->n];
    ao_delta_conv_range(session, base, step, 0, rows, stat);
}
