/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_OCCLUDER_H
#define AO_ATTRIBUTION_OCCLUDER_H

#include "attribution/fill.h"
#include "data/clip.h"
#include "data/mask_set.h"
#include "engine/delta.h"
#include "model/scorer.h"

/*
 * Exact occlusion (spec A.8): the class outputs of the clip and of the clip under every mask,
 *     outputs[0] = net(x),  outputs[1 + i] = net(x m_i + fill (1 - m_i)).
 * Everything else (score, target, contrast, map) is arithmetic on these rows, so several targets
 * cost nothing more.
 *
 * The delta engine computes only what a mask changes (doc/delta.md); the dense one runs the whole
 * network for every mask. Both are exact up to rounding.
 */

enum ao_engine { AO_ENGINE_AUTO, AO_ENGINE_DELTA, AO_ENGINE_DENSE };
#define AO_ENGINE_CHOICES "auto|delta|dense"

struct ao_occluder_options {
    enum ao_engine engine;   /* auto: delta where the network allows it and the backend is oneDNN */
    enum ao_backend backend; /* of the dense engine */
    int threads;             /* >= 1 */
    int batch;               /* of the dense engine, clips per run, >= 1 */
};

struct ao_occluder;

/* Borrows the model. AOSA_ERR_UNSUPPORTED when `delta` is asked for and impossible; else those of
 * ao_scorer_create. */
aosa_status ao_occluder_create(const struct aosa_model *model,
                               const struct ao_occluder_options *options,
                               struct ao_occluder **occluder);
void ao_occluder_destroy(struct ao_occluder **occluder);

/*
 * For ao_occluder_project alone: the part of the network up to a feature map that every path from
 * the clip to the class outputs goes through. AOSA_ERR_ARGUMENT with --engine dense or another
 * backend than oneDNN, AOSA_ERR_UNSUPPORTED where the delta engine cannot walk to it.
 */
aosa_status ao_occluder_create_until(const struct aosa_model *model,
                                     const struct ao_occluder_options *options, int32_t value,
                                     struct ao_occluder **occluder);

/*
 * @param outputs  Caller's buffer, float [1 + M][classes].
 * @return AOSA_ERR_SHAPE when masks and clip differ in size, AOSA_ERR_NUMERIC on a NaN or infinity,
 *         AOSA_ERR_CANCELLED, AOSA_ERR_NOMEM, AOSA_ERR_INTERNAL.
 */
aosa_status ao_occluder_run(struct ao_occluder *occluder, const struct aosa_clip *clip,
                            const struct aosa_mask_set *masks, const struct ao_fill *fill,
                            const struct ao_progress *progress, float *outputs);

/*
 * Runs the clip alone, once for all runs to come on it, which then cost a forward for each mask and
 * none for the clip. The clip is borrowed until another one is kept or the occluder destroyed.
 *
 * @param outputs  Caller's buffer, float [classes].
 * @return Those of ao_occluder_run.
 */
aosa_status ao_occluder_keep(struct ao_occluder *occluder, const struct aosa_clip *clip,
                             const struct ao_progress *progress, float *outputs);

/*
 * products[m][k] = sum over the feature map of its exact change under mask m times gradients[k].
 *
 * @param gradients  [n][t][h][w][C].
 * @param products   Caller's buffer, [M][n].
 * @return Those of ao_occluder_run.
 */
aosa_status ao_occluder_project(struct ao_occluder *occluder, const struct aosa_clip *clip,
                                const struct aosa_mask_set *masks, const struct ao_fill *fill,
                                const struct ao_progress *progress, const float *gradients, int n,
                                double *products);

/* What ran, for result.json and the plan. Texts and stages live as long as the occluder. */
struct ao_occluder_cost {
    const char *engine;         /* "delta" or "dense" */
    const char *why;            /* why not delta; "" for delta */
    const char *dense_from;     /* delta: first node behind which all changes, "" if none ... */
    const char *why_dense_from; /* ... and why; "" */
    int batch;                  /* masks that travel together */
    size_t weight_bytes;        /* shared by the threads */
    size_t base_bytes;          /* the clip's own activations, shared; delta after a run */
    size_t thread_bytes;        /* largest of any thread */
    double macs_dense;          /* of all masks so far, had each run the whole network */
    double macs_done;           /* what was done instead */
};
struct ao_occluder_cost ao_occluder_cost(const struct ao_occluder *occluder);

/* The delta walk's stages summed over threads: n of them (0 for dense) through `stage`. */
int ao_occluder_stages(const struct ao_occluder *occluder);
struct ao_delta_stage ao_occluder_stage(const struct ao_occluder *occluder, int stage);

#endif
