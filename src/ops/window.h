/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_OPS_WINDOW_H
#define AO_OPS_WINDOW_H

#include "ops/op.h"

#define AO_SPATIAL 3 /* most spatial axes of convolution and pooling: t, y, x */

/*
 * Geometry of a sliding window. Output o of an axis reads the inputs
 *     o * stride - pad_lo + k * dilation,  0 <= k < kernel,
 * and those outside [0, extent) are padding. Entry i belongs to axis 2 + i of [N][C][spatial...];
 * auto_pad is already resolved.
 */
struct ao_window {
    int rank; /* 1 to 3 */
    int64_t kernel[AO_SPATIAL], stride[AO_SPATIAL], dilation[AO_SPATIAL];
    int64_t pad_lo[AO_SPATIAL], pad_hi[AO_SPATIAL];
};

/*
 * Reads strides, dilations, pads, auto_pad and ceil_mode; window->rank and kernel are already set.
 * in and out are the window->rank spatial extents. With ceil_mode the last window may begin
 * inside the input and end beyond pad_hi; one that would begin beyond the input is left out.
 */
aosa_status ao_window_infer(const struct ao_node *node, struct ao_window *window, const int64_t *in,
                            int64_t *out);

/*
 * The same window as a 3-D one over views of [N][C][t][y][x], the missing leading axes of extent
 * 1, so that one loop serves all ranks.
 */
struct ao_window_3d {
    int64_t kernel[3], stride[3], dilation[3], pad_lo[3], pad_hi[3];
    int64_t in[3], in_stride[3], out[3], out_stride[3];
};
struct ao_window_3d ao_window_lift(const struct ao_window *window, const struct ao_view *in,
                                   const struct ao_view *out);

/* Taps [lo, hi) of output o of axis d that read positions in [begin, end); tap 0 reads origin. */
struct ao_tap_range {
    int64_t lo, hi, origin;
};
struct ao_tap_range ao_window_taps(const struct ao_window_3d *w, int d, int64_t o, int64_t begin,
                                   int64_t end);

#endif
