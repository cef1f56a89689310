/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_OCCLUSION_H
#define AO_ATTRIBUTION_OCCLUSION_H

#include "attribution/fill.h"
#include "data/clip.h"
#include "data/mask_set.h"
#include "model/scorer.h"

/*
 * Exact occlusion (spec A.8): the class outputs of the clip and of the clip under every mask,
 *     outputs[0] = net(x),  outputs[1 + i] = net(x m_i + fill (1 - m_i)),
 * one forward each. Everything else (score, target, contrast, map) is arithmetic on these rows, so
 * several targets cost nothing more.
 *
 * Clip and masks have one size (ao_occluder_run checks it).
 *
 * @param outputs  Caller's buffer, float [1 + M][classes].
 * @return Those of ao_scorer_run.
 */
aosa_status ao_occlusion_outputs(struct ao_scorer *scorer, const struct aosa_clip *clip,
                                 const struct aosa_mask_set *masks, const struct ao_fill *fill,
                                 const struct ao_progress *progress, float *outputs);

/* Those under the masks alone, float [M][classes]. */
aosa_status ao_occlusion_masks(struct ao_scorer *scorer, const struct aosa_clip *clip,
                               const struct aosa_mask_set *masks, const struct ao_fill *fill,
                               const struct ao_progress *progress, float *outputs);

#endif
