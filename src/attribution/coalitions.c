/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/coalitions.h"

#include "attribution/cells.h"
#include "attribution/veil.h"
#include "core/alloc.h"
#include "core/clock.h"

/* Time counts little, so that a segment spans many frames of what stands still. */
#define SLIC_COMPACTNESS 10
#define SLIC_FRAME_PX 0.2

static aosa_status check_count(int64_t n)
{
    if (n <= AO_MAX_SEGMENTS)
        return AOSA_OK;
    return ao_fail(AOSA_ERR_ARGUMENT, "%lld segments, at most %d can be told apart; take fewer",
                   (long long)n, AO_MAX_SEGMENTS);
}

static aosa_status make_grid(const struct ao_attribution *a, const int usual[3],
                             struct ao_supervoxels *segments)
{
    int cells[3];
    AO_TRY(ao_cells_parse(a, usual, cells));
    const int64_t n = (int64_t)cells[0] * cells[1];
    AO_TRY(check_count(n > AO_MAX_SEGMENTS ? n : n * cells[2]));
    return ao_supervoxels_grid(a->model->T, a->model->H, a->model->W, cells, segments);
}

static aosa_status make_segments(const struct ao_attribution *a,
                                 const struct ao_coalition_method *method,
                                 struct ao_supervoxels *segments)
{
    const struct aosa_clip *clip = a->clip;
    const struct ao_slic options = {
        .n = a->options->n_segments,
        .compactness = SLIC_COMPACTNESS,
        .frame_px = SLIC_FRAME_PX,
    };
    if (a->options->segments == AO_SEGMENTS_GRID)
        return make_grid(a, method->cells, segments);
    *segments = (struct ao_supervoxels){ .n = options.n };
    if (!clip)
        return AOSA_OK;
    AO_TRY(ao_supervoxels_slic(clip->rgb, clip->T, clip->H, clip->W, &options, segments));
    const aosa_status status = check_count(segments->n);
    if (status != AOSA_OK)
        ao_supervoxels_fini(segments);
    return status;
}

static aosa_status allocate(struct ao_coalitions *c)
{
    const size_t N = (size_t)c->N, n = (size_t)c->n;
    c->keeps = ao_alloc(N, n);
    c->weights = ao_alloc(N, sizeof *c->weights);
    c->outputs = ao_alloc(N, (size_t)c->attribution->model->classes * sizeof *c->outputs);
    if (!c->keeps || !c->weights || !c->outputs)
        return ao_fail(AOSA_ERR_NOMEM, "no memory for %zu coalitions of %zu segments", N, n);
    for (size_t i = 0; i < N; i++)
        c->weights[i] = 1;
    for (size_t j = 0; j < n; j++)
        c->keeps[j] = 1;
    return AOSA_OK;
}

/* Rows of the passes that are run: those of the coalitions but the first. */
static void mask_row(const void *context, int64_t item, int64_t t, int64_t y, float *mask,
                     int64_t stride)
{
    const struct ao_coalitions *c = context;
    const struct ao_supervoxels *s = &c->segments;
    const uint8_t *keeps = ao_coalition(c, (int)item + 1);
    const int32_t *label = s->label + (t * s->H + y) * s->W;
    for (int64_t x = 0; x < s->W; x++)
        mask[x * stride] = keeps[label[x]];
}

static aosa_status score(struct ao_coalitions *c, struct ao_attribution *a)
{
    const size_t classes = (size_t)a->model->classes;
    for (size_t k = 0; k < classes; k++)
        c->outputs[k] = a->outputs[k];
    return ao_veil_outputs(a, c->N - 1, mask_row, c, c->outputs + classes);
}

static aosa_status explain_target(const struct ao_coalitions *c,
                                  const struct ao_coalition_method *method, double *scores,
                                  double *values, struct ao_map_result *result)
{
    const struct ao_attribution *a = c->attribution;
    AO_TRY(ao_veil_scores(a, result->target, c->N, c->outputs, scores));
    result->extra = json_pack("{s:i, s:i}", "segments", c->n, "coalitions", c->N);
    if (!result->extra)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for its report", a->method->name);
    AO_TRY(method->solve(c, scores, values, result->extra));
    const size_t voxels = ao_clip_voxels(a->clip);
    for (size_t i = 0; i < voxels; i++)
        result->map[i] = (float)values[c->segments.label[i]];
    ao_attribution_normalise(a, result);
    return AOSA_OK;
}

static aosa_status solve(struct ao_coalitions *c, const struct ao_coalition_method *method,
                         struct ao_attribution *a)
{
    double *scores = ao_alloc((size_t)c->N, sizeof *scores);
    double *values = ao_alloc((size_t)c->n, sizeof *values);
    aosa_status status = AOSA_OK;
    if (!scores || !values)
        status = ao_fail(AOSA_ERR_NOMEM, "no memory for %d coalitions", c->N);
    if (status == AOSA_OK && method->prepare) {
        c->factor = ao_alloc_raw((size_t)c->n, (size_t)c->n * sizeof *c->factor);
        status = c->factor ? method->prepare(c)
                           : ao_fail(AOSA_ERR_NOMEM, "no memory for %d segments", c->n);
    }
    for (int k = 0; status == AOSA_OK && k < a->n_results; k++)
        status = explain_target(c, method, scores, values, &a->results[k]);
    ao_free(scores);
    ao_free(values);
    return status;
}

static aosa_status explain(struct ao_coalitions *c, const struct ao_coalition_method *method,
                           struct ao_attribution *a)
{
    struct ao_rng rng;
    c->n = c->segments.n;
    AO_TRY(method->count(c->n, ao_method_samples(a->options, method->samples), &c->N));
    AO_TRY(ao_attribution_forward(a));
    AO_TRY(allocate(c));
    ao_rng_init(&rng, a->seed);
    method->draw(c, &rng);
    AO_TRY(score(c, a));
    double since = ao_now();
    const aosa_status status = solve(c, method, a);
    ao_lap(&a->seconds_map, &since);
    return status;
}

aosa_status ao_coalitions_run(struct ao_attribution *a, const struct ao_coalition_method *method)
{
    struct ao_coalitions c = { .attribution = a };
    double since = ao_now();
    AO_TRY(make_segments(a, method, &c.segments));
    ao_lap(&a->seconds_prepare, &since);
    const aosa_status status = explain(&c, method, a);
    ao_supervoxels_fini(&c.segments);
    ao_free(c.keeps);
    ao_free(c.weights);
    ao_free(c.factor);
    ao_free(c.outputs);
    return status;
}

aosa_status ao_coalitions_passes(const struct ao_attribution *a,
                                 const struct ao_coalition_method *method, struct ao_passes *passes)
{
    struct ao_supervoxels segments;
    int N = 0;
    AO_TRY(make_segments(a, method, &segments));
    const aosa_status status =
        method->count(segments.n, ao_method_samples(a->options, method->samples), &N);
    ao_supervoxels_fini(&segments);
    *passes = (struct ao_passes){ .forwards = N };
    return status;
}
