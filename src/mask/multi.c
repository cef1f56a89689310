/* SPDX-License-Identifier: Apache-2.0 */
#include "mask/generator.h"

#include "core/alloc.h"

enum { SIZES = 3 };

static int scaled(int size, int k, const struct ao_mask_job *job)
{
    const int shorter = job->H < job->W ? job->H : job->W;
    const int wanted = (size * (k + 1) + 1) / 2; /* half, whole, one and a half */
    return wanted < shorter ? wanted : shorter;
}

static aosa_status walk(const struct ao_mask_job *job, const struct ao_grid *grid,
                        struct aosa_mask_set *set)
{
    set->sizes = ao_alloc((size_t)set->N, sizeof *set->sizes);
    if (!set->sizes)
        return ao_fail(AOSA_ERR_NOMEM, "masks: no memory for the sizes of %d tracks", set->N);
    for (int k = 0, n = 0; k < SIZES; k++)
        for (int p = 0; p < grid->n; p++, n++) {
            set->sizes[n] = scaled(set->size, k, job);
            ao_track_walk(job, set, n, grid->points[p], 0, job->T, AO_TRACK_NEAREST);
        }
    return AOSA_OK;
}

static aosa_status make(const struct ao_mask_job *job, const struct ao_grid *grid,
                        struct aosa_mask_set **set)
{
    if (grid->n > INT32_MAX / SIZES)
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "--stride %d makes %d tracks of %d sizes: take a larger one",
                       job->options->stride, grid->n, SIZES);
    AO_TRY(
        ao_mask_set_create(job->T, job->H, job->W, job->options->size, SIZES * grid->n, true, set));
    return walk(job, grid, *set);
}

/* The tubes of flow_one in three sizes; read them with --accumulate coverage. */
static aosa_status tracks(const struct ao_mask_job *job, struct aosa_mask_set **set)
{
    const int stride = job->options->stride;
    struct ao_grid grid;
    AO_TRY(ao_grid_create(job->H, job->W, stride, stride, job->start_lo, job->start_hi, &grid));
    struct aosa_mask_set *made = NULL;
    const aosa_status status = make(job, &grid, &made);
    ao_grid_fini(&grid);
    if (status == AOSA_OK)
        *set = made;
    else
        ao_mask_set_destroy(&made);
    return status;
}

const struct ao_mask_generator ao_mask_multi = {
    .name = "multi",
    .summary = "the tubes of flow_one in half, whole and one and a half of their size",
    .needs_flow = true,
    .tracks = tracks,
};
