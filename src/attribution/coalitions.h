/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_COALITIONS_H
#define AO_ATTRIBUTION_COALITIONS_H

#include "attribution/method.h"
#include "core/rng.h"
#include "mask/supervoxels.h"

/*
 * What methods share that explain a clip by its supervoxels: a coalition keeps some of the n
 * segments and hides the others under the fill, f(z) is the score of that clip, and the method
 * makes one number of every segment from the scores of N coalitions. Coalition 0 keeps everything:
 * it is the clip, and its pass is not run again. All targets share the passes.
 */
struct ao_coalitions {
    const struct ao_attribution *attribution;
    struct ao_supervoxels segments;
    int N, n;        /* coalitions; segments.n */
    uint8_t *keeps;  /* [N][n], 0 or 1 */
    double *weights; /* [N], of methods that solve a least squares; 1 */
    double *factor;  /* [n][n], what `prepare` leaves for `solve`; NULL without one */
    float *outputs;  /* [N][classes] */
};

struct ao_coalition_method {
    int samples;  /* of --samples, where it is 0 */
    int cells[3]; /* of --cells, where there are none */

    /* Number of coalitions of n segments; AOSA_ERR_ARGUMENT where `samples` are too few. */
    aosa_status (*count)(int n, int samples, int *N);

    /* Fills keeps, all 0, from row 1 on (row 0 is all 1), and weights. */
    void (*draw)(struct ao_coalitions *coalitions, struct ao_rng *rng);

    /* What serves all targets, into factor; may be NULL. */
    aosa_status (*prepare)(struct ao_coalitions *coalitions);

    /* One target: values[j] of every segment from the scores [N]; may put more into `extra`. */
    aosa_status (*solve)(const struct ao_coalitions *coalitions, const double *scores,
                         double *values, json_t *extra);
};

static inline uint8_t *ao_coalition(const struct ao_coalitions *coalitions, int i)
{
    return coalitions->keeps + (size_t)i * (size_t)coalitions->n;
}

/*
 * Runs such a method: the clip, its segments (--segments, --cells, --n-segments), the coalitions
 * from --seed, and for each target a map that has its segment's value at every voxel, and `extra`.
 * N forwards. AOSA_ERR_ARGUMENT for segments that do not fit the clip or are over
 * AO_MAX_SEGMENTS, those of ao_veil_outputs, of ao_veil_scores and of the method.
 */
aosa_status ao_coalitions_run(struct ao_attribution *attribution,
                              const struct ao_coalition_method *method);

/* Its passes. Where there is no clip yet, SLIC is taken to make as many segments as it is asked. */
aosa_status ao_coalitions_passes(const struct ao_attribution *attribution,
                                 const struct ao_coalition_method *method,
                                 struct ao_passes *passes);

#define AO_MAX_SEGMENTS 2048

#endif
