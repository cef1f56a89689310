/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_METRIC_VARIANT_H
#define AO_METRIC_VARIANT_H

#include "attribution/fill.h"
#include "metric/metric.h"

/* Changed clips, and what the network makes of them. */

/* --deletion-base or --insertion-base for the clip of a call, named in the text of a failure. Ends
 * with ao_fill_fini. AOSA_ERR_ARGUMENT, AOSA_ERR_NOMEM. */
aosa_status ao_variant_base(const struct ao_metric_call *call, bool insert, struct ao_fill *base);

/* A voxel, 0 .. T H W - 1, of all channels of the network's input: the base's, or without a base
 * the clip's. */
void ao_variant_put(const struct ao_view *input, const struct aosa_clip *clip,
                    const struct ao_fill *base, size_t voxel);

/* Makes the whole input the base, or without a base the clip. */
void ao_variant_put_all(const struct ao_view *input, const struct aosa_clip *clip,
                        const struct ao_fill *base);

/*
 * --metric-score of n variants of the call's clip, counted in its answer.
 *
 * @param scores  Caller's buffer [n].
 * @return AOSA_ERR_NUMERIC on a NaN or infinity, AOSA_ERR_CANCELLED, AOSA_ERR_NOMEM.
 */
aosa_status ao_variant_scores(struct ao_metric_call *call, size_t n, ao_variant_fn write,
                              const void *context, double *scores);

#endif
