/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_SMOOTH_MASK_H
#define AO_ATTRIBUTION_SMOOTH_MASK_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

/*
 * Smooth masks from few parameters (Fong et al., ICCV 2019, section 3.2): p in [0, 1] for every
 * cell of a grid over each frame, a cell every `step` pixels. Cell c reaches pixel u with
 *     v = w(u - c) p_c,   w(d) = exp(-2 max(0, |d| / sigma - 1/2)^2),
 * and the mask is the smooth maximum of all that reach it, with beta = AO_SMOOTH_COLDNESS,
 *     m_u = sum_c v exp(beta v) / sum_c exp(beta v).
 * It lies in [0, 1], and its edges are sigma wide whatever the parameters are. As in the authors'
 * code (TorchRay), the volume has a margin of sigma pixels around the frame, and a pixel is reached
 * by the same number of cells everywhere: those outside the grid have p = 0.
 *
 * Frames are independent, so a loop over them may run on several threads.
 */
#define AO_SMOOTH_COLDNESS 20.0F

struct ao_smooth_mask {
    int step, sigma;    /* pixels; sigma is the margin too */
    int grid_h, grid_w; /* cells of a frame: p is [grid_h][grid_w] */
    int rows, cols;     /* of the mask of a frame with its margin: m is [rows][cols] */
    int first;          /* cell i reaches rows step i + first to step i + first + side - 1 */
    int side;           /* its footprint is a square of that side */
    int reach;          /* largest distance of a row of the footprint from the cell, pixels */
    int pitch;          /* from one row of a footprint to the next: side and a few zeros, since
                           rows are read in whole vectors */
    int32_t *distances; /* [reach + 1][pitch] numbers of the distances in a row that lies as far
                           above the cell, or below it; pixels at one distance share a number */
    float *weights;     /* [reach + 1][pitch] w */
    float *full;        /* [reach + 1][pitch] exp(beta w) - 1 */
    int n_distances;
    float *distance_weights; /* [n_distances] w */
};

/* Of frames H x W. AOSA_ERR_NOMEM; ao_smooth_mask_fini in any case. */
aosa_status ao_smooth_mask_init(struct ao_smooth_mask *mask, int H, int W, int step, int sigma);
void ao_smooth_mask_fini(struct ao_smooth_mask *mask);

/* Floats of one thread's scratch for the two functions below. */
size_t ao_smooth_mask_scratch(const struct ao_smooth_mask *mask);

/*
 * One frame's mask from its parameters.
 *
 * @param p     [grid_h][grid_w] in [0, 1].
 * @param m     Gets the mask, [rows][cols].
 * @param sums  Gets sum_c exp(beta v) for the adjoint, [rows][cols].
 */
void ao_smooth_mask_frame(const struct ao_smooth_mask *mask, const float *p, float *scratch,
                          float *m, float *sums);

/*
 * The adjoint of that, dL/dp from dL/dm at p, m and sums:
 *     dL/dp_c = sum_u dL/dm_u w exp(beta v) (1 + beta (v - m_u)) / sums_u.
 *
 * @param slope    dL/dm, [rows][cols].
 * @param p_slope  Gets dL/dp, [grid_h][grid_w].
 */
void ao_smooth_mask_adjoint(const struct ao_smooth_mask *mask, const float *p, const float *m,
                            const float *sums, const float *slope, float *scratch, float *p_slope);

#endif
