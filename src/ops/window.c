/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/window.h"

#include <inttypes.h>
#include <string.h>

#include "ops/check.h"

/* Bounds every attribute, so that products with extents up to 2^44 stay exact in 64 bits. */
#define MAX_STEP INT32_MAX

static const char *const axis_names[AO_SPATIAL] = { "t", "y", "x" };

static const char *axis_name(const struct ao_window *window, int i)
{
    return axis_names[AO_SPATIAL - window->rank + i];
}

/* Extent that one window covers, from its first to its last tap. */
static int64_t reach(const struct ao_window *window, int i)
{
    return (window->kernel[i] - 1) * window->dilation[i] + 1;
}

/* SAME: ceil(in / stride) outputs; the odd element of padding at the end (upper) or start. */
static void pad_same(struct ao_window *window, int i, int64_t in, bool upper)
{
    const int64_t out = (in + window->stride[i] - 1) / window->stride[i];
    int64_t pad = (out - 1) * window->stride[i] + reach(window, i) - in;
    if (pad < 0)
        pad = 0;
    window->pad_lo[i] = upper ? pad / 2 : pad - pad / 2;
    window->pad_hi[i] = pad - window->pad_lo[i];
}

static aosa_status read_pads(const struct ao_node *node, struct ao_window *window,
                             const int64_t *in)
{
    const int rank = window->rank;
    const char *auto_pad = ao_node_text(node, "auto_pad", "NOTSET");
    int64_t pads[2 * AO_SPATIAL] = { 0 };
    if (strcmp(auto_pad, "NOTSET") == 0) {
        AO_TRY(ao_op_attr_ints(node, "pads", 2 * rank, 0, MAX_STEP, 0, pads));
        memcpy(window->pad_lo, pads, (size_t)rank * sizeof pads[0]);
        memcpy(window->pad_hi, pads + rank, (size_t)rank * sizeof pads[0]);
        return AOSA_OK;
    }
    if (strcmp(auto_pad, "VALID") == 0)
        return AOSA_OK;
    const bool upper = strcmp(auto_pad, "SAME_UPPER") == 0;
    if (!upper && strcmp(auto_pad, "SAME_LOWER") != 0)
        return ao_op_fail(node, AOSA_ERR_FORMAT,
                          "attribute auto_pad is '%s', allowed are NOTSET, VALID, SAME_UPPER and "
                          "SAME_LOWER",
                          auto_pad);
    for (int i = 0; i < rank; i++)
        pad_same(window, i, in[i], upper);
    return AOSA_OK;
}

aosa_status ao_window_infer(const struct ao_node *node, struct ao_window *window, const int64_t *in,
                            int64_t *out)
{
    const int rank = window->rank;
    const bool ceil_mode = ao_node_int(node, "ceil_mode", 0) != 0;
    for (int i = 0; i < rank; i++)
        if (window->kernel[i] < 1 || window->kernel[i] > MAX_STEP)
            return ao_op_fail(node, AOSA_ERR_FORMAT,
                              "kernel of axis %s is %" PRId64 ", not 1 to %d", axis_name(window, i),
                              window->kernel[i], MAX_STEP);
    AO_TRY(ao_op_attr_ints(node, "strides", rank, 1, MAX_STEP, 1, window->stride));
    AO_TRY(ao_op_attr_ints(node, "dilations", rank, 1, MAX_STEP, 1, window->dilation));
    AO_TRY(read_pads(node, window, in));
    for (int i = 0; i < rank; i++) {
        const int64_t stride = window->stride[i];
        const int64_t span = in[i] + window->pad_lo[i] + window->pad_hi[i] - reach(window, i);
        if (span < 0 || in[i] < 1)
            return ao_op_fail(node, AOSA_ERR_FORMAT,
                              "kernel %" PRId64 " x dilation %" PRId64
                              " does not fit axis %s: %" PRId64 " + %" PRId64 " + %" PRId64
                              " elements with padding",
                              window->kernel[i], window->dilation[i], axis_name(window, i), in[i],
                              window->pad_lo[i], window->pad_hi[i]);
        out[i] = (ceil_mode ? span + stride - 1 : span) / stride + 1;
        if (ceil_mode && (out[i] - 1) * stride >= in[i] + window->pad_lo[i])
            out[i]--;
    }
    return AOSA_OK;
}

struct ao_window_3d ao_window_lift(const struct ao_window *window, const struct ao_view *in,
                                   const struct ao_view *out)
{
    struct ao_window_3d lifted;
    const int lead = AO_SPATIAL - window->rank;
    for (int d = 0; d < AO_SPATIAL; d++) {
        const int i = d - lead;
        const bool present = i >= 0;
        lifted.kernel[d] = present ? window->kernel[i] : 1;
        lifted.stride[d] = present ? window->stride[i] : 1;
        lifted.dilation[d] = present ? window->dilation[i] : 1;
        lifted.pad_lo[d] = present ? window->pad_lo[i] : 0;
        lifted.pad_hi[d] = present ? window->pad_hi[i] : 0;
        lifted.in[d] = present ? in->shape.dims[2 + i] : 1;
        lifted.in_stride[d] = present ? in->strides[2 + i] : 0;
        lifted.out[d] = present ? out->shape.dims[2 + i] : 1;
        lifted.out_stride[d] = present ? out->strides[2 + i] : 0;
    }
    return lifted;
}

struct ao_tap_range ao_window_taps(const struct ao_window_3d *w, int d, int64_t o, int64_t begin,
                                   int64_t end)
{
    struct ao_tap_range taps = { .origin = o * w->stride[d] - w->pad_lo[d] };
    const int64_t step = w->dilation[d];
    if (taps.origin < begin)
        taps.lo = (begin - taps.origin + step - 1) / step;
    if (taps.origin < end)
        taps.hi = (end - taps.origin + step - 1) / step;
    if (taps.hi > w->kernel[d])
        taps.hi = w->kernel[d];
    if (taps.lo > taps.hi)
        taps.lo = taps.hi;
    return taps;
}
