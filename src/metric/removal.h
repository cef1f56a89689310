/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_METRIC_REMOVAL_H
#define AO_METRIC_REMOVAL_H

#include "metric/metric.h"
#include "metric/ranking.h"
#include "metric/units.h"

/*
 * Deletion and insertion (spec B.1). With units pi ranked by the map and cut points c_k,
 *     deletion   z_k = x with the units pi[0 .. c_k) replaced by the base,
 *     insertion  z_k = the base with those units taken from x,
 * all channels together, and p_k = score(z_k), k = 0 .. n.
 */

enum ao_removal_order {
    AO_MOST_FIRST, /* MoRF */
    AO_LEAST_FIRST /* LeRF: lowest value first, equal ones again by number, so that both orders of a
                      constant map are the same */
};

struct ao_removal_curve {
    size_t n;   /* points, steps + 1 */
    double *x;  /* [n] k / steps, or the fraction of units changed where ties stay together */
    double *y;  /* [n] p_k; random ties: the mean of their repeats */
    double auc; /* sum_{k=1..n-1} (x_k - x_{k-1}) (y_k + y_{k-1}) / 2; for x_k = k / steps that is
                   (sum y - (y_0 + y_last) / 2) / steps */
};

/* Of one map: metrics that look at the same thing find it here. Zeroed where nothing is known. */
struct ao_removals {
    struct ao_units units;
    struct ao_ranking rankings[2];        /* by enum ao_removal_order */
    struct ao_removal_curve curves[2][2]; /* [insert][order] */
};
void ao_removals_fini(struct ao_removals *removals);

/* The units of the call's map: *units lies in call->removals. As ao_units_init. */
aosa_status ao_removal_units(const struct ao_metric_call *call, const struct ao_units **units);

/*
 * A curve of the call's map; *curve lies in call->removals. Its forward passes count for the call
 * that asks first.
 *
 * @return AOSA_ERR_ARGUMENT for a base that does not exist, what ao_units_init and ao_scorer_run
 *         answer, AOSA_ERR_NOMEM.
 */
aosa_status ao_removal_curve(struct ao_metric_call *call, bool insert, enum ao_removal_order order,
                             const struct ao_removal_curve **curve);

/*
 * The metric that is a curve, for the orders of --order. Adds, and the curve NAME:
 *     NAME.auc, NAME.auc_normalised = auc / f(x)
 *     NAME.auc_lerf, NAME.auc_lerf_normalised and the curve NAME_lerf
 *     NAME.abpc  for both orders, the area between the curves: the higher, the better
 * A normalised area is NaN for f(x) <= 0.
 */
aosa_status ao_removal_report(struct ao_metric_call *call, bool insert);

#endif
