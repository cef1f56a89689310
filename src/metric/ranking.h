/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_METRIC_RANKING_H
#define AO_METRIC_RANKING_H

#include "core/rng.h"
#include "data/clip.h"
#include "metric/options.h"

/*
 * The units of a clip in the order of their map value, highest first. A unit is a block of
 * side x side pixels of one frame (cut at the right and lower border; side 1: a voxel), its value
 * the mean of the map over it (STEP). Units are numbered frame by frame, row by row.
 */
struct ao_ranking {
    int T, H, W, side;
    int rows, columns; /* of blocks in a frame */
    size_t n;          /* units */
    double *value;     /* [n] */
    uint32_t *order;   /* [n] units, highest value first */
};

/* The unit that options ask for; order is by value, then by number. Ends with ao_ranking_fini.
 * AOSA_ERR_SHAPE beyond 2^32 voxels, AOSA_ERR_NOMEM. */
aosa_status ao_ranking_init(struct ao_ranking *ranking, const struct aosa_clip *clip,
                            const float *map, const struct ao_metric_options *options);
void ao_ranking_fini(struct ao_ranking *ranking);

/* Puts units of equal value in a random order. */
void ao_ranking_shuffle_ties(struct ao_ranking *ranking, struct ao_rng *rng);

/*
 * Ends of n equal steps: cut[k] = floor(k n_units / n), k = 0 .. n, the number of units changed
 * after step k. With `together` each is moved on to the end of the run of equal values it lies in,
 * and a step that is empty then is left out. Answers the number of steps, at most n.
 *
 * @param cuts  Room for n + 1.
 */
size_t ao_ranking_cut(const struct ao_ranking *ranking, size_t n, bool together, size_t *cuts);

#endif
