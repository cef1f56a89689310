/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_BASELINE_H
#define AO_ATTRIBUTION_BASELINE_H

#include "attribution/method.h"

/* What methods share that measure from a baseline b: values that add up to f(x) - f(b). */

/* --baseline as a whole clip, float [3][T][H][W], for the caller to ao_free. */
aosa_status ao_baseline_create(const struct ao_attribution *attribution, float **values);

/* Score of the class outputs of the baseline for a result's target. */
double ao_baseline_score(const struct ao_attribution *attribution,
                         const struct ao_map_result *result, const float *outputs);

/*
 * Puts the values' sum, f(x) - f(b) and the relative gap |sum - difference| / |difference| into
 * result->extra, and warns where that is over AO_BASELINE_GAP; `remedy` ends the sentence ("more
 * --steps"). AOSA_ERR_NOMEM.
 */
aosa_status ao_baseline_complete(struct ao_attribution *attribution, double sum, double base_score,
                                 const char *remedy, struct ao_map_result *result);
#define AO_BASELINE_GAP 0.05

#endif
