/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_MODEL_SCORER_H
#define AO_MODEL_SCORER_H

#include "engine/engine.h"
#include "model/model.h"
#include "model/progress.h"

/*
 * Class outputs of many variants of one clip: batches of fixed composition, one batch per thread.
 * Item i is always element i mod B of batch i / B, whatever the thread count, so its bits are too.
 */

struct ao_scorer_options {
    enum ao_backend backend;
    int threads; /* >= 1 */
    int batch;   /* clips per run, >= 1; 1 where the network cannot batch */
};

struct ao_scorer;

/*
 * Borrows the model. Batches larger than 1 gain nothing on oneDNN (R3D-18 and R3D-50, AVX2: at most
 * 1 %) and cost memory. AOSA_ERR_UNSUPPORTED, AOSA_ERR_NOMEM.
 */
aosa_status ao_scorer_create(const struct aosa_model *model,
                             const struct ao_scorer_options *options, struct ao_scorer **scorer);
void ao_scorer_destroy(struct ao_scorer **scorer);

/*
 * Makes `clip`, a [3][T][H][W] view with the backend's strides, hold variant `item`. It holds
 * variant `previous` of the same call (-1: anything), so a writer that changes little can undo
 * only that. Called from worker threads; must not share mutable state between items.
 */
typedef void (*ao_variant_fn)(const void *context, const struct ao_view *clip, int64_t item,
                              int64_t previous);

/*
 * outputs[item][k] for n items: the network's class outputs, extra axes (such as the time axis of
 * I3D) averaged. Caller's buffer, float [n][classes]. AOSA_ERR_NUMERIC on a NaN or infinity,
 * AOSA_ERR_CANCELLED.
 */
aosa_status ao_scorer_run(struct ao_scorer *scorer, int64_t n, ao_variant_fn write,
                          const void *context, const struct ao_progress *progress, float *outputs);

int ao_scorer_batch(const struct ao_scorer *scorer);
struct ao_program_memory ao_scorer_memory(const struct ao_scorer *scorer);

#endif
