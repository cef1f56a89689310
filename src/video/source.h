/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_VIDEO_SOURCE_H
#define AO_VIDEO_SOURCE_H

#include <stdint.h>

#include "core/status.h"
#include "video/preprocess.h"
#include "video/video.h"

/* Most pixels one decoded frame may have, whatever it comes from. */
#define AO_MAX_FRAME_PIXELS (8192 * 8192)

/* Frames start + i * step, i = 0 .. n - 1, of a source. */
struct ao_sampling {
    int64_t start;
    int64_t step;
    int n;
};

/* Takes the i-th sampled frame; they come in order. The picture is gone after the call. */
typedef aosa_status (*ao_frame_fn)(void *context, int i, const struct ao_picture *frame);

#endif
