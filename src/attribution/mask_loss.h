/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_MASK_LOSS_H
#define AO_ATTRIBUTION_MASK_LOSS_H

#include <stddef.h>

#include "core/status.h"

/* What keeps a mask small and in one piece. Each function answers a loss and adds its gradient. */

/*
 * The area of Fong et al. (ICCV 2019, equation 4): sorted values against a vector of zeros with
 * `ones` ones at its end,
 *     loss = top sum_{the `ones` largest} (v - 1)^2 + rest sum_{all others} v^2.
 * Values that tie for the last places share them, each with the same part of either term: the mean
 * over all orders of a sort, which the authors draw at random.
 *
 * @param values   [n], >= 0.
 * @param ones     At most n.
 * @param scratch  [n], overwritten.
 * @param slope    [n], to which dloss/dv is added.
 */
double ao_ranked_loss(const float *values, size_t n, size_t ones, double top, double rest,
                      float *scratch, float *slope);

/*
 * The spatio-temporal term of STEP (Li et al., IEEE TCSVT 2021, arXiv 2109.00222; spec D): means
 * r of the mask inside ellipsoids of frames x side x side voxels, one at every frame and every
 * `side` pixels, none of which leaves the volume [T][rows][cols]. Their ranked loss,
 *     mean_{the `ones` largest} (r - 1)^2 + mean_{all others} r^2,
 *     ones = ceil(area T rows cols / int(frames side^2 pi / 6)),
 * is small when the mask fills whole ellipsoids and leaves all others empty.
 */
struct ao_ellipsoids {
    int T, rows, cols;
    int frames, side;
    int n_t, n_y, n_x; /* ellipsoids along each axis */
    int *first;        /* [frames][side] each row of an ellipsoid is the columns from `first` to
                          side - first */
    int inside;        /* voxels of an ellipsoid */
    float *scratch;    /* [3][n_t n_y n_x] */
};

/* `frames` and `side` are cut to the volume. AOSA_ERR_NOMEM; ao_ellipsoids_fini in any case. */
aosa_status ao_ellipsoids_init(struct ao_ellipsoids *ellipsoids, int T, int rows, int cols,
                               int frames, int side);
void ao_ellipsoids_fini(struct ao_ellipsoids *ellipsoids);

/* `weight` times that loss of mask, [T][rows][cols]; adds its gradient to slope. One thread at a
 * time. */
double ao_ellipsoids_loss(const struct ao_ellipsoids *ellipsoids, const float *mask, double area,
                          double weight, float *slope);

#endif
