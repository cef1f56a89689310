/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_METRIC_AGAIN_H
#define AO_METRIC_AGAIN_H

#include "metric/metric.h"

/*
 * Explains a changed clip or model by what made the call's map, and counts the passes.
 *
 * @param map      Caller's buffer [T][H][W].
 * @param defined  false where the network or the method answers no finite numbers
 *                 (AOSA_ERR_NUMERIC): then the metric is not defined for the clip.
 * @return What else went wrong, after the metric's name.
 */
aosa_status ao_explain_again(struct ao_metric_call *call, const struct aosa_model *model,
                             const struct aosa_clip *clip, float *map, bool *defined);

/* A copy of a clip, for changes. AOSA_ERR_NOMEM, AOSA_ERR_SHAPE. */
aosa_status ao_clip_copy(const struct aosa_clip *clip, struct aosa_clip **copy);

#endif
