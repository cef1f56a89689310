/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/occluder.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "attribution/delta_occlusion.h"
#include "attribution/occlusion.h"
#include "core/alloc.h"

struct ao_occluder {
    const struct aosa_model *model;
    struct ao_scorer *scorer;  /* dense, or NULL */
    struct ao_delta_team team; /* delta, or zeroed */
    char why[AO_ERROR_TEXT];   /* why not delta */
    double forwards;           /* of the dense engine so far */

    const struct aosa_clip *kept; /* dense: the clip of `row`, or NULL */
    float *row;                   /* [classes] its outputs */
};

/* Tries the delta engine where the options allow it; leaves the reason where it is not used. */
static aosa_status try_delta(struct ao_occluder *o, const struct ao_occluder_options *options)
{
    if (options->engine == AO_ENGINE_DENSE || options->backend != AO_BACKEND_ONEDNN) {
        snprintf(o->why, sizeof o->why, "%s",
                 options->engine == AO_ENGINE_DENSE ? "asked for" : "the backend is a reference");
        return AOSA_OK;
    }
    const aosa_status status = ao_delta_team_create(o->model, -1, options->threads, &o->team);
    if (status == AOSA_OK)
        return AOSA_OK;
    ao_delta_team_destroy(&o->team);
    if (status != AOSA_ERR_UNSUPPORTED || options->engine == AO_ENGINE_DELTA)
        return status;
    snprintf(o->why, sizeof o->why, "%s", aosa_error_message());
    return AOSA_OK;
}

static aosa_status create_engine(struct ao_occluder *o, const struct ao_occluder_options *options)
{
    if (options->engine == AO_ENGINE_DELTA && options->backend != AO_BACKEND_ONEDNN)
        return ao_fail(AOSA_ERR_ARGUMENT, "--engine delta: works with --backend onednn only");
    AO_TRY(try_delta(o, options));
    if (o->team.delta)
        return AOSA_OK;
    const struct ao_scorer_options dense = {
        .backend = options->backend,
        .threads = options->threads,
        .batch = options->batch,
    };
    return ao_scorer_create(o->model, &dense, &o->scorer);
}

static aosa_status create_until(struct ao_occluder *o, const struct ao_occluder_options *options,
                                int32_t value)
{
    if (options->engine == AO_ENGINE_DENSE)
        return ao_fail(AOSA_ERR_ARGUMENT, "--layer: works with the delta engine only, not with "
                                          "--engine dense");
    if (options->backend != AO_BACKEND_ONEDNN)
        return ao_fail(AOSA_ERR_ARGUMENT, "--layer: works with --backend onednn only");
    return ao_delta_team_create(o->model, value, options->threads, &o->team);
}

/* `until`: a value of the graph, or -1. */
static aosa_status create(const struct aosa_model *model, const struct ao_occluder_options *options,
                          int32_t until, struct ao_occluder **occluder)
{
    struct ao_occluder *o = ao_alloc(1, sizeof *o);
    if (!o)
        return ao_fail(AOSA_ERR_NOMEM, "occlusion: no memory");
    o->model = model;
    const aosa_status status =
        until < 0 ? create_engine(o, options) : create_until(o, options, until);
    if (status != AOSA_OK) {
        ao_occluder_destroy(&o);
        return status;
    }
    *occluder = o;
    return AOSA_OK;
}

aosa_status ao_occluder_create(const struct aosa_model *model,
                               const struct ao_occluder_options *options,
                               struct ao_occluder **occluder)
{
    return create(model, options, -1, occluder);
}

aosa_status ao_occluder_create_until(const struct aosa_model *model,
                                     const struct ao_occluder_options *options, int32_t value,
                                     struct ao_occluder **occluder)
{
    return create(model, options, value, occluder);
}

void ao_occluder_destroy(struct ao_occluder **occluder)
{
    struct ao_occluder *o = *occluder;
    if (!o)
        return;
    ao_delta_team_destroy(&o->team);
    ao_scorer_destroy(&o->scorer);
    ao_free(o->row);
    ao_free(o);
    *occluder = NULL;
}

aosa_status ao_occluder_keep(struct ao_occluder *o, const struct aosa_clip *clip,
                             const struct ao_progress *progress, float *outputs)
{
    const size_t bytes = (size_t)o->model->classes * sizeof *outputs;
    const struct aosa_mask_set none = { .T = clip->T, .H = clip->H, .W = clip->W };
    const struct ao_fill fill = { 0 };
    if (o->team.delta)
        return ao_delta_team_keep(&o->team, clip, progress, outputs);
    o->kept = NULL;
    if (!o->row)
        o->row = ao_alloc(1, bytes);
    if (!o->row)
        return ao_fail(AOSA_ERR_NOMEM, "occlusion: no memory for %zu bytes of outputs", bytes);
    AO_TRY(ao_occlusion_outputs(o->scorer, clip, &none, &fill, progress, o->row));
    memcpy(outputs, o->row, bytes);
    o->kept = clip;
    return AOSA_OK;
}

static aosa_status check_size(const struct aosa_clip *clip, const struct aosa_mask_set *masks)
{
    if (masks->T != clip->T || masks->H != clip->H || masks->W != clip->W)
        return ao_fail(AOSA_ERR_SHAPE, "masks are for %d x %d x %d, the clip is %d x %d x %d",
                       masks->T, masks->H, masks->W, clip->T, clip->H, clip->W);
    return AOSA_OK;
}

aosa_status ao_occluder_run(struct ao_occluder *o, const struct aosa_clip *clip,
                            const struct aosa_mask_set *masks, const struct ao_fill *fill,
                            const struct ao_progress *progress, float *outputs)
{
    AO_TRY(check_size(clip, masks));
    o->forwards += masks->M;
    if (o->team.delta)
        return ao_delta_occlusion(&o->team, clip, masks, fill, progress, outputs);
    if (o->kept != clip)
        return ao_occlusion_outputs(o->scorer, clip, masks, fill, progress, outputs);
    const size_t classes = (size_t)o->model->classes;
    memcpy(outputs, o->row, classes * sizeof *outputs);
    return ao_occlusion_masks(o->scorer, clip, masks, fill, progress, outputs + classes);
}

aosa_status ao_occluder_project(struct ao_occluder *o, const struct aosa_clip *clip,
                                const struct aosa_mask_set *masks, const struct ao_fill *fill,
                                const struct ao_progress *progress, const float *gradients, int n,
                                double *products)
{
    AO_TRY(check_size(clip, masks));
    o->forwards += masks->M;
    AO_TRY(ao_delta_projections(&o->team, clip, masks, fill, progress, gradients, n, products));
    for (size_t i = 0; i < (size_t)masks->M * (size_t)n; i++)
        if (!isfinite(products[i]))
            return ao_fail(AOSA_ERR_NUMERIC,
                           "%s: the estimate for mask %zu is %g, not a finite number; check the "
                           "model's weights",
                           o->model->path, i / (size_t)n, products[i]);
    return AOSA_OK;
}

int ao_occluder_stages(const struct ao_occluder *o)
{
    return o->team.delta ? ao_delta_stages(o->team.delta) : 0;
}

struct ao_delta_stage ao_occluder_stage(const struct ao_occluder *o, int stage)
{
    struct ao_delta_stage sum = ao_delta_stage(o->team.delta, o->team.sessions[0], stage);
    for (int i = 1; i < o->team.threads; i++) {
        const struct ao_delta_stage one = ao_delta_stage(o->team.delta, o->team.sessions[i], stage);
        sum.macs_done += one.macs_done;
        sum.macs_reached += one.macs_reached;
        sum.rows += one.rows;
        sum.seconds += one.seconds;
    }
    return sum;
}

static struct ao_occluder_cost delta_cost(const struct ao_occluder *o)
{
    struct ao_occluder_cost cost = {
        .engine = "delta",
        .why = "",
        .batch = AO_DELTA_BATCH,
        .weight_bytes = ao_delta_weight_bytes(o->team.delta),
        .base_bytes = o->team.base_bytes,
        .why_dense_from = "",
    };
    cost.dense_from = ao_delta_dense_from(o->team.delta, &cost.why_dense_from);
    for (int i = 0; i < o->team.threads; i++) {
        const size_t bytes = ao_delta_session_bytes(o->team.sessions[i]);
        cost.thread_bytes = bytes > cost.thread_bytes ? bytes : cost.thread_bytes;
    }
    for (int s = 0; s < ao_occluder_stages(o); s++)
        cost.macs_done += ao_occluder_stage(o, s).macs_done;
    return cost;
}

struct ao_occluder_cost ao_occluder_cost(const struct ao_occluder *o)
{
    struct ao_occluder_cost cost;
    const double macs = o->forwards * ao_model_macs(o->model);
    if (o->team.delta) {
        cost = delta_cost(o);
    } else {
        const struct ao_program_memory memory = ao_scorer_memory(o->scorer);
        cost = (struct ao_occluder_cost){
            .engine = "dense",
            .why = o->why,
            .dense_from = "",
            .why_dense_from = "",
            .batch = ao_scorer_batch(o->scorer),
            .weight_bytes = memory.weight_bytes,
            .thread_bytes = memory.activation_bytes + memory.scratch_bytes,
            .macs_done = macs,
        };
    }
    cost.macs_dense = macs;
    return cost;
}
