/* SPDX-License-Identifier: Apache-2.0 */
#include "mask/generator.h"
#include "mask/tracker.h"

/* Displacements of a track's points, for stacking. */
static void read_motion(const struct ao_track_point *points, int T, float *motion)
{
    for (int t = 0; t + 1 < T; t++) {
        motion[2 * t] = (float)(points[t + 1].x - points[t].x);
        motion[2 * t + 1] = (float)(points[t + 1].y - points[t].y);
    }
}

static aosa_status walk(const struct ao_mask_job *job, const struct ao_grid *grid,
                        struct aosa_mask_set *set)
{
    struct ao_tracker tracker;
    const size_t T = (size_t)job->T;
    const double before = set->size % 2 ? 0 : 0.5; /* the middle of an even square is no pixel's */
    AO_TRY(ao_tracker_create(job->flow, &tracker));
    for (int n = 0; n < grid->n; n++) {
        struct ao_track_point *points = set->points + (size_t)n * T;
        ao_tracker_walk(&tracker, grid->points[n].y - before, grid->points[n].x - before, set->size,
                        (job->T - 1) / 2, points);
        read_motion(points, set->T, set->motion + 2 * (size_t)n * (T - 1));
    }
    ao_tracker_fini(&tracker);
    return AOSA_OK;
}

/* The start grid of flow_one, in the middle frame. */
static aosa_status tracks(const struct ao_mask_job *job, struct aosa_mask_set **set)
{
    const int stride = job->options->stride;
    struct ao_grid grid;
    AO_TRY(ao_grid_create(job->H, job->W, stride, stride, job->start_lo, job->start_hi, &grid));
    struct aosa_mask_set *made = NULL;
    aosa_status status =
        ao_mask_set_create(job->T, job->H, job->W, job->options->size, grid.n, true, &made);
    if (status == AOSA_OK)
        status = walk(job, &grid, made);
    ao_grid_fini(&grid);
    if (status == AOSA_OK)
        *set = made;
    else
        ao_mask_set_destroy(&made);
    return status;
}

const struct ao_mask_generator ao_mask_carried = {
    .name = "carried",
    .summary = "one tube per point of the middle frame, carried both ways by the median of the "
               "motion under it",
    .needs_flow = true,
    .tracks = tracks,
};
