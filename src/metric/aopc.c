/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/removal.h"

/*
 * Area over the perturbation curve (Samek et al., IEEE TNNLS 28, 2017, eq. 12) of deletion, units
 * that matter most first, L steps:
 *     aopc = sum_{k=0..L} (f(x) - f(z_k)) / (L + 1).
 */
aosa_status ao_metric_aopc(struct ao_metric_call *call)
{
    const struct ao_removal_curve *curve;
    double sum = 0;
    AO_TRY(ao_removal_curve(call, false, AO_MOST_FIRST, &curve));
    for (size_t k = 0; k < curve->n; k++)
        sum += curve->y[0] - curve->y[k];
    return ao_metric_add_value(call->answer, "aopc", NULL, sum / (double)curve->n);
}
