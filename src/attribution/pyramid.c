/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/pyramid.h"

#include "attribution/blur.h"
#include "attribution/gradients.h"
#include "core/alloc.h"
#include "ops/element.h"

static aosa_status blur_levels(const struct ao_attribution *a, struct ao_pyramid *pyramid)
{
    const struct aosa_clip *clip = a->clip;
    const int shorter = clip->H < clip->W ? clip->H : clip->W;
    for (int k = 0; k < pyramid->levels - 1; k++) {
        const double part = 1 - (double)k / (pyramid->levels - 1);
        AO_TRY(ao_blur_frames(clip->values, 3 * clip->T, clip->H, clip->W,
                              part * AO_PYRAMID_SIGMA * shorter, AO_BORDER_ZERO, a->run.threads,
                              pyramid->hidden + (size_t)k * 3 * pyramid->voxels));
    }
    return AOSA_OK;
}

static void fade_level(const struct ao_attribution *a, struct ao_pyramid *pyramid)
{
    for (size_t i = 0; i < 3 * pyramid->voxels; i++)
        pyramid->hidden[i] =
            a->fill->volume ? a->fill->volume[i] : a->fill->value[i / pyramid->voxels];
}

aosa_status ao_pyramid_init(const struct ao_attribution *a, struct ao_pyramid *pyramid)
{
    const bool blur = a->options->hiding == AO_HIDING_BLUR;
    *pyramid = (struct ao_pyramid){
        .clip = a->clip,
        .levels = blur ? AO_PYRAMID_BLURS : 2,
        .voxels = ao_clip_voxels(a->clip),
    };
    pyramid->hidden =
        ao_alloc_raw((size_t)pyramid->levels - 1, 3 * pyramid->voxels * sizeof *pyramid->hidden);
    if (!pyramid->hidden)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for %d versions of the clip", a->method->name,
                       pyramid->levels);
    if (blur)
        return blur_levels(a, pyramid);
    fade_level(a, pyramid);
    return AOSA_OK;
}

void ao_pyramid_fini(struct ao_pyramid *pyramid)
{
    ao_free(pyramid->hidden);
}

/* Row number (t H + y) of the mask. */
static size_t mask_row(const struct ao_pyramid *pyramid, const struct ao_seen *mask, int64_t row)
{
    const int64_t H = pyramid->clip->H;
    return (size_t)(row / H) * mask->frame + (size_t)(row % H) * mask->row;
}

/* A pixel between two levels. */
struct between {
    const float *low, *high; /* its value in the first channel of either */
    double part;             /* of high */
};

static double seen_at(const struct ao_seen *mask, float m)
{
    return mask->inverse ? 1 - (double)m : (double)m;
}

static struct between find_levels(const struct ao_pyramid *pyramid, double m, size_t voxel)
{
    const int steps = pyramid->levels - 1;
    const double s = m * steps;
    const int k = (int)s < steps ? (int)s : steps - 1;
    const float *low = pyramid->hidden + (size_t)k * 3 * pyramid->voxels;
    const float *high = k + 1 < steps ? low + 3 * pyramid->voxels : pyramid->clip->values;
    return (struct between){ low + voxel, high + voxel, s - k };
}

static void write_row(const struct ao_pyramid *pyramid, const struct ao_seen *mask, int64_t row,
                      const struct ao_view *input)
{
    const struct aosa_clip *clip = pyramid->clip;
    const float *m = mask->values + mask_row(pyramid, mask, row);
    float *dst = ao_gradients_row(input, row);
    for (int x = 0; x < clip->W; x++, dst += input->strides[3]) {
        const struct between b =
            find_levels(pyramid, seen_at(mask, m[x]), (size_t)(row * clip->W + x));
        for (int c = 0; c < 3; c++) {
            const size_t i = (size_t)c * pyramid->voxels;
            dst[c * input->strides[0]] =
                (float)((1 - b.part) * (double)b.low[i] + b.part * (double)b.high[i]);
        }
    }
}

void ao_pyramid_write(const struct ao_pyramid *pyramid, const struct ao_seen *mask,
                      const struct ao_view *input)
{
    for (int64_t row = 0; row < (int64_t)pyramid->clip->T * pyramid->clip->H; row++)
        write_row(pyramid, mask, row, input);
}

/* Of a row, in [3][AO_ROW], n values from column x on. */
static void load_rows(const struct ao_view *gradient, int64_t row, int64_t x, int64_t n,
                      double values[3][AO_ROW])
{
    const int64_t *s = gradient->strides, H = gradient->shape.dims[2];
    for (int c = 0; c < 3; c++)
        ao_row_load(values[c], gradient, c * s[0] + row / H * s[1] + row % H * s[2] + x * s[3],
                    s[3], n);
}

static void add_slopes(const struct ao_pyramid *pyramid, const struct ao_seen *mask, size_t at,
                       size_t voxel, double gradient[3][AO_ROW], int64_t n, float *slope)
{
    const double steps = mask->inverse ? 1 - pyramid->levels : pyramid->levels - 1;
    for (size_t x = 0; x < (size_t)n; x++) {
        const double m = seen_at(mask, mask->values[at + x]);
        const struct between b = find_levels(pyramid, m, voxel + x);
        double sum = 0;
        for (size_t c = 0; c < 3; c++)
            sum += gradient[c][x] *
                   ((double)b.high[c * pyramid->voxels] - (double)b.low[c * pyramid->voxels]);
        slope[at + x] += (float)(steps * sum);
    }
}

void ao_pyramid_adjoint(const struct ao_pyramid *pyramid, const struct ao_seen *mask,
                        const struct ao_view *gradient, float *slope)
{
    const int64_t W = pyramid->clip->W;
    double values[3][AO_ROW];
    for (int64_t row = 0; row < (int64_t)pyramid->clip->T * pyramid->clip->H; row++)
        for (int64_t x = 0; x < W; x += AO_ROW) {
            const int64_t n = W - x < AO_ROW ? W - x : AO_ROW;
            load_rows(gradient, row, x, n, values);
            add_slopes(pyramid, mask, mask_row(pyramid, mask, row) + (size_t)x,
                       (size_t)(row * W + x), values, n, slope);
        }
}
