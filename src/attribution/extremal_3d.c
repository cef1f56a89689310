/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/extremal.h"

/* Fong et al. with one area for the whole clip, which frames may share as they need it. Weights of
 * Li et al.'s comparison (spec D). */
aosa_status ao_run_extremal_3d(struct ao_attribution *attribution)
{
    static const struct ao_extremal rule = { .reward = 100, .area = 300, .growth = 1 };
    return ao_extremal_run(attribution, &rule);
}
