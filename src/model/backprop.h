/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_MODEL_BACKPROP_H
#define AO_MODEL_BACKPROP_H

#include "model/scorer.h"
#include "ops/vjp.h"

/*
 * Class outputs, and the gradient of a score of them with respect to the clip and to tapped
 * values, for many variants of one clip. The counterpart of model/scorer.h.
 */

struct ao_backprop_options {
    enum ao_backend backend;
    int threads;   /* >= 1 */
    bool one_item; /* runs are of one variant: the threads work inside the layers */
    enum ao_relu_rule relu;
    bool rescale;        /* DeepLIFT's rule; the job must write a baseline */
    bool clip;           /* gradient of the clip wanted */
    const int32_t *taps; /* values of ao_model_graph, copied */
    int n_taps;
};

struct ao_backprop;

/* Borrows the model. Those of ao_gradient_create and ao_program_create. */
aosa_status ao_backprop_create(const struct aosa_model *model,
                               const struct ao_backprop_options *options,
                               struct ao_backprop **backprop);
void ao_backprop_destroy(struct ao_backprop **backprop);

/* One variant's answer, valid during the call of `read`. Views are float and may be strided. */
struct ao_backprop_result {
    const float *outputs;       /* [classes] as ao_scorer_run gives them */
    struct ao_view clip;        /* [3][T][H][W] dscore/dclip; data NULL unless asked for */
    const struct ao_view *taps; /* [2 n_taps]: value, gradient; [C][t][h][w] without the batch
                                   axis (whatever rank the value has) */
};

struct ao_backprop_job {
    int64_t n;
    ao_variant_fn write;    /* the clip of an item; may keep what an earlier item left */
    ao_variant_fn baseline; /* its baseline, with `rescale`; else NULL */

    /*
     * seed[c] = dscore/doutput_c of the item, from its class outputs; seed is zeroed before. From
     * worker threads, in any order.
     */
    aosa_status (*seed)(void *context, int64_t item, const float *outputs, float *seed);

    /* Takes the answer. Items come in order 0, 1, 2, ... and one at a time, whatever the threads,
     * so sums made here always have the same bits. */
    aosa_status (*read)(void *context, int64_t item, const struct ao_backprop_result *result);
    void *context;
};

/* AOSA_ERR_NUMERIC on a NaN or infinity in outputs or gradients, AOSA_ERR_CANCELLED, and what the
 * callbacks answer. */
aosa_status ao_backprop_run(struct ao_backprop *backprop, const struct ao_backprop_job *job,
                            const struct ao_progress *progress);

struct ao_program_memory ao_backprop_memory(const struct ao_backprop *backprop);

#endif
