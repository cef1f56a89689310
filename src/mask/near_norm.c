/* SPDX-License-Identifier: Apache-2.0 */
#include "mask/stacking.h"

#include <math.h>

static double path_length(const struct ao_descriptors *speeds, int i)
{
    const double *row = ao_descriptor(speeds, i);
    double sum = 0;
    for (int t = 0; t < speeds->D; t++)
        sum += row[t];
    return sum;
}

/* Minus the difference of path lengths; to itself it is as good as infinitely different. */
static bool similarity(const struct ao_descriptors *speeds, int i, double *similarity)
{
    const double length = path_length(speeds, i);
    for (int j = 0; j < speeds->N; j++)
        similarity[j] = -fabs(path_length(speeds, j) - length);
    similarity[i] = -1e5;
    return true;
}

static aosa_status stack(const struct ao_mask_options *options, bool official,
                         struct aosa_mask_set *set)
{
    (void)official;
    struct ao_descriptors speeds;
    AO_TRY(ao_descriptors_create(set, true, &speeds));
    const aosa_status status = ao_stack_nearest(options, &speeds, similarity, false, set);
    ao_descriptors_fini(&speeds);
    return status;
}

const struct ao_mask_stacking ao_stack_near_norm = {
    .name = "near_norm",
    .summary = "tracks that travel nearly as far",
    .flow_one_only = true,
    .stack = stack,
};
