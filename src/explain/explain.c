/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/explanation.h"

#include <math.h>
#include <time.h>

#include "attribution/heat_map.h"
#include "core/alloc.h"
#include "explain/targets.h"

double ao_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Adds the time since *since to a stage and starts the next. */
static void lap(double seconds[AO_STAGES], enum ao_stage stage, double *since)
{
    const double now = ao_now();
    seconds[stage] += now - *since;
    *since = now;
}

aosa_status ao_clip_fits(const struct aosa_clip *clip, const struct aosa_model *model)
{
    if (clip->T == model->T && clip->H == model->H && clip->W == model->W)
        return AOSA_OK;
    return ao_fail(AOSA_ERR_SHAPE, "the clip is %d x %d x %d, the model %s takes %d x %d x %d",
                   clip->T, clip->H, clip->W, model->path, model->T, model->H, model->W);
}

static aosa_status run_masks(aosa_explanation *e, const struct ao_progress *progress)
{
    const struct ao_occluder_options options = ao_settings_occluder(e->settings);
    struct ao_fill fill;
    double since = ao_now();
    AO_TRY(ao_occluder_create(e->model, &options, &e->occluder));
    AO_TRY(ao_fill_create(e->settings->explain.fill, e->clip, &fill));
    lap(e->seconds, AO_STAGE_PREPARE, &since);
    const aosa_status status =
        ao_occluder_run(e->occluder, e->clip, e->masks, &fill, progress, e->outputs);
    lap(e->seconds, AO_STAGE_FORWARD, &since);
    ao_fill_fini(&fill);
    return status;
}

/* Scores, effects and maps of one target from the class outputs. */
static aosa_status explain_target(const aosa_explanation *e, struct ao_target_result *result,
                                  double *effects)
{
    const struct aosa_model *model = e->model;
    const enum ao_score_kind kind = (enum ao_score_kind)e->settings->explain.score;
    const size_t voxels = ao_clip_voxels(e->clip);
    const int M = e->masks->M;
    result->scores = ao_alloc((size_t)M, sizeof *result->scores);
    result->map = ao_alloc_raw(voxels, sizeof *result->map);
    result->normalised = ao_alloc_raw(voxels, sizeof *result->normalised);
    if (!result->scores || !result->map || !result->normalised)
        return ao_fail(AOSA_ERR_NOMEM, "map: no memory for %zu voxels", voxels);

    const struct ao_target plain = { .a = result->target.a, .b = -1 };
    result->probability =
        ao_score(AO_SCORE_PROB, e->outputs, model->classes, model->probabilities, plain);
    result->base = ao_score(kind, e->outputs, model->classes, model->probabilities, result->target);
    result->most = -HUGE_VAL;
    result->least = HUGE_VAL;
    for (int i = 0; i < M; i++) {
        const float *row = e->outputs + (size_t)(1 + i) * (size_t)model->classes;
        const double score =
            ao_score(kind, row, model->classes, model->probabilities, result->target);
        effects[i] = score - result->base;
        if (!isfinite(effects[i]))
            return ao_fail(AOSA_ERR_NUMERIC,
                           "the score of mask %d is %g and that of the clip %g; try --score prob",
                           i, score, result->base);
        result->scores[i] = (float)score;
        result->most = fmax(result->most, -effects[i]);
        result->least = fmin(result->least, -effects[i]);
    }
    AO_TRY(ao_heat_map(e->masks, effects, result->map));
    ao_heat_map_normalise(e->masks, effects, result->map, result->normalised);
    return AOSA_OK;
}

static aosa_status explain_targets(aosa_explanation *e)
{
    struct ao_target targets[AO_MAX_TARGETS];
    AO_TRY(ao_targets_resolve(e->model, e->settings->explain.target, e->outputs, targets,
                              &e->n_targets));
    e->targets = ao_alloc((size_t)e->n_targets, sizeof *e->targets);
    double *effects = ao_alloc((size_t)e->masks->M, sizeof *effects);
    aosa_status status = AOSA_OK;
    if (!e->targets || !effects)
        status = ao_fail(AOSA_ERR_NOMEM, "explanation: no memory for %d targets", e->n_targets);
    for (int k = 0; status == AOSA_OK && k < e->n_targets; k++) {
        e->targets[k].target = targets[k];
        status = explain_target(e, &e->targets[k], effects);
    }
    ao_free(effects);
    return status;
}

static aosa_status explain(aosa_explanation *e, const aosa_settings *settings,
                           const struct ao_progress *progress)
{
    struct ao_target targets[AO_MAX_TARGETS];
    int n;
    AO_TRY(ao_settings_resolve(settings, &e->settings));
    AO_TRY(ao_model_require_clip(e->model));
    AO_TRY(ao_clip_fits(e->clip, e->model));
    const bool official = e->settings->explain.compat == AO_COMPAT_OFFICIAL;
    struct ao_mask_options *mask = &e->settings->mask;
    AO_TRY(ao_mask_options_resolve(mask, e->clip->T, e->clip->H, e->clip->W, official, mask));
    /* A wrong target must not cost a minute of forwards first. */
    AO_TRY(ao_targets_resolve(e->model, e->settings->explain.target, NULL, targets, &n));
    AO_TRY(ao_make_masks(e->clip, e->settings, &e->flow, &e->masks, e->seconds));
    e->outputs = ao_alloc(1 + (size_t)e->masks->M, (size_t)e->model->classes * sizeof(float));
    if (!e->outputs)
        return ao_fail(AOSA_ERR_NOMEM, "explanation: no memory for %d x %d outputs",
                       1 + e->masks->M, e->model->classes);
    AO_TRY(run_masks(e, progress));
    double since = ao_now();
    const aosa_status status = explain_targets(e);
    lap(e->seconds, AO_STAGE_MAP, &since);
    return status;
}

aosa_status aosa_explain(const aosa_model *model, const aosa_clip *clip,
                         const aosa_settings *settings, aosa_progress_fn progress, void *user,
                         aosa_explanation **explanation)
{
    const struct ao_progress report = { .fn = progress, .user = user, .stage = "masks" };
    aosa_explanation *e = ao_alloc(1, sizeof *e);
    if (!e)
        return ao_fail(AOSA_ERR_NOMEM, "explanation: no memory");
    e->model = model;
    e->clip = clip;
    const aosa_status status = explain(e, settings, &report);
    if (status != AOSA_OK) {
        aosa_explanation_destroy(&e);
        return status;
    }
    *explanation = e;
    return AOSA_OK;
}

void aosa_explanation_destroy(aosa_explanation **explanation)
{
    aosa_explanation *e = *explanation;
    if (!e)
        return;
    for (int k = 0; e->targets && k < e->n_targets; k++) {
        ao_free(e->targets[k].scores);
        ao_free(e->targets[k].map);
        ao_free(e->targets[k].normalised);
    }
    ao_free(e->targets);
    ao_free(e->outputs);
    ao_occluder_destroy(&e->occluder);
    ao_flow_field_destroy(&e->flow);
    ao_mask_set_destroy(&e->masks);
    aosa_settings_destroy(&e->settings);
    ao_free(e);
    *explanation = NULL;
}

int aosa_explanation_targets(const aosa_explanation *explanation)
{
    return explanation->n_targets;
}

double aosa_explanation_base(const aosa_explanation *explanation, int k)
{
    return explanation->targets[k].base;
}

const float *aosa_explanation_scores(const aosa_explanation *explanation, int k, size_t *n)
{
    *n = (size_t)explanation->masks->M;
    return explanation->targets[k].scores;
}

const float *aosa_explanation_map(const aosa_explanation *explanation, int k)
{
    return explanation->targets[k].map;
}

const float *aosa_explanation_normalised(const aosa_explanation *explanation, int k)
{
    return explanation->targets[k].normalised;
}
