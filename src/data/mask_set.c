/* SPDX-License-Identifier: Apache-2.0 */
#include "data/mask_set.h"

#include <string.h>

#include "core/alloc.h"

static bool alloc_tracks(struct aosa_mask_set *set, bool with_motion)
{
    const int64_t points[] = { set->N, set->T };
    const int64_t motion[] = { set->N, set->T - 1, 2 };
    int64_t n_points, n_motion;
    if (!ao_count(points, 2, &n_points) || !ao_count(motion, 3, &n_motion))
        return false;
    set->points = ao_alloc((size_t)n_points, sizeof *set->points);
    if (with_motion)
        set->motion = ao_alloc((size_t)n_motion, sizeof *set->motion);
    return set->points && (set->motion || !with_motion);
}

aosa_status ao_mask_set_create(int T, int H, int W, int size, int N, bool with_motion,
                               struct aosa_mask_set **set)
{
    if (T < 1 || H < 1 || W < 1 || size < 1 || N < 1)
        return ao_fail(AOSA_ERR_SHAPE,
                       "mask set: %d tracks of size %d over %d frames of %d x %d pixels is empty",
                       N, size, T, H, W);
    struct aosa_mask_set *made = ao_alloc(1, sizeof *made);
    if (made)
        *made = (struct aosa_mask_set){ .T = T, .H = H, .W = W, .size = size, .N = N };
    if (!made || !alloc_tracks(made, with_motion)) {
        ao_mask_set_destroy(&made);
        return ao_fail(AOSA_ERR_NOMEM, "mask set: no memory for %d tracks of %d frames", N, T);
    }
    *set = made;
    return AOSA_OK;
}

void ao_mask_set_destroy(struct aosa_mask_set **set)
{
    if (!*set)
        return;
    ao_free((*set)->sizes);
    ao_free((*set)->points);
    ao_free((*set)->motion);
    ao_free((*set)->first);
    ao_free((*set)->members);
    ao_free(*set);
    *set = NULL;
}

aosa_status ao_mask_set_single(struct aosa_mask_set *set)
{
    const size_t n = (size_t)set->N;
    int32_t *first = ao_alloc(n + 1, sizeof *first);
    int32_t *members = ao_alloc(n, sizeof *members);
    if (!first || !members) {
        ao_free(first);
        ao_free(members);
        return ao_fail(AOSA_ERR_NOMEM, "mask set: no memory for %d masks", set->N);
    }
    for (int32_t i = 0; i < set->N; i++)
        first[i] = members[i] = i;
    first[n] = set->N;
    ao_free(set->first);
    ao_free(set->members);
    set->first = first;
    set->members = members;
    set->M = set->N;
    return AOSA_OK;
}

static int32_t min_i32(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static int32_t max_i32(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

struct ao_box ao_track_box(const struct aosa_mask_set *set, int track, int t)
{
    const struct ao_track_point p = set->points[(size_t)track * (size_t)set->T + (size_t)t];
    if (!p.alive)
        return (struct ao_box){ 0, 0, 0, 0 };
    const int32_t size = set->sizes ? set->sizes[track] : set->size;
    const int32_t half = size / 2, odd = size % 2;
    return (struct ao_box){ max_i32(0, p.y - half), max_i32(0, p.x - half),
                            min_i32(set->H, p.y + half + odd), min_i32(set->W, p.x + half + odd) };
}

/* One mask in one frame. */
struct slice {
    const struct aosa_mask_set *set;
    const int32_t *member;
    int n, t;
};

static struct slice mask_slice(const struct aosa_mask_set *set, int m, int t)
{
    return (struct slice){ set, set->members + set->first[m], set->first[m + 1] - set->first[m],
                           t };
}

static struct ao_box slice_box(const struct slice *slice, int i)
{
    return ao_track_box(slice->set, slice->member[i], slice->t);
}

/*
 * The first rows at or below y that some member covers, as far down as the same members cover
 * them: between neighbouring upper and lower edges. False when nothing is left.
 */
static bool next_band(const struct slice *slice, int32_t y, int32_t *y0, int32_t *y1)
{
    *y0 = *y1 = slice->set->H;
    for (int i = 0; i < slice->n; i++) {
        const struct ao_box box = slice_box(slice, i);
        if (box.y1 > y)
            *y0 = min_i32(*y0, max_i32(box.y0, y));
    }
    for (int i = 0; i < slice->n; i++) {
        const struct ao_box box = slice_box(slice, i);
        if (box.y0 > *y0)
            *y1 = min_i32(*y1, box.y0);
        else if (box.y1 > *y0)
            *y1 = min_i32(*y1, box.y1);
    }
    return *y0 < *y1;
}

/*
 * The first columns at or right of x that members cover in rows [y0, y1), joined with all that
 * overlap or touch. No member has an edge inside the rows, so covering y0 is covering them all.
 */
static bool next_run(const struct slice *slice, int32_t y0, int32_t x, int32_t *x0, int32_t *x1)
{
    *x0 = slice->set->W;
    for (int i = 0; i < slice->n; i++) {
        const struct ao_box box = slice_box(slice, i);
        if (box.y0 <= y0 && y0 < box.y1 && box.x1 > x)
            *x0 = min_i32(*x0, max_i32(box.x0, x));
    }
    *x1 = *x0;
    for (bool grown = true; grown;) {
        grown = false;
        for (int i = 0; i < slice->n; i++) {
            const struct ao_box box = slice_box(slice, i);
            if (box.y0 <= y0 && y0 < box.y1 && box.x0 <= *x1 && box.x1 > *x1) {
                *x1 = box.x1;
                grown = true;
            }
        }
    }
    return *x0 < *x1;
}

/* Disjoint boxes of the union from top left to bottom right; boxes or area may be NULL. */
static int unite(const struct slice *slice, struct ao_box *boxes, int64_t *area)
{
    int n = 0;
    for (int32_t y = 0, y0, y1; next_band(slice, y, &y0, &y1); y = y1) {
        for (int32_t x = 0, x0, x1; next_run(slice, y0, x, &x0, &x1); x = x1) {
            if (boxes)
                boxes[n] = (struct ao_box){ y0, x0, y1, x1 };
            if (area)
                *area += (int64_t)(y1 - y0) * (x1 - x0);
            n++;
        }
    }
    return n;
}

int ao_mask_set_max_boxes(const struct aosa_mask_set *set)
{
    int32_t most = 0;
    for (int m = 0; m < set->M; m++)
        most = max_i32(most, set->first[m + 1] - set->first[m]);
    if (most == 0)
        return 0;
    /* 2n edges bound 2n - 1 bands; runs of one band have a gap between them. */
    const int32_t n_bands = most > set->H ? set->H : min_i32(set->H, 2 * most - 1);
    return n_bands * min_i32(most, (set->W + 1) / 2);
}

int ao_mask_boxes(const struct aosa_mask_set *set, int m, int t, struct ao_box *boxes)
{
    const struct slice slice = mask_slice(set, m, t);
    return unite(&slice, boxes, NULL);
}

int64_t ao_mask_occluded(const struct aosa_mask_set *set, int m)
{
    int64_t area = 0;
    for (int t = 0; t < set->T; t++) {
        const struct slice slice = mask_slice(set, m, t);
        unite(&slice, NULL, &area);
    }
    return area;
}

double ao_mask_visible(const struct aosa_mask_set *set, int m)
{
    const int64_t n_voxels = (int64_t)set->T * set->H * set->W;
    return (double)(n_voxels - ao_mask_occluded(set, m)) / (double)n_voxels;
}

static void clear_box(uint8_t *frame, int W, struct ao_box box)
{
    for (int32_t y = box.y0; y < box.y1; y++)
        if (box.x0 < box.x1)
            memset(frame + (size_t)y * (size_t)W + box.x0, 0, (size_t)(box.x1 - box.x0));
}

void ao_mask_paint(const struct aosa_mask_set *set, int m, uint8_t *visible)
{
    const size_t frame = (size_t)set->H * (size_t)set->W;
    for (int t = 0; t < set->T; t++) {
        const struct slice slice = mask_slice(set, m, t);
        for (int i = 0; i < slice.n; i++)
            clear_box(visible + (size_t)t * frame, set->W, slice_box(&slice, i));
    }
}
