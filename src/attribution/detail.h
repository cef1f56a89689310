/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_DETAIL_H
#define AO_ATTRIBUTION_DETAIL_H

#include "attribution/method.h"

/*
 * --detail gradient: exact effects say which masks matter, first order says where inside them. From
 * its zero, the map of the masks is multiplied, where it is positive, by
 *     d(v) = |sum over c of g(c, v) (v0 - x)(c, v)|,   g = dscore/dclip at the clip x, v0 the fill,
 * smoothed as the map is and scaled so that the sum above zero stays what it was; the map's zero
 * becomes 0. What is below stays as it is: multiplied too, insertion loses (doc/experiments.md).
 */

/* Whether the maps of this run have it: the method reads the option, and it is `gradient`, or
 * `auto` with --accumulate contrast and a network that can go backward. */
bool ao_detail_wanted(const struct ao_attribution *attribution);

/*
 * Keeps d as result->density.
 *
 * @param gradient  [3][T][H][W] of the result's score.
 * @return AOSA_ERR_NOMEM.
 */
aosa_status ao_detail_keep(const struct ao_attribution *attribution, const double *gradient,
                           struct ao_map_result *result);

/*
 * Where it is wanted: by a forward and a backward of the clip for each target, with which the
 * attribution begins. With `auto`, a network that cannot (AOSA_ERR_UNSUPPORTED) is a warning, and
 * the attribution has not begun. Those of ao_gradients_open and ao_gradients_clip.
 */
aosa_status ao_detail_measure(struct ao_attribution *attribution);

/* Multiplies result->map, which is complete but for this; does nothing without density or where it
 * is 0 wherever the map is above its zero. */
void ao_detail_apply(const struct ao_attribution *attribution, struct ao_map_result *result);

#endif
