/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_VIDEO_ARRAY_H
#define AO_VIDEO_ARRAY_H

#include "core/npy.h"
#include "video/source.h"

/* A .npy file that holds a clip: uint8 [T][H][W][3] or float32 [3][T][H][W]. */
struct ao_clip_array {
    struct ao_npy npy;
    const char *path; /* borrowed */
    int T, H, W;
};

/*
 * AOSA_ERR_SHAPE, with both shapes, when the file holds neither, or its pictures are not H x W; H
 * or W = 0 accepts any. T is only for that message. Errors of ao_npy_open too.
 */
aosa_status ao_clip_array_open(struct ao_clip_array *array, const char *path, int T, int H, int W);
void ao_clip_array_close(struct ao_clip_array *array);

/*
 * Fills rgb, values and source_sha256 of a clip of the array's H and W, whose mean, std and bgr are
 * set; the sampled frames exist. AOSA_ERR_NUMERIC names the first value that is not finite.
 */
aosa_status ao_clip_array_read(const struct ao_clip_array *array,
                               const struct ao_sampling *sampling, struct aosa_clip *clip);

#endif
