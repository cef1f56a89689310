/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_EXPLAIN_EXPLANATION_H
#define AO_EXPLAIN_EXPLANATION_H

#include "aosa/explain.h"
#include "attribution/method.h"
#include "explain/settings.h"

/* One clip and one method; `attribution` borrows the rest. */
struct aosa_explanation {
    aosa_settings *settings;     /* resolved copy */
    struct ao_flow_field *flow;  /* NULL when neither masks nor method need it */
    struct aosa_mask_set *masks; /* NULL when the method uses none */
    struct ao_fill fill;
    struct ao_progress progress;
    struct ao_attribution attribution;
    double seconds_flow, seconds_masks;
};

/*
 * All that comes before the method runs: settings resolved and checked, clip and target checked,
 * flow, masks and fill made as the method's row says.
 *
 * @param flow         Taken, if *flow is not NULL, in place of computing it; set to NULL then. Of
 *                     the same clip and flow options.
 * @param explanation  Owned by the caller; written on success only.
 */
aosa_status ao_explanation_prepare(const struct aosa_model *model, const struct aosa_clip *clip,
                                   const aosa_settings *settings, struct ao_flow_field **flow,
                                   struct aosa_explanation **explanation);

/* Runs the method of a prepared explanation. */
aosa_status ao_explanation_run(struct aosa_explanation *explanation, aosa_progress_fn progress,
                               void *user);

/* Motion of the clip as the settings say. The caller owns *flow. */
aosa_status ao_make_flow(const struct aosa_clip *clip, const aosa_settings *settings,
                         struct ao_flow_field **flow);

/* Masks of the clip; `flow` may be NULL where they follow none. The caller owns *masks. */
aosa_status ao_make_masks(const struct aosa_clip *clip, const aosa_settings *settings,
                          const struct ao_flow_field *flow, struct aosa_mask_set **masks);

/* AOSA_ERR_SHAPE unless the clip has the size of the model's input. */
aosa_status ao_clip_fits(const struct aosa_clip *clip, const struct aosa_model *model);

#endif
