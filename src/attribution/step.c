/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/extremal.h"

/*
 * Spatio-temporal perturbation (Li et al., WACV 2021, arXiv 2005.00375; IEEE TCSVT 2021, arXiv
 * 2109.00222): one area for the clip, and a term for masks that stay together in space and time.
 * Of the authors' 2,000 iterations the term joins in at the 100th, and the area's weight grows by
 * 1.0008668 in each (spec D).
 */
aosa_status ao_run_step(struct ao_attribution *attribution)
{
    static const struct ao_extremal rule = {
        .reward = 1,
        .area = 300,
        .growth = 5.6567, /* 1.0008668^2000 */
        .ellipsoids = 300,
        .ellipsoids_at = 0.05,
    };
    return ao_extremal_run(attribution, &rule);
}
