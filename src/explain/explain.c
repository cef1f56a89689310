/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/explanation.h"

#include "core/alloc.h"
#include "core/clock.h"

aosa_status ao_clip_fits(const struct aosa_clip *clip, const struct aosa_model *model)
{
    if (clip->T == model->T && clip->H == model->H && clip->W == model->W)
        return AOSA_OK;
    return ao_fail(AOSA_ERR_SHAPE, "the clip is %d x %d x %d, the model %s takes %d x %d x %d",
                   clip->T, clip->H, clip->W, model->path, model->T, model->H, model->W);
}

/* Flow and masks, those that the method needs. */
static aosa_status prepare_masks(aosa_explanation *e, const struct aosa_clip *clip)
{
    const unsigned needs = ao_settings_method(e->settings)->needs;
    const bool masks = needs & AO_NEEDS_MASKS;
    double since = ao_now();
    if (!e->flow && ((needs & AO_NEEDS_FLOW) || (masks && ao_mask_needs_flow(&e->settings->mask))))
        AO_TRY(ao_make_flow(clip, e->settings, &e->flow));
    ao_lap(&e->seconds_flow, &since);
    if (masks)
        AO_TRY(ao_make_masks(clip, e->settings, e->flow, &e->masks));
    ao_lap(&e->seconds_masks, &since);
    return AOSA_OK;
}

/* What the method reads. */
static struct ao_attribution attribution_of(const aosa_explanation *e,
                                            const struct aosa_model *model,
                                            const struct aosa_clip *clip)
{
    const aosa_settings *settings = e->settings;
    return (struct ao_attribution){
        .method = ao_settings_method(settings),
        .model = model,
        .clip = clip,
        .flow = e->flow,
        .masks = e->masks,
        .fill = &e->fill,
        .target = settings->explain.target,
        .score = (enum ao_score_kind)settings->explain.score,
        .options = &settings->method,
        .run = ao_settings_occluder(settings),
        .seed = (uint64_t)settings->mask.seed,
        .progress = &e->progress,
    };
}

static aosa_status prepare(aosa_explanation *e, const struct aosa_model *model,
                           const struct aosa_clip *clip, const aosa_settings *settings)
{
    struct ao_target targets[AO_MAX_TARGETS];
    int n;
    AO_TRY(ao_settings_resolve(settings, &e->settings));
    AO_TRY(ao_settings_check_method(e->settings));
    AO_TRY(ao_model_require_clip(model));
    AO_TRY(ao_clip_fits(clip, model));
    const bool official = e->settings->explain.compat == AO_COMPAT_OFFICIAL;
    struct ao_mask_options *mask = &e->settings->mask;
    if (ao_settings_method(e->settings)->needs & AO_NEEDS_MASKS)
        AO_TRY(ao_mask_options_resolve(mask, clip->T, clip->H, clip->W, official, mask));
    /* A wrong target must not cost a minute of forwards first. */
    AO_TRY(ao_targets_resolve(model, e->settings->explain.target, NULL, targets, &n));
    AO_TRY(ao_fill_create(e->settings->explain.fill, e->settings->method.window, clip, &e->fill));
    AO_TRY(prepare_masks(e, clip));
    e->attribution = attribution_of(e, model, clip);
    e->attribution.outputs = ao_alloc((size_t)model->classes, sizeof(float));
    return e->attribution.outputs
               ? AOSA_OK
               : ao_fail(AOSA_ERR_NOMEM, "explanation: no memory for %d classes", model->classes);
}

aosa_status ao_explanation_prepare(const struct aosa_model *model, const struct aosa_clip *clip,
                                   const aosa_settings *settings, struct ao_flow_field **flow,
                                   struct aosa_explanation **explanation)
{
    aosa_explanation *e = ao_alloc(1, sizeof *e);
    if (!e)
        return ao_fail(AOSA_ERR_NOMEM, "explanation: no memory");
    e->flow = *flow;
    *flow = NULL;
    const aosa_status status = prepare(e, model, clip, settings);
    if (status != AOSA_OK) {
        aosa_explanation_destroy(&e);
        return status;
    }
    *explanation = e;
    return AOSA_OK;
}

aosa_status ao_explanation_run(aosa_explanation *e, aosa_progress_fn progress, void *user)
{
    struct ao_attribution *a = &e->attribution;
    e->progress = (struct ao_progress){ .fn = progress, .user = user, .stage = a->method->name };
    return a->method->run(a);
}

aosa_status aosa_explain(const aosa_model *model, const aosa_clip *clip,
                         const aosa_settings *settings, aosa_progress_fn progress, void *user,
                         aosa_explanation **explanation)
{
    struct ao_flow_field *none = NULL;
    aosa_explanation *e;
    AO_TRY(ao_explanation_prepare(model, clip, settings, &none, &e));
    const aosa_status status = ao_explanation_run(e, progress, user);
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
    ao_attribution_fini(&e->attribution);
    ao_fill_fini(&e->fill);
    ao_flow_field_destroy(&e->flow);
    ao_mask_set_destroy(&e->masks);
    aosa_settings_destroy(&e->settings);
    ao_free(e);
    *explanation = NULL;
}

int aosa_explanation_targets(const aosa_explanation *explanation)
{
    return explanation->attribution.n_results;
}

double aosa_explanation_base(const aosa_explanation *explanation, int k)
{
    return explanation->attribution.results[k].base;
}

const float *aosa_explanation_scores(const aosa_explanation *explanation, int k, size_t *n)
{
    const float *scores = explanation->attribution.results[k].scores;
    *n = scores ? (size_t)explanation->masks->M : 0;
    return scores;
}

const float *aosa_explanation_map(const aosa_explanation *explanation, int k)
{
    return explanation->attribution.results[k].map;
}

const float *aosa_explanation_normalised(const aosa_explanation *explanation, int k)
{
    return explanation->attribution.results[k].normalised;
}

const char *aosa_explanation_warning(const aosa_explanation *explanation)
{
    return explanation->attribution.warning;
}
