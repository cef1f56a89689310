/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/pool.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "ops/backward.h"
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

aosa_status ao_pool_read(struct ao_graph *graph, struct ao_node *node, enum ao_pool_kind kind,
                         bool global, const struct ao_shape *x, struct ao_shape *out)
{
    char text[AO_SHAPE_TEXT];
    if (x->rank < 3 || x->rank > 2 + AO_SPATIAL)
        return ao_op_fail(node, AOSA_ERR_UNSUPPORTED,
                          "input has shape %s, [N,C] and 1 to %d more axes are supported",
                          ao_shape_text(x, text), AO_SPATIAL);
    struct ao_pool_params *params = ao_op_params(graph, node, sizeof *params);
    if (!params)
        return AOSA_ERR_NOMEM;
    params->kind = kind;
    params->count_include_pad = ao_node_int(node, "count_include_pad", 0) != 0;
    params->column_major = ao_node_int(node, "storage_order", 0) != 0;
    struct ao_window *window = &params->window;
    window->rank = x->rank - 2;
    if (global)
        memcpy(window->kernel, x->dims + 2, (size_t)window->rank * sizeof(int64_t));
    else
        AO_TRY(
            ao_op_attr_ints(node, "kernel_shape", window->rank, 1, INT32_MAX, 0, window->kernel));
    *out = (struct ao_shape){ .rank = x->rank, .dims = { x->dims[0], x->dims[1] } };
    AO_TRY(ao_window_infer(node, window, x->dims + 2, out->dims + 2));
    return check_pads(node, window);
}

static aosa_status pool_infer(struct ao_graph *graph, struct ao_node *node, enum ao_pool_kind kind,
                              bool global)
{
    AO_TRY(ao_op_arity(node, 1, 1, 2));
    AO_TRY(ao_op_float(graph, node, 0));
    const struct ao_value *x = ao_op_in(graph, node, 0);
    struct ao_shape out;
    AO_TRY(ao_pool_read(graph, node, kind, global, &x->shape, &out));
    AO_TRY(ao_op_set(graph, node, 1, AO_I64, &out));
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

/* Sum and maximum of the taps of one window, in the order t, y, x. */
static struct ao_pool_sum reduce_window(const struct ao_window_3d *w, const struct ao_view *x,
                                        int64_t base, const struct ao_tap_range taps[3])
{
    struct ao_pool_sum result = { .sum = 0, .max = -HUGE_VAL };
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
                if (value > result.max || isnan(value)) {
                    result.max = value;
                    result.at[0] = taps[0].origin + kt * w->dilation[0];
                    result.at[1] = taps[1].origin + ky * w->dilation[1];
                    result.at[2] = taps[2].origin + kx * w->dilation[2];
                }
            }
        }
    return result;
}

int64_t ao_pool_inside(const struct ao_pool_params *params, const struct ao_window_3d *w,
                       const int64_t o[3], struct ao_tap_range inside[3])
{
    int64_t count = 1;
    for (int d = 0; d < 3; d++) {
        inside[d] = ao_window_taps(w, d, o[d], 0, w->in[d]);
        const struct ao_tap_range counted =
            params->count_include_pad
                ? ao_window_taps(w, d, o[d], -w->pad_lo[d], w->in[d] + w->pad_hi[d])
                : inside[d];
        count *= counted.hi - counted.lo;
    }
    return count;
}

struct ao_pool_sum ao_pool_window(const struct ao_pool_params *params, const struct ao_window_3d *w,
                                  const struct ao_view *x, int64_t base, const int64_t o[3],
                                  double *value)
{
    struct ao_tap_range inside[3];
    const int64_t count = ao_pool_inside(params, w, o, inside);
    const struct ao_pool_sum result = reduce_window(w, x, base, inside);
    /* Dilation can leave a window without inputs: the least float, as ONNX Runtime and oneDNN. */
    if (params->kind == AO_POOL_MAX)
        *value = result.max > -HUGE_VAL || isnan(result.max) ? result.max : -(double)FLT_MAX;
    else
        *value = count > 0 ? result.sum / (double)count : 0;
    return result;
}

/* Number of an element inside its plane; column-major order counts y fastest, then x, then t. */
static int64_t plane_index(const struct ao_pool_params *params, const struct ao_window_3d *w,
                           const int64_t at[3])
{
    if (params->column_major)
        return at[1] + w->in[1] * (at[2] + w->in[2] * at[0]);
    return at[2] + w->in[2] * (at[1] + w->in[1] * at[0]);
}

static int64_t offset_of(const struct ao_view *y, int64_t plane, const int64_t o[3],
                         const struct ao_window_3d *w)
{
    return plane / y->shape.dims[1] * y->strides[0] + plane % y->shape.dims[1] * y->strides[1] +
           o[0] * w->out_stride[0] + o[1] * w->out_stride[1] + o[2] * w->out_stride[2];
}

/* One channel of one image: number `plane` of all. */
static void pool_plane(const struct ao_op_call *call, int64_t plane)
{
    const struct ao_pool_params *params = call->node->params;
    const struct ao_view *x = &call->in[0], *y = &call->out[0];
    const struct ao_view *indices = call->node->n_out > 1 ? &call->out[1] : NULL;
    const struct ao_window_3d w = ao_window_lift(&params->window, x, y);
    const struct ao_window_3d places =
        indices && indices->data ? ao_window_lift(&params->window, x, indices) : w;
    const int64_t C = x->shape.dims[1];
    const int64_t base = plane / C * x->strides[0] + plane % C * x->strides[1];
    int64_t o[3];
    for (o[0] = 0; o[0] < w.out[0]; o[0]++)
        for (o[1] = 0; o[1] < w.out[1]; o[1]++)
            for (o[2] = 0; o[2] < w.out[2]; o[2]++) {
                double value;
                const struct ao_pool_sum window = ao_pool_window(params, &w, x, base, o, &value);
                ao_row_store(y, offset_of(y, plane, o, &w), 1, &value, 1);
                if (!indices || !indices->data)
                    continue;
                const int64_t index =
                    plane * w.in[0] * w.in[1] * w.in[2] + plane_index(params, &w, window.at);
                ao_row_store_int(indices, offset_of(indices, plane, o, &places), 1, &index, 1);
            }
}

static void pool_forward(const struct ao_op_call *call)
{
    const struct ao_shape *x = &call->in[0].shape;
    for (int64_t plane = 0; plane < x->dims[0] * x->dims[1]; plane++)
        pool_plane(call, plane);
}

/* Places of the maxima count on through the batch: block n of them is not that of clip n alone. */
static bool pool_keeps_batch(const struct ao_graph *graph, const struct ao_node *node)
{
    (void)graph;
    return node->n_out < 2 || node->out[1] < 0;
}

#define POOL(name, infer_fn, vjp_fn)     \
    const struct ao_op ao_op_##name = {  \
        .type = #name,                   \
        .infer = infer_fn,               \
        .forward = pool_forward,         \
        .vjp = vjp_fn,                   \
        .batch = AO_BATCH_ASKS,          \
        .keeps_batch = pool_keeps_batch, \
    };
POOL(MaxPool, max_infer, ao_vjp_max_pool)
POOL(AveragePool, average_infer, ao_vjp_average_pool)
POOL(GlobalMaxPool, global_max_infer, ao_vjp_global_max_pool)
POOL(GlobalAveragePool, global_average_infer, ao_vjp_global_average_pool)
