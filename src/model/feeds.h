/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_MODEL_FEEDS_H
#define AO_MODEL_FEEDS_H

#include "model/model.h"

/*
 * Makes a network of several inputs, or one that wants its axes in another order, one that takes a
 * clip (ao_pass_clip_input). The card's "inputs" say what cannot be guessed, per input `name`:
 *
 *     "frames"   "spread" (evenly from the first to the last, the default), "every 4th", or a list
 *                of frame numbers
 *     "layout"   "NCTHW", "NTCHW", "NTHWC" or "N1CTHW"
 *
 * Fills model->feeds. AOSA_ERR_FORMAT for a card that does not fit the network.
 */
aosa_status ao_feeds_apply(struct aosa_model *model);

#endif
