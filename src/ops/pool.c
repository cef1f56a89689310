/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/pool.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "ops/check.h"
#include "ops/element.h"

/* A window must touch the input, or there is nothing to take the maximum or mean of. */
static aosa_status check_pads(const struct ao_node *node, const struct ao_window *window)
{
    for (int i = 0; i < window->rank; i++) {
        const int64_t reach = (window->kernel[i] - 1) * window->dilation[i] + 1;
        const int64_t lo = window->pad_lo[i], hi = window->pad_hi[i];
        if (lo >= reach || hi >= reach)
            return ao_op_fail(node, AOSA_ERR_FORMAT,
                              "pads %" PRId64 " and %" PRId64
                              " are not smaller than the window of %" PRId64,
                              lo, hi, reach);
    }
    return AOSA_OK;
}

static aosa_status pool_infer(struct ao_graph *graph, struct ao_node *node, enum ao_pool_kind kind,
                              bool global)
{
    char text[AO_SHAPE_TEXT];
    AO_TRY(ao_op_arity(node, 1, 1, 2));
    AO_TRY(ao_op_float(graph, node, 0));
    const struct ao_value *x = ao_op_in(graph, node, 0);
    if (node->n_out > 1 && node->out[1] >= 0)
        return ao_op_fail(node, AOSA_ERR_UNSUPPORTED,
                          "gives the indices of the maxima (output 1): not supported");
    if (x->shape.rank < 3 || x->shape.rank > 2 + AO_SPATIAL)
        return ao_op_fail(node, AOSA_ERR_UNSUPPORTED,
                          "input has shape %s, [N,C] and 1 to %d more axes are supported",
                          ao_shape_text(&x->shape, text), AO_SPATIAL);
    struct ao_pool_params *params = ao_op_params(graph, node, sizeof *params);
    if (!params)
        return AOSA_ERR_NOMEM;
    params->kind = kind;
    params->count_include_pad = ao_node_int(node, "count_include_pad", 0) != 0;
    struct ao_window *window = &params->window;
    window->rank = x->shape.rank - 2;
    if (global)
        memcpy(window->kernel, x->shape.dims + 2, (size_t)window->rank * sizeof(int64_t));
    else
        AO_TRY(
            ao_op_attr_ints(node, "kernel_shape", window->rank, 1, INT32_MAX, 0, window->kernel));
    struct ao_shape out = { .rank = x->shape.rank, .dims = { x->shape.dims[0], x->shape.dims[1] } };
    AO_TRY(ao_window_infer(node, window, x->shape.dims + 2, out.dims + 2));
    AO_TRY(check_pads(node, window));
    return ao_op_set(graph, node, 0, x->dtype, &out);
}

static aosa_status max_infer(struct ao_graph *graph, struct ao_node *node)
{
    return pool_infer(graph, node, AO_POOL_MAX, false);
}

static aosa_status average_infer(struct ao_graph *graph, struct ao_node *node)
{
    return pool_infer(graph, node, AO_POOL_AVERAGE, false);
}

static aosa_status global_max_infer(struct ao_graph *graph, struct ao_node *node)
{
    return pool_infer(graph, node, AO_POOL_MAX, true);
}

static aosa_status global_average_infer(struct ao_graph *graph, struct ao_node *node)
{
    return pool_infer(graph, node, AO_POOL_AVERAGE, true);
}

/* Taps [lo, hi) of one axis that lie inside [begin, end), and the position of tap 0. */
struct tap_range {
    int64_t lo, hi, origin;
};

static struct tap_range taps_inside(const struct ao_window_3d *w, int d, int64_t o, int64_t begin,
                                    int64_t end)
{
    struct tap_range taps = { .origin = o * w->stride[d] - w->pad_lo[d] };
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

struct pool_sum {
    double sum, max;
};

/* Sum and maximum of the taps of one window, in the order t, y, x. */
static struct pool_sum reduce_window(const struct ao_window_3d *w, const struct ao_view *x,
                                     int64_t base, const struct tap_range taps[3])
{
    struct pool_sum result = { .sum = 0, .max = -HUGE_VAL };
    int64_t step[3];
    for (int d = 0; d < 3; d++) {
        step[d] = w->dilation[d] * w->in_stride[d];
        base += taps[d].origin * w->in_stride[d];
    }
    for (int64_t kt = taps[0].lo; kt < taps[0].hi; kt++)
        for (int64_t ky = taps[1].lo; ky < taps[1].hi; ky++) {
            const int64_t row = base + kt * step[0] + ky * step[1];
            for (int64_t kx = taps[2].lo; kx < taps[2].hi; kx++) {
                const int64_t at = row + kx * step[2];
                const double value = x->dtype == AO_F32 ? (double)((const float *)x->data)[at]
                                                        : ((const double *)x->data)[at];
                result.sum += value;
                /* A NaN once taken stays: nothing compares greater. */
                if (value > result.max || isnan(value))
                    result.max = value;
            }
        }
    return result;
}

static double pool_window(const struct ao_pool_params *params, const struct ao_window_3d *w,
                          const struct ao_view *x, int64_t base, const int64_t o[3])
{
    struct tap_range inside[3];
    int64_t count = 1;
    for (int d = 0; d < 3; d++) {
        inside[d] = taps_inside(w, d, o[d], 0, w->in[d]);
        const struct tap_range counted =
            params->count_include_pad
                ? taps_inside(w, d, o[d], -w->pad_lo[d], w->in[d] + w->pad_hi[d])
                : inside[d];
        count *= counted.hi - counted.lo;
    }
    const struct pool_sum result = reduce_window(w, x, base, inside);
    if (params->kind == AO_POOL_MAX)
        return result.max;
    return count > 0 ? result.sum / (double)count : 0;
}

static void pool_plane(const struct ao_pool_params *params, const struct ao_window_3d *w,
                       const struct ao_view *x, int64_t x_base, const struct ao_view *y,
                       int64_t y_base)
{
    int64_t o[3];
    for (o[0] = 0; o[0] < w->out[0]; o[0]++)
        for (o[1] = 0; o[1] < w->out[1]; o[1]++)
            for (o[2] = 0; o[2] < w->out[2]; o[2]++) {
                const double value = pool_window(params, w, x, x_base, o);
                ao_row_store(y,
                             y_base + o[0] * w->out_stride[0] + o[1] * w->out_stride[1] +
                                 o[2] * w->out_stride[2],
                             1, &value, 1);
            }
}

static void pool_forward(const struct ao_op_call *call)
{
    const struct ao_pool_params *params = call->node->params;
    const struct ao_view *x = &call->in[0], *y = &call->out[0];
    const struct ao_window_3d window = ao_window_lift(&params->window, x, y);
    for (int64_t n = 0; n < x->shape.dims[0]; n++)
        for (int64_t c = 0; c < x->shape.dims[1]; c++)
            pool_plane(params, &window, x, n * x->strides[0] + c * x->strides[1], y,
                       n * y->strides[0] + c * y->strides[1]);
}

#define POOL(name, infer_fn)            \
    const struct ao_op ao_op_##name = { \
        .type = #name,                  \
        .infer = infer_fn,              \
        .forward = pool_forward,        \
        .batch = AO_BATCH_KEEPS,        \
    };
POOL(MaxPool, max_infer)
POOL(AveragePool, average_infer)
POOL(GlobalMaxPool, global_max_infer)
POOL(GlobalAveragePool, global_average_infer)
