/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/blur.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "core/alloc.h"
#include "core/parallel.h"

/*
 * The blur of an axis of n samples as a matrix, out_i = sum_k weight(i, k) in_k, with the taps
 * beyond a border folded onto it, or left out: a wide Gaussian then costs n products a sample, not
 * 8 sigma, and both axes become sums of whole rows.
 */
struct axis {
    int n, radius;
    float *weights; /* [i][k] for y, transposed for x */
};

struct blur {
    const float *src;
    float *dst;
    struct axis y, x;
    float *rows; /* [threads][W] one row, blurred along y */
};

static int clamp_index(int i, int n)
{
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

static aosa_status create_axis(int n, double sigma, enum ao_border border, bool transposed,
                               struct axis *axis)
{
    const int radius = (int)ceil(4 * sigma);
    double *taps = ao_alloc((size_t)radius + 1, sizeof *taps);
    double *row = ao_alloc((size_t)n, sizeof *row);
    *axis = (struct axis){ n, radius, ao_alloc((size_t)n, (size_t)n * sizeof *axis->weights) };
    double sum = 0;
    for (int j = 0; taps && j <= radius; j++)
        sum += (j ? 2 : 1) * (taps[j] = exp(-0.5 * j * j / (sigma * sigma)));
    const bool allocated = taps && row && axis->weights;
    for (int i = 0; allocated && i < n; i++) {
        memset(row, 0, (size_t)n * sizeof *row);
        for (int j = -radius; j <= radius; j++)
            if (border == AO_BORDER_NEAREST || clamp_index(i + j, n) == i + j)
                row[clamp_index(i + j, n)] += taps[j < 0 ? -j : j] / sum;
        for (int k = 0; k < n; k++)
            axis->weights[transposed ? k * n + i : i * n + k] = (float)row[k];
    }
    ao_free(taps);
    ao_free(row);
    return allocated ? AOSA_OK : ao_fail(AOSA_ERR_NOMEM, "blur: no memory for %d pixels", n);
}

static void add_row(float *dst, const float *src, float weight, int n)
{
    for (int i = 0; i < n; i++)
        dst[i] += weight * src[i];
}

/* Indices that reach, or are reached by, index i. */
static int first_of(const struct axis *axis, int i)
{
    return clamp_index(i - axis->radius, axis->n);
}

static int end_of(const struct axis *axis, int i)
{
    return clamp_index(i + axis->radius, axis->n) + 1;
}

static aosa_status blur_frame(void *context, int64_t frame, int thread)
{
    const struct blur *b = context;
    const int H = b->y.n, W = b->x.n;
    const float *src = b->src + frame * H * W;
    float *row = b->rows + (size_t)thread * (size_t)W;
    for (int y = 0; y < H; y++) {
        float *dst = b->dst + (frame * H + y) * W;
        memset(row, 0, (size_t)W * sizeof *row);
        memset(dst, 0, (size_t)W * sizeof *dst);
        for (int k = first_of(&b->y, y); k < end_of(&b->y, y); k++)
            add_row(row, src + k * W, b->y.weights[y * H + k], W);
        for (int k = 0; k < W; k++) {
            const int first = first_of(&b->x, k);
            add_row(dst + first, b->x.weights + k * W + first, row[k], end_of(&b->x, k) - first);
        }
    }
    return AOSA_OK;
}

aosa_status ao_blur_frames(const float *src, int n, int H, int W, double sigma,
                           enum ao_border border, int threads, float *dst)
{
    if (sigma <= 0) {
        memcpy(dst, src, (size_t)n * (size_t)H * (size_t)W * sizeof *dst);
        return AOSA_OK;
    }
    struct blur blur = { .src = src, .dst = dst };
    aosa_status status = create_axis(H, sigma, border, false, &blur.y);
    if (status == AOSA_OK)
        status = create_axis(W, sigma, border, true, &blur.x);
    blur.rows = ao_alloc_raw((size_t)threads, (size_t)W * sizeof *blur.rows);
    if (status == AOSA_OK && !blur.rows)
        status = ao_fail(AOSA_ERR_NOMEM, "blur: no memory for %d threads", threads);
    if (status == AOSA_OK)
        status = ao_parallel_for(threads, n, blur_frame, &blur);
    ao_free(blur.y.weights);
    ao_free(blur.x.weights);
    ao_free(blur.rows);
    return status;
}
