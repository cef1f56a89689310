/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_METRIC_UNITS_H
#define AO_METRIC_UNITS_H

#include "data/clip.h"
#include "metric/options.h"

/*
 * A clip in parts that are removed whole, and what a map says of them:
 *
 *     voxel       a pixel of a frame; its value is the map's
 *     block       side x side pixels of a frame, cut at the right and lower border; the map's mean
 *     superpixel  a SLIC segment of a frame; the map's sum (both as STEP)
 *     supervoxel  a SLIC segment in space and time; the map's sum
 *
 * Voxels and blocks are numbered in reading order, frame by frame, segments as ao_supervoxels_slic
 * does.
 */
struct ao_units {
    size_t n;
    double *value;    /* [n] */
    uint32_t *first;  /* [n + 1] */
    uint32_t *voxels; /* [T][H][W] voxels first[u] .. first[u + 1] are those of unit u */
};

/*
 * What the options ask for; ends with ao_units_fini. A block larger than the frame is the frame.
 * AOSA_ERR_SHAPE beyond 2^32 - 1 voxels, AOSA_ERR_ARGUMENT for more segments than voxels,
 * AOSA_ERR_NOMEM.
 */
aosa_status ao_units_init(struct ao_units *units, const struct aosa_clip *clip, const float *map,
                          const struct ao_metric_options *options);
void ao_units_fini(struct ao_units *units);

#endif
