/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_MASK_SUPERVOXELS_H
#define AO_MASK_SUPERVOXELS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"

/* A partition of a clip: every voxel belongs to one segment, no segment is empty. */
struct ao_supervoxels {
    int T, H, W;
    int n;          /* segments */
    int32_t *label; /* [T][H][W], 0 .. n-1, owned */
};

/*
 * cells[0] x cells[1] x cells[2] boxes along t, y and x: on an axis of L voxels and n cells, voxel
 * i is in cell floor(i n / L), so sizes differ by at most one. Labels count x first, then y, then
 * t. Written on success only. AOSA_ERR_ARGUMENT when there are no cells or more than voxels on an
 * axis; AOSA_ERR_NOMEM.
 */
aosa_status ao_supervoxels_grid(int T, int H, int W, const int cells[3],
                                struct ao_supervoxels *supervoxels);

struct ao_slic {
    int n;              /* segments that are asked for, of each frame if per_frame; >= 1 */
    double compactness; /* m: how many units of Lab one grid step is worth, > 0; usually 10 */
    double frame_px; /* how many pixels apart two frames lie, > 0; without meaning if per_frame */
    bool per_frame;  /* every frame for itself: no segment is in two frames */
};

/*
 * SLIC (Achanta et al., IEEE TPAMI 34, 2012) in space and time. k-means of CIELAB colour and place
 * with the distance
 *     D^2 = |lab - lab_k|^2 + (m / S)^2 ((frame_px dt)^2 + dy^2 + dx^2),
 * from seeds on a regular grid whose step S is the least with at most n seeds, where a centre looks
 * no farther than one step along each axis, for 10 rounds or until nothing moves. Then segments are
 * made connected through faces: a piece with less than a quarter of the mean size V / n joins the
 * piece before its first voxel, any other becomes a segment, so the number may differ from n. Seeds
 * are not moved off edges as the paper offers. A clip and its options always give the same labels.
 *
 * @param rgb  [T][H][W][3], sRGB.
 * Written on success only. AOSA_ERR_ARGUMENT for options out of range or more segments than voxels;
 * AOSA_ERR_UNSUPPORTED beyond 2^31 - 1 voxels; AOSA_ERR_NOMEM.
 */
aosa_status ao_supervoxels_slic(const uint8_t *rgb, int T, int H, int W,
                                const struct ao_slic *options, struct ao_supervoxels *supervoxels);

void ao_supervoxels_fini(struct ao_supervoxels *supervoxels);

#endif
