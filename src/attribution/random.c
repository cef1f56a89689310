/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/method.h"
#include "core/rng.h"

/*
 * Control: A(t, y, x) uniform in [0, 1), every voxel on its own, from --seed (splitmix64, voxels in
 * order). Any map worth looking at must beat it.
 */
aosa_status ao_run_random(struct ao_attribution *a)
{
    const size_t n = ao_clip_voxels(a->clip);
    AO_TRY(ao_attribution_forward(a));
    for (int k = 0; k < a->n_results; k++) {
        struct ao_rng rng;
        ao_rng_init(&rng, a->seed + (uint64_t)k);
        for (size_t i = 0; i < n; i++)
            a->results[k].map[i] = (float)ao_rng_uniform(&rng);
        ao_attribution_normalise(a, &a->results[k]);
    }
    return AOSA_OK;
}
