/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/removal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "metric/variant.h"

/* One curve while it is measured. */
struct removal {
    struct ao_metric_call *call;
    const struct ao_units *units;
    struct ao_ranking ranking; /* with an order of its own, which random ties change */
    struct ao_fill base;
    bool insert;
    size_t steps;
    size_t *cuts;     /* [steps + 1] units changed after step k */
    size_t *ends;     /* [steps + 1] the same in voxels */
    uint32_t *voxels; /* [T][H][W] in the order in which they change */
    double *scores;   /* [steps + 1] */
};

void ao_removals_fini(struct ao_removals *removals)
{
    for (int order = 0; order < 2; order++) {
        for (int insert = 0; insert < 2; insert++) {
            ao_free(removals->curves[insert][order].x);
            ao_free(removals->curves[insert][order].y);
        }
        ao_ranking_fini(&removals->rankings[order]);
    }
    ao_units_fini(&removals->units);
    *removals = (struct ao_removals){ 0 };
}

/* Voxels between the ends of two variants change hands, the rest is there already. */
static void write_variant(const void *context, const struct ao_view *input, int64_t item,
                          int64_t previous)
{
    const struct removal *r = context;
    const struct aosa_clip *clip = r->call->clip;
    const struct ao_fill *before = r->insert ? &r->base : NULL;
    const struct ao_fill *after = r->insert ? NULL : &r->base;
    const size_t to = r->ends[item];
    size_t at = previous < 0 ? 0 : r->ends[previous];
    if (previous < 0)
        ao_variant_put_all(input, clip, before);
    for (; at < to; at++)
        ao_variant_put(input, clip, after, r->voxels[at]);
    for (; at > to; at--)
        ao_variant_put(input, clip, before, r->voxels[at - 1]);
}

/* voxels and ends by the order of units. */
static void list_voxels(struct removal *r)
{
    const struct ao_units *u = r->units;
    size_t n = 0, rank = 0;
    for (size_t k = 0; k <= r->steps; k++) {
        for (; rank < r->cuts[k]; rank++) {
            const uint32_t unit = r->ranking.order[rank];
            for (uint32_t i = u->first[unit]; i < u->first[unit + 1]; i++)
                r->voxels[n++] = u->voxels[i];
        }
        r->ends[k] = n;
    }
}

/* y: the mean over orders of ties. */
static aosa_status run_orders(struct removal *r, double *y)
{
    const struct ao_metric_options *options = r->call->options;
    const bool random = options->ties == AO_TIES_RANDOM;
    const int repeats = random ? options->tie_repeats : 1;
    struct ao_rng rng;
    ao_rng_init(&rng, r->call->seed);
    for (int i = 0; i < repeats; i++) {
        if (random)
            ao_ranking_shuffle_ties(&r->ranking, &rng);
        list_voxels(r);
        AO_TRY(ao_variant_scores(r->call, r->steps + 1, write_variant, r, r->scores));
        for (size_t k = 0; k <= r->steps; k++)
            y[k] += r->scores[k] / repeats;
    }
    return AOSA_OK;
}

static aosa_status allocate(struct removal *r, size_t steps, struct ao_removal_curve *curve)
{
    r->ranking.order = ao_alloc_raw(r->units->n, sizeof *r->ranking.order);
    r->cuts = ao_alloc(steps + 1, sizeof *r->cuts);
    r->ends = ao_alloc(steps + 1, sizeof *r->ends);
    r->voxels = ao_alloc_raw(ao_clip_voxels(r->call->clip), sizeof *r->voxels);
    r->scores = ao_alloc(steps + 1, sizeof *r->scores);
    curve->x = ao_alloc(steps + 1, sizeof *curve->x);
    curve->y = ao_alloc(steps + 1, sizeof *curve->y);
    return r->ranking.order && r->cuts && r->ends && r->voxels && r->scores && curve->x && curve->y
               ? AOSA_OK
               : ao_fail(AOSA_ERR_NOMEM, "%s: no memory for %zu steps", r->call->metric->name,
                         steps);
}

static aosa_status measure(struct removal *r, const struct ao_ranking *ranking,
                           struct ao_removal_curve *curve)
{
    const struct ao_metric_options *options = r->call->options;
    const bool together = options->ties == AO_TIES_TOGETHER;
    const size_t wanted = (size_t)options->cuts, units = r->units->n;
    const size_t n = wanted < units ? wanted : units;
    r->ranking = (struct ao_ranking){ .n = units, .value = ranking->value };
    AO_TRY(allocate(r, n, curve));
    memcpy(r->ranking.order, ranking->order, units * sizeof *ranking->order);
    AO_TRY(ao_variant_base(r->call, r->insert, &r->base));
    r->steps = ao_ranking_cut(ranking, n, together, r->cuts);
    for (size_t k = 1; k <= r->steps; k++)
        curve->x[k] = together ? (double)r->cuts[k] / (double)units : (double)k / (double)n;
    AO_TRY(run_orders(r, curve->y));
    for (size_t k = 1; k <= r->steps; k++)
        curve->auc += (curve->x[k] - curve->x[k - 1]) * (curve->y[k] + curve->y[k - 1]) / 2;
    curve->n = r->steps + 1;
    return AOSA_OK;
}

aosa_status ao_removal_units(const struct ao_metric_call *call, const struct ao_units **units)
{
    *units = &call->removals->units;
    return call->removals->units.n
               ? AOSA_OK
               : ao_units_init(&call->removals->units, call->clip, call->map, call->options);
}

aosa_status ao_removal_curve(struct ao_metric_call *call, bool insert, enum ao_removal_order order,
                             const struct ao_removal_curve **found)
{
    struct ao_ranking *ranking = &call->removals->rankings[order];
    struct ao_removal_curve *known = &call->removals->curves[insert][order], curve = { 0 };
    struct removal r = { .call = call, .insert = insert };
    *found = known;
    if (known->n)
        return AOSA_OK;
    AO_TRY(ao_removal_units(call, &r.units));
    if (!ranking->n)
        AO_TRY(ao_ranking_init(ranking, r.units->value, r.units->n, order == AO_LEAST_FIRST));
    const aosa_status status = measure(&r, ranking, &curve);
    ao_ranking_fini(&r.ranking);
    ao_fill_fini(&r.base);
    ao_free(r.cuts);
    ao_free(r.ends);
    ao_free(r.voxels);
    ao_free(r.scores);
    if (status == AOSA_OK) {
        *known = curve;
        return AOSA_OK;
    }
    ao_free(curve.x);
    ao_free(curve.y);
    return status;
}

static aosa_status report_order(struct ao_metric_call *call, bool insert,
                                enum ao_removal_order order, double *auc)
{
    const char *metric = call->metric->name;
    const bool least = order == AO_LEAST_FIRST;
    const struct ao_removal_curve *curve;
    char name[AO_METRIC_NAME];
    AO_TRY(ao_removal_curve(call, insert, order, &curve));
    const double whole = curve->y[insert ? curve->n - 1 : 0];
    *auc = curve->auc;
    AO_TRY(ao_metric_add_value(call->answer, metric, least ? "auc_lerf" : "auc", *auc));
    AO_TRY(ao_metric_add_value(call->answer, metric,
                               least ? "auc_lerf_normalised" : "auc_normalised",
                               whole > 0 ? *auc / whole : (double)NAN));
    snprintf(name, sizeof name, "%s%s", metric, least ? "_lerf" : "");
    return ao_metric_add_curve(call->answer, name, curve->n, curve->x, curve->y);
}

aosa_status ao_removal_report(struct ao_metric_call *call, bool insert)
{
    const int order = call->options->order;
    double most = 0, least = 0;
    if (order != AO_ORDER_LERF)
        AO_TRY(report_order(call, insert, AO_MOST_FIRST, &most));
    if (order != AO_ORDER_MORF)
        AO_TRY(report_order(call, insert, AO_LEAST_FIRST, &least));
    return order == AO_ORDER_BOTH ? ao_metric_add_value(call->answer, call->metric->name, "abpc",
                                                        insert ? most - least : least - most)
                                  : AOSA_OK;
}
