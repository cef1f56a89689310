/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_PYRAMID_H
#define AO_ATTRIBUTION_PYRAMID_H

#include "attribution/method.h"
#include "data/view.h"

/*
 * The clip from hidden (level 0) to itself (the last level), and all between by a mask with values
 * (Fong and Vedaldi, ICCV 2017, section 4; TorchRay's Perturbation): at s = m (levels - 1),
 *     x(m) = (1 - s + k) level_k + (s - k) level_{k+1},   k = floor(s), at most levels - 2.
 *
 * blur  AO_PYRAMID_BLURS levels under Gaussians from AO_PYRAMID_SIGMA of the short side down to 0
 * fade  the fill and the clip
 */
#define AO_PYRAMID_BLURS 8
#define AO_PYRAMID_SIGMA (20.0 / 112.0)

struct ao_pyramid {
    const struct aosa_clip *clip;
    int levels;
    size_t voxels; /* of the clip */
    float *hidden; /* [levels - 1][3][T][H][W] all but the clip itself */
};

/* By --hiding and --fill. AOSA_ERR_NOMEM; ao_pyramid_fini in any case. */
aosa_status ao_pyramid_init(const struct ao_attribution *attribution, struct ao_pyramid *pyramid);
void ao_pyramid_fini(struct ao_pyramid *pyramid);

/* A mask in [0, 1] over the clip, rows and frames apart as they lie in a larger volume. */
struct ao_seen {
    float *values; /* of frame 0, row 0, column 0 */
    size_t row, frame;
    bool inverse; /* 1 - m is meant */
};

/* Writes x(m) to a variant of the clip, float [3][T][H][W]. */
void ao_pyramid_write(const struct ao_pyramid *pyramid, const struct ao_seen *mask,
                      const struct ao_view *input);

/*
 * The adjoint of that: adds to slope, laid out as the mask is, sum_c dL/dx_c dx_c/dm. Where m meets
 * a level from both sides, the slope is the right one (the left one at m = 1).
 *
 * @param gradient  dL/dx, [3][T][H][W] of floats or doubles.
 */
void ao_pyramid_adjoint(const struct ao_pyramid *pyramid, const struct ao_seen *mask,
                        const struct ao_view *gradient, float *slope);

#endif
