/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/removal.h"

#include <math.h>

#include "attribution/fill.h"
#include "core/alloc.h"
#include "metric/ranking.h"

struct removal {
    struct ao_metric_call *call;
    struct ao_fill base;
    struct ao_ranking ranking;
    bool insert;
    size_t steps;   /* n */
    size_t *cuts;   /* [n + 1] */
    float *outputs; /* [n + 1][classes] */
    double *x, *y;  /* [n + 1] */
};

/* Writes the clip or the base into one unit of the network's input. */
static void write_unit(const struct removal *r, const struct ao_view *input, size_t unit,
                       bool original)
{
    const struct aosa_clip *clip = r->call->clip;
    const struct ao_ranking *k = &r->ranking;
    const int64_t *strides = input->strides;
    const int column = (int)(unit % (size_t)k->columns);
    const int row = (int)(unit / (size_t)k->columns % (size_t)k->rows);
    const size_t t = unit / (size_t)k->columns / (size_t)k->rows;
    const int y0 = row * k->side, x0 = column * k->side;
    for (int c = 0; c < 3; c++) {
        const float *volume = original ? clip->values : r->base.volume;
        for (int y = y0; y < y0 + k->side && y < k->H; y++) {
            const size_t at =
                (((size_t)c * (size_t)k->T + t) * (size_t)k->H + (size_t)y) * (size_t)k->W;
            float *dst =
                (float *)input->data + c * strides[0] + (int64_t)t * strides[1] + y * strides[2];
            for (int x = x0; x < x0 + k->side && x < k->W; x++)
                dst[x * strides[3]] = volume ? volume[at + (size_t)x] : r->base.value[c];
        }
    }
}

/* Units between the cuts of two variants change hands, the rest is there already. */
static void write_variant(const void *context, const struct ao_view *input, int64_t item,
                          int64_t previous)
{
    const struct removal *r = context;
    const size_t to = r->cuts[item];
    size_t from = previous < 0 ? 0 : r->cuts[previous];
    if (previous < 0)
        for (size_t unit = 0; unit < r->ranking.n; unit++)
            write_unit(r, input, unit, !r->insert);
    for (; from < to; from++)
        write_unit(r, input, r->ranking.order[from], r->insert);
    for (; from > to; from--)
        write_unit(r, input, r->ranking.order[from - 1], !r->insert);
}

/* Adds the scores of one order of the units to y. */
static aosa_status run_order(struct removal *r)
{
    struct ao_metric_call *call = r->call;
    const size_t classes = (size_t)call->model->classes, points = r->steps + 1;
    AO_TRY(
        ao_scorer_run(call->scorer, (int64_t)points, write_variant, r, call->progress, r->outputs));
    call->answer->forwards += (int64_t)points;
    for (size_t k = 0; k < points; k++)
        r->y[k] += ao_score((enum ao_score_kind)call->options->score, r->outputs + k * classes,
                            call->model->classes, call->model->probabilities, call->target);
    return AOSA_OK;
}

static aosa_status run_orders(struct removal *r)
{
    const struct ao_metric_options *options = r->call->options;
    const bool random = options->ties == AO_TIES_RANDOM;
    const int repeats = random ? options->tie_repeats : 1;
    struct ao_rng rng;
    ao_rng_init(&rng, r->call->seed);
    for (int i = 0; i < repeats; i++) {
        if (random)
            ao_ranking_shuffle_ties(&r->ranking, &rng);
        AO_TRY(run_order(r));
    }
    for (size_t k = 0; k <= r->steps; k++)
        r->y[k] /= repeats;
    return AOSA_OK;
}

static aosa_status report(const struct removal *r)
{
    struct ao_metric_answer *answer = r->call->answer;
    const char *name = r->call->metric->name;
    const double whole = r->y[r->insert ? r->steps : 0];
    double auc = 0;
    for (size_t k = 1; k <= r->steps; k++)
        auc += (r->x[k] - r->x[k - 1]) * (r->y[k] + r->y[k - 1]) / 2;
    AO_TRY(ao_metric_add_value(answer, name, "auc", auc));
    AO_TRY(
        ao_metric_add_value(answer, name, "auc_normalised", whole > 0 ? auc / whole : (double)NAN));
    return ao_metric_add_curve(answer, name, r->steps + 1, r->x, r->y);
}

static aosa_status allocate(struct removal *r, size_t steps)
{
    r->cuts = ao_alloc(steps + 1, sizeof *r->cuts);
    r->x = ao_alloc(steps + 1, sizeof *r->x);
    r->y = ao_alloc(steps + 1, sizeof *r->y);
    r->outputs = ao_alloc(steps + 1, (size_t)r->call->model->classes * sizeof *r->outputs);
    return r->cuts && r->x && r->y && r->outputs
               ? AOSA_OK
               : ao_fail(AOSA_ERR_NOMEM, "%s: no memory for %zu steps", r->call->metric->name,
                         steps);
}

static aosa_status measure(struct removal *r, const char *base)
{
    const struct ao_metric_call *call = r->call;
    const struct ao_metric_options *options = call->options;
    const bool together = options->ties == AO_TIES_TOGETHER;
    const aosa_status status = ao_fill_create(base, 0, call->clip, &r->base);
    if (status != AOSA_OK)
        return ao_fail_in(status, "--%s-base", call->metric->name);
    AO_TRY(ao_ranking_init(&r->ranking, call->clip, call->map, options));
    const size_t wanted = (size_t)options->cuts;
    const size_t n = wanted < r->ranking.n ? wanted : r->ranking.n;
    AO_TRY(allocate(r, n));
    r->steps = ao_ranking_cut(&r->ranking, n, together, r->cuts);
    for (size_t k = 1; k <= r->steps; k++)
        r->x[k] = together ? (double)r->cuts[k] / (double)r->ranking.n : (double)k / (double)n;
    AO_TRY(run_orders(r));
    return report(r);
}

aosa_status ao_removal_curve(struct ao_metric_call *call, const char *base, bool insert)
{
    struct removal r = { .call = call, .insert = insert };
    const aosa_status status = measure(&r, base);
    ao_fill_fini(&r.base);
    ao_ranking_fini(&r.ranking);
    ao_free(r.cuts);
    ao_free(r.x);
    ao_free(r.y);
    ao_free(r.outputs);
    return status;
}
