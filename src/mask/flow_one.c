/* SPDX-License-Identifier: Apache-2.0 */
#include "mask/generator.h"

/* One tube per start point, through all frames (spec A.6.2). */
static aosa_status tracks(const struct ao_mask_job *job, struct aosa_mask_set **set)
{
    const int stride = job->options->stride;
    struct ao_grid grid = { 0 };
    AO_TRY(ao_grid_create(job->H, job->W, stride, stride, job->start_lo, job->start_hi, &grid));
    const aosa_status status =
        ao_mask_set_create(job->T, job->H, job->W, job->options->size, grid.n, true, set);
    if (status == AOSA_OK)
        for (int n = 0; n < grid.n; n++)
            ao_track_walk(job, *set, n, grid.points[n], 0, job->T, AO_TRACK_NEAREST);
    ao_grid_fini(&grid);
    return status;
}

const struct ao_mask_generator ao_mask_flow_one = {
    .name = "flow_one",
    .summary = "one tube per start point that follows the motion through the clip",
    .needs_flow = true,
    .tracks = tracks,
};
