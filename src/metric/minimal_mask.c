/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>

#include "metric/removal.h"

/*
 * The smallest part of a clip that decides (Fong and Vedaldi, ICCV 2017; REVEX for video), read off
 * the curves of deletion and insertion. For each level h,
 *     score   deletion_h = min x_k with p_k <= h,          insertion_h = min x_k with p_k >= h,
 *     share   deletion_h = min x_k with 1 - q_k >= h,      insertion_h = min x_k with q_k >= h,
 *             q_k = (p_k - f(base)) / (f(x) - f(base)),
 * NaN where that never happens, and for `share` where f(x) <= f(base).
 */

static bool is_reached(const struct ao_removal_curve *curve, bool insert, bool share, size_t k,
                       double level)
{
    const size_t whole = insert ? curve->n - 1 : 0, none = insert ? 0 : curve->n - 1;
    if (!share)
        return insert ? curve->y[k] >= level : curve->y[k] <= level;
    const double drop = curve->y[whole] - curve->y[none];
    const double left = curve->y[k] - curve->y[none];
    return drop > 0 && (insert ? left >= level * drop : drop - left >= level * drop);
}

static aosa_status read_curve(struct ao_metric_call *call, bool insert)
{
    static const double levels[] = { 0.80, 0.90, 0.95, 0.99 };
    const bool share = call->options->minimal_mask == AO_MINIMAL_SHARE;
    const struct ao_removal_curve *curve;
    AO_TRY(ao_removal_curve(call, insert, AO_MOST_FIRST, &curve));
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        char part[24];
        size_t k = 0;
        while (k < curve->n && !is_reached(curve, insert, share, k, levels[i]))
            k++;
        snprintf(part, sizeof part, "%s_%.0f", insert ? "insertion" : "deletion", 100 * levels[i]);
        AO_TRY(ao_metric_add_value(call->answer, "minimal_mask", part,
                                   k < curve->n ? curve->x[k] : (double)NAN));
    }
    return AOSA_OK;
}

aosa_status ao_metric_minimal_mask(struct ao_metric_call *call)
{
    AO_TRY(read_curve(call, false));
    return read_curve(call, true);
}
