/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/fill.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"

static void channel_means(const struct aosa_clip *clip, float mean[3])
{
    const size_t n = ao_clip_voxels(clip);
    for (int c = 0; c < 3; c++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += (double)clip->values[(size_t)c * n + i];
        mean[c] = (float)(sum / (double)n);
    }
}

/* Weights of a Gaussian cut at 4 sigma, summing to 1; answers the radius. */
static int gaussian(double sigma, double *weights, int max_radius)
{
    const int radius = (int)fmin(ceil(4 * sigma), max_radius);
    double sum = 0;
    for (int i = -radius; i <= radius; i++)
        sum += weights[i + radius] = exp(-0.5 * i * i / (sigma * sigma));
    for (int i = 0; i <= 2 * radius; i++)
        weights[i] /= sum;
    return radius;
}

static int clamp_index(int i, int n)
{
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

/* One pass along an axis: `n` samples `step` apart. */
static void blur_line(const float *src, float *dst, int n, size_t step, const double *weights,
                      int radius)
{
    for (int i = 0; i < n; i++) {
        double sum = 0;
        for (int k = -radius; k <= radius; k++)
            sum += weights[k + radius] * (double)src[(size_t)clamp_index(i + k, n) * step];
        dst[(size_t)i * step] = (float)sum;
    }
}

static void blur_frame(const float *src, float *between, float *dst, int H, int W,
                       const double *weights, int radius)
{
    for (int y = 0; y < H; y++)
        blur_line(src + (size_t)y * (size_t)W, between + (size_t)y * (size_t)W, W, 1, weights,
                  radius);
    for (int x = 0; x < W; x++)
        blur_line(between + x, dst + x, H, (size_t)W, weights, radius);
}

static aosa_status blur_clip(const struct aosa_clip *clip, struct ao_fill *fill)
{
    const size_t pixels = (size_t)clip->H * (size_t)clip->W;
    const int shorter = clip->H < clip->W ? clip->H : clip->W;
    const double sigma = AO_FILL_BLUR_SIGMA * shorter;
    double *weights = ao_alloc(2 * (size_t)ceil(4 * sigma) + 1, sizeof *weights);
    float *between = ao_alloc_raw(pixels, sizeof *between);
    fill->volume = ao_alloc_raw(3 * ao_clip_voxels(clip), sizeof *fill->volume);
    aosa_status status = AOSA_OK;
    if (!weights || !between || !fill->volume) {
        status =
            ao_fail(AOSA_ERR_NOMEM, "blur fill: no memory for %zu voxels", ao_clip_voxels(clip));
    } else {
        const int radius = gaussian(sigma, weights, (int)ceil(4 * sigma));
        for (size_t f = 0; f < 3 * (size_t)clip->T; f++)
            blur_frame(clip->values + f * pixels, between, fill->volume + f * pixels, clip->H,
                       clip->W, weights, radius);
    }
    ao_free(weights);
    ao_free(between);
    return status;
}

static aosa_status parse_value(const char *text, struct ao_fill *fill)
{
    char *end;
    const double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value))
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "--fill: '%s' is unknown, choose zero, black, mean, blur or a number", text);
    for (int c = 0; c < 3; c++)
        fill->value[c] = (float)value;
    return AOSA_OK;
}

aosa_status ao_fill_create(const char *text, const struct aosa_clip *clip, struct ao_fill *fill)
{
    *fill = (struct ao_fill){ 0 };
    if (!strcmp(text, "zero"))
        return AOSA_OK;
    if (!strcmp(text, "black")) {
        for (int c = 0; c < 3; c++)
            fill->value[c] = (float)((0 - clip->mean[c]) / clip->std[c]);
        return AOSA_OK;
    }
    if (!strcmp(text, "mean")) {
        channel_means(clip, fill->value);
        return AOSA_OK;
    }
    if (strcmp(text, "blur"))
        return parse_value(text, fill);
    const aosa_status status = blur_clip(clip, fill);
    if (status != AOSA_OK)
        ao_fill_fini(fill);
    return status;
}

void ao_fill_fini(struct ao_fill *fill)
{
    ao_free(fill->volume);
    *fill = (struct ao_fill){ 0 };
}
