/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/delta/internal.h"

#include <string.h>

#include "core/alloc.h"

/*
 * 3x3x3, 1x3x3 and 3x1x1 convolutions of stride 1 by Winograd's F(2,3) on each axis of 3 taps: a
 * tile of 2x2x2 outputs takes 64 products per pair of channels instead of 216. Tiles lie on the
 * grid of even outputs; those that hold a changed output are worked on, whole. Where few inputs
 * change the direct way does less, so each batch counts both, and takes the cheaper one for each
 * layer. The count depends on the masks of the batch only, and so do the bits.
 */

#define FEWEST_CHANNELS 8
#define COMPONENT_FLOATS (256 * 1024) /* of a block of tiles: stays in the last-level cache */
#define FEWEST_TILES 96               /* of a block, so that weights are read for many */

/* Cost of the transforms, in multiply-accumulates per component and channel of the other side. */
#define TRANSFORM_COST 12.0

static bool choose_axes(const struct ao_delta *delta, struct ao_delta_step *step)
{
    const struct ao_delta_window *w = &step->window;
    const struct ao_delta_conv *conv = &step->conv;
    struct ao_delta_winograd *winograd = &step->winograd;
    const int64_t *out = delta->values[step->out].extent.dims;
    if (conv->matrix || conv->along_x || conv->group != 1 || conv->in < FEWEST_CHANNELS ||
        conv->out < FEWEST_CHANNELS)
        return false;
    winograd->components = 1;
    for (int d = 0; d < 3; d++) {
        const bool three = w->kernel[d] == 3 && w->dilation[d] == 1;
        const bool one = w->kernel[d] == 1 && w->pad[d] == 0;
        if (w->stride[d] != 1 || !(three || one))
            return false;
        winograd->n[d] = three ? 4 : 1;
        winograd->tiles[d] = three ? (out[d] + 1) / 2 : out[d];
        winograd->components *= winograd->n[d];
    }
    return winograd->components > 1;
}

/* One line of three taps, `step` apart, becomes four. */
static void transform_line(const double *g, size_t g_step, double *u, size_t u_step)
{
    const double sum = g[0] + g[2 * g_step];
    u[0] = g[0];
    u[u_step] = (sum + g[g_step]) / 2;
    u[2 * u_step] = (sum - g[g_step]) / 2;
    u[3 * u_step] = g[2 * g_step];
}

/* Taps of one filter [3 or 1]^3 to components [4 or 1]^3, axis by axis, the last first. */
static void transform_filter(const size_t *n, double *filter)
{
    double next[AO_WINOGRAD_MOST];
    size_t extent[3] = { n[0] == 4 ? 3 : 1, n[1] == 4 ? 3 : 1, n[2] == 4 ? 3 : 1 };
    for (int d = 2; d >= 0; d--) {
        if (n[d] == 1)
            continue;
        const size_t inner = d == 2 ? 1 : d == 1 ? extent[2] : extent[1] * extent[2];
        const size_t outer = d == 0 ? 1 : d == 1 ? extent[0] : extent[0] * extent[1];
        for (size_t o = 0; o < outer; o++)
            for (size_t i = 0; i < inner; i++)
                transform_line(filter + o * 3 * inner + i, inner, next + o * 4 * inner + i, inner);
        extent[d] = 4;
        memcpy(filter, next, extent[0] * extent[1] * extent[2] * sizeof *filter);
    }
}

aosa_status ao_delta_winograd_pack(struct ao_delta *delta, struct ao_delta_step *step)
{
    struct ao_delta_winograd *winograd = &step->winograd;
    const struct ao_delta_conv *conv = &step->conv;
    if (!choose_axes(delta, step))
        return AOSA_OK;
    const size_t in = (size_t)conv->in, out = (size_t)conv->out, taps = (size_t)conv->taps;
    const size_t columns = (out + AO_IGEMM_COLS - 1) / AO_IGEMM_COLS * AO_IGEMM_COLS;
    const float *src = delta->graph->values[step->node->in[1]].data;
    winograd->weights = ao_arena_alloc(&delta->arena, winograd->components * in * columns,
                                       sizeof *winograd->weights);
    if (!winograd->weights)
        return ao_fail(AOSA_ERR_NOMEM, "node '%s': no memory for its transformed weights",
                       step->node->name);
    for (size_t o = 0; o < out; o++)
        for (size_t c = 0; c < in; c++) {
            double filter[AO_WINOGRAD_MOST];
            for (size_t k = 0; k < taps; k++)
                filter[k] = (double)src[(o * in + c) * taps + k];
            transform_filter(winograd->n, filter);
            float *dst = winograd->weights + (o / AO_IGEMM_COLS * in + c) * AO_IGEMM_COLS +
                         o % AO_IGEMM_COLS;
            for (size_t j = 0; j < winograd->components; j++)
                dst[j * in * columns] = (float)filter[j];
        }
    winograd->able = true;
    return AOSA_OK;
}

static size_t block_tiles(const struct ao_delta_step *step)
{
    const int64_t widest = step->conv.in > step->conv.out ? step->conv.in : step->conv.out;
    const size_t tiles = COMPONENT_FLOATS / (step->winograd.components * (size_t)widest);
    const size_t rounded = tiles / AO_IGEMM_ROWS * AO_IGEMM_ROWS;
    return rounded < FEWEST_TILES ? FEWEST_TILES : rounded;
}

/* Floats from one component of a block to the next. The odd line keeps the components of a tile,
 * which are written together, in different sets of the cache. */
static size_t component_pitch(const struct ao_delta_step *step, int64_t channels)
{
    const size_t columns = ((size_t)channels + AO_IGEMM_COLS - 1) / AO_IGEMM_COLS * AO_IGEMM_COLS;
    return block_tiles(step) * columns + 16;
}

aosa_status ao_delta_winograd_reserve(struct ao_delta_session *session)
{
    const struct ao_delta *delta = session->delta;
    size_t floats[2] = { 1, 1 };
    for (int i = 0; i < delta->n_steps; i++) {
        const struct ao_delta_step *step = &delta->steps[i];
        if (step->rule != AO_DELTA_CONV || !step->winograd.able)
            continue;
        const int64_t channels[2] = { step->conv.in, step->conv.out };
        for (int k = 0; k < 2; k++) {
            const size_t n = step->winograd.components * component_pitch(step, channels[k]);
            floats[k] = n > floats[k] ? n : floats[k];
        }
    }
    const size_t P = (size_t)delta->max_positions;
    session->grids = ao_alloc((size_t)delta->n_steps + 1, sizeof *session->grids);
    session->out_map = ao_alloc_raw(P, sizeof *session->out_map);
    bool whole = session->grids && session->out_map;
    for (int k = 0; k < 2; k++)
        whole &= (session->components[k] = ao_alloc_raw(floats[k], sizeof(float))) != NULL;
    session->bytes += (floats[0] + floats[1]) * sizeof(float) + P * sizeof *session->out_map;
    return whole ? AOSA_OK
                 : ao_fail(AOSA_ERR_NOMEM, "delta session: no memory for tiles of %zu floats",
                           floats[0] + floats[1]);
}

/* Products of the direct way per pair of channels: for every changed input, the outputs inside
 * the tensor that read it. */
static double direct_products(const struct ao_delta_session *session,
                              const struct ao_delta_step *step)
{
    const struct ao_delta_value *values = session->delta->values;
    const int64_t *in = values[step->in[0]].extent.dims, *out = values[step->out].extent.dims;
    const struct ao_delta_support *support = ao_delta_support_of(session, step->in[0]);
    const uint32_t *positions = ao_delta_positions_of(session, support);
    double total = 0;
    for (uint32_t r = 0; r < support->first[session->n]; r++) {
        const int64_t p = positions[r];
        const int64_t at[3] = { p / (in[1] * in[2]), p / in[2] % in[1], p % in[2] };
        int readers = 1;
        for (int d = 0; d < 3; d++) {
            int along = 0;
            for (int64_t k = 0; k < step->window.kernel[d]; k++) {
                const int64_t o = at[d] + step->window.pad[d] - k;
                along += o >= 0 && o < out[d];
            }
            readers *= along;
        }
        total += readers;
    }
    return total;
}

/* Tile that holds an output. */
static int64_t tile_of(const struct ao_delta_winograd *winograd, const int64_t *out, int64_t p)
{
    const int64_t at[3] = { p / (out[1] * out[2]), p / out[2] % out[1], p % out[2] };
    int64_t tile = 0;
    for (int d = 0; d < 3; d++)
        tile = tile * winograd->tiles[d] + (winograd->n[d] == 4 ? at[d] / 2 : at[d]);
    return tile;
}

aosa_status ao_delta_winograd_choose(struct ao_delta_session *session, int i)
{
    const struct ao_delta_step *step = &session->delta->steps[i];
    const struct ao_delta_winograd *winograd = &step->winograd;
    struct ao_delta_support *grid = &session->grids[i];
    memset(grid->first, 0, sizeof grid->first);
    if (step->rule != AO_DELTA_CONV || !winograd->able)
        return AOSA_OK;
    const int64_t *out = session->delta->values[step->out].extent.dims;
    const int64_t *tiles = winograd->tiles;
    const struct ao_delta_support *support = ao_delta_support_of(session, step->out);
    grid->at = session->n_positions;
    for (int m = 0; m < session->n; m++) {
        const uint32_t *positions = ao_delta_positions_of(session, support);
        for (uint32_t r = support->first[m]; r < support->first[m + 1]; r++)
            session->flags[0][tile_of(winograd, out, positions[r])] = 1;
        AO_TRY(ao_delta_append(session, grid, m, session->flags[0],
                               (size_t)(tiles[0] * tiles[1] * tiles[2])));
    }
    const double transforms =
        1 + TRANSFORM_COST / (double)step->conv.in + TRANSFORM_COST / (double)step->conv.out;
    const double cost = (double)grid->first[session->n] * (double)winograd->components * transforms;
    if (cost >= direct_products(session, step)) {
        session->n_positions = grid->at;
        memset(grid->first, 0, sizeof grid->first);
    }
    return AOSA_OK;
}

struct winograd_run {
    struct ao_delta_session *session;
    const struct ao_delta_step *step;
    const struct ao_kernels *kernels;
    const struct ao_delta_support *grid;
    const uint32_t *tiles; /* positions of the tiles on their grid */
    const int64_t *in, *out;
    size_t in_pitch, out_pitch, columns; /* of components; of one row of products */
    size_t first, n;                     /* tiles of this block */
};

static void locate(const struct winograd_run *run, size_t tile, int64_t *at)
{
    const int64_t *tiles = run->step->winograd.tiles, p = run->tiles[tile];
    at[0] = p / (tiles[1] * tiles[2]);
    at[1] = p / tiles[2] % tiles[1];
    at[2] = p % tiles[2];
}

/*
 * Rows at the extents[0] x extents[1] x extents[2] positions from `origin` on of a tensor of size
 * `dims`; `absent` outside it and where it does not change.
 */
static void gather(const uint32_t *map, const int64_t *dims, const int64_t *origin,
                   const size_t *extents, uint32_t absent, uint32_t *at)
{
    for (size_t t = 0; t < extents[0]; t++)
        for (size_t y = 0; y < extents[1]; y++)
            for (size_t x = 0; x < extents[2]; x++) {
                const int64_t p[3] = { origin[0] + (int64_t)t, origin[1] + (int64_t)y,
                                       origin[2] + (int64_t)x };
                uint32_t row = AO_NO_ROW;
                if (p[0] >= 0 && p[0] < dims[0] && p[1] >= 0 && p[1] < dims[1] && p[2] >= 0 &&
                    p[2] < dims[2])
                    row = map[(p[0] * dims[1] + p[1]) * dims[2] + p[2]];
                *at++ = row == AO_NO_ROW ? absent : row;
            }
}

static void transform_in(const struct winograd_run *run, size_t lo, size_t hi)
{
    const struct ao_delta_session *session = run->session;
    const struct ao_delta_winograd *winograd = &run->step->winograd;
    const struct ao_delta_support *support = ao_delta_support_of(session, run->step->in[0]);
    const size_t in = (size_t)run->step->conv.in;
    uint32_t rows[AO_WINOGRAD_MOST];
    struct ao_winograd tile = { .n = { winograd->n[0], winograd->n[1], winograd->n[2] },
                                .src = ao_delta_rows(session, run->step->in[0]),
                                .src_pitch = in,
                                .at = rows,
                                .dst_pitch = run->in_pitch,
                                .channels = in };
    for (size_t i = lo; i < hi; i++) {
        int64_t at[3];
        locate(run, i, at);
        for (int d = 0; d < 3; d++)
            at[d] = at[d] * (winograd->n[d] == 4 ? 2 : 1) - run->step->window.pad[d];
        gather(session->map, run->in, at, winograd->n, support->first[session->n], rows);
        tile.dst = session->components[0] + (i - run->first) * in;
        run->kernels->winograd_in(&tile);
    }
}

static void transform_out(const struct winograd_run *run, size_t lo, size_t hi)
{
    const struct ao_delta_session *session = run->session;
    const struct ao_delta_winograd *winograd = &run->step->winograd;
    const size_t out = (size_t)run->step->conv.out;
    const size_t extents[3] = { (winograd->n[0] + 1) / 2, (winograd->n[1] + 1) / 2,
                                (winograd->n[2] + 1) / 2 };
    uint32_t rows[AO_WINOGRAD_MOST];
    struct ao_winograd tile = { .n = { winograd->n[0], winograd->n[1], winograd->n[2] },
                                .src_pitch = run->out_pitch,
                                .at = rows,
                                .dst = ao_delta_rows(session, run->step->out),
                                .dst_pitch = out,
                                .channels = out };
    for (size_t i = lo; i < hi; i++) {
        int64_t at[3];
        locate(run, i, at);
        for (int d = 0; d < 3; d++)
            at[d] *= winograd->n[d] == 4 ? 2 : 1;
        gather(session->out_map, run->out, at, extents, AO_NO_ROW, rows);
        tile.src = session->components[1] + (i - run->first) * run->columns;
        run->kernels->winograd_out(&tile);
    }
}

/* Every component is a matrix product of its own: tiles x in by in x out. */
static void multiply(const struct winograd_run *run)
{
    const struct ao_delta_session *session = run->session;
    const size_t in = (size_t)run->step->conv.in;
    const uint32_t tap = 0;
    const float *panel = run->step->winograd.weights;
    for (size_t j = 0; j < run->step->winograd.components; j++)
        for (size_t column = 0; column < run->columns; column += AO_IGEMM_COLS) {
            for (size_t i = 0; i < run->n; i += AO_IGEMM_ROWS) {
                uint32_t rows[AO_IGEMM_ROWS]; /* the last one is repeated */
                for (size_t r = 0; r < AO_IGEMM_ROWS; r++)
                    rows[r] = (uint32_t)(i + r < run->n ? i + r : run->n - 1);
                run->kernels->igemm(&(struct ao_igemm){
                    .src = session->components[0] + j * run->in_pitch,
                    .src_pitch = in,
                    .at = rows,
                    .tap = &tap,
                    .n_taps = 1,
                    .depth = in,
                    .w = panel,
                    .dst = session->components[1] + j * run->out_pitch + column,
                    .dst_pitch = run->columns,
                    .row = rows,
                });
            }
            panel += in * AO_IGEMM_COLS;
        }
}

/* Tiles [lo, hi) of mask m that lie in this block. */
static bool of_mask(const struct winograd_run *run, int m, size_t *lo, size_t *hi)
{
    const size_t end = run->first + run->n;
    *lo = run->grid->first[m] > run->first ? run->grid->first[m] : run->first;
    *hi = run->grid->first[m + 1] < end ? run->grid->first[m + 1] : end;
    return *lo < *hi;
}

static void run_block(const struct winograd_run *run)
{
    struct ao_delta_session *session = run->session;
    size_t lo, hi;
    for (int m = 0; m < session->n; m++)
        if (of_mask(run, m, &lo, &hi)) {
            ao_delta_map(session, run->step->in[0], m);
            transform_in(run, lo, hi);
        }
    multiply(run);
    for (int m = 0; m < session->n; m++)
        if (of_mask(run, m, &lo, &hi)) {
            ao_delta_map_into(session, run->step->out, m, session->out_map);
            transform_out(run, lo, hi);
        }
}

void ao_delta_run_winograd(struct ao_delta_session *session, const struct ao_delta_base *base,
                           int i, struct ao_delta_stat *stat)
{
    const struct ao_delta *delta = session->delta;
    const struct ao_delta_step *step = &delta->steps[i];
    const struct ao_delta_conv *conv = &step->conv;
    const struct ao_delta_support *grid = &session->grids[i];
    struct winograd_run run = {
        .session = session,
        .step = step,
        .kernels = delta->kernels,
        .grid = grid,
        .tiles = ao_delta_positions_of(session, grid),
        .in = delta->values[step->in[0]].extent.dims,
        .out = delta->values[step->out].extent.dims,
        .in_pitch = component_pitch(step, conv->in),
        .out_pitch = component_pitch(step, conv->out),
        .columns = ((size_t)conv->out + AO_IGEMM_COLS - 1) / AO_IGEMM_COLS * AO_IGEMM_COLS,
    };
    const size_t n = grid->first[session->n], block = block_tiles(step);
    const struct ao_delta_support *out = ao_delta_support_of(session, step->out);
    const double channels = (double)(conv->in * conv->out);
    int finished = 0; /* masks */
    for (run.first = 0; run.first < n; run.first += run.n) {
        run.n = n - run.first < block ? n - run.first : block;
        run_block(&run);
        /* Rows of a mask whose last tile is done are still near. */
        for (; finished < session->n && grid->first[finished + 1] <= run.first + run.n; finished++)
            ao_delta_finish(session, base, step, out->first[finished],
                            out->first[finished + 1] - out->first[finished]);
    }
    stat->macs_done += (double)n * (double)step->winograd.components * channels;
    stat->macs_reached += (double)out->first[session->n] * (double)conv->taps * channels;
}
