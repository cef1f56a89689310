/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_METRIC_RANKING_H
#define AO_METRIC_RANKING_H

#include <stdbool.h>

#include "core/rng.h"
#include "core/status.h"

/* Units in the order of their value; equal ones by their number. */
struct ao_ranking {
    size_t n;
    const double *value; /* [n] borrowed */
    uint32_t *order;     /* [n] units */
};

/* Highest value first, or lowest. Ends with ao_ranking_fini. AOSA_ERR_NOMEM. */
aosa_status ao_ranking_init(struct ao_ranking *ranking, const double *value, size_t n,
                            bool lowest_first);
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
