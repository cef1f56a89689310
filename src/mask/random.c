/* SPDX-License-Identifier: Apache-2.0 */
#include "mask/stacking.h"

#include "core/alloc.h"
#include "core/rng.h"

/*
 * mask_sets random orders of all tracks, one after the other, cut into runs of p + 1 tracks (of p
 * under --compat official). The last run may be shorter; a track that a run across two orders has
 * twice counts once.
 */
static aosa_status stack(const struct ao_mask_options *options, bool official,
                         struct aosa_mask_set *set)
{
    const size_t N = (size_t)set->N, total = N * (size_t)options->mask_sets;
    const size_t run = (size_t)options->partners + !official;
    AO_TRY(ao_stack_begin(set, (total + run - 1) / run, total));
    int32_t *order = ao_alloc_raw(total, sizeof *order);
    if (!order)
        return ao_fail(AOSA_ERR_NOMEM, "random stacking: no memory for %zu tracks", total);
    struct ao_rng rng;
    ao_rng_init(&rng, (uint64_t)options->seed);
    for (size_t i = 0; i < total; i++)
        order[i] = (int32_t)(i % N);
    for (size_t i = 0; i < total; i += N)
        ao_rng_shuffle_i32(&rng, order + i, N);
    for (size_t i = 0; i < total; i += run)
        ao_stack_add(set, order + i, total - i < run ? total - i : run);
    ao_free(order);
    return AOSA_OK;
}

const struct ao_mask_stacking ao_stack_random = {
    .name = "random",
    .summary = "tracks in random order, cut into groups",
    .stack = stack,
};
