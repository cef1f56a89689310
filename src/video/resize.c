/* SPDX-License-Identifier: Apache-2.0 */
#include "video/resize.h"

#include <math.h>
#include <string.h>

#include "core/alloc.h"

#define WEIGHT_BITS 22

/* Where an output pixel reads on one axis: weights w[0 .. n) of inputs first .. first + n - 1. */
struct taps {
    int first, n;
    const int32_t *w;
};

/* One axis of a resize: [n_out] taps over one block of weights. */
struct axis {
    struct taps *taps;
    int32_t *weights;
};

static void axis_fini(struct axis *axis)
{
    ao_free(axis->taps);
    ao_free(axis->weights);
}

/*
 * Triangle of half-width fs = max(n_in / n_out, 1) input pixels around the output's centre,
 * normalised to sum 1 in double and then fixed to 22 bits: Pillow's precompute_coeffs and
 * normalize_coeffs_8bpc.
 */
static void compute_taps(struct taps *taps, int32_t *w, double *scratch, int i, double scale,
                         int n_in)
{
    const double fs = scale < 1 ? 1 : scale;
    const double centre = (i + 0.5) * scale;
    const double inverse = 1.0 / fs;
    const int lo = (int)(centre - fs + 0.5) > 0 ? (int)(centre - fs + 0.5) : 0;
    const int hi = (int)(centre + fs + 0.5) < n_in ? (int)(centre + fs + 0.5) : n_in;

    double sum = 0;
    for (int j = lo; j < hi; j++) {
        const double d = fabs((j - centre + 0.5) * inverse);
        scratch[j - lo] = d < 1 ? 1 - d : 0;
        sum += scratch[j - lo];
    }
    for (int j = lo; j < hi; j++)
        w[j - lo] = (int32_t)(0.5 + scratch[j - lo] / sum * (1 << WEIGHT_BITS));
    *taps = (struct taps){ .first = lo, .n = hi - lo, .w = w };
}

static bool axis_init(struct axis *axis, int n_in, int n_out)
{
    const double scale = (double)n_in / n_out;
    const size_t support = (size_t)ceil(scale < 1 ? 1 : scale) * 2 + 1;
    size_t n;
    double *scratch = ao_alloc(support, sizeof *scratch);
    axis->taps = ao_alloc((size_t)n_out, sizeof *axis->taps);
    axis->weights =
        ao_size_mul((size_t)n_out, support, &n) ? ao_alloc(n, sizeof *axis->weights) : NULL;
    const bool good = scratch && axis->taps && axis->weights;
    for (int i = 0; good && i < n_out; i++)
        compute_taps(&axis->taps[i], axis->weights + (size_t)i * support, scratch, i, scale, n_in);
    ao_free(scratch);
    return good;
}

/* Sum of n bytes that lie `stride` apart, weighted. The weights add up to 2^22, so it fits. */
static uint8_t weighted(const uint8_t *src, size_t stride, const struct taps *t)
{
    int32_t sum = 1 << (WEIGHT_BITS - 1);
    for (int j = 0; j < t->n; j++)
        sum += src[(size_t)j * stride] * t->w[j];
    sum >>= WEIGHT_BITS;
    return (uint8_t)(sum > 255 ? 255 : sum);
}

/* rows [src->H][W][3] */
static void pass_horizontal(const struct ao_picture *src, const struct axis *axis, int W,
                            uint8_t *rows)
{
    for (int y = 0; y < src->H; y++) {
        const uint8_t *row = src->rgb + (size_t)y * src->stride_bytes;
        for (int x = 0; x < W; x++)
            for (int c = 0; c < 3; c++)
                *rows++ = weighted(row + 3 * axis->taps[x].first + c, 3, &axis->taps[x]);
    }
}

static void pass_vertical(const uint8_t *rows, const struct axis *axis, int H, int W, uint8_t *dst)
{
    const size_t stride = 3 * (size_t)W;
    for (int y = 0; y < H; y++) {
        const uint8_t *first = rows + (size_t)axis->taps[y].first * stride;
        for (size_t i = 0; i < stride; i++)
            *dst++ = weighted(first + i, stride, &axis->taps[y]);
    }
}

aosa_status ao_resize_antialiased(const struct ao_picture *src, int H, int W, uint8_t *dst)
{
    struct axis across = { 0 }, down = { 0 };
    uint8_t *rows = ao_alloc_raw((size_t)src->H * (size_t)W, 3);
    aosa_status status = AOSA_OK;
    if (!rows || !axis_init(&across, src->W, W) || !axis_init(&down, src->H, H))
        status = ao_fail(AOSA_ERR_NOMEM, "no memory to resize a frame of %dx%d to %dx%d", src->W,
                         src->H, W, H);
    else {
        pass_horizontal(src, &across, W, rows);
        pass_vertical(rows, &down, H, W, dst);
    }
    axis_fini(&across);
    axis_fini(&down);
    ao_free(rows);
    return status;
}

/* The two neighbours of an output pixel on one axis, and how far it is on the way to the second. */
struct pair {
    int first, second;
    float part;
};

static struct pair find_pair(int i, float scale, int n)
{
    const float at = fmaxf(scale * ((float)i + 0.5f) - 0.5f, 0.0f);
    const int first = (int)at < n - 1 ? (int)at : n - 1;
    return (struct pair){ .first = first,
                          .second = first + (first < n - 1),
                          .part = at - (float)first };
}

static uint8_t blend(const uint8_t *upper, const uint8_t *lower, const struct pair *x, float y,
                     int c)
{
    const size_t a = 3 * (size_t)x->first + (size_t)c;
    const size_t b = 3 * (size_t)x->second + (size_t)c;
    const float x0 = 1.0f - x->part;
    const float top = x0 * upper[a] + x->part * upper[b];
    const float bottom = x0 * lower[a] + x->part * lower[b];
    return (uint8_t)rintf((1.0f - y) * top + y * bottom);
}

aosa_status ao_resize_bilinear(const struct ao_picture *src, int H, int W, uint8_t *dst)
{
    struct pair *across = ao_alloc_raw((size_t)W, sizeof *across);
    if (!across)
        return ao_fail(AOSA_ERR_NOMEM, "no memory to resize a frame to %dx%d", W, H);
    for (int x = 0; x < W; x++)
        across[x] = find_pair(x, (float)src->W / (float)W, src->W);

    for (int y = 0; y < H; y++) {
        const struct pair down = find_pair(y, (float)src->H / (float)H, src->H);
        const uint8_t *upper = src->rgb + (size_t)down.first * src->stride_bytes;
        const uint8_t *lower = src->rgb + (size_t)down.second * src->stride_bytes;
        for (int x = 0; x < W; x++)
            for (int c = 0; c < 3; c++)
                *dst++ = blend(upper, lower, &across[x], down.part, c);
    }
    ao_free(across);
    return AOSA_OK;
}
