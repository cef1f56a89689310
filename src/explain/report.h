/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_EXPLAIN_REPORT_H
#define AO_EXPLAIN_REPORT_H

#include "explain/explanation.h"

#define AO_RESULT_SCHEMA 1

/*
 * result.json as an object: hashes of model and input, versions, every resolved option that the
 * method uses, targets with f(x), top 5, importance per frame and (with masks) per track, passes,
 * seconds, memory. NULL without memory.
 *
 * importance_per_frame[t] is the mean of the raw map A over frame t; importance_per_track[i] the
 * effect f(x) - f(x m_i) of mask i, beside where its own track starts.
 */
json_t *ao_report_explanation(const aosa_explanation *explanation);

/* {name, family, summary, source, needs} */
json_t *ao_report_method(const struct ao_method *method);

/* The five likeliest classes of one row of class outputs. */
json_t *ao_report_top(const struct aosa_model *model, const float *outputs);

/* {path, sha256, frames, fps, ...} of a clip and how it was fed. */
json_t *ao_report_clip(const struct aosa_clip *clip);

/* {path, sha256, ...} of a model and its external data. */
json_t *ao_report_model(const struct aosa_model *model);

/* Versions of this library and those underneath, and the instruction set. */
json_t *ao_report_build(enum ao_backend backend);

/* Stages of the delta walk with their work and time; empty for the dense engine. */
json_t *ao_report_stages(const struct ao_occluder *occluder);

/* json_dumps into memory of ours; steals `value`. AOSA_ERR_NOMEM, also when value is NULL. */
aosa_status ao_report_text(json_t *value, char **text);

#endif
