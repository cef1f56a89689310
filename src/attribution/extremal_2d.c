/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/extremal.h"

/* Fong et al. frame by frame: the same area in each. Weights of Li et al.'s comparison (spec D). */
aosa_status ao_run_extremal_2d(struct ao_attribution *attribution)
{
    static const struct ao_extremal rule = {
        .each_frame = true,
        .reward = 100,
        .area = 300,
        .growth = 1,
    };
    return ao_extremal_run(attribution, &rule);
}
