/* SPDX-License-Identifier: Apache-2.0 */
#include "mask/generator.h"

/* A box around (t, y, x): frames [t - time_size / 2, t + time_size / 2 + time_size % 2). */
static void stand(struct aosa_mask_set *set, int n, struct ao_grid_point at, int t, int time_size)
{
    const int64_t t0 = (int64_t)t - time_size / 2, t1 = (int64_t)t + time_size / 2 + time_size % 2;
    struct ao_track_point *points = set->points + (size_t)n * (size_t)set->T;
    for (int i = 0; i < set->T; i++)
        points[i] = (struct ao_track_point){ i >= t0 && i < t1, at.y, at.x };
}

static aosa_status make(const struct ao_mask_job *job, const struct ao_grid *grid,
                        struct aosa_mask_set **set)
{
    const struct ao_mask_options *options = job->options;
    const int64_t n_times = (job->T - 1) / options->time_stride + 1;
    if (n_times * grid->n > INT32_MAX)
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "--stride %d and --time-stride %d make %lld cuboids: take larger ones",
                       options->stride, options->time_stride, (long long)n_times * grid->n);
    AO_TRY(ao_mask_set_create(job->T, job->H, job->W, options->size, (int)n_times * grid->n, false,
                              set));
    int n = 0;
    for (int k = 0; k < n_times; k++)
        for (int p = 0; p < grid->n; p++)
            stand(*set, n++, grid->points[p], k * options->time_stride, options->time_size);
    return AOSA_OK;
}

/* The baseline of spec A.6.1; its grid starts at 0, and black bars are not left out (Q16). */
static aosa_status tracks(const struct ao_mask_job *job, struct aosa_mask_set **set)
{
    struct ao_grid grid = { 0 };
    AO_TRY(ao_grid_create(job->H, job->W, job->options->stride, 0, 0, job->H - 1, &grid));
    const aosa_status status = make(job, &grid, set);
    ao_grid_fini(&grid);
    return status;
}

const struct ao_mask_generator ao_mask_cuboid = {
    .name = "cuboid",
    .summary = "boxes that stand still, over space and time",
    .tracks = tracks,
};
