/* SPDX-License-Identifier: Apache-2.0 */
#include "mask/stacking.h"

static aosa_status stack(const struct ao_mask_options *options, bool official,
                         struct aosa_mask_set *set)
{
    (void)official;
    struct ao_descriptors descriptors;
    AO_TRY(ao_descriptors_create(set, true, &descriptors));
    const aosa_status status =
        ao_stack_nearest(options, &descriptors, ao_similarity_cosine, true, set);
    ao_descriptors_fini(&descriptors);
    return status;
}

const struct ao_mask_stacking ao_stack_flow_norm_corr = {
    .name = "flow_norm_corr",
    .summary = "tracks that are fast and slow at the same time (cosine of speeds)",
    .stack = stack,
};
