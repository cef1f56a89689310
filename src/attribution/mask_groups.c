/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/mask_groups.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"

enum { AXES = 3 }; /* t, y, x */

/* Where each mask stands on the grid of masks. */
struct grid {
    int M;
    int32_t *place;      /* [AXES][M] */
    int32_t count[AXES]; /* places along each axis */
};

static int ascending(const void *a, const void *b)
{
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* Values become their ranks among the different values; answers how many there are. */
static int32_t rank(int32_t *values, int32_t *sorted, size_t n)
{
    size_t n_different = 0;
    memcpy(sorted, values, n * sizeof *values);
    qsort(sorted, n, sizeof *sorted, ascending);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || sorted[i] != sorted[n_different - 1])
            sorted[n_different++] = sorted[i];
    for (size_t i = 0; i < n; i++) {
        const int32_t *at = bsearch(&values[i], sorted, n_different, sizeof *sorted, ascending);
        values[i] = (int32_t)(at - sorted);
    }
    return (int32_t)n_different;
}

/* Tubes that start together may end at any time; cuboids that start together, in frame 0, may be
 * meant for different times, and only their ends tell which. */
static void find_place(const struct aosa_mask_set *masks, int m, struct grid *grid)
{
    const int track = masks->members[masks->first[m]], T = masks->T;
    const struct ao_track_point *points = masks->points + (size_t)track * (size_t)T;
    int start = 0, end = T;
    while (start < T - 1 && !points[start].alive)
        start++;
    while (end > start + 1 && !points[end - 1].alive)
        end--;
    int32_t *place = grid->place + m;
    place[0] = masks->motion ? start : start + end;
    place[grid->M] = points[start].y;
    place[2 * grid->M] = points[start].x;
}

static aosa_status create_grid(const struct aosa_mask_set *masks, struct grid *grid)
{
    const size_t M = (size_t)masks->M;
    int32_t *sorted = ao_alloc_raw(M, sizeof *sorted);
    *grid = (struct grid){ .M = masks->M, .place = ao_alloc_raw(AXES * M, sizeof *grid->place) };
    if (!sorted || !grid->place) {
        ao_free(sorted);
        ao_free(grid->place);
        return ao_fail(AOSA_ERR_NOMEM, "mask groups: no memory for %d masks", masks->M);
    }
    for (int m = 0; m < masks->M; m++)
        find_place(masks, m, grid);
    for (size_t a = 0; a < AXES; a++)
        grid->count[a] = rank(grid->place + a * M, sorted, M);
    ao_free(sorted);
    return AOSA_OK;
}

/* Lists the masks of label 0, 1, ..., n_labels - 1; those with another one belong nowhere. */
static aosa_status gather(const int32_t *labels, int M, int32_t n_labels,
                          struct ao_mask_groups *groups)
{
    *groups = (struct ao_mask_groups){
        .first = ao_alloc((size_t)n_labels + 1, sizeof *groups->first),
        .members = ao_alloc_raw((size_t)M, sizeof *groups->members),
        .anchor = ao_alloc_raw((size_t)n_labels, sizeof *groups->anchor),
    };
    if (!groups->first || !groups->members || !groups->anchor) {
        ao_mask_groups_fini(groups);
        return ao_fail(AOSA_ERR_NOMEM, "mask groups: no memory for %d masks", M);
    }
    int32_t n_members = 0;
    for (int32_t label = 0; label < n_labels; label++) {
        for (int32_t m = 0; m < M; m++)
            if (labels[m] == label)
                groups->members[n_members++] = m;
        if (n_members > groups->first[groups->n]) {
            groups->anchor[groups->n] = AO_ANCHOR_MEAN;
            groups->first[++groups->n] = n_members;
        }
    }
    return AOSA_OK;
}

aosa_status ao_mask_groups_split(const struct aosa_mask_set *masks, int splits,
                                 struct ao_mask_groups *groups)
{
    struct grid grid;
    AO_TRY(create_grid(masks, &grid));
    /* More parts than places would only be empty. */
    const int32_t n_y = splits < grid.count[1] ? splits : grid.count[1];
    const int32_t n_x = splits < grid.count[2] ? splits : grid.count[2];
    int32_t *labels = grid.place; /* of mask m in the place of its t */
    for (int m = 0; m < masks->M; m++) {
        const int32_t y = grid.place[grid.M + m], x = grid.place[2 * grid.M + m];
        labels[m] = y * n_y / grid.count[1] * n_x + x * n_x / grid.count[2];
    }
    const aosa_status status = gather(labels, masks->M, n_y * n_x, groups);
    ao_free(grid.place);
    return status;
}

/* What lies outside [low, high] is an outlier. */
struct fences {
    double low, high;
};

static int ascending_reals(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The q-quantile of n sorted numbers, between two of them linear. */
static double quantile(const double *sorted, int n, double q)
{
    const double at = q * (n - 1);
    const int below = (int)at, above = below + 1 < n ? below + 1 : below;
    return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}

static aosa_status find_fences(const double *effects, int M, struct fences *fences)
{
    double *sorted = ao_alloc_raw((size_t)M, sizeof *sorted);
    if (!sorted)
        return ao_fail(AOSA_ERR_NOMEM, "mask groups: no memory for %d effects", M);
    memcpy(sorted, effects, (size_t)M * sizeof *sorted);
    qsort(sorted, (size_t)M, sizeof *sorted, ascending_reals);
    const double q1 = quantile(sorted, M, 0.25), q3 = quantile(sorted, M, 0.75);
    ao_free(sorted);
    *fences = (struct fences){ q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1) };
    return AOSA_OK;
}

/* 1 above, -1 below, 0 between the fences. */
static int side(const struct fences *fences, double effect)
{
    return (effect > fences->high) - (effect < fences->low);
}

/* Whether the boxes of two dilated places overlap or touch. */
static bool meet(const struct grid *grid, int m, int other)
{
    for (int a = 0; a < AXES; a++) {
        const int32_t *place = grid->place + (size_t)a * (size_t)grid->M;
        if (abs(place[m] - place[other]) > (int)(0.2 * grid->count[a] + 1))
            return false;
    }
    return true;
}

/*
 * Labels the component of mask m, which is labelled: all that meet it, all that meet those, ...
 * `queue` has room for all masks, each of which enters it once.
 */
static void spread(const struct grid *grid, const int *sides, int m, int32_t *labels,
                   int32_t *queue)
{
    int n = 0;
    queue[n++] = m;
    for (int i = 0; i < n; i++)
        for (int other = 0; other < grid->M; other++)
            if (sides[other] == sides[m] && labels[other] < 0 && meet(grid, queue[i], other)) {
                labels[other] = labels[m];
                queue[n++] = other;
            }
}

static aosa_status label_components(const struct aosa_mask_set *masks, const int *sides,
                                    int32_t *labels, int32_t *n_labels)
{
    struct grid grid;
    AO_TRY(create_grid(masks, &grid));
    int32_t *queue = ao_alloc_raw((size_t)masks->M, sizeof *queue);
    for (int m = 0; queue && m < masks->M; m++)
        if (sides[m] && labels[m] < 0) {
            labels[m] = (*n_labels)++;
            spread(&grid, sides, m, labels, queue);
        }
    ao_free(grid.place);
    if (!queue)
        return ao_fail(AOSA_ERR_NOMEM, "mask groups: no memory for %d masks", masks->M);
    ao_free(queue);
    return AOSA_OK;
}

/* The first of a group's members that is farthest out. */
static int32_t extreme(const struct ao_mask_groups *groups, int group, const double *effects,
                       const int *sides)
{
    int32_t best = groups->members[groups->first[group]];
    for (int32_t i = groups->first[group]; i < groups->first[group + 1]; i++) {
        const int32_t m = groups->members[i];
        if (sides[m] * effects[m] > sides[best] * effects[best])
            best = m;
    }
    return best;
}

static aosa_status group_sides(const struct aosa_mask_set *masks, const double *effects,
                               const int *sides, bool connected, int32_t *labels,
                               struct ao_mask_groups *groups)
{
    int32_t n_labels = 0;
    for (int m = 0; m < masks->M; m++)
        labels[m] = sides[m] == 0 || connected ? -1 : sides[m] < 0;
    if (connected)
        AO_TRY(label_components(masks, sides, labels, &n_labels));
    AO_TRY(gather(labels, masks->M, connected ? n_labels : 2, groups));
    for (int g = 0; g < groups->n; g++)
        groups->anchor[g] = extreme(groups, g, effects, sides);
    return AOSA_OK;
}

aosa_status ao_mask_groups_outliers(const struct aosa_mask_set *masks, const double *effects,
                                    bool connected, struct ao_mask_groups *groups)
{
    const size_t M = (size_t)masks->M;
    struct fences fences = { 0, 0 };
    AO_TRY(find_fences(effects, masks->M, &fences));
    int *sides = ao_alloc_raw(M, sizeof *sides);
    int32_t *labels = ao_alloc_raw(M, sizeof *labels);
    aosa_status status = AOSA_OK;
    if (sides && labels) {
        for (size_t m = 0; m < M; m++)
            sides[m] = side(&fences, effects[m]);
        status = group_sides(masks, effects, sides, connected, labels, groups);
    } else {
        status = ao_fail(AOSA_ERR_NOMEM, "mask groups: no memory for %d masks", masks->M);
    }
    ao_free(sides);
    ao_free(labels);
    return status;
}

void ao_mask_groups_fini(struct ao_mask_groups *groups)
{
    ao_free(groups->first);
    ao_free(groups->members);
    ao_free(groups->anchor);
    *groups = (struct ao_mask_groups){ 0 };
}
