/* SPDX-License-Identifier: Apache-2.0 */
#include "video/preprocess.h"

#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "video/resize.h"

#define MAX_PIXELS (INT64_C(8192) * 8192) /* as the decoder's own limit */

/* Replaces the size of the frame, rows and columns, by that after resizing. */
static void resized_size(const struct ao_preprocess *pre, const struct ao_picture *frame,
                         int64_t size[2])
{
    const int64_t h = frame->H, w = frame->W, n = pre->resize_short;
    switch (pre->resize) {
    case AO_RESIZE_SHORT:
        size[0] = h <= w ? n : n * h / w;
        size[1] = h <= w ? n * w / h : n;
        break;
    case AO_RESIZE_SQUASH:
        size[0] = pre->resize_h;
        size[1] = pre->resize_w;
        break;
    case AO_RESIZE_NONE:
        break;
    }
}

static int crop_offset(enum ao_crop crop, int length, int wanted)
{
    const int spare = length - wanted;
    return crop == AO_CROP_FLOOR ? spare / 2 : (int)lrint(spare / 2.0); /* half to even */
}

static void crop_to(const struct ao_preprocess *pre, const struct ao_picture *frame, uint8_t *dst)
{
    const size_t top = (size_t)crop_offset(pre->crop, frame->H, pre->H);
    const size_t left = (size_t)crop_offset(pre->crop, frame->W, pre->W);
    const size_t row_bytes = 3 * (size_t)pre->W;
    for (size_t y = 0; y < (size_t)pre->H; y++)
        memcpy(dst + y * row_bytes, frame->rgb + (top + y) * frame->stride_bytes + 3 * left,
               row_bytes);
}

static aosa_status check_size(const struct ao_preprocess *pre, const struct ao_picture *frame,
                              const int64_t size[2])
{
    if (size[0] > MAX_PIXELS || size[1] > MAX_PIXELS || size[0] * size[1] > MAX_PIXELS)
        return ao_fail(AOSA_ERR_SHAPE, "a frame of %dx%d would be resized to %lldx%lld", frame->W,
                       frame->H, (long long)size[1], (long long)size[0]);
    if (size[0] < pre->H || size[1] < pre->W)
        return ao_fail(
            AOSA_ERR_SHAPE,
            "a frame of %dx%d is %lldx%lld after resizing, the network needs %dx%d: give "
            "a larger --resize, or --resize %dx%d",
            frame->W, frame->H, (long long)size[1], (long long)size[0], pre->W, pre->H, pre->H,
            pre->W);
    return AOSA_OK;
}

aosa_status ao_frame_fit(const struct ao_preprocess *pre, const struct ao_picture *frame,
                         uint8_t *dst)
{
    int64_t size[2] = { frame->H, frame->W };
    resized_size(pre, frame, size);
    AO_TRY(check_size(pre, frame, size));
    if (size[0] == frame->H && size[1] == frame->W) {
        crop_to(pre, frame, dst);
        return AOSA_OK;
    }
    const int H = (int)size[0], W = (int)size[1];
    uint8_t *rgb = ao_alloc_raw((size_t)H * (size_t)W, 3);
    if (!rgb)
        return ao_fail(AOSA_ERR_NOMEM, "no memory for a frame of %dx%d", W, H);
    const aosa_status status = pre->antialias ? ao_resize_antialiased(frame, H, W, rgb)
                                              : ao_resize_bilinear(frame, H, W, rgb);
    if (status == AOSA_OK)
        crop_to(pre, &(struct ao_picture){ rgb, 3 * (size_t)W, H, W }, dst);
    ao_free(rgb);
    return status;
}

void ao_frame_placement(const struct ao_preprocess *pre, const struct ao_picture *frame,
                        double scale[2], double offset[2])
{
    const int from[2] = { frame->H, frame->W }, to[2] = { pre->H, pre->W };
    int64_t size[2] = { frame->H, frame->W };
    resized_size(pre, frame, size);
    for (int i = 0; i < 2; i++) {
        scale[i] = (double)size[i] / from[i];
        offset[i] = crop_offset(pre->crop, (int)size[i], to[i]);
    }
}
