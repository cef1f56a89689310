/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/smooth_mask.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"

enum { LANES = 8 }; /* sums that the adjoint keeps beside each other, for vectors */

/* A cell's footprint, cut to the volume. */
struct part {
    int y, x; /* of the volume, where it begins */
    int h, w;
    int dy; /* of its first row from the cell, pixels */
    int fx; /* its first column of the footprint */
};

/*
 * exp(x) for 0 <= x <= AO_SMOOTH_COLDNESS, within 2 units in the last place: 2^k exp(r), where
 * |r| <= log(2) / 2 leaves r^8 / 8! < 6e-9 to the series. Loops over it become vectors, which those
 * over exp do not.
 */
static inline float exponential(float x)
{
    const int32_t k = (int32_t)(x * 1.44269504F + 0.5F);
    const float r = (x - (float)k * 0.693359375F) + (float)k * 2.12194440e-4F;
    const uint32_t bits = (uint32_t)(k + 127) << 23;
    float power, e = 1.0F / 5040;
    memcpy(&power, &bits, sizeof power);
    e = 1.0F / 720 + r * e;
    e = 1.0F / 120 + r * e;
    e = 1.0F / 24 + r * e;
    e = 1.0F / 6 + r * e;
    e = 0.5F + r * e;
    e = 1 + r * e;
    e = 1 + r * e;
    return power * e;
}

/* Offset of footprint row or column i from the cell, pixels. */
static int offset(const struct ao_smooth_mask *mask, int i)
{
    return mask->first - mask->sigma + i;
}

static float weight(int square, int sigma)
{
    const double beyond = fmax(0, sqrt(square) / sigma - 0.5);
    return (float)exp(-2 * beyond * beyond);
}

/* exp(beta w p) - 1 of a footprint: of every distance, then where it occurs. */
static void write_exponentials(const struct ao_smooth_mask *mask, float p, float *restrict e)
{
    const float *restrict w = mask->distance_weights;
    const int n = (mask->reach + 1) * mask->pitch;
    float *restrict of_distance = e + n;
    for (int k = 0; k < mask->n_distances; k++)
        of_distance[k] = exponential(AO_SMOOTH_COLDNESS * p * w[k]) - 1;
    for (int i = 0; i < n; i++)
        e[i] = of_distance[mask->distances[i]];
}

/* Numbers the distances in a footprint; `numbers` is [2 reach^2 + 1] by their square, zeroed. */
static void number_distances(struct ao_smooth_mask *mask, int32_t *numbers)
{
    for (int y = 0; y <= mask->reach; y++)
        for (int x = 0; x < mask->side; x++) {
            const int i = y * mask->pitch + x, dx = offset(mask, x), square = y * y + dx * dx;
            if (!numbers[square]) {
                mask->distance_weights[mask->n_distances] = weight(square, mask->sigma);
                numbers[square] = ++mask->n_distances;
            }
            mask->distances[i] = numbers[square] - 1;
            mask->weights[i] = mask->distance_weights[mask->distances[i]];
        }
}

static aosa_status create_tables(struct ao_smooth_mask *mask)
{
    const size_t n = (size_t)(mask->reach + 1) * (size_t)mask->pitch;
    const size_t squares = 2 * (size_t)mask->reach * (size_t)mask->reach + 1;
    int32_t *numbers = ao_alloc(squares, sizeof *numbers);
    mask->distance_weights = ao_alloc(n, sizeof *mask->distance_weights);
    mask->distances = ao_alloc(n, sizeof *mask->distances);
    mask->weights = ao_alloc(n, sizeof *mask->weights);
    mask->full = ao_alloc(2 * n, sizeof *mask->full);
    const bool made =
        numbers && mask->distance_weights && mask->distances && mask->weights && mask->full;
    if (made) {
        number_distances(mask, numbers);
        write_exponentials(mask, 1, mask->full);
    }
    ao_free(numbers);
    return made ? AOSA_OK
                : ao_fail(AOSA_ERR_NOMEM, "mask: no memory for weights of %zu offsets", n);
}

static int ceil_div(int a, int b)
{
    return (a + b - 1) / b;
}

aosa_status ao_smooth_mask_init(struct ao_smooth_mask *mask, int H, int W, int step, int sigma)
{
    const int padding = 1 + ceil_div(2 * sigma, step), radius = 1 + ceil_div(sigma, step);
    *mask = (struct ao_smooth_mask){
        .step = step,
        .sigma = sigma,
        .grid_h = ceil_div(H, step),
        .grid_w = ceil_div(W, step),
        .rows = H + 2 * sigma,
        .cols = W + 2 * sigma,
        .first = step * (padding - 2 * radius),
        .side = step * (2 * radius + 1),
    };
    mask->pitch = mask->side + LANES;
    const int above = -offset(mask, 0), below = offset(mask, mask->side - 1);
    mask->reach = above > below ? above : below;
    return create_tables(mask);
}

void ao_smooth_mask_fini(struct ao_smooth_mask *mask)
{
    ao_free(mask->distance_weights);
    ao_free(mask->distances);
    ao_free(mask->weights);
    ao_free(mask->full);
}

/* Columns of the adjoint's planes: rows of a footprint are read in whole vectors. */
static int plane_cols(const struct ao_smooth_mask *mask)
{
    return mask->cols + LANES;
}

/* A footprint and as many distances at most, two planes. */
size_t ao_smooth_mask_scratch(const struct ao_smooth_mask *mask)
{
    return 2 * (size_t)((mask->reach + 1) * mask->pitch) +
           2 * (size_t)(mask->rows * plane_cols(mask));
}

/* exp(beta w p) - 1 of a footprint, in `table` unless it is known. NULL for p = 0: all are 0. */
static const float *exponentials(const struct ao_smooth_mask *mask, float p, float *table)
{
    if (p == 0)
        return NULL;
    if (p == 1)
        return mask->full;
    write_exponentials(mask, p, table);
    return table;
}

/* `side` places from `first` on, as far as they lie in [0, size). */
static void cut(int first, int side, int size, int *at, int *n)
{
    const int end = first + side < size ? first + side : size;
    *at = first < 0 ? 0 : first;
    *n = end - *at;
}

static struct part part_of(const struct ao_smooth_mask *mask, int cell)
{
    const int y = mask->step * (cell / mask->grid_w) + mask->first;
    const int x = mask->step * (cell % mask->grid_w) + mask->first;
    struct part part;
    cut(y, mask->side, mask->rows, &part.y, &part.h);
    cut(x, mask->side, mask->cols, &part.x, &part.w);
    part.dy = offset(mask, part.y - y);
    part.fx = part.x - x;
    return part;
}

/* Where row y of a part begins in the tables of a footprint. */
static int table_at(const struct ao_smooth_mask *mask, const struct part *part, int y)
{
    return abs(part->dy + y) * mask->pitch + part->fx;
}

/* Adds what a cell gives to a row of both sums; `e` is exp(beta w p) - 1. */
static void add_row(float *restrict v_sum, float *restrict sum, const float *w, const float *e,
                    float p, int n)
{
    for (int x = 0; x < n; x++) {
        v_sum[x] += w[x] * p * (1 + e[x]);
        sum[x] += e[x];
    }
}

void ao_smooth_mask_frame(const struct ao_smooth_mask *mask, const float *p, float *scratch,
                          float *m, float *sums)
{
    const int n = mask->rows * mask->cols, taps = mask->side / mask->step;
    for (int i = 0; i < n; i++) {
        m[i] = 0;
        sums[i] = (float)(taps * taps); /* exp(0) of every cell */
    }
    for (int cell = 0; cell < mask->grid_h * mask->grid_w; cell++) {
        const struct part part = part_of(mask, cell);
        const float *e = exponentials(mask, p[cell], scratch);
        for (int y = 0; e && y < part.h; y++) {
            const int at = (part.y + y) * mask->cols + part.x, from = table_at(mask, &part, y);
            add_row(m + at, sums + at, mask->weights + from, e + from, p[cell], part.w);
        }
    }
    for (int i = 0; i < n; i++)
        m[i] /= sums[i];
}

/* Adds w (a - beta b) to LANES sums: a row of what a cell with p = 0 gets. */
static void add_plain(float *restrict sum, const float *w, const float *a, const float *b, int n)
{
    for (int x = 0; x < n; x += LANES)
        for (int i = 0; i < LANES; i++)
            sum[i] += w[x + i] * (a[x + i] - AO_SMOOTH_COLDNESS * b[x + i]);
}

/* Adds w exp(beta v) ((1 + beta v) a - beta b), v = w p. */
static void add_weighed(float *restrict sum, const float *w, const float *e, float p,
                        const float *a, const float *b, int n)
{
    for (int x = 0; x < n; x += LANES)
        for (int i = 0; i < LANES; i++)
            sum[i] += w[x + i] * (1 + e[x + i]) *
                      (a[x + i] + AO_SMOOTH_COLDNESS * (w[x + i] * p * a[x + i] - b[x + i]));
}

/* a = slope / sums and b = a m, with zeros after each row. */
static void write_planes(const struct ao_smooth_mask *mask, const float *m, const float *sums,
                         const float *slope, float *restrict a, float *restrict b)
{
    for (int y = 0; y < mask->rows; y++, a += plane_cols(mask), b += plane_cols(mask)) {
        for (int x = 0; x < mask->cols; x++) {
            const int i = y * mask->cols + x;
            a[x] = slope[i] / sums[i];
            b[x] = a[x] * m[i];
        }
        for (int x = mask->cols; x < plane_cols(mask); x++)
            a[x] = b[x] = 0;
    }
}

void ao_smooth_mask_adjoint(const struct ao_smooth_mask *mask, const float *p, const float *m,
                            const float *sums, const float *slope, float *scratch, float *p_slope)
{
    const int cols = plane_cols(mask);
    float *a = scratch + 2 * (mask->reach + 1) * mask->pitch, *b = a + mask->rows * cols;
    write_planes(mask, m, sums, slope, a, b);
    for (int cell = 0; cell < mask->grid_h * mask->grid_w; cell++) {
        const struct part part = part_of(mask, cell);
        const float *e = exponentials(mask, p[cell], scratch);
        float sum[LANES] = { 0 };
        for (int y = 0; y < part.h; y++) {
            const int at = (part.y + y) * cols + part.x, from = table_at(mask, &part, y);
            if (e)
                add_weighed(sum, mask->weights + from, e + from, p[cell], a + at, b + at, part.w);
            else
                add_plain(sum, mask->weights + from, a + at, b + at, part.w);
        }
        p_slope[cell] =
            ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
    }
}
