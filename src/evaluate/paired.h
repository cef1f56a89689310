/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_EVALUATE_PAIRED_H
#define AO_EVALUATE_PAIRED_H

#include <stddef.h>

#include "core/status.h"

/* Tests between two methods that were run on the same clips. */

/* Differences up to which the distribution of the statistic is counted out. */
#define AO_WILCOXON_EXACT 100

struct ao_wilcoxon {
    size_t n;        /* differences that are not 0 */
    double positive; /* sum of the ranks of the positive ones, W+ */
    double p;        /* two-sided; 1 where all are 0, NaN where there are none */
};

/*
 * Wilcoxon's signed-rank test of whether n differences lie symmetrically around 0 (Wilcoxon 1945;
 * Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, 3rd ed., section 3.1).
 *
 * Differences of 0 are left out, as Wilcoxon does. The others are ranked by absolute value, equal
 * ones sharing the mean of their ranks; W+ is the sum of the ranks of the positive ones. Under the
 * hypothesis each rank counts with probability 1/2, so
 *
 *     p = min(1, 2 min(P(W <= W+), P(W >= W+)))
 *
 * is counted out over all signs, ties included, for up to AO_WILCOXON_EXACT differences. For more,
 * W is normal with mean m(m+1)/4 and variance m(m+1)(2m+1)/24 - sum of (t^3 - t)/48 over groups of
 * t ties, with a continuity correction of 1/2.
 *
 * @param differences  Borrowed, finite. AOSA_ERR_NOMEM.
 */
aosa_status ao_wilcoxon_test(const double *differences, size_t n, struct ao_wilcoxon *test);

/*
 * Holm's step-down correction (Scandinavian Journal of Statistics 6, 1979): with p sorted,
 * adjusted (i) = max over j <= i of min(1, (m - j + 1) p (j)), where m counts those that are not
 * NaN; a NaN stays one. `adjusted` may be `p`. AOSA_ERR_NOMEM.
 */
aosa_status ao_holm_adjust(const double *p, size_t n, double *adjusted);

#endif
