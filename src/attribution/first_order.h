/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_FIRST_ORDER_H
#define AO_ATTRIBUTION_FIRST_ORDER_H

#include "attribution/method.h"

/*
 * First-order estimates of every mask's effect f(x m_i) - f(x), at the clip and where --splits and
 * --adjust say (first_order.c). Begins the attribution; passes and seconds are counted.
 *
 * @param effects  Gets [n_results][M], which the caller frees; NULL on failure.
 * @return AOSA_ERR_UNSUPPORTED names an operator without a backward; those of running the network.
 */
aosa_status ao_first_order_effects(struct ao_attribution *attribution, double **effects);

/*
 * Row y of frame t of D(v) = sum over c of g(c, v) (v0 - x)(c, v): the first-order effect of hiding
 * a voxel alone.
 *
 * @param gradient  g, [3][T][H][W].
 * @param density   Gets [W].
 */
void ao_first_order_density(const struct ao_attribution *attribution, const double *gradient, int t,
                            int y, double *density);

#endif
