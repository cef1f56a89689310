/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_METRIC_REMOVAL_H
#define AO_METRIC_REMOVAL_H

#include "metric/metric.h"

/*
 * Deletion and insertion (spec B.1). With units pi ranked by the map and cut points c_k,
 *     deletion   z_k = x with the units pi[0 .. c_k) replaced by the base,
 *     insertion  z_k = the base with those units taken from x,
 * all channels together, and p_k = score(z_k), k = 0 .. n,
 *     auc = sum_{k=1..n} (x_k - x_{k-1}) (p_k + p_{k-1}) / 2,
 * where x_k = k / n, so that auc = (sum p_k - (p_0 + p_n) / 2) / n, or the fraction of units
 * changed where ties stay together. Adds NAME.auc, NAME.auc_normalised = auc / f(x) and the curve
 * NAME. Random ties are averaged over their repeats.
 */
aosa_status ao_removal_curve(struct ao_metric_call *call, const char *base, bool insert);

#endif
