/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_DELTA_OCCLUSION_H
#define AO_ATTRIBUTION_DELTA_OCCLUSION_H

#include "attribution/fill.h"
#include "data/clip.h"
#include "data/mask_set.h"
#include "engine/delta.h"
#include "model/model.h"
#include "model/scorer.h"

/* What the delta engine needs for one model; the sessions belong to the threads. */
struct ao_delta_team {
    const struct aosa_model *model;
    struct ao_delta *delta;
    struct ao_delta_session **sessions; /* [threads] */
    int threads;
    size_t base_bytes; /* of the last run */

    const struct aosa_clip *kept; /* the clip of `base`, or NULL */
    struct ao_delta_base *base;
};

/*
 * Into a zeroed team, for the whole network or, where `until` is not -1, the part up to that value
 * (ao_delta_create_until). The caller destroys it in any case. Borrows the model.
 */
aosa_status ao_delta_team_create(const struct aosa_model *model, int32_t until, int threads,
                                 struct ao_delta_team *team);
void ao_delta_team_destroy(struct ao_delta_team *team);

/*
 * As ao_occlusion_outputs, by the delta engine: one dense pass over the clip, then batches of
 * AO_DELTA_BATCH masks, one batch to a thread. Masks are batched in their order, so the bits do
 * not depend on the number of threads.
 */
aosa_status ao_delta_occlusion(struct ao_delta_team *team, const struct aosa_clip *clip,
                               const struct aosa_mask_set *masks, const struct ao_fill *fill,
                               const struct ao_progress *progress, float *outputs);

/* As ao_occluder_project, of a team that goes up to a value. */
aosa_status ao_delta_projections(struct ao_delta_team *team, const struct aosa_clip *clip,
                                 const struct aosa_mask_set *masks, const struct ao_fill *fill,
                                 const struct ao_progress *progress, const float *gradients, int n,
                                 double *products);

/* Makes the pass over that clip once for all runs to come on it, and answers its outputs. */
aosa_status ao_delta_team_keep(struct ao_delta_team *team, const struct aosa_clip *clip,
                               const struct ao_progress *progress, float *outputs);

#endif
