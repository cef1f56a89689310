/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_DATA_MASK_SET_H
#define AO_DATA_MASK_SET_H

#include <stdint.h>

#include "core/status.h"

/*
 * Masks are boxes, never volumes. A track is one square that may stand somewhere else in every
 * frame; a mask occludes the union of its member tracks. A cuboid is a track that does not move; a
 * stacked mask has several members. Coordinates are pixels of the clip.
 */

/* Half-open: rows [y0, y1), columns [x0, x1). Empty when y0 >= y1 or x0 >= x1. */
struct ao_box {
    int32_t y0, x0, y1, x1;
};

struct ao_track_point {
    int16_t alive; /* 0: nothing is occluded in this frame */
    int16_t y, x;  /* centre; kept up to date after death, as the authors' code does (Q4) */
};

struct aosa_mask_set {
    int T, H, W;
    int size;                      /* side of a track's square (K of the paper) */
    int32_t *sizes;                /* [N] those of single tracks, or NULL: all have `size` */
    int N;                         /* tracks */
    struct ao_track_point *points; /* [N][T] */
    float *motion;                 /* [N][T-1][2] dx, dy read along each track, or NULL (cuboid) */
    int M;                         /* masks */
    int32_t *first;                /* [M+1] offsets into members */
    int32_t *members;              /* [first[M]] track indices; a mask's own track comes first */
};

/* Zeroed set with N tracks, no masks yet (first and members NULL). motion only if wanted. */
aosa_status ao_mask_set_create(int T, int H, int W, int size, int N, bool with_motion,
                               struct aosa_mask_set **set);
void ao_mask_set_destroy(struct aosa_mask_set **set);

/* M = N masks of one member each. */
aosa_status ao_mask_set_single(struct aosa_mask_set *set);

/* The square of a track in frame t, cut at the frame's borders; empty when it is not alive:
 * rows [max(0, y - size/2), min(H, y + size/2 + size%2)), columns likewise, with its own size. */
struct ao_box ao_track_box(const struct aosa_mask_set *set, int track, int t);

/* Largest number of boxes ao_mask_boxes can write for any mask of the set. */
int ao_mask_set_max_boxes(const struct aosa_mask_set *set);

/*
 * What mask m occludes in frame t as disjoint boxes in a fixed order, so that a voxel is never
 * counted twice. Answers their number; boxes has room for ao_mask_set_max_boxes.
 */
int ao_mask_boxes(const struct aosa_mask_set *set, int m, int t, struct ao_box *boxes);

/* Voxels that mask m occludes, over all frames. */
int64_t ao_mask_occluded(const struct aosa_mask_set *set, int m);

/* Fraction of visible voxels, mean(m_i) of spec A.9. */
double ao_mask_visible(const struct aosa_mask_set *set, int m);

/* Writes 0 where mask m occludes and leaves the rest; visible is [T][H][W]. */
void ao_mask_paint(const struct aosa_mask_set *set, int m, uint8_t *visible);

#endif
