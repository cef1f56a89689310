/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/method.h"

#include <math.h>
#include <string.h>

#include "attribution/detail.h"
#include "attribution/forward.h"
#include "attribution/heat_map.h"
#include "attribution/smooth_map.h"
#include "core/alloc.h"
#include "core/clock.h"

static const struct ao_method methods[] = {
#define METHOD(run, passes, name, family, mask, needs, options, summary, source) \
    { name, family, mask, needs, options, summary, source, ao_run_##run, ao_passes_##passes },
#include "attribution/methods.def"
#undef METHOD
};

const struct ao_method *ao_methods(int *n)
{
    *n = (int)(sizeof methods / sizeof methods[0]);
    return methods;
}

const char ao_method_words[] =
#define METHOD(run, passes, name, ...) "|" name
#include "attribution/methods.def"
#undef METHOD
    ;

bool ao_method_reads(const struct ao_method *method, const char *option)
{
    return ao_list_has(method->options, ' ', option);
}

enum ao_score_kind ao_method_score(const struct ao_method *method)
{
    const bool logit = !strcmp(method->family, "gradient") || !strcmp(method->family, "cam");
    return logit ? AO_SCORE_LOGIT : AO_SCORE_PROB;
}

aosa_status ao_passes_one_forward(const struct ao_attribution *a, int n_targets,
                                  struct ao_passes *passes)
{
    (void)a, (void)n_targets;
    *passes = (struct ao_passes){ .forwards = 1 };
    return AOSA_OK;
}

aosa_status ao_passes_per_target(const struct ao_attribution *a, int n_targets,
                                 struct ao_passes *passes)
{
    (void)a;
    *passes = (struct ao_passes){ n_targets, n_targets };
    return AOSA_OK;
}

static aosa_status begin_result(const struct ao_attribution *a, struct ao_target target,
                                struct ao_map_result *result)
{
    const struct aosa_model *model = a->model;
    const struct ao_target plain = { .a = target.a, .b = -1 };
    const size_t voxels = ao_clip_voxels(a->clip);
    result->target = target;
    result->base = ao_score(a->score, a->outputs, model->classes, model->probabilities, target);
    result->probability =
        ao_score(AO_SCORE_PROB, a->outputs, model->classes, model->probabilities, plain);
    result->map = ao_alloc(voxels, sizeof *result->map);
    result->normalised = ao_alloc(voxels, sizeof *result->normalised);
    if (!result->map || !result->normalised)
        return ao_fail(AOSA_ERR_NOMEM, "map: no memory for %zu voxels", voxels);
    if (!isfinite(result->base))
        return ao_fail(AOSA_ERR_NUMERIC, "the score of the clip is %g; try --score prob",
                       result->base);
    return AOSA_OK;
}

aosa_status ao_attribution_begin(struct ao_attribution *a)
{
    struct ao_target targets[AO_MAX_TARGETS];
    AO_TRY(ao_targets_resolve(a->model, a->target, a->outputs, targets, &a->n_results));
    a->results = ao_alloc((size_t)a->n_results, sizeof *a->results);
    if (!a->results)
        return ao_fail(AOSA_ERR_NOMEM, "explanation: no memory for %d targets", a->n_results);
    for (int k = 0; k < a->n_results; k++)
        AO_TRY(begin_result(a, targets[k], &a->results[k]));
    return AOSA_OK;
}

aosa_status ao_attribution_forward(struct ao_attribution *a)
{
    double since = ao_now();
    AO_TRY(ao_forward(a->model, a->clip, a->run.backend, a->progress, a->outputs, &a->memory));
    a->passes.forwards++;
    ao_lap(&a->seconds_run, &since);
    return ao_attribution_begin(a);
}

static double mean_of(const float *map, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)map[i];
    return sum / (double)n;
}

/* The authors' display form is of their own map. */
bool ao_attribution_shows_drops(const struct ao_attribution *a, const struct ao_map_result *result)
{
    return result->scores && !result->density && a->options->accumulate == AO_ACCUMULATE_VISIBLE;
}

static aosa_status make_map(const struct ao_attribution *a, const double *effects,
                            struct ao_map_result *result)
{
    const struct ao_method_options *options = a->options;
    if (options->accumulate == AO_ACCUMULATE_COVERAGE)
        AO_TRY(ao_heat_map_coverage(a->masks, effects, result->map));
    else
        AO_TRY(ao_heat_map(a->masks, effects, result->map, &result->zero));
    AO_TRY(ao_smooth_map(result->map, a->clip->T, a->clip->H, a->clip->W,
                         ao_method_smooth(options, AO_SMOOTH_USUAL), a->run.threads));
    if (options->accumulate == AO_ACCUMULATE_CONTRAST)
        result->zero = mean_of(result->map, ao_clip_voxels(a->clip));
    ao_detail_apply(a, result);
    if (ao_attribution_shows_drops(a, result))
        ao_heat_map_normalise(a->masks, effects, result->map, result->normalised);
    else
        ao_attribution_normalise(a, result);
    return AOSA_OK;
}

aosa_status ao_attribution_effects(const struct ao_attribution *a,
                                   const struct ao_map_result *result, const float *outputs, int n,
                                   int first, double *effects)
{
    const struct aosa_model *model = a->model;
    for (int i = 0; i < n; i++) {
        const double score = ao_score(a->score, outputs + (size_t)i * (size_t)model->classes,
                                      model->classes, model->probabilities, result->target);
        effects[i] = score - result->base;
        if (!isfinite(effects[i]))
            return ao_fail(AOSA_ERR_NUMERIC,
                           "the score of mask %d is %g and that of the clip %g; try --score prob",
                           first + i, score, result->base);
    }
    return AOSA_OK;
}

aosa_status ao_attribution_from_effects(const struct ao_attribution *a, const double *effects,
                                        struct ao_map_result *result)
{
    const int M = a->masks->M;
    result->scores = ao_alloc((size_t)M, sizeof *result->scores);
    if (!result->scores)
        return ao_fail(AOSA_ERR_NOMEM, "scores: no memory for %d masks", M);
    result->most = -HUGE_VAL;
    result->least = HUGE_VAL;
    for (int i = 0; i < M; i++) {
        result->scores[i] = (float)(result->base + effects[i]);
        const double drop = 0 - effects[i]; /* not -0 where there is none */
        result->most = fmax(result->most, drop);
        result->least = fmin(result->least, drop);
    }
    return make_map(a, effects, result);
}

/* How many of n values are at most `limit` away from zero. */
static size_t count_within(const float *map, size_t n, float zero, float limit)
{
    size_t within = 0;
    for (size_t i = 0; i < n; i++)
        within += fabsf(map[i] - zero) <= limit;
    return within;
}

/*
 * Smallest float with `wanted` of the n distances from zero at or below it. Floats from 0 up are
 * ordered as their bits are, so halving the range of the bits finds it without a sorted copy.
 */
static float quantile(const float *map, size_t n, float zero, size_t wanted)
{
    uint32_t low = 0, high = 0x7F800000; /* 0 and infinity */
    float value;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        memcpy(&value, &middle, sizeof value);
        if (count_within(map, n, zero, value) >= wanted)
            high = middle;
        else
            low = middle + 1;
    }
    memcpy(&value, &low, sizeof value);
    return value;
}

double ao_attribution_scale(const struct ao_attribution *a, const struct ao_map_result *result)
{
    const size_t n = ao_clip_voxels(a->clip);
    const float zero = (float)result->zero;
    const float most = quantile(result->map, n, zero, n - n / AO_DISPLAY_CUT);
    return (double)(most > 0 ? most : quantile(result->map, n, zero, n));
}

void ao_attribution_normalise(const struct ao_attribution *a, struct ao_map_result *result)
{
    const size_t n = ao_clip_voxels(a->clip);
    const double scale = ao_attribution_scale(a, result);
    for (size_t i = 0; i < n; i++) {
        const double share = scale > 0 ? ((double)result->map[i] - result->zero) / scale : 0;
        result->normalised[i] = (float)(127.5 + 127.5 * fmax(-1, fmin(1, share)));
    }
}

void ao_attribution_fini(struct ao_attribution *a)
{
    for (int k = 0; a->results && k < a->n_results; k++) {
        ao_free(a->results[k].scores);
        ao_free(a->results[k].density);
        ao_free(a->results[k].map);
        ao_free(a->results[k].normalised);
        json_decref(a->results[k].extra);
    }
    ao_free(a->results);
    ao_free(a->outputs);
    ao_occluder_destroy(&a->occluder);
}
