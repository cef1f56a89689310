/* SPDX-License-Identifier: Apache-2.0 */
#include "mask/stacking.h"

static aosa_status stack(const struct ao_mask_options *options, bool official,
                         struct aosa_mask_set *set)
{
    (void)official;
    struct ao_descriptors descriptors;
    AO_TRY(ao_descriptors_create(set, false, &descriptors));
    const aosa_status status =
        ao_stack_nearest(options, &descriptors, ao_similarity_cosine, true, set);
    ao_descriptors_fini(&descriptors);
    return status;
}

const struct ao_mask_stacking ao_stack_flow_vec_corr = {
    .name = "flow_vec_corr",
    .summary = "tracks whose motion points the same way at the same time (cosine of dx, dy)",
    .stack = stack,
};
