/* SPDX-License-Identifier: Apache-2.0 */
#include "video/array.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/sha256.h"

#define SHAPE_TEXT 192

static const char *shape_text(const struct ao_npy *npy, char text[SHAPE_TEXT])
{
    size_t n = (size_t)snprintf(text, SHAPE_TEXT, "%s [", ao_npy_type_name(npy->type));
    for (int i = 0; i < npy->rank; i++)
        n += (size_t)snprintf(text + n, SHAPE_TEXT - n, "%s%lld", i ? "," : "",
                              (long long)npy->dims[i]);
    snprintf(text + n, SHAPE_TEXT - n, "]");
    return text;
}

static bool is_frames(const struct ao_npy *npy)
{
    return npy->type == AO_NPY_U8 && npy->rank == 4 && npy->dims[3] == 3;
}

static bool is_values(const struct ao_npy *npy)
{
    return npy->type == AO_NPY_F32 && npy->rank == 4 && npy->dims[0] == 3;
}

static bool set_size(struct ao_clip_array *array)
{
    const int64_t *dims = array->npy.dims + (is_values(&array->npy) ? 1 : 0);
    for (int i = 0; i < 3; i++)
        if (dims[i] > INT_MAX)
            return false;
    array->T = (int)dims[0];
    array->H = (int)dims[1];
    array->W = (int)dims[2];
    return true;
}

aosa_status ao_clip_array_open(struct ao_clip_array *array, const char *path, int T, int H, int W)
{
    *array = (struct ao_clip_array){ .path = path };
    AO_TRY(ao_npy_open(&array->npy, path));
    const struct ao_npy *npy = &array->npy;
    if ((is_frames(npy) || is_values(npy)) && set_size(array) && (H == 0 || array->H == H) &&
        (W == 0 || array->W == W))
        return AOSA_OK;

    char found[SHAPE_TEXT];
    const aosa_status status =
        H > 0 && W > 0
            ? ao_fail(AOSA_ERR_SHAPE,
                      "%s: holds %s, the network needs uint8 [%d,%d,%d,3] (RGB frames) or float32 "
                      "[3,%d,%d,%d] (normalised)",
                      path, shape_text(npy, found), T, H, W, T, H, W)
            : ao_fail(AOSA_ERR_SHAPE,
                      "%s: holds %s, a clip is uint8 [T,H,W,3] (RGB frames) or float32 [3,T,H,W] "
                      "(normalised)",
                      path, shape_text(npy, found));
    ao_clip_array_close(array);
    return status;
}

void ao_clip_array_close(struct ao_clip_array *array)
{
    ao_npy_close(&array->npy);
}

/* Bytes from one frame of the source to the next: of three channels, or of one. */
static size_t frame_bytes(const struct ao_clip_array *array, size_t pixel_bytes)
{
    return (size_t)array->H * (size_t)array->W * pixel_bytes;
}

static void read_frames(const struct ao_clip_array *array, const struct ao_sampling *sampling,
                        struct aosa_clip *clip)
{
    const uint8_t *data = array->npy.data;
    const size_t bytes = frame_bytes(array, 3);
    for (int i = 0; i < sampling->n; i++)
        memcpy(clip->rgb + (size_t)i * bytes,
               data + (size_t)(sampling->start + i * sampling->step) * bytes, bytes);
    ao_clip_normalise(clip);
}

static aosa_status check_finite(const struct ao_clip_array *array, const struct aosa_clip *clip)
{
    const size_t n = 3 * ao_clip_voxels(clip);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(clip->values[i]))
            return ao_fail(AOSA_ERR_NUMERIC, "%s: value %zu of the clip is %g", array->path, i,
                           (double)clip->values[i]);
    return AOSA_OK;
}

static aosa_status read_values(const struct ao_clip_array *array,
                               const struct ao_sampling *sampling, struct aosa_clip *clip)
{
    const uint8_t *data = array->npy.data;
    const size_t bytes = frame_bytes(array, sizeof(float));
    uint8_t *dst = (uint8_t *)clip->values;
    for (size_t c = 0; c < 3; c++)
        for (int i = 0; i < sampling->n; i++) {
            const size_t frame =
                c * (size_t)array->T + (size_t)(sampling->start + i * sampling->step);
            memcpy(dst, data + frame * bytes, bytes);
            dst += bytes;
        }
    AO_TRY(check_finite(array, clip));
    ao_clip_denormalise(clip);
    return AOSA_OK;
}

aosa_status ao_clip_array_read(const struct ao_clip_array *array,
                               const struct ao_sampling *sampling, struct aosa_clip *clip)
{
    ao_sha256(array->npy.file.bytes, array->npy.file.size, clip->source_sha256);
    if (is_values(&array->npy))
        return read_values(array, sampling, clip);
    read_frames(array, sampling, clip);
    return AOSA_OK;
}
