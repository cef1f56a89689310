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

#endif
