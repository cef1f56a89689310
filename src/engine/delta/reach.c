/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/delta/internal.h"

#include <string.h>

/*
 * The reach of a window is separable: an output changes if some t, y and x of its window do, so
 * flags are widened along x, then y, then t. A tube fills a small part of a clip; only the box
 * around what may change is looked at.
 */

struct ao_delta_box ao_delta_whole(const int64_t *dims)
{
    return (struct ao_delta_box){ .hi = { dims[0], dims[1], dims[2] } };
}

struct ao_delta_box ao_delta_box_of(const struct ao_delta_session *session, int32_t value, int m)
{
    const struct ao_delta_value *values = session->delta->values;
    const int64_t *dims = values[value].extent.dims;
    /* A reshape numbers the same positions along other axes. */
    if (memcmp(dims, values[values[value].of].extent.dims, 3 * sizeof *dims) != 0)
        return ao_delta_whole(dims);
    return ao_delta_support_of(session, value)->box[m];
}

static bool is_empty(const struct ao_delta_box *box)
{
    return box->lo[0] >= box->hi[0] || box->lo[1] >= box->hi[1] || box->lo[2] >= box->hi[2];
}

struct ao_delta_box ao_delta_box_union(struct ao_delta_box a, struct ao_delta_box b)
{
    if (is_empty(&a) || is_empty(&b))
        return is_empty(&a) ? b : a;
    for (int d = 0; d < 3; d++) {
        a.lo[d] = b.lo[d] < a.lo[d] ? b.lo[d] : a.lo[d];
        a.hi[d] = b.hi[d] > a.hi[d] ? b.hi[d] : a.hi[d];
    }
    return a;
}

/* Outputs that a window may read inside the box from. */
static struct ao_delta_box reached(const struct ao_delta_window *w, const struct ao_delta_box *in,
                                   const int64_t *out)
{
    struct ao_delta_box box = { 0 };
    for (int d = 0; d < 3; d++) {
        const int64_t first = in->lo[d] + w->pad[d] - (w->kernel[d] - 1) * w->dilation[d];
        const int64_t end = in->hi[d] + w->pad[d];
        box.lo[d] = first > 0 ? (first + w->stride[d] - 1) / w->stride[d] : 0;
        box.hi[d] = end > 0 ? (end - 1) / w->stride[d] + 1 : 0;
        box.hi[d] = box.hi[d] < out[d] ? box.hi[d] : out[d];
    }
    return is_empty(in) || is_empty(&box) ? (struct ao_delta_box){ 0 } : box;
}

/* Along x, in the lines of a box: dst[o] = any of src[o * stride - pad + k * dilation]. */
static void widen_x(const uint8_t *src, uint8_t *dst, const struct ao_delta_window *w,
                    const struct ao_delta_box *in, const struct ao_delta_box *out)
{
    for (int64_t o = out->lo[2]; o < out->hi[2]; o++) {
        const int64_t origin = o * w->stride[2] - w->pad[2];
        uint8_t any = 0;
        for (int64_t k = 0; k < w->kernel[2]; k++) {
            const int64_t i = origin + k * w->dilation[2];
            any |= i >= in->lo[2] && i < in->hi[2] ? src[i] : 0;
        }
        dst[o] = any;
    }
}

/* Along another axis: one line of outputs, number o there, from the lines of src, `step` apart. */
static void widen_line(const uint8_t *src, int64_t step, uint8_t *dst,
                       const struct ao_delta_window *w, int axis, int64_t o,
                       const struct ao_delta_box *in, const struct ao_delta_box *out)
{
    const int64_t first = out->lo[2], n = out->hi[2] - first;
    memset(dst + first, 0, (size_t)n);
    for (int64_t k = 0; k < w->kernel[axis]; k++) {
        const int64_t i = o * w->stride[axis] - w->pad[axis] + k * w->dilation[axis];
        if (i < in->lo[axis] || i >= in->hi[axis])
            continue;
        const uint8_t *from = src + i * step + first;
        for (int64_t x = 0; x < n; x++)
            dst[first + x] |= from[x];
    }
}

static void clear(uint8_t *flags, const int64_t *dims, const struct ao_delta_box *box)
{
    for (int64_t t = box->lo[0]; t < box->hi[0]; t++)
        for (int64_t y = box->lo[1]; y < box->hi[1]; y++)
            memset(flags + (t * dims[1] + y) * dims[2] + box->lo[2], 0,
                   (size_t)(box->hi[2] - box->lo[2]));
}

struct ao_delta_box ao_delta_reach(struct ao_delta_session *session,
                                   const struct ao_delta_window *w, const int64_t *in_dims,
                                   const struct ao_delta_box *in, const int64_t *out_dims)
{
    uint8_t *const *flags = session->flags;
    const struct ao_delta_box out = reached(w, in, out_dims);
    const int64_t H = in_dims[1], W = out_dims[2], plane = out_dims[1] * W;
    for (int64_t t = in->lo[0]; t < in->hi[0]; t++)
        for (int64_t y = in->lo[1]; y < in->hi[1]; y++) {
            const int64_t line = t * H + y;
            widen_x(flags[0] + line * in_dims[2], flags[1] + line * W, w, in, &out);
        }
    clear(flags[0], in_dims, in);
    for (int64_t t = in->lo[0]; t < in->hi[0]; t++)
        for (int64_t y = out.lo[1]; y < out.hi[1]; y++)
            widen_line(flags[1] + t * H * W, W, flags[2] + t * plane + y * W, w, 1, y, in, &out);
    for (int64_t t = out.lo[0]; t < out.hi[0]; t++)
        for (int64_t y = out.lo[1]; y < out.hi[1]; y++)
            widen_line(flags[2] + y * W, plane, flags[0] + t * plane + y * W, w, 0, t, in, &out);
    return out;
}
