/* SPDX-License-Identifier: Apache-2.0 */
#include "render/panel.h"

#include <math.h>

#include "core/alloc.h"

static const float neutral = 127.5f;

void ao_map_colour(const uint8_t lut[AO_COLORMAP_SIZE][3], const float *map, size_t n, uint8_t *rgb)
{
    for (size_t i = 0; i < n; i++, rgb += 3) {
        const float v = isnan(map[i]) ? neutral : map[i];
        const uint8_t *entry = lut[v <= 0.0f ? 0 : v >= 255.0f ? 255 : (int)v];
        rgb[0] = entry[0];
        rgb[1] = entry[1];
        rgb[2] = entry[2];
    }
}

void ao_blend_half(const uint8_t *a, const uint8_t *b, size_t n, uint8_t *dst)
{
    for (size_t i = 0; i < n; i++) {
        const unsigned sum = (unsigned)a[i] + b[i], half = sum / 2;
        dst[i] = (uint8_t)(half + (sum & half & 1u)); /* an odd sum goes to the even neighbour */
    }
}

/* |v - 127.5| / 127.5 in [0, 1]. */
static float strength(float v)
{
    const float s = fabsf(v - neutral) / neutral;
    return isnan(s) ? 0.0f : s > 1.0f ? 1.0f : s;
}

/*
 * s (2 - s) lifts the weak values, which a straight line would leave invisible, yet starts at zero
 * with a finite slope, so that no seam shows where the sign changes; 0.85 leaves a trace of the
 * frame under the strongest.
 */
void ao_blend_strength(const uint8_t *frame, const uint8_t *colour, const float *map, size_t n,
                       uint8_t *dst)
{
    for (size_t i = 0; i < n; i++, frame += 3, colour += 3, dst += 3) {
        const float s = strength(map[i]), w = 0.85f * s * (2.0f - s);
        for (int c = 0; c < 3; c++)
            dst[c] = (uint8_t)lrintf((float)frame[c] + w * (float)(colour[c] - frame[c]));
    }
}

double ao_map_strength(const float *map, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += (double)strength(map[i]);
    return n ? sum / (double)n : 0.0;
}

static size_t frame_pixels(const struct aosa_clip *clip)
{
    return (size_t)clip->H * (size_t)clip->W;
}

aosa_status ao_panels_create(const struct ao_picture_spec *spec, struct ao_panels *panels)
{
    const struct aosa_clip *clip = spec->clip;
    *panels = (struct ao_panels){ 0 };
    if (clip->T < 1 || clip->H < 1 || clip->W < 1)
        return ao_fail(AOSA_ERR_SHAPE, "a clip of %d frames of %d x %d pixels has no picture",
                       clip->T, clip->W, clip->H);
    ao_colormap_fill(spec->colormap, panels->lut);
    panels->colour = ao_alloc_raw(frame_pixels(clip), 3);
    panels->blend = ao_alloc_raw(frame_pixels(clip), 3);
    if (panels->colour && panels->blend)
        return AOSA_OK;
    ao_panels_fini(panels);
    return ao_fail(AOSA_ERR_NOMEM, "panels of %d x %d pixels", clip->W, clip->H);
}

void ao_panels_fini(struct ao_panels *panels)
{
    ao_free(panels->colour);
    ao_free(panels->blend);
    panels->colour = panels->blend = NULL;
}

void ao_panels_frame(struct ao_panels *panels, const struct ao_picture_spec *spec, int t)
{
    const size_t n = frame_pixels(spec->clip);
    const float *map = spec->map + (size_t)t * n;
    panels->input = spec->clip->rgb + (size_t)t * n * 3;
    ao_map_colour((const uint8_t(*)[3])panels->lut, map, n, panels->colour);
    if (spec->blend == AO_BLEND_HALF)
        ao_blend_half(panels->input, panels->colour, 3 * n, panels->blend);
    else
        ao_blend_strength(panels->input, panels->colour, map, n, panels->blend);
}

void ao_panel_size(int H, int W, int least, int *height, int *width)
{
    double scale = 2 * H > 3 * least ? (double)least / H : ceil((double)least / H);
    if (scale * W > 4.0 * least)
        scale = 4.0 * least / W;
    *height = (int)fmax(1.0, rint(scale * H));
    *width = (int)fmax(1.0, rint(scale * W));
}

int ao_frame_selection(int T, int most, int *index)
{
    const int n = T < most ? T : most;
    for (int i = 0; i < n; i++)
        index[i] = n == 1 ? 0 : (int)(((int64_t)i * (T - 1) + (n - 1) / 2) / (n - 1));
    return n;
}

/* Frames are fps apart after --step; a repeated or single frame leaves the step unknown: 1. */
double ao_frame_seconds(const struct aosa_clip *clip, int t)
{
    const int64_t step = clip->T > 1 ? clip->frames[1] - clip->frames[0] : 1;
    return (double)clip->frames[t] / (clip->fps * (double)(step > 0 ? step : 1));
}
