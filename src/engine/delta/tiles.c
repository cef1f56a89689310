/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/delta/internal.h"

#include <string.h>

#include "core/alloc.h"

/*
 * A convolution reads zeros where its input did not change: beyond the border of the changed
 * region and of the tensor. Rows are therefore ordered by the set of taps that find a change, and
 * six rows of one set make a tile that works on these taps only. So the work is that of the
 * changed inputs, not of the reached outputs.
 */

#define BLOCK_ENTRIES 131072      /* taps x rows of a block: 512 KiB of row numbers */
#define BLOCK_FLOATS (512 * 1024) /* wider side of a block of rows: it stays in the cache */
#define MOST_ROWS 4096
#define FEWEST_ROWS 384

size_t ao_delta_block_rows(const struct ao_delta_conv *conv)
{
    int64_t rows = MOST_ROWS;
    const int64_t in = conv->along_x ? conv->depth : conv->in * conv->group;
    const int64_t out = conv->out * conv->group, channels = in > out ? in : out;
    if (rows > BLOCK_ENTRIES / conv->taps)
        rows = BLOCK_ENTRIES / conv->taps;
    if (rows > BLOCK_FLOATS / channels)
        rows = BLOCK_FLOATS / channels;
    return (size_t)(rows < FEWEST_ROWS ? FEWEST_ROWS : rows);
}

/* Floats from one line of the patch to the next. */
static int64_t patch_width(const struct ao_delta_step *step, const struct ao_delta_extent *in,
                           const struct ao_delta_extent *out)
{
    const struct ao_delta_window *w = &step->window;
    const int64_t read = (out->dims[2] - 1) * w->stride[2] + w->kernel[2];
    const int64_t held = w->pad[2] + in->dims[2];
    return (read > held ? read : held) * in->C;
}

static size_t patch_floats(const struct ao_delta *delta, const struct ao_delta_step *step)
{
    const struct ao_delta_extent *in = &delta->values[step->in[0]].extent;
    const int64_t width = patch_width(step, in, &delta->values[step->out].extent);
    return (size_t)(in->dims[0] * in->dims[1] * width + step->conv.depth);
}

static void measure(const struct ao_delta *delta, struct ao_delta_tiles *tiles, size_t *entries,
                    size_t *lines)
{
    for (int i = 0; i < delta->n_steps; i++) {
        const struct ao_delta_step *step = &delta->steps[i];
        if (step->rule != AO_DELTA_CONV)
            continue;
        const size_t rows = ao_delta_block_rows(&step->conv), taps = (size_t)step->conv.taps;
        const int64_t *dims = delta->values[step->in[0]].extent.dims;
        tiles->max_rows = rows > tiles->max_rows ? rows : tiles->max_rows;
        tiles->max_taps = taps > tiles->max_taps ? taps : tiles->max_taps;
        *entries =
            (rows + AO_IGEMM_ROWS) * taps > *entries ? (rows + AO_IGEMM_ROWS) * taps : *entries;
        if (!step->conv.along_x)
            continue;
        const size_t floats = patch_floats(delta, step), n = (size_t)(dims[0] * dims[1]);
        tiles->patch_floats = floats > tiles->patch_floats ? floats : tiles->patch_floats;
        *lines = n > *lines ? n : *lines;
    }
}

aosa_status ao_delta_tiles_create(const struct ao_delta *delta, struct ao_delta_tiles *tiles,
                                  size_t *bytes)
{
    size_t entries = 1, lines = 1;
    measure(delta, tiles, &entries, &lines);
    const size_t rows = tiles->max_rows + AO_IGEMM_ROWS;
    tiles->slots = 1;
    while (tiles->slots < 2 * rows)
        tiles->slots *= 2;
    tiles->at = ao_alloc_raw(entries, sizeof *tiles->at);
    tiles->tile_at = ao_alloc_raw(entries, sizeof *tiles->tile_at);
    tiles->tile_tap = ao_alloc_raw(entries, sizeof *tiles->tile_tap);
    tiles->order = ao_alloc_raw(rows, sizeof *tiles->order);
    tiles->key = ao_alloc_raw(rows, sizeof *tiles->key);
    tiles->group = ao_alloc_raw(rows, sizeof *tiles->group);
    tiles->start = ao_alloc_raw(rows + 1, sizeof *tiles->start);
    tiles->n_taps = ao_alloc_raw(rows, sizeof *tiles->n_taps);
    tiles->cursor = ao_alloc_raw(rows, sizeof *tiles->cursor);
    tiles->slot_key = ao_alloc_raw(tiles->slots, sizeof *tiles->slot_key);
    tiles->slot_group = ao_alloc_raw(tiles->slots, sizeof *tiles->slot_group);
    tiles->patch = ao_alloc(tiles->patch_floats + 1, sizeof *tiles->patch);
    tiles->span = ao_alloc_raw(2 * lines, sizeof *tiles->span);
    *bytes += 3 * entries * sizeof *tiles->at + rows * (5 * sizeof(uint32_t) + sizeof(uint64_t)) +
              tiles->slots * (sizeof(uint32_t) + sizeof(uint64_t)) +
              (tiles->patch_floats + 1) * sizeof(float) + 2 * lines * sizeof *tiles->span;
    if (!tiles->at || !tiles->tile_at || !tiles->tile_tap || !tiles->order || !tiles->key ||
        !tiles->group || !tiles->start || !tiles->n_taps || !tiles->cursor || !tiles->slot_key ||
        !tiles->slot_group || !tiles->patch || !tiles->span)
        return ao_fail(AOSA_ERR_NOMEM, "delta session: no memory for blocks of %zu rows, %zu taps",
                       rows, tiles->max_taps);
    return AOSA_OK;
}

void ao_delta_tiles_destroy(struct ao_delta_tiles *tiles)
{
    ao_free(tiles->at);
    ao_free(tiles->tile_at);
    ao_free(tiles->tile_tap);
    ao_free(tiles->order);
    ao_free(tiles->key);
    ao_free(tiles->group);
    ao_free(tiles->start);
    ao_free(tiles->n_taps);
    ao_free(tiles->cursor);
    ao_free(tiles->slot_key);
    ao_free(tiles->slot_group);
    ao_free(tiles->patch);
    ao_free(tiles->span);
    *tiles = (struct ao_delta_tiles){ .at = NULL };
}

/* The patch is all zeros between masks; lines of it without a change have an empty span. */
void ao_delta_patch(struct ao_delta_session *session, const struct ao_delta_step *step, int m)
{
    const struct ao_delta_value *values = session->delta->values;
    const struct ao_delta_extent *in = &values[step->in[0]].extent;
    const int64_t W = in->dims[2], C = in->C, lines = in->dims[0] * in->dims[1];
    const int64_t width = patch_width(step, in, &values[step->out].extent);
    const struct ao_delta_support *support = ao_delta_support_of(session, step->in[0]);
    const uint32_t *positions = ao_delta_positions_of(session, support);
    const float *rows = ao_delta_rows(session, step->in[0]);
    int32_t *span = session->tiles.span;
    for (int64_t i = 0; i < lines; i++) {
        span[2 * i] = INT32_MAX;
        span[2 * i + 1] = -1;
    }
    for (uint32_t r = support->first[m]; r < support->first[m + 1]; r++) {
        const int64_t line = positions[r] / W, x = positions[r] % W;
        memcpy(session->tiles.patch + line * width + (x + step->window.pad[2]) * C, rows + r * C,
               (size_t)C * sizeof(float));
        if (span[2 * line] > x)
            span[2 * line] = (int32_t)x;
        span[2 * line + 1] = (int32_t)x; /* positions ascend */
    }
}

void ao_delta_patch_clear(struct ao_delta_session *session, const struct ao_delta_step *step, int m)
{
    const struct ao_delta_value *values = session->delta->values;
    const struct ao_delta_extent *in = &values[step->in[0]].extent;
    const int64_t W = in->dims[2], C = in->C;
    const int64_t width = patch_width(step, in, &values[step->out].extent);
    const struct ao_delta_support *support = ao_delta_support_of(session, step->in[0]);
    const uint32_t *positions = ao_delta_positions_of(session, support);
    for (uint32_t r = support->first[m]; r < support->first[m + 1]; r++) {
        const int64_t line = positions[r] / W, x = positions[r] % W;
        memset(session->tiles.patch + line * width + (x + step->window.pad[2]) * C, 0,
               (size_t)C * sizeof(float));
    }
}

/* Where the windows of one step lie; strides in positions (or in floats of the patch). */
struct finder {
    const struct ao_delta_window *window;
    const struct ao_delta_conv *conv;
    const int64_t *in, *out;
    const uint32_t *map;
    const int32_t *span;
    int64_t width, C; /* of the patch */
};

/* Taps along x at line (t, y) for a window that begins at column x. */
static uint64_t find_in_line(const struct finder *f, int64_t line, int64_t x, int64_t tap,
                             uint32_t *at)
{
    uint64_t key = 0;
    const struct ao_delta_window *w = f->window;
    if (f->conv->along_x) {
        const int32_t *span = f->span + 2 * line;
        if (span[1] < x || span[0] >= x + w->kernel[2])
            return 0;
        at[tap] = (uint32_t)(line * f->width + (x + w->pad[2]) * f->C);
        return f->conv->tap_key[tap];
    }
    const uint32_t *map = f->map + line * f->in[2];
    for (int64_t k = 0; k < w->kernel[2]; k++, x += w->dilation[2]) {
        if (x < 0 || x >= f->in[2] || map[x] == AO_NO_ROW)
            continue;
        at[tap + k] = map[x];
        key ^= f->conv->tap_key[tap + k];
    }
    return key;
}

static uint64_t find_row(const struct finder *f, int64_t position, uint32_t *at)
{
    const struct ao_delta_window *w = f->window;
    const int64_t x = position % f->out[2], y = position / f->out[2] % f->out[1];
    const int64_t t = position / (f->out[2] * f->out[1]);
    const int64_t per_line = f->conv->along_x ? 1 : w->kernel[2];
    uint64_t key = 0;
    for (int64_t kt = 0; kt < w->kernel[0]; kt++) {
        const int64_t ti = t * w->stride[0] - w->pad[0] + kt * w->dilation[0];
        if (ti < 0 || ti >= f->in[0])
            continue;
        for (int64_t ky = 0; ky < w->kernel[1]; ky++) {
            const int64_t yi = y * w->stride[1] - w->pad[1] + ky * w->dilation[1];
            if (yi >= 0 && yi < f->in[1])
                key ^= find_in_line(f, ti * f->in[1] + yi, x * w->stride[2] - w->pad[2],
                                    (kt * w->kernel[1] + ky) * per_line, at);
        }
    }
    return key;
}

void ao_delta_find_taps(struct ao_delta_session *session, const struct ao_delta_step *step,
                        size_t first, size_t n, size_t entry)
{
    const struct ao_delta_value *values = session->delta->values;
    struct ao_delta_tiles *tiles = &session->tiles;
    const struct ao_delta_conv *conv = &step->conv;
    const struct ao_delta_extent *in = &values[step->in[0]].extent;
    const struct ao_delta_extent *out = &values[step->out].extent;
    const uint32_t *positions =
        ao_delta_positions_of(session, ao_delta_support_of(session, step->out));
    const size_t taps = (size_t)conv->taps;
    const struct finder finder = { &step->window,
                                   conv,
                                   in->dims,
                                   out->dims,
                                   session->map,
                                   tiles->span,
                                   patch_width(step, in, out),
                                   in->C };
    memset(tiles->at + entry * taps, 0xff, n * taps * sizeof *tiles->at);
    for (size_t i = 0; i < n; i++) {
        uint32_t *at = tiles->at + (entry + i) * taps;
        if (!conv->matrix) {
            tiles->key[entry + i] = find_row(&finder, positions[first + i], at);
            continue;
        }
        tiles->key[entry + i] = 0;
        for (size_t k = 0; k < taps && session->map[0] != AO_NO_ROW; k++)
            at[k] = (uint32_t)(session->map[0] * taps + k);
    }
}

/* Numbers the sets of taps in the order of their first row, and counts their rows. */
static size_t number_groups(struct ao_delta_tiles *tiles, size_t n)
{
    size_t n_groups = 0;
    memset(tiles->slot_group, 0xff, tiles->slots * sizeof *tiles->slot_group);
    for (size_t i = 0; i < n; i++) {
        size_t slot = (size_t)(tiles->key[i] >> 20) & (tiles->slots - 1);
        while (tiles->slot_group[slot] != AO_NO_ROW && tiles->slot_key[slot] != tiles->key[i])
            slot = (slot + 1) & (tiles->slots - 1);
        if (tiles->slot_group[slot] == AO_NO_ROW) {
            tiles->slot_group[slot] = (uint32_t)n_groups;
            tiles->slot_key[slot] = tiles->key[i];
            tiles->start[n_groups++] = 0;
        }
        tiles->group[i] = tiles->slot_group[slot];
        tiles->start[tiles->group[i]]++;
    }
    return n_groups;
}

/* Counting sort of the rows by group; the last row is repeated to fill its tile. */
static void order_rows(struct ao_delta_tiles *tiles, size_t n)
{
    const size_t n_groups = number_groups(tiles, n);
    uint32_t at = 0;
    for (size_t g = 0; g < n_groups; g++) {
        const uint32_t count = tiles->start[g];
        tiles->start[g] = at;
        at += count;
    }
    for (size_t i = 0; i < n; i++)
        tiles->order[tiles->start[tiles->group[i]]++] = (uint32_t)i;
    for (size_t i = n; i % AO_IGEMM_ROWS != 0; i++)
        tiles->order[i] = tiles->order[n - 1];
}

size_t ao_delta_make_tiles(struct ao_delta_tiles *tiles, const struct ao_delta_conv *conv, size_t n,
                           uint32_t zero)
{
    const size_t taps = (size_t)conv->taps, n_tiles = (n + AO_IGEMM_ROWS - 1) / AO_IGEMM_ROWS;
    order_rows(tiles, n);
    for (size_t i = 0; i < n_tiles; i++) {
        const uint32_t *row = tiles->order + i * AO_IGEMM_ROWS;
        uint32_t *tile_at = tiles->tile_at + i * taps * AO_IGEMM_ROWS;
        uint32_t *tile_tap = tiles->tile_tap + i * taps, count = 0;
        for (size_t k = 0; k < taps; k++) {
            bool any = false;
            for (size_t r = 0; r < AO_IGEMM_ROWS; r++) {
                const uint32_t at = tiles->at[row[r] * taps + k];
                any |= at != AO_NO_ROW;
                tile_at[count * AO_IGEMM_ROWS + r] = at == AO_NO_ROW ? zero : at;
            }
            tile_tap[count] = (uint32_t)k;
            count += any;
        }
        tiles->n_taps[i] = count;
    }
    return n_tiles;
}
