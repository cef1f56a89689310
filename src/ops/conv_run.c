/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/conv_run.h"

#include "ops/element.h"
#include "ops/product.h"

/*
 * One axis of a lattice of dst positions, number q at first + q pitch, which all read the same taps
 * of the kernel: tap j reads src position q step + shift[j]. A forward has one lattice, with pitch
 * 1 and step `stride`. In a transpose the positions i with the same remainder modulo the stride
 * read the same taps, so there are `stride` lattices of pitch `stride` and step 1.
 */
struct axis {
    int64_t n, first, pitch, step;
    int64_t n_taps, *tap, *shift;
    int64_t src, src_stride, dst_stride, w_stride;
};

/*
 * One group of one image on one lattice as a matrix product: rows are channels of dst, columns
 * the positions (t, y, x in row-major order), the summed index runs over (channel of src, tap).
 */
struct lattice {
    struct axis axis[3];
    const struct ao_view *src, *w, *bias, *dst;
    int64_t taps, rows, depth;
    int64_t src_base, w_base, dst_base, bias_base; /* of this image and group */
    int64_t src_channel, dst_channel, w_row, w_channel, w_group;
    int64_t *w_tap;   /* [taps] offset of each tap in a filter */
    int64_t *src_tap; /* [taps][AO_TILE] offset in src, or OUTSIDE */
};

#define OUTSIDE INT64_MIN

int64_t ao_conv_taps(const struct ao_conv_params *params)
{
    int64_t taps = 1;
    for (int i = 0; i < params->window.rank; i++)
        taps *= params->window.kernel[i];
    return taps;
}

static void place_weights(struct lattice *run)
{
    const struct axis *t = &run->axis[0], *y = &run->axis[1], *x = &run->axis[2];
    int64_t *at = run->w_tap;
    for (int64_t kt = 0; kt < t->n_taps; kt++)
        for (int64_t ky = 0; ky < y->n_taps; ky++)
            for (int64_t kx = 0; kx < x->n_taps; kx++)
                *at++ =
                    t->tap[kt] * t->w_stride + y->tap[ky] * y->w_stride + x->tap[kx] * x->w_stride;
}

static bool inside(const struct axis *axis, int64_t at)
{
    return at >= 0 && at < axis->src;
}

/* Where the taps of position `col` read; column j of the tile. */
static void place_column(struct lattice *run, int64_t col, int j)
{
    const struct axis *t = &run->axis[0], *y = &run->axis[1], *x = &run->axis[2];
    const int64_t qt = col / (y->n * x->n), qy = col / x->n % y->n, qx = col % x->n;
    int64_t *dst = run->src_tap + j;
    for (int64_t kt = 0; kt < t->n_taps; kt++) {
        const int64_t at_t = qt * t->step + t->shift[kt];
        for (int64_t ky = 0; ky < y->n_taps; ky++) {
            const int64_t at_y = qy * y->step + y->shift[ky];
            for (int64_t kx = 0; kx < x->n_taps; kx++, dst += AO_TILE) {
                const int64_t at_x = qx * x->step + x->shift[kx];
                *dst = inside(t, at_t) && inside(y, at_y) && inside(x, at_x)
                           ? at_t * t->src_stride + at_y * y->src_stride + at_x * x->src_stride
                           : OUTSIDE;
            }
        }
    }
}

static void pack_weights(void *context, int64_t row, int64_t n_rows, int64_t k0, int64_t n_k,
                         double *panel)
{
    const struct lattice *run = context;
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

static void pack_source(void *context, int64_t col, int64_t n_cols, int64_t k0, int64_t n_k,
                        double *panels)
{
    struct lattice *run = context;
    if (k0 == 0) {
        for (int64_t i = 0; i < run->taps * AO_TILE; i++)
            run->src_tap[i] = OUTSIDE;
        for (int j = 0; j < n_cols; j++)
            place_column(run, col + j, j);
    }
    int64_t c = k0 / run->taps, tap = k0 % run->taps;
    for (int64_t k = 0; k < n_k; k++) {
        const int64_t base = run->src_base + c * run->src_channel;
        const int64_t *taps = run->src_tap + tap * AO_TILE;
        if (run->src->dtype == AO_F32)
            gather_f32((const float *)run->src->data + base, taps, panels + k * AO_PANEL,
                       n_k * AO_PANEL);
        else
            gather_f64((const double *)run->src->data + base, taps, panels + k * AO_PANEL,
                       n_k * AO_PANEL);
        if (++tap == run->taps) {
            tap = 0;
            c++;
        }
    }
}

static int64_t place_of(const struct axis *axis, int64_t q)
{
    return (axis->first + q * axis->pitch) * axis->dst_stride;
}

static void store_result(void *context, int64_t col, int64_t n_cols, const double *tile)
{
    const struct lattice *run = context;
    const struct axis *t = &run->axis[0], *y = &run->axis[1], *x = &run->axis[2];
    int64_t at[AO_TILE];
    for (int64_t j = 0; j < n_cols; j++) {
        const int64_t q = col + j;
        at[j] = run->dst_base + place_of(t, q / (y->n * x->n)) + place_of(y, q / x->n % y->n) +
                place_of(x, q % x->n);
    }
    for (int64_t row = 0; row < run->rows; row++) {
        const double bias =
            run->bias ? ao_element(run->bias, run->bias_base + row * run->bias->strides[0]) : 0;
        const double *sums = tile + row * AO_TILE;
        for (int64_t j = 0; j < n_cols; j++) {
            const int64_t dst = at[j] + row * run->dst_channel;
            if (run->dst->dtype == AO_F32)
                ((float *)run->dst->data)[dst] = (float)(sums[j] + bias);
            else
                ((double *)run->dst->data)[dst] = sums[j] + bias;
        }
    }
}

static void run_group(struct lattice *run, int64_t n, int64_t g, void *scratch)
{
    run->src_base = n * run->src->strides[0] + g * run->depth * run->src_channel;
    run->dst_base = n * run->dst->strides[0] + g * run->rows * run->dst_channel;
    run->w_base = g * run->w_group;
    run->bias_base = run->bias ? g * run->rows * run->bias->strides[0] : 0;
    const struct ao_product product = {
        .rows = run->rows,
        .cols = run->axis[0].n * run->axis[1].n * run->axis[2].n,
        .depth = run->depth * run->taps,
        .context = run,
        .pack_left = pack_weights,
        .pack_right = pack_source,
        .store = store_result,
    };
    ao_product_run(&product, scratch);
}

static void forward_axis(struct axis *axis, const struct ao_window_3d *w, int d)
{
    axis->n = w->out[d];
    axis->first = 0;
    axis->pitch = 1;
    axis->step = w->stride[d];
    axis->n_taps = w->kernel[d];
    for (int64_t k = 0; k < w->kernel[d]; k++) {
        axis->tap[k] = k;
        axis->shift[k] = k * w->dilation[d] - w->pad_lo[d];
    }
}

/* i = first + q stride reads o = (i + pad - k dilation) / stride where that is whole. */
static void transpose_axis(struct axis *axis, const struct ao_window_3d *w, int d, int64_t first)
{
    const int64_t stride = w->stride[d];
    axis->n = first < w->in[d] ? (w->in[d] - first + stride - 1) / stride : 0;
    axis->first = first;
    axis->pitch = stride;
    axis->step = 1;
    axis->n_taps = 0;
    for (int64_t k = 0; k < w->kernel[d]; k++) {
        const int64_t at = first + w->pad_lo[d] - k * w->dilation[d];
        if (at % stride != 0)
            continue;
        axis->tap[axis->n_taps] = k;
        axis->shift[axis->n_taps++] = at / stride;
    }
}

static void run_lattice(struct lattice *run, int64_t groups, void *scratch)
{
    run->taps = run->axis[0].n_taps * run->axis[1].n_taps * run->axis[2].n_taps;
    place_weights(run);
    for (int64_t n = 0; n < run->src->shape.dims[0]; n++)
        for (int64_t g = 0; g < groups; g++)
            run_group(run, n, g, scratch);
}

static void run_transpose(struct lattice *run, const struct ao_window_3d *w, int64_t groups,
                          void *scratch)
{
    int64_t first[3];
    for (first[0] = 0; first[0] < w->stride[0] && first[0] < w->in[0]; first[0]++)
        for (first[1] = 0; first[1] < w->stride[1] && first[1] < w->in[1]; first[1]++)
            for (first[2] = 0; first[2] < w->stride[2] && first[2] < w->in[2]; first[2]++) {
                for (int d = 0; d < 3; d++)
                    transpose_axis(&run->axis[d], w, d, first[d]);
                run_lattice(run, groups, scratch);
            }
}

static int64_t whole_lines(int64_t n)
{
    return (n + 7) / 8 * 8;
}

/* Integers of scratch before the product's: taps and shifts of the axes, w_tap, src_tap. */
static int64_t scratch_ints(const struct ao_conv_params *params)
{
    const int64_t taps = ao_conv_taps(params);
    int64_t ints = whole_lines(taps) + taps * AO_TILE;
    for (int d = 0; d < AO_SPATIAL; d++)
        ints += 2 * whole_lines(d < params->window.rank ? params->window.kernel[d] : 1);
    return ints;
}

size_t ao_conv_scratch(const struct ao_conv_params *params, int64_t rows)
{
    return (size_t)scratch_ints(params) * sizeof(int64_t) + ao_product_scratch(rows);
}

void ao_conv_run(const struct ao_conv_run *job, void *scratch)
{
    const struct ao_view *src = job->src, *dst = job->dst, *w = job->w;
    const struct ao_window_3d window = job->transpose
                                           ? ao_window_lift(&job->params->window, dst, src)
                                           : ao_window_lift(&job->params->window, src, dst);
    const int64_t groups = job->params->group;
    struct lattice run = {
        .src = src,
        .w = w,
        .bias = job->bias,
        .dst = dst,
        .rows = dst->shape.dims[1] / groups,
        .depth = src->shape.dims[1] / groups,
        .src_channel = src->strides[1],
        .dst_channel = dst->strides[1],
        .w_row = w->strides[job->transpose],
        .w_channel = w->strides[!job->transpose],
        .w_group = w->shape.dims[0] / groups * w->strides[0],
    };
    int64_t *ints = scratch;
    const int lead = AO_SPATIAL - job->params->window.rank;
    for (int d = 0; d < 3; d++) {
        struct axis *axis = &run.axis[d];
        axis->src = job->transpose ? window.out[d] : window.in[d];
        axis->src_stride = job->transpose ? window.out_stride[d] : window.in_stride[d];
        axis->dst_stride = job->transpose ? window.in_stride[d] : window.out_stride[d];
        axis->w_stride = d < lead ? 0 : w->strides[2 + d - lead];
        axis->tap = ints;
        axis->shift = axis->tap + whole_lines(window.kernel[d]);
        ints = axis->shift + whole_lines(window.kernel[d]);
    }
    run.w_tap = ints;
    run.src_tap = run.w_tap + whole_lines(ao_conv_taps(job->params));
    void *rest = (int64_t *)scratch + scratch_ints(job->params); /* still 64-byte aligned */
    if (job->transpose) {
        run_transpose(&run, &window, groups, rest);
        return;
    }
    for (int d = 0; d < 3; d++)
        forward_axis(&run.axis[d], &window, d);
    run_lattice(&run, groups, rest);
}
