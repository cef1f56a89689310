/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/fill.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attribution/blur.h"
#include "attribution/box_sums.h"
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

static aosa_status blur_clip(const struct aosa_clip *clip, struct ao_fill *fill)
{
    const int shorter = clip->H < clip->W ? clip->H : clip->W;
    fill->volume = ao_alloc_raw(3 * ao_clip_voxels(clip), sizeof *fill->volume);
    if (!fill->volume)
        return ao_fail(AOSA_ERR_NOMEM, "blur fill: no memory for %zu voxels", ao_clip_voxels(clip));
    return ao_blur_frames(clip->values, 3 * clip->T, clip->H, clip->W, AO_FILL_BLUR_SIGMA * shorter,
                          AO_BORDER_NEAREST, 1, fill->volume);
}

/* Mean over rows [y - before, y - before + window) and such columns, 0 outside the frame. */
static void mean_frame(const struct ao_box_sums *sums, int t, int window, float *dst)
{
    const int before = (window - 1) / 2; /* where PyTorch's padding "same" puts an even window */
    const double area = (double)window * window;
    for (int y = 0; y < sums->H; y++)
        for (int x = 0; x < sums->W; x++) {
            const int y0 = y - before, x0 = x - before;
            const struct ao_box box = {
                .y0 = y0 < 0 ? 0 : y0,
                .x0 = x0 < 0 ? 0 : x0,
                .y1 = window < sums->H - y0 ? y0 + window : sums->H,
                .x1 = window < sums->W - x0 ? x0 + window : sums->W,
            };
            *dst++ = (float)(ao_box_sums_box(sums, t, box) / area);
        }
}

/* One channel of the clip to the same channel of the fill. */
static void mean_channel(const float *src, int window, struct ao_box_sums *sums, float *dst)
{
    const size_t W = (size_t)sums->W, pixels = (size_t)sums->H * W;
    for (int t = 0; t < sums->T; t++)
        for (int y = 0; y < sums->H; y++) {
            double *row = ao_box_sums_row(sums, t, y);
            for (size_t x = 0; x < W; x++)
                row[x] = (double)*src++;
        }
    ao_box_sums_integrate(sums);
    for (int t = 0; t < sums->T; t++)
        mean_frame(sums, t, window, dst + (size_t)t * pixels);
}

static aosa_status mean_clip(const struct aosa_clip *clip, int window, struct ao_fill *fill)
{
    const size_t n = ao_clip_voxels(clip);
    struct ao_box_sums sums;
    if (window < 2)
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "--fill local: --window %d would change nothing, take 2 or more", window);
    fill->volume = ao_alloc_raw(3 * n, sizeof *fill->volume);
    if (!fill->volume)
        return ao_fail(AOSA_ERR_NOMEM, "local fill: no memory for %zu voxels", n);
    AO_TRY(ao_box_sums_create(clip->T, clip->H, clip->W, &sums));
    for (size_t c = 0; c < 3; c++)
        mean_channel(clip->values + c * n, window, &sums, fill->volume + c * n);
    ao_box_sums_fini(&sums);
    return AOSA_OK;
}

static aosa_status parse_value(const char *text, struct ao_fill *fill)
{
    char *end;
    const double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value))
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "--fill: '%s' is unknown, choose zero, black, mean, blur, local or a number",
                       text);
    for (int c = 0; c < 3; c++)
        fill->value[c] = (float)value;
    return AOSA_OK;
}

aosa_status ao_fill_create(const char *text, int window, const struct aosa_clip *clip,
                           struct ao_fill *fill)
{
    aosa_status status = AOSA_OK;
    *fill = (struct ao_fill){ 0 };
    if (!strcmp(text, "black"))
        for (int c = 0; c < 3; c++)
            fill->value[c] = (float)((0 - clip->mean[c]) / clip->std[c]);
    else if (!strcmp(text, "mean"))
        channel_means(clip, fill->value);
    else if (!strcmp(text, "blur"))
        status = blur_clip(clip, fill);
    else if (!strcmp(text, "local"))
        status = mean_clip(clip, window, fill);
    else if (strcmp(text, "zero"))
        status = parse_value(text, fill);
    if (status != AOSA_OK)
        ao_fill_fini(fill);
    return status;
}

void ao_fill_fini(struct ao_fill *fill)
{
    ao_free(fill->volume);
    *fill = (struct ao_fill){ 0 };
}
