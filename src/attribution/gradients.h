/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_GRADIENTS_H
#define AO_ATTRIBUTION_GRADIENTS_H

#include "attribution/method.h"
#include "model/backprop.h"

/*
 * What all methods that go backward share: the network made ready for it, the clip run once (which
 * tells the targets), then any number of variants of the clip for a target. Every method calls
 * open, clip, [variants,] close in this order; passes and seconds are counted here.
 */
struct ao_gradients;

/*
 * Answer of one variant for one result, in the order of variants and one at a time. Of `answer`,
 * what was asked for is there: `outputs`, `clip`, `taps`.
 */
typedef aosa_status (*ao_gradients_fn)(void *context, int64_t variant, struct ao_map_result *result,
                                       const struct ao_backprop_result *answer);

/*
 * Backend and threads come from the attribution (borrowed), the rest from `options`; `one_item` is
 * for methods that give one variant at a time. Those of ao_backprop_create: AOSA_ERR_UNSUPPORTED
 * names an operator without a backward.
 */
aosa_status ao_gradients_open(struct ao_attribution *attribution,
                              const struct ao_backprop_options *options,
                              struct ao_gradients **gradients);
void ao_gradients_close(struct ao_gradients **gradients);

/*
 * Runs the clip itself and calls ao_attribution_begin as soon as its outputs are known. `read` gets
 * the answer for every result, as variant 0: one forward and one backward each; without `read`
 * there is one of both in all. `baseline` writes the baseline's clip with `rescale`, here and
 * in all variants, with the context of each call; else NULL.
 *
 * Warns in attribution->warning of a flat score: every |dscore/doutput| below AO_GRADIENTS_FLAT, as
 * for the probability of a class that is certain.
 */
aosa_status ao_gradients_clip(struct ao_gradients *gradients, ao_variant_fn baseline,
                              ao_gradients_fn read, void *context);
#define AO_GRADIENTS_FLAT 1e-4

/*
 * n variants of the clip, which `write` writes, for one result: the gradient of each variant's own
 * score, one forward and one backward each.
 */
aosa_status ao_gradients_variants(struct ao_gradients *gradients, struct ao_map_result *result,
                                  int64_t n, ao_variant_fn write, ao_gradients_fn read,
                                  void *context);

/*
 * Has the variants go back from another quantity than the score: `seed`, from worker threads and in
 * any order, writes its dL/doutput [classes], zeroed before, from a variant's outputs. Before
 * ao_gradients_clip, which then does not warn of a flat score.
 */
typedef void (*ao_gradients_seed_fn)(const void *context, int64_t variant,
                                     const struct ao_map_result *result, const float *outputs,
                                     float *seed);
void ao_gradients_set_seed(struct ao_gradients *gradients, ao_gradients_seed_fn seed);

/* Row number `row` = (c T + t) H + y of a variant's [3][T][H][W]; its elements are strides[3]
 * apart. */
float *ao_gradients_row(const struct ao_view *input, int64_t row);

/* Writes float [3][T][H][W] there. */
void ao_gradients_write(const float *values, const struct ao_view *input);

/*
 * Channels of values, double [3][T][H][W], to result->map, by --reduce or, where that is `auto`, by
 * the method's own; then ao_attribution_normalise.
 */
void ao_gradients_map(const struct ao_attribution *attribution, enum ao_reduce_kind automatic,
                      const double *values, struct ao_map_result *result);

#endif
