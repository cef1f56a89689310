/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_FORWARD_H
#define AO_ATTRIBUTION_FORWARD_H

#include "data/clip.h"
#include "model/scorer.h"

/*
 * Class outputs of the clip itself by one forward of the dense engine.
 *
 * @param outputs  Caller's buffer, float [classes].
 * @param memory   What the program took; may be NULL.
 * @return Those of ao_scorer_create and ao_scorer_run.
 */
aosa_status ao_forward(const struct aosa_model *model, const struct aosa_clip *clip,
                       enum ao_backend backend, const struct ao_progress *progress, float *outputs,
                       struct ao_program_memory *memory);

#endif
