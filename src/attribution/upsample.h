/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_UPSAMPLE_H
#define AO_ATTRIBUTION_UPSAMPLE_H

#include <stdint.h>

/* Frames, rows and columns of a volume [t][h][w], all at least 1. */
struct ao_extent {
    int64_t t, h, w;
};

/* Two cells of one axis between which something lies, and the weight of the second, in [0, 1). */
struct ao_tap {
    int64_t lo, hi;
    double weight;
};

/*
 * Trilinear interpolation between the centres of the cells, as torch.nn.functional.interpolate does
 * with align_corners=False: on every axis, cell i of `to` lies at
 *     s = max(0, (i + 1/2) from / to - 1/2)
 * of `from`, between cells floor(s) and the next one, or the last. It also shrinks, without any
 * smoothing. In double, rounded once.
 *
 * @param src  float [from.t][from.h][from.w].
 * @param dst  Caller's buffer, float [to.t][to.h][to.w].
 */
void ao_upsample(const float *src, struct ao_extent from, float *dst, struct ao_extent to);

/* One row of that, frame t and row y of `to`: dst[x * stride] for x in [0, to.w). */
void ao_upsample_row(const float *src, struct ao_extent from, struct ao_extent to, int64_t t,
                     int64_t y, float *dst, int64_t stride);

/* Where cell i of `to` lies on an axis of `from` cells; lo = hi at the last. */
struct ao_tap ao_tap_at(int64_t i, int64_t from, int64_t to);

#endif
