/* SPDX-License-Identifier: Apache-2.0 */
#include "data/clip.h"

#include <math.h>
#include <string.h>

#include "core/alloc.h"

aosa_status ao_clip_create(int T, int H, int W, struct aosa_clip **clip)
{
    const int64_t dims[] = { 3, T, H, W };
    int64_t count;
    if (T < 1 || H < 1 || W < 1 || !ao_count(dims, 4, &count))
        return ao_fail(AOSA_ERR_SHAPE, "clip: %d frames of %dx%d cannot be made", T, W, H);

    struct aosa_clip *made = ao_alloc(1, sizeof *made);
    if (made) {
        made->rgb = ao_alloc((size_t)count, 1);
        made->values = ao_alloc((size_t)count, sizeof *made->values);
        made->frames = ao_alloc((size_t)T, sizeof *made->frames);
    }
    if (!made || !made->rgb || !made->values || !made->frames) {
        ao_clip_destroy(&made);
        return ao_fail(AOSA_ERR_NOMEM, "clip: no memory for %d frames of %dx%d", T, W, H);
    }
    made->T = T;
    made->H = H;
    made->W = W;
    made->fps = 25;
    made->scale[0] = made->scale[1] = 1;
    for (int c = 0; c < 3; c++)
        made->std[c] = 1;
    *clip = made;
    return AOSA_OK;
}

void ao_clip_destroy(struct aosa_clip **clip)
{
    if (!*clip)
        return;
    ao_free((*clip)->rgb);
    ao_free((*clip)->values);
    ao_free((*clip)->frames);
    ao_free((*clip)->path);
    ao_free(*clip);
    *clip = NULL;
}

size_t ao_clip_voxels(const struct aosa_clip *clip)
{
    return (size_t)clip->T * (size_t)clip->H * (size_t)clip->W;
}

/* Which of red, green, blue the c-th plane of values is. */
static size_t colour_of(const struct aosa_clip *clip, size_t c)
{
    return clip->bgr ? 2 - c : c;
}

void ao_clip_normalise(struct aosa_clip *clip)
{
    const size_t n = ao_clip_voxels(clip);
    for (size_t c = 0; c < 3; c++) {
        /* A byte has 256 values: the same two divisions, done once for each. */
        const float mean = (float)clip->mean[c];
        const float std = (float)clip->std[c];
        float table[256];
        for (int v = 0; v < 256; v++)
            table[v] = ((float)v / 255.0f - mean) / std;

        const uint8_t *rgb = clip->rgb + colour_of(clip, c);
        float *values = clip->values + c * n;
        for (size_t i = 0; i < n; i++)
            values[i] = table[rgb[3 * i]];
    }
}

/*
 * 255 (value std + mean) as the authors compute it: torchvision's Normalize with mean -mean/std and
 * std 1/std, both rounded to float, so (v + mean/std) / (1/std), then 255 times that.
 */
static float level(const struct aosa_clip *clip, size_t c, size_t i)
{
    const float std = (float)clip->std[c];
    const float shift = -(float)clip->mean[c] / std;
    const float scale = 1.0f / std;
    return (clip->values[c * ao_clip_voxels(clip) + i] - shift) / scale * 255.0f;
}

static uint8_t clamp_level(float v)
{
    return (uint8_t)fminf(fmaxf(v, 0.0f), 255.0f);
}

void ao_clip_denormalise(struct aosa_clip *clip)
{
    const size_t n = ao_clip_voxels(clip);
    for (size_t c = 0; c < 3; c++)
        for (size_t i = 0; i < n; i++)
            clip->rgb[3 * i + colour_of(clip, c)] = clamp_level(rintf(level(clip, c, i)));
}

void ao_clip_flow_frames(const struct aosa_clip *clip, bool official, uint8_t *frames)
{
    const size_t n = ao_clip_voxels(clip);
    if (!official) {
        memcpy(frames, clip->rgb, 3 * n);
        return;
    }
    for (size_t c = 0; c < 3; c++)
        for (size_t i = 0; i < n; i++)
            frames[3 * i + colour_of(clip, c)] = clamp_level(level(clip, c, i));
}
