/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_CUT_H
#define AO_ATTRIBUTION_CUT_H

#include "attribution/method.h"

/*
 * First order from a layer on. What a mask changes is followed exactly as far as the feature map L
 * that --layer names, and from there by the gradient of the score at the clip:
 *
 *     f_i = f(x) + sum over L of (L(z_i) - L(x)) df/dL.
 *
 * With the cut at the clip that is the first-order approximation (first_order.c), behind the last
 * layer it would be exact occlusion. The delta engine does the part before the cut, so that an
 * early cut costs little (doc/first_order.md). L must be whole (layer.h): a change that went
 * around it would be lost.
 */

/*
 * Estimates of every mask's effect f_i - f(x). Begins the attribution; passes and seconds are
 * counted: the clip's forward up to the cut and that of every mask as one each.
 *
 * @param effects  Gets [n_results][M], which the caller frees; NULL on failure.
 * @return AOSA_ERR_ARGUMENT for --splits and --adjust, for a layer that there is not or that is not
 *         whole; AOSA_ERR_UNSUPPORTED where the delta engine cannot walk to it or a node behind has
 *         no backward; those of running the network.
 */
aosa_status ao_cut_effects(struct ao_attribution *attribution, double **effects);

/* The passes that it will count. */
aosa_status ao_cut_passes(const struct ao_attribution *attribution, int n_targets,
                          struct ao_passes *passes);

#endif
