/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_EXTREMAL_H
#define AO_ATTRIBUTION_EXTREMAL_H

#include <stdbool.h>

#include "attribution/method.h"

/*
 * Extremal perturbations (Fong et al., ICCV 2019): the mask of a given area that keeps the score
 * highest (--game preserve), or that hides most of it when its place is hidden (delete), or both
 * (dual). Gradient descent over the parameters of a smooth mask (smooth_mask.h) on
 *
 *     reward * sum over sides of R + weight * area loss + spatio-temporal term,
 *
 * with the area loss and term of mask_loss.h. R of a clip y: for --score prob, -log p (preserve)
 * and -log(1 - p) (delete), with p that of the target, for a contrast that of A when only A and B
 * are possible; for the other scores -score and score.
 *
 * Descent is stochastic gradient descent as in PyTorch, momentum and dampening 0.9, from all ones,
 * cut to [0, 1] after each step; deterministic, without a seed. The rate is the authors' 0.05 for
 * their 2,000 iterations and 16 x 16 x 16 parameters. Fewer iterations, down to 100, take longer
 * steps, and so do more parameters, each of which has a smaller part in a mean: the way is as long.
 * Schedules follow the part of --iterations that is done.
 *
 * The map is the mean of the masks of all --areas, in [0, 1], zero 0: how much, over the areas, of
 * a voxel is kept.
 */
struct ao_extremal {
    bool each_frame;      /* every frame has that area, not only the clip */
    double reward;        /* weight of the score */
    double area, growth;  /* weight of the area loss at the start, and its factor at the end */
    double ellipsoids;    /* weight of the spatio-temporal term, 0: none */
    double ellipsoids_at; /* part of the iterations before it begins */
};

/*
 * Into result->extra go for every area the one asked for; the one measured, the mean of the mask
 * with its margin, which is what the loss counts, and the mean over the clip alone; and the losses
 * of the last pass, weighted. Warns where areas asked for and measured are further apart than
 * AO_EXTREMAL_AREA_GAP. AOSA_ERR_ARGUMENT names what is wrong with --areas.
 */
#define AO_EXTREMAL_AREA_GAP 0.01
aosa_status ao_extremal_run(struct ao_attribution *attribution, const struct ao_extremal *rule);

/* R of a score, for AO_SCORE_PROB of its log-odds, for a clip whose place is kept or `hidden`; and
 * dR/dscore (dR/dlog-odds). */
double ao_extremal_reward(enum ao_score_kind kind, double score, bool hidden, double *slope);

#endif
