/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/conv.h"

#include <inttypes.h>
#include <string.h>

#include "ops/check.h"
#include "ops/element.h"
#include "ops/product.h"

static aosa_status check_channels(const struct ao_graph *graph, const struct ao_node *node,
                                  int64_t group)
{
    const struct ao_shape *x = &ao_op_in(graph, node, 0)->shape;
    const struct ao_shape *w = &ao_op_in(graph, node, 1)->shape;
    if (group < 1 || group > x->dims[1])
        return ao_op_fail(node, AOSA_ERR_FORMAT,
                          "has %" PRId64 " groups, the input has %" PRId64 " channels", group,
                          x->dims[1]);
    if (x->dims[1] % group != 0 || w->dims[1] != x->dims[1] / group)
        return ao_op_fail(node, AOSA_ERR_FORMAT,
                          "weights have %" PRId64 " input channels x %" PRId64
                          " groups, the input has %" PRId64,
                          w->dims[1], group, x->dims[1]);
    if (w->dims[0] % group != 0)
        return ao_op_fail(node, AOSA_ERR_FORMAT,
                          "makes %" PRId64 " channels, not a multiple of %" PRId64 " groups",
                          w->dims[0], group);
    return AOSA_OK;
}

static aosa_status check_ranks(const struct ao_graph *graph, const struct ao_node *node)
{
    const struct ao_shape *x = &ao_op_in(graph, node, 0)->shape;
    char text[AO_SHAPE_TEXT];
    if (x->rank < 3 || x->rank > 2 + AO_SPATIAL)
        return ao_op_fail(node, AOSA_ERR_UNSUPPORTED,
                          "input has shape %s, [N,C] and 1 to %d more axes are supported",
                          ao_shape_text(x, text), AO_SPATIAL);
    return ao_op_rank(graph, node, 1, x->rank, "weights");
}

static aosa_status conv_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, 2, 3, 1));
    for (int i = 0; i < 3; i++)
        AO_TRY(ao_op_float(graph, node, i));
    AO_TRY(check_ranks(graph, node));
    struct ao_conv_params *params = ao_op_params(graph, node, sizeof *params);
    if (!params)
        return AOSA_ERR_NOMEM;
    const struct ao_value *x = ao_op_in(graph, node, 0);
    const struct ao_shape *w = &ao_op_in(graph, node, 1)->shape;
    const int rank = x->shape.rank - 2;
    params->group = ao_node_int(node, "group", 1);
    AO_TRY(check_channels(graph, node, params->group));
    AO_TRY(ao_op_vector(graph, node, 2, w->dims[0], "bias"));

    struct ao_window *window = &params->window;
    window->rank = rank;
    AO_TRY(ao_op_attr_ints(node, "kernel_shape", rank, 1, INT64_MAX, 0, window->kernel));
    for (int i = 0; i < rank; i++) {
        if (ao_node_attr(node, "kernel_shape") && window->kernel[i] != w->dims[2 + i])
            return ao_op_fail(node, AOSA_ERR_FORMAT,
                              "attribute kernel_shape has %" PRId64 ", the weights have %" PRId64,
                              window->kernel[i], w->dims[2 + i]);
        window->kernel[i] = w->dims[2 + i];
    }
    struct ao_shape out = { .rank = rank + 2, .dims = { x->shape.dims[0], w->dims[0] } };
    AO_TRY(ao_window_infer(node, window, x->shape.dims + 2, out.dims + 2));
    return ao_op_set(graph, node, 0, x->dtype, &out);
}

/*
 * One group of one image as a matrix product: rows are the output channels, columns the output
 * positions (t, y, x in row-major order), the summed index runs over (c, kt, ky, kx).
 */
struct conv_run {
    struct ao_window_3d window;
    const struct ao_view *x, *w, *bias, *y; /* bias NULL for none */
    int64_t taps, rows;
    int64_t x_base, w_base, y_base, bias_base; /* of this image and group */
    int64_t x_channel, w_channel, w_row, y_channel;
    int64_t *w_tap; /* [taps] offset of each tap in a filter */
    int64_t *x_tap; /* [taps][AO_TILE] offset in the input, or OUTSIDE */
};

#define OUTSIDE INT64_MIN

static int64_t taps_of(const struct ao_conv_params *params)
{
    int64_t taps = 1;
    for (int i = 0; i < params->window.rank; i++)
        taps *= params->window.kernel[i];
    return taps;
}

static void place_weights(struct conv_run *run, const struct ao_window *window)
{
    int64_t step[3] = { 0 };
    for (int i = 0; i < window->rank; i++)
        step[3 - window->rank + i] = run->w->strides[2 + i];
    const int64_t *kernel = run->window.kernel;
    int64_t *at = run->w_tap;
    for (int64_t kt = 0; kt < kernel[0]; kt++)
        for (int64_t ky = 0; ky < kernel[1]; ky++)
            for (int64_t kx = 0; kx < kernel[2]; kx++)
                *at++ = kt * step[0] + ky * step[1] + kx * step[2];
}

/* Where the taps of output position `col` read; column j of the tile. */
static void place_column(struct conv_run *run, int64_t col, int j)
{
    const struct ao_window_3d *w = &run->window;
    const int64_t o[3] = { col / (w->out[1] * w->out[2]), col / w->out[2] % w->out[1],
                           col % w->out[2] };
    int64_t *at = run->x_tap + j;
    for (int64_t kt = 0; kt < w->kernel[0]; kt++) {
        const int64_t t = o[0] * w->stride[0] - w->pad_lo[0] + kt * w->dilation[0];
        for (int64_t ky = 0; ky < w->kernel[1]; ky++) {
            const int64_t y = o[1] * w->stride[1] - w->pad_lo[1] + ky * w->dilation[1];
            for (int64_t kx = 0; kx < w->kernel[2]; kx++, at += AO_TILE) {
                const int64_t x = o[2] * w->stride[2] - w->pad_lo[2] + kx * w->dilation[2];
                const bool inside =
                    t >= 0 && t < w->in[0] && y >= 0 && y < w->in[1] && x >= 0 && x < w->in[2];
                *at = inside ? t * w->in_stride[0] + y * w->in_stride[1] + x * w->in_stride[2]
                             : OUTSIDE;
            }
        }
    }
}

static void pack_weights(void *context, int64_t row, int64_t n_rows, int64_t k0, int64_t n_k,
                         double *panel)
{
    const struct conv_run *run = context;
    for (int64_t r = 0; r < AO_PANEL; r++) {
        const int64_t base = run->w_base + (row + r) * run->w_row;
        int64_t c = k0 / run->taps, tap = k0 % run->taps;
        for (int64_t k = 0; k < n_k; k++) {
            const int64_t at = base + c * run->w_channel + run->w_tap[tap];
            double value = 0;
            if (r < n_rows)
                value = run->w->dtype == AO_F32 ? (double)((const float *)run->w->data)[at]
                                                : ((const double *)run->w->data)[at];
            panel[k * AO_PANEL + r] = value;
            if (++tap == run->taps) {
                tap = 0;
                c++;
            }
        }
    }
}

static void gather_f32(const float *x, const int64_t *tap, double *dst, int64_t dst_step)
{
    for (int p = 0; p < AO_TILE / AO_PANEL; p++)
        for (int j = 0; j < AO_PANEL; j++) {
            const int64_t at = tap[p * AO_PANEL + j];
            dst[p * dst_step + j] = at == OUTSIDE ? 0.0 : (double)x[at];
        }
}

static void gather_f64(const double *x, const int64_t *tap, double *dst, int64_t dst_step)
{
    for (int p = 0; p < AO_TILE / AO_PANEL; p++)
        for (int j = 0; j < AO_PANEL; j++) {
            const int64_t at = tap[p * AO_PANEL + j];
            dst[p * dst_step + j] = at == OUTSIDE ? 0.0 : x[at];
        }
}

static void pack_input(void *context, int64_t col, int64_t n_cols, int64_t k0, int64_t n_k,
                       double *panels)
{
    struct conv_run *run = context;
    if (k0 == 0) {
        for (int64_t i = 0; i < run->taps * AO_TILE; i++)
            run->x_tap[i] = OUTSIDE;
        for (int j = 0; j < n_cols; j++)
            place_column(run, col + j, j);
    }
    int64_t c = k0 / run->taps, tap = k0 % run->taps;
    for (int64_t k = 0; k < n_k; k++) {
        const int64_t base = run->x_base + c * run->x_channel;
        const int64_t *taps = run->x_tap + tap * AO_TILE;
        if (run->x->dtype == AO_F32)
            gather_f32((const float *)run->x->data + base, taps, panels + k * AO_PANEL,
                       n_k * AO_PANEL);
        else
            gather_f64((const double *)run->x->data + base, taps, panels + k * AO_PANEL,
                       n_k * AO_PANEL);
        if (++tap == run->taps) {
            tap = 0;
            c++;
        }
    }
}

static void store_output(void *context, int64_t col, int64_t n_cols, const double *tile)
{
    const struct conv_run *run = context;
    const struct ao_window_3d *w = &run->window;
    int64_t at[AO_TILE];
    for (int64_t j = 0; j < n_cols; j++) {
        const int64_t o = col + j;
        at[j] = run->y_base + o / (w->out[1] * w->out[2]) * w->out_stride[0] +
                o / w->out[2] % w->out[1] * w->out_stride[1] + o % w->out[2] * w->out_stride[2];
    }
    for (int64_t row = 0; row < run->rows; row++) {
        const double bias =
            run->bias ? ao_element(run->bias, run->bias_base + row * run->bias->strides[0]) : 0;
        const double *sums = tile + row * AO_TILE;
        for (int64_t j = 0; j < n_cols; j++) {
            const int64_t dst = at[j] + row * run->y_channel;
            if (run->y->dtype == AO_F32)
                ((float *)run->y->data)[dst] = (float)(sums[j] + bias);
            else
                ((double *)run->y->data)[dst] = sums[j] + bias;
        }
    }
}

static void run_group(struct conv_run *run, int64_t n, int64_t g, void *scratch)
{
    const int64_t depth = run->w->shape.dims[1];
    run->x_base = n * run->x->strides[0] + g * depth * run->x_channel;
    run->w_base = g * run->rows * run->w_row;
    run->y_base = n * run->y->strides[0] + g * run->rows * run->y_channel;
    run->bias_base = run->bias ? g * run->rows * run->bias->strides[0] : 0;
    const struct ao_product product = {
        .rows = run->rows,
        .cols = run->window.out[0] * run->window.out[1] * run->window.out[2],
        .depth = depth * run->taps,
        .context = run,
        .pack_left = pack_weights,
        .pack_right = pack_input,
        .store = store_output,
    };
    ao_product_run(&product, scratch);
}

static void conv_forward(const struct ao_op_call *call)
{
    const struct ao_conv_params *params = call->node->params;
    const struct ao_view *x = &call->in[0], *w = &call->in[1], *y = &call->out[0];
    struct conv_run run = {
        .window = ao_window_lift(&params->window, x, y),
        .x = x,
        .w = w,
        .bias = call->node->n_in > 2 && call->in[2].data ? &call->in[2] : NULL,
        .y = y,
        .taps = taps_of(params),
        .rows = w->shape.dims[0] / params->group,
        .x_channel = x->strides[1],
        .w_channel = w->strides[1],
        .w_row = w->strides[0],
        .y_channel = y->strides[1],
    };
    run.w_tap = call->scratch;
    run.x_tap = run.w_tap + (run.taps + 7) / 8 * 8;
    void *rest = run.x_tap + run.taps * AO_TILE; /* still 64-byte aligned */
    place_weights(&run, &params->window);
    for (int64_t n = 0; n < x->shape.dims[0]; n++)
        for (int64_t g = 0; g < params->group; g++)
            run_group(&run, n, g, rest);
}

static size_t conv_scratch(const struct ao_graph *graph, const struct ao_node *node, int64_t batch)
{
    const struct ao_conv_params *params = node->params;
    const int64_t rows = ao_op_in(graph, node, 1)->shape.dims[0] / params->group;
    const size_t taps = (size_t)taps_of(params);
    (void)batch;
    return ((taps + 7) / 8 * 8 + taps * AO_TILE) * sizeof(int64_t) + ao_product_scratch(rows);
}

static double conv_macs(const struct ao_graph *graph, const struct ao_node *node)
{
    const struct ao_shape *w = &ao_op_in(graph, node, 1)->shape;
    const struct ao_shape *y = &ao_op_out(graph, node, 0)->shape;
    return (double)ao_shape_count(y) * (double)w->dims[1] * (double)taps_of(node->params);
}

const struct ao_op ao_op_Conv = {
    .type = "Conv",
    .infer = conv_infer,
    .forward = conv_forward,
    .scratch = conv_scratch,
    .macs = conv_macs,
    .batch = AO_BATCH_KEEPS,
};
