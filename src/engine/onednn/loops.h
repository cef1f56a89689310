/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ENGINE_ONEDNN_LOOPS_H
#define AO_ENGINE_ONEDNN_LOOPS_H

#include "engine/onednn/onednn.h"
#include "kernels/kernels.h"

/*
 * Convolutions by our own kernels instead of a primitive, where those do more products than needed
 * or are slow: stride 1 by Winograd's tiles (winograd.c), gradients of strided ones (spread.c), and
 * gradients with few channels, such as that of the clip (lines.c). They read and write oneDNN's
 * layouts.
 */

/* dst = act(convolution of src + bias + residual), or its gradient. */
struct ao_dnnl_loop_conv {
    const void *weights;       /* see ao_weight */
    int64_t out_step, in_step; /* in them, from one channel of dst and of src to the next */
    bool flipped;              /* taps in reverse order */
    const float *bias;         /* [channels of dst] or NULL */
    struct ao_window window;   /* of a gradient: that of the convolution, which slides over dst */
    struct ao_shape src, dst;
    dnnl_memory_desc_t src_md, dst_md; /* dst_md is the residual's too */
    bool relu;
};

/* Where channels lie: `size` of them side by side at every position. In floats. */
struct ao_dnnl_chunks {
    int64_t channels; /* with those that fill the last chunk */
    int64_t size;
    int64_t position, chunk, image; /* from one to the next */
};

#define AO_DNNL_CHUNK 16 /* channels of the widest chunk */

/* Blocks of channels, or channels last; false for other layouts. */
bool ao_dnnl_chunks(const dnnl_memory_desc_t *md, struct ao_dnnl_chunks *chunks);

/* dst[c] = act(sum[c] + bias[c] + residual[c]), c < n <= AO_DNNL_CHUNK; residual may be NULL. */
void ao_dnnl_finish(const float *sum, const float *bias, const float *residual, bool relu,
                    int64_t n, float *dst);

/*
 * The gradient of a convolution. An element x of dL/dx meets the taps k with
 *     x + pad - k = o stride,
 * which are the same for all x of one remainder of x + pad by the stride, the phase: so each phase
 * is a convolution of stride 1 of dL/dy with its own taps. One phase of one axis: */
struct ao_dnnl_axis {
    int64_t first, count; /* its elements are first, first + stride, ... */
    int64_t window;       /* (first + pad) / stride: the output that meets the lowest tap */
    int64_t tap, n_taps;  /* lowest tap; the next ones are `stride` apart and meet lower outputs */
};

#define AO_DNNL_STRIDE 8 /* largest; others are left to oneDNN */

struct ao_dnnl_grid {
    int64_t small[3], big[3], stride[3]; /* extents of dL/dy and dL/dx */
    struct ao_dnnl_axis axis[3][AO_DNNL_STRIDE];
    int n_phases; /* of all axes together */
    /* A copy of dL/dy with zeros around it has what every tap of every element meets: how many
     * zeros stand in front, and the extents of the copy. */
    int64_t halo[3], padded[3];
};

/* False for dilated windows and large strides. */
bool ao_dnnl_grid(const struct ao_dnnl_loop_conv *conv, struct ao_dnnl_grid *grid);
void ao_dnnl_grid_phase(const struct ao_dnnl_grid *grid, int phase, struct ao_dnnl_axis axis[3]);

/* Extents of three axes, those that are missing in front 1. */
void ao_dnnl_lift(const struct ao_shape *shape, int64_t extents[3]);

/* Bias in the arena, with zeros up to `columns`. */
aosa_status ao_dnnl_loop_bias(struct ao_dnnl_program *program, const struct ao_dnnl_loop_conv *conv,
                              size_t columns, float **bias);

/* Number of a phase's tap (t, y, x) in a filter. */
int64_t ao_dnnl_grid_tap(const struct ao_dnnl_grid *grid, const struct ao_dnnl_loop_conv *conv,
                         const struct ao_dnnl_axis axis[3], const int64_t step[3]);

/*
 * All prepare a loop in the program's arena: loop->form is NULL where it gains nothing. What they
 * give has the same bits for any number of threads.
 */
aosa_status ao_dnnl_winograd_create(struct ao_dnnl_program *program,
                                    const struct ao_dnnl_loop_conv *conv,
                                    struct ao_dnnl_loop *loop);
aosa_status ao_dnnl_spread_create(struct ao_dnnl_program *program,
                                  const struct ao_dnnl_loop_conv *conv, struct ao_dnnl_loop *loop);
aosa_status ao_dnnl_lines_create(struct ao_dnnl_program *program,
                                 const struct ao_dnnl_loop_conv *conv, struct ao_dnnl_loop *loop);

#endif
