/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/delta/internal.h"

#include <string.h>

#include "core/alloc.h"

/*
 * Convolutions of stride 1 and 3 taps on some axes by Winograd's filtering: a tile of 2x4x4 outputs
 * takes 144 products per pair of channels instead of 864. Tiles need no grid: they are laid where
 * a mask changes outputs, slab by slab, and worked on whole. Where few inputs change the direct way
 * does less, so each batch counts all ways that a layer has weights for, and takes the cheapest.
 * The count depends on the masks of the batch only, and so do the bits.
 */

#define COMPONENT_FLOATS (256 * 1024) /* of a block of tiles: stays in the last-level cache */
#define FEWEST_TILES 96               /* of a block, so that weights are read for many */

/* Tiles of a block; no more than a batch can have. */
static size_t block_tiles(const struct ao_delta *delta, const struct ao_delta_step *step,
                          const struct ao_delta_winograd *form)
{
    const int64_t *out = delta->values[step->out].extent.dims;
    const int64_t widest = step->conv.in > step->conv.out ? step->conv.in : step->conv.out;
    size_t tiles = COMPONENT_FLOATS / (form->components * (size_t)widest), most = AO_DELTA_BATCH;
    for (int d = 0; d < 3; d++) {
        const size_t size = ao_winograd_outputs(form->n[d]);
        most *= ((size_t)out[d] + size - 1) / size;
    }
    tiles = tiles < FEWEST_TILES ? FEWEST_TILES : tiles;
    tiles = tiles > most ? most + AO_IGEMM_ROWS - 1 : tiles;
    return tiles / AO_IGEMM_ROWS * AO_IGEMM_ROWS;
}

static size_t columns_of(int64_t channels)
{
    return ((size_t)channels + AO_IGEMM_COLS - 1) / AO_IGEMM_COLS * AO_IGEMM_COLS;
}

/* Floats from one component of a block to the next. The odd line keeps the components of a tile,
 * which are written together, in different sets of the cache. */
static size_t component_pitch(size_t tiles, int64_t channels)
{
    return tiles * columns_of(channels) + 16;
}

aosa_status ao_delta_winograd_reserve(struct ao_delta_session *session)
{
    const struct ao_delta *delta = session->delta;
    size_t floats[2] = { 1, 1 };
    for (int i = 0; i < delta->n_steps; i++) {
        const struct ao_delta_step *step = &delta->steps[i];
        const int64_t channels[2] = { step->conv.in, step->conv.out };
        for (int f = 0; f < 2 * step->n_winograd; f++) {
            const struct ao_delta_winograd *form = &step->winograd[f / 2];
            const size_t tiles = block_tiles(delta, step, form);
            const size_t n = form->components * component_pitch(tiles, channels[f % 2]);
            floats[f % 2] = n > floats[f % 2] ? n : floats[f % 2];
        }
    }
    const size_t P = (size_t)delta->max_positions, n_steps = (size_t)delta->n_steps + 1;
    session->grids = ao_alloc(n_steps, sizeof *session->grids);
    session->chosen = ao_alloc(n_steps, sizeof *session->chosen);
    session->out_map = ao_alloc_raw(P, sizeof *session->out_map);
    bool whole = session->grids && session->chosen && session->out_map;
    for (int k = 0; k < 2; k++)
        whole &= (session->components[k] = ao_alloc_raw(floats[k], sizeof(float))) != NULL;
    session->bytes += (floats[0] + floats[1]) * sizeof(float) + P * sizeof *session->out_map;
    return whole ? AOSA_OK
                 : ao_fail(AOSA_ERR_NOMEM, "delta session: no memory for tiles of %zu floats",
                           floats[0] + floats[1]);
}

/* ---- where tiles lie ---- */

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

/* lines[0] |= the `size` - 1 lines that follow, as far as they are among `left`. */
static void unite(uint8_t *lines, int64_t left, int64_t size, size_t width)
{
    for (int64_t i = 1; i < size && i < left; i++)
        for (size_t x = 0; x < width; x++)
            lines[x] |= lines[(size_t)i * width + x];
}

/* Where a tile begins whose first changed output is `at`; form 3 knows one place only. */
static int64_t tile_start(size_t n, int64_t at)
{
    return n == 3 ? 0 : at;
}

/*
 * Flags the first outputs of tiles that cover all changed ones. Each slab of frames begins at the
 * first changed frame behind the last slab; so do the lines of a slab, and the columns of a line.
 */
static void cover(const size_t *n, const int64_t *dims, uint8_t *changed, uint8_t *starts)
{
    int64_t size[3];
    for (int d = 0; d < 3; d++)
        size[d] = (int64_t)ao_winograd_outputs(n[d]);
    const size_t plane = (size_t)(dims[1] * dims[2]), width = (size_t)dims[2];
    for (int64_t t = 0; t < dims[0]; t++) {
        if (!memchr(changed + (size_t)t * plane, 1, plane))
            continue;
        const int64_t t0 = tile_start(n[0], t);
        uint8_t *frame = changed + (size_t)t0 * plane;
        unite(frame, dims[0] - t0, size[0], plane);
        for (int64_t y = 0; y < dims[1]; y++) {
            if (!memchr(frame + (size_t)y * width, 1, width))
                continue;
            const int64_t y0 = tile_start(n[1], y);
            uint8_t *line = frame + (size_t)y0 * width;
            unite(line, dims[1] - y0, size[1], width);
            for (int64_t x = 0; x < dims[2]; x++)
                if (line[x]) {
                    const int64_t x0 = tile_start(n[2], x);
                    starts[((size_t)t0 * (size_t)dims[1] + (size_t)y0) * width + (size_t)x0] = 1;
                    x = x0 + size[2] - 1;
                }
            y = y0 + size[1] - 1;
        }
        t = t0 + size[0] - 1;
    }
}

static aosa_status list_tiles(struct ao_delta_session *session, const struct ao_delta_step *step,
                              const struct ao_delta_winograd *form, struct ao_delta_support *grid)
{
    const struct ao_delta_extent *extent = &session->delta->values[step->out].extent;
    const struct ao_delta_support *support = ao_delta_support_of(session, step->out);
    const struct ao_delta_box whole = ao_delta_whole(extent->dims);
    const size_t P = (size_t)ao_delta_positions(extent);
    *grid = (struct ao_delta_support){ .at = session->n_positions };
    for (int m = 0; m < session->n; m++) {
        const uint32_t *positions = ao_delta_positions_of(session, support);
        memset(session->flags[1], 0, P);
        for (uint32_t r = support->first[m]; r < support->first[m + 1]; r++)
            session->flags[1][positions[r]] = 1;
        cover(form->n, extent->dims, session->flags[1], session->flags[0]);
        AO_TRY(ao_delta_append(session, grid, m, session->flags[0], extent->dims, &whole));
    }
    return AOSA_OK;
}

aosa_status ao_delta_winograd_finest(struct ao_delta_session *session, int i)
{
    const struct ao_delta_step *step = &session->delta->steps[i];
    session->chosen[i] = step->n_winograd ? &step->winograd[step->n_winograd - 1] : NULL;
    return session->chosen[i] ? list_tiles(session, step, session->chosen[i], &session->grids[i])
                              : AOSA_OK;
}

aosa_status ao_delta_winograd_choose(struct ao_delta_session *session, int i)
{
    const struct ao_delta_step *step = &session->delta->steps[i];
    const struct ao_delta_winograd **chosen = &session->chosen[i];
    struct ao_delta_support *grid = &session->grids[i];
    *chosen = NULL;
    if (step->n_winograd == 0)
        return AOSA_OK;
    double least = step->direct ? direct_products(session, step) : 0;
    for (int f = 0; f < step->n_winograd; f++) {
        const struct ao_delta_winograd *form = &step->winograd[f];
        AO_TRY(list_tiles(session, step, form, grid));
        const double cost = ao_delta_winograd_cost(step, form->n, (double)grid->first[session->n]);
        if (cost < least || (!*chosen && !step->direct)) {
            least = cost;
            *chosen = form;
        }
        if (*chosen != form || f < step->n_winograd - 1)
            session->n_positions = grid->at;
    }
    if (!*chosen || *chosen == &step->winograd[step->n_winograd - 1])
        return AOSA_OK;
    return list_tiles(session, step, *chosen, grid);
}

/* ---- the work ---- */

struct winograd_run {
    struct ao_delta_session *session;
    const struct ao_delta_step *step;
    const struct ao_delta_winograd *form;
    const struct ao_kernels *kernels;
    const struct ao_delta_support *grid;
    const uint32_t *tiles; /* position of their first outputs */
    const int64_t *in, *out;
    size_t in_pitch, out_pitch, columns; /* of components; of one row of products */
    size_t first, n, block;              /* tiles of this block, and most of one */
};

static void locate(const struct winograd_run *run, size_t tile, int64_t *at)
{
    const int64_t *out = run->out, p = run->tiles[tile];
    at[0] = p / (out[1] * out[2]);
    at[1] = p / out[2] % out[1];
    at[2] = p % out[2];
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
    const size_t *n = run->form->n, in = (size_t)run->step->conv.in;
    const struct ao_delta_support *support = ao_delta_support_of(session, run->step->in[0]);
    uint32_t rows[AO_WINOGRAD_MOST];
    struct ao_winograd tile = { .n = { n[0], n[1], n[2] },
                                .src = ao_delta_rows(session, run->step->in[0]),
                                .src_pitch = in,
                                .at = rows,
                                .dst_pitch = run->in_pitch,
                                .channels = in };
    for (size_t i = lo; i < hi; i++) {
        int64_t at[3];
        locate(run, i, at);
        for (int d = 0; d < 3; d++)
            at[d] -= n[d] == 3 ? 0 : run->step->window.pad[d]; /* form 3 reads no padding */
        gather(session->map, run->in, at, n, support->first[session->n], rows);
        tile.dst = session->components[0] + (i - run->first) * in;
        run->kernels->winograd_in(&tile);
    }
}

static void transform_out(const struct winograd_run *run, size_t lo, size_t hi)
{
    const struct ao_delta_session *session = run->session;
    const size_t *n = run->form->n, out = (size_t)run->step->conv.out;
    const size_t extents[3] = { ao_winograd_outputs(n[0]), ao_winograd_outputs(n[1]),
                                ao_winograd_outputs(n[2]) };
    uint32_t rows[AO_WINOGRAD_MOST];
    struct ao_winograd tile = { .n = { n[0], n[1], n[2] },
                                .src_pitch = run->out_pitch,
                                .at = rows,
                                .dst = ao_delta_rows(session, run->step->out),
                                .dst_pitch = out,
                                .channels = out };
    for (size_t i = lo; i < hi; i++) {
        int64_t at[3];
        locate(run, i, at);
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
    const float *panel = run->form->weights;
    for (size_t j = 0; j < run->form->components; j++)
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

static struct winograd_run begin(struct ao_delta_session *session, int i)
{
    const struct ao_delta *delta = session->delta;
    const struct ao_delta_step *step = &delta->steps[i];
    const size_t block = block_tiles(delta, step, session->chosen[i]);
    return (struct winograd_run){
        .session = session,
        .step = step,
        .form = session->chosen[i],
        .kernels = delta->kernels,
        .grid = &session->grids[i],
        .tiles = ao_delta_positions_of(session, &session->grids[i]),
        .in = delta->values[step->in[0]].extent.dims,
        .out = delta->values[step->out].extent.dims,
        .in_pitch = component_pitch(block, step->conv.in),
        .out_pitch = component_pitch(block, step->conv.out),
        .columns = columns_of(step->conv.out),
        .block = block,
    };
}

void ao_delta_winograd_range(struct ao_delta_session *session, int i, size_t first, size_t end)
{
    struct winograd_run run = begin(session, i);
    for (run.first = first; run.first < end; run.first += run.n) {
        run.n = end - run.first < run.block ? end - run.first : run.block;
        run_block(&run);
    }
}

void ao_delta_run_winograd(struct ao_delta_session *session, const struct ao_delta_base *base,
                           int i, struct ao_delta_stat *stat)
{
    struct winograd_run run = begin(session, i);
    const struct ao_delta_step *step = run.step;
    const struct ao_delta_support *out = ao_delta_support_of(session, step->out);
    const size_t n = run.grid->first[session->n];
    const double channels = (double)(step->conv.in * step->conv.out);
    int finished = 0; /* masks */
    for (run.first = 0; run.first < n; run.first += run.n) {
        run.n = n - run.first < run.block ? n - run.first : run.block;
        run_block(&run);
        /* Rows of a mask whose last tile is done are still near. */
        for (; finished < session->n && run.grid->first[finished + 1] <= run.first + run.n;
             finished++)
            ao_delta_finish(session, base, step, out->first[finished],
                            out->first[finished + 1] - out->first[finished]);
    }
    stat->macs_done += (double)n * (double)run.form->components * channels;
    stat->macs_reached += (double)out->first[session->n] * (double)step->conv.taps * channels;
}
