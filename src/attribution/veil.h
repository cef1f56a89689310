/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_VEIL_H
#define AO_ATTRIBUTION_VEIL_H

#include "attribution/method.h"

/*
 * The clip seen through soft masks, x m + fill (1 - m) with m in [0, 1], one mask for all channels.
 * By the dense engine: such a mask changes the clip nearly everywhere, so there is nothing that the
 * delta engine could leave out.
 */

/* Row y of frame t of mask `item`: writes mask[x * stride] for x in [0, W). Called from worker
 * threads; the same item always gives the same numbers. */
typedef void (*ao_veil_fn)(const void *context, int64_t item, int64_t t, int64_t y, float *mask,
                           int64_t stride);

/*
 * outputs[item][k], class outputs of n veiled clips; counts passes, seconds and memory.
 *
 * @param outputs  Caller's buffer, float [n][classes].
 * @return Those of ao_scorer_create and ao_scorer_run.
 */
aosa_status ao_veil_outputs(struct ao_attribution *attribution, int64_t n, ao_veil_fn mask,
                            const void *context, float *outputs);

/*
 * One target's score under each of n masks. AOSA_ERR_NUMERIC where it is not finite.
 *
 * @param outputs  Of ao_veil_outputs.
 * @param scores   Caller's buffer, [n].
 */
aosa_status ao_veil_scores(const struct ao_attribution *attribution, struct ao_target target,
                           int64_t n, const float *outputs, double *scores);

#endif
