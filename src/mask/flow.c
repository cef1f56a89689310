/* SPDX-License-Identifier: Apache-2.0 */
#include "mask/generator.h"

#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"

/*
 * Tubes that start at t = 0, ts, 2 ts, ... wherever no earlier tube is (spec A.6.3). Whether a
 * point may start at a time is only known when all earlier tubes have been walked, and so is their
 * number: tracks are collected in a set as large as it can get, and copied.
 */
struct walk {
    const struct ao_mask_job *job;
    struct ao_grid grid;
    int n_times;
    bool *blocked; /* [n_times][grid.n] */
    struct aosa_mask_set *all;
    int n;
};

/* Forbids the start points under the track's square at start time k, which is frame k * ts. */
static void block_points(struct walk *walk, const struct ao_track_point *track, int k)
{
    const struct ao_mask_options *options = walk->job->options;
    const int t = k * options->time_stride, last = walk->job->T - 1, half = options->size / 2;
    /* The authors look after the track has moved on, whether it lives or not (Q15). */
    const bool exact = options->exact_delete_point;
    const struct ao_track_point at = track[exact || t == last ? t : t + 1];
    if (exact && !at.alive)
        return;
    for (int q = 0; q < walk->grid.n; q++) {
        const struct ao_grid_point point = walk->grid.points[q];
        if (abs(point.y - at.y) <= half && abs(point.x - at.x) <= half)
            walk->blocked[(size_t)k * (size_t)walk->grid.n + (size_t)q] = true;
    }
}

static void walk_from(struct walk *walk, int k)
{
    const struct ao_mask_options *options = walk->job->options;
    const int T = walk->job->T, t0 = k * options->time_stride;
    const int t1 = options->time_size < T - t0 ? t0 + options->time_size : T;
    for (int p = 0; p < walk->grid.n; p++) {
        if (walk->blocked[(size_t)k * (size_t)walk->grid.n + (size_t)p])
            continue;
        const int n = walk->n++;
        ao_track_walk(walk->job, walk->all, n, walk->grid.points[p], t0, t1, AO_TRACK_TRUNCATE);
        if (options->no_delete_point)
            continue;
        const struct ao_track_point *track = walk->all->points + (size_t)n * (size_t)T;
        for (int later = k + 1; later < walk->n_times && later * options->time_stride < t1; later++)
            block_points(walk, track, later);
    }
}

/* The n tracks that were walked, in a set of their own. */
static aosa_status keep_walked(const struct walk *walk, struct aosa_mask_set **set)
{
    const struct ao_mask_job *job = walk->job;
    AO_TRY(ao_mask_set_create(job->T, job->H, job->W, job->options->size, walk->n, true, set));
    const size_t n = (size_t)walk->n, T = (size_t)job->T;
    memcpy((*set)->points, walk->all->points, n * T * sizeof *(*set)->points);
    memcpy((*set)->motion, walk->all->motion, 2 * n * (T - 1) * sizeof *(*set)->motion);
    return AOSA_OK;
}

static aosa_status walk_all(struct walk *walk, struct aosa_mask_set **set)
{
    const struct ao_mask_job *job = walk->job;
    const int64_t most = (int64_t)walk->n_times * walk->grid.n;
    if (most > INT32_MAX)
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "--stride %d and --time-stride %d make %lld tracks: take larger ones",
                       job->options->stride, job->options->time_stride, (long long)most);
    walk->blocked = ao_alloc((size_t)most, sizeof *walk->blocked);
    if (!walk->blocked)
        return ao_fail(AOSA_ERR_NOMEM, "masks: no memory for %lld starts", (long long)most);
    AO_TRY(ao_mask_set_create(job->T, job->H, job->W, job->options->size, (int)most, true,
                              &walk->all));
    for (int k = 0; k < walk->n_times; k++)
        walk_from(walk, k);
    return keep_walked(walk, set);
}

static aosa_status tracks(const struct ao_mask_job *job, struct aosa_mask_set **set)
{
    const int stride = job->options->stride;
    struct walk walk = { .job = job, .n_times = (job->T - 1) / job->options->time_stride + 1 };
    AO_TRY(
        ao_grid_create(job->H, job->W, stride, stride, job->start_lo, job->start_hi, &walk.grid));
    const aosa_status status = walk_all(&walk, set);
    ao_mask_set_destroy(&walk.all);
    ao_free(walk.blocked);
    ao_grid_fini(&walk.grid);
    return status;
}

const struct ao_mask_generator ao_mask_flow = {
    .name = "flow",
    .summary = "tubes that follow the motion and also start later, where none is yet",
    .needs_flow = true,
    .tracks = tracks,
};
