/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_EXPLAIN_EXPLANATION_H
#define AO_EXPLAIN_EXPLANATION_H

#include "aosa/explain.h"
#include "attribution/occluder.h"
#include "attribution/score.h"
#include "data/clip.h"
#include "data/flow_field.h"
#include "data/mask_set.h"
#include "engine/engine.h"
#include "explain/settings.h"
#include "model/model.h"

/* Seconds of each stage, for result.json. */
enum ao_stage {
    AO_STAGE_FLOW,
    AO_STAGE_MASKS,
    AO_STAGE_PREPARE, /* program and sessions */
    AO_STAGE_FORWARD,
    AO_STAGE_MAP,
    AO_STAGES,
};

struct ao_target_result {
    struct ao_target target;
    double base;             /* f(x) */
    double probability;      /* softmax probability of target.a on the clip itself */
    float *scores;           /* [M] f(x m_i) */
    float *map, *normalised; /* [T][H][W] */
    double most, least;      /* largest and smallest effect f(x) - f(x m_i) */
};

struct aosa_explanation {
    const struct aosa_model *model; /* borrowed */
    const struct aosa_clip *clip;   /* borrowed */
    aosa_settings *settings;        /* resolved copy */
    struct ao_flow_field *flow;     /* NULL when no mask needs it */
    struct aosa_mask_set *masks;
    float *outputs; /* [1 + M][classes]: the clip, then every mask */
    struct ao_target_result *targets;
    int n_targets;
    struct ao_occluder *occluder; /* kept for what it cost */
    double seconds[AO_STAGES];
};

/* Flow (NULL if the masks follow none) and masks of a clip; the caller owns both. */
aosa_status ao_make_masks(const struct aosa_clip *clip, const aosa_settings *settings,
                          struct ao_flow_field **flow, struct aosa_mask_set **masks,
                          double seconds[AO_STAGES]);

/* AOSA_ERR_SHAPE unless the clip has the size of the model's input. */
aosa_status ao_clip_fits(const struct aosa_clip *clip, const struct aosa_model *model);

/* Monotonic clock in seconds. */
double ao_now(void);

#endif
