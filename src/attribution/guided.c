/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exact occlusion of the masks that matter. First-order estimates f_i (first_order.c) tell where to
 * begin and the measured effects X_i where to go on: a mask that shares voxels with masks that took
 * much away is likely to as well. After every round of ROUND masks, those not measured yet are
 * estimated again,
 *
 *     E_j = (PRIOR s f_j + sum over the measured i of o_ij X_i) / (PRIOR + sum of o_ij),
 *
 * o_ij being the share of mask j's voxels that mask i occludes too, and s the least-squares scale
 * from f to X over the measured, between 0 and 2: the slope at the clip says little about how deep
 * a score falls. Next are the ROUND masks of the largest estimated drop, of any target, until
 * --budget is spent. A backward counts as two forwards there.
 *
 * The map is that of exact occlusion with REST of the estimated effect for masks that were not
 * measured: enough to put the rest of the clip in order, too little to be seen beside what was
 * measured. With a budget for all masks it is exact occlusion's, --detail included.
 *
 * Stopped by its progress function between rounds, the method answers with what it has.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "attribution/box_sums.h"
#include "attribution/first_order.h"
#include "core/alloc.h"
#include "core/clock.h"

enum {
    USUAL_BUDGET = 20,
    ROUND = 8,         /* what the delta engine runs together */
    ESTIMATE = 3,      /* a forward and a backward, for each target */
    LARGEST_SCALE = 2, /* s at most */
};
#define PRIOR 0.5
#define REST 0.02

struct guided {
    struct ao_attribution *a;
    struct ao_box_list boxes;
    struct aosa_mask_set round; /* of the masks that are being measured; shares the tracks */
    int *chosen;                /* [capacity] measured masks in their order, n of them */
    int capacity, n;
    bool *measured;   /* [M] */
    double *first;    /* [targets][M] first-order estimates */
    double *effects;  /* [targets][M] measured, 0 until then */
    double *weighted; /* [targets][M] sum of o_ij X_i */
    double *weights;  /* [M] sum of o_ij */
    float *outputs;   /* [1 + ROUND][classes] */
};

static int64_t passes_of_estimate(int n_targets)
{
    return (int64_t)ESTIMATE * n_targets + 1; /* the engine runs the clip, too */
}

/* Masks that the budget has room for. */
static aosa_status count_masks(const struct ao_attribution *a, int n_targets, int *n)
{
    const int budget = ao_method_budget(a->options, USUAL_BUDGET);
    const int64_t room = budget - passes_of_estimate(n_targets);
    if (room < 1)
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "--budget %d: the estimates for %d targets take %lld of it, a backward "
                       "counted as two forwards; give at least %lld",
                       budget, n_targets, (long long)passes_of_estimate(n_targets),
                       (long long)passes_of_estimate(n_targets) + 1);
    *n = room < a->masks->M ? (int)room : a->masks->M;
    return AOSA_OK;
}

aosa_status ao_passes_guided(const struct ao_attribution *a, int n_targets,
                             struct ao_passes *passes)
{
    int n = 0;
    AO_TRY(count_masks(a, n_targets, &n));
    *passes = (struct ao_passes){ .forwards = n_targets + 1 + n, .backwards = n_targets };
    return AOSA_OK;
}

static size_t row_of(const struct guided *g, int target)
{
    return (size_t)target * (size_t)g->a->masks->M;
}

/* s of a target. */
static double scale_of(const struct guided *g, int target)
{
    const double *first = g->first + row_of(g, target), *effects = g->effects + row_of(g, target);
    double both = 0, square = 0;
    for (int i = 0; i < g->n; i++) {
        const int m = g->chosen[i];
        both += first[m] * effects[m];
        square += first[m] * first[m];
    }
    if (g->n == 0 || !(square > 0))
        return 1;
    return fmin(fmax(both / square, 0), LARGEST_SCALE);
}

/* E of mask m for a target, whose s is `scale`. */
static double estimate(const struct guided *g, int target, double scale, int m)
{
    const size_t at = row_of(g, target) + (size_t)m;
    return (PRIOR * scale * g->first[at] + g->weighted[at]) / (PRIOR + g->weights[m]);
}

/* Largest estimated drop of mask m, over the targets; `scales` are theirs. */
static double promise(const struct guided *g, const double *scales, int m)
{
    double most = -HUGE_VAL;
    for (int k = 0; k < g->a->n_results; k++)
        most = fmax(most, -estimate(g, k, scales[k], m));
    return most;
}

/* The next mask, the first of equals; there is one. */
static int choose(const struct guided *g, const double *scales)
{
    int best = -1;
    double most = 0;
    for (int m = 0; m < g->a->masks->M; m++) {
        if (g->measured[m])
            continue;
        const double drop = promise(g, scales, m);
        if (best < 0 || drop > most) {
            best = m;
            most = drop;
        }
    }
    return best;
}

/* Lists the masks of the next round behind the measured ones; answers how many. */
static int choose_round(struct guided *g)
{
    double scales[AO_MAX_TARGETS];
    for (int k = 0; k < g->a->n_results; k++)
        scales[k] = scale_of(g, k);
    int n = 0;
    for (; n < ROUND && g->n + n < g->capacity; n++) {
        const int m = choose(g, scales);
        g->measured[m] = true;
        g->chosen[g->n + n] = m;
    }
    return n;
}

static int64_t shared_pixels(struct ao_box a, struct ao_box b)
{
    const int32_t y0 = a.y0 > b.y0 ? a.y0 : b.y0, y1 = a.y1 < b.y1 ? a.y1 : b.y1;
    const int32_t x0 = a.x0 > b.x0 ? a.x0 : b.x0, x1 = a.x1 < b.x1 ? a.x1 : b.x1;
    return y0 < y1 && x0 < x1 ? (int64_t)(y1 - y0) * (x1 - x0) : 0;
}

static int64_t shared_voxels(const struct ao_box_list *list, int a, int b)
{
    int64_t sum = 0;
    for (int t = 0; t < list->T; t++) {
        const size_t i = (size_t)a * (size_t)list->T + (size_t)t;
        const size_t j = (size_t)b * (size_t)list->T + (size_t)t;
        for (size_t p = list->first[i]; p < list->first[i + 1]; p++)
            for (size_t q = list->first[j]; q < list->first[j + 1]; q++)
                sum += shared_pixels(list->boxes[p], list->boxes[q]);
    }
    return sum;
}

/* What measured mask i says about all others. */
static void spread(const struct guided *g, int i)
{
    const struct aosa_mask_set *masks = g->a->masks;
    for (int m = 0; m < masks->M; m++) {
        const int64_t shared = shared_voxels(&g->boxes, i, m);
        if (shared == 0)
            continue;
        const double share = (double)shared / (double)ao_mask_occluded(masks, m);
        g->weights[m] += share;
        for (int k = 0; k < g->a->n_results; k++)
            g->weighted[row_of(g, k) + (size_t)m] += share * g->effects[row_of(g, k) + (size_t)i];
    }
}

static void fill_round(struct guided *g, int n)
{
    const struct aosa_mask_set *masks = g->a->masks;
    struct aosa_mask_set *round = &g->round;
    round->M = n;
    for (int i = 0; i < n; i++) {
        const int m = g->chosen[g->n + i];
        const int32_t members = masks->first[m + 1] - masks->first[m];
        memcpy(round->members + round->first[i], masks->members + masks->first[m],
               (size_t)members * sizeof *round->members);
        round->first[i + 1] = round->first[i] + members;
    }
}

/* Runs the n masks that were chosen. */
static aosa_status measure(struct guided *g, int n)
{
    struct ao_attribution *a = g->a;
    const int *chosen = g->chosen + g->n;
    fill_round(g, n);
    struct ao_progress_part part = { a->progress, (size_t)g->n, (size_t)g->capacity + 1 };
    const struct ao_progress progress = ao_progress_of_part(&part, a->method->name);
    AO_TRY(ao_occluder_run(a->occluder, a->clip, &g->round, a->fill, &progress, g->outputs));
    for (int k = 0; k < a->n_results; k++) {
        double effects[ROUND];
        AO_TRY(ao_attribution_effects(a, &a->results[k], g->outputs + a->model->classes, n, g->n,
                                      effects));
        for (int i = 0; i < n; i++)
            g->effects[row_of(g, k) + (size_t)chosen[i]] = effects[i];
    }
    for (int i = 0; i < n; i++)
        spread(g, chosen[i]);
    g->n += n;
    a->passes.forwards += n;
    return AOSA_OK;
}

static aosa_status climb(struct guided *g)
{
    for (int n; (n = choose_round(g)) > 0;) {
        const aosa_status status = measure(g, n);
        if (status == AOSA_ERR_CANCELLED && g->n > 0) {
            for (int i = 0; i < n; i++)
                g->measured[g->chosen[g->n + i]] = false;
            g->a->stopped = true;
            snprintf(g->a->warning, sizeof g->a->warning,
                     "stopped after %d of %d masks; the map is what they tell", g->n, g->capacity);
            return AOSA_OK;
        }
        AO_TRY(status);
    }
    return AOSA_OK;
}

/* Masks that were not measured have a part in the map, but no score of their own. */
static aosa_status make_map(const struct guided *g, int target)
{
    const struct ao_attribution *a = g->a;
    struct ao_map_result *result = &a->results[target];
    double *effects = g->effects + row_of(g, target);
    const double scale = scale_of(g, target);
    for (int m = 0; m < a->masks->M; m++)
        if (!g->measured[m])
            effects[m] = REST * estimate(g, target, scale, m);
    AO_TRY(ao_attribution_from_effects(a, effects, result));
    for (int m = 0; m < a->masks->M; m++)
        if (!g->measured[m])
            result->scores[m] = (float)result->base;
    result->extra = json_pack("{s:i, s:b}", "measured", g->n, "stopped", (int)a->stopped);
    return result->extra ? AOSA_OK : ao_fail(AOSA_ERR_NOMEM, "aosa-guided: no memory");
}

static aosa_status allocate(struct guided *g)
{
    const struct ao_attribution *a = g->a;
    const struct aosa_mask_set *masks = a->masks;
    const size_t M = (size_t)masks->M, targets = (size_t)a->n_results;
    int largest = 0;
    for (int m = 0; m < masks->M; m++)
        if (masks->first[m + 1] - masks->first[m] > largest)
            largest = masks->first[m + 1] - masks->first[m];
    g->round = *masks;
    g->round.first = ao_alloc(ROUND + 1, sizeof *g->round.first);
    g->round.members = ao_alloc((size_t)largest, ROUND * sizeof *g->round.members);
    g->chosen = ao_alloc((size_t)g->capacity, sizeof *g->chosen);
    g->measured = ao_alloc(M, sizeof *g->measured);
    g->effects = ao_alloc(targets * M, sizeof *g->effects);
    g->weighted = ao_alloc(targets * M, sizeof *g->weighted);
    g->weights = ao_alloc(M, sizeof *g->weights);
    g->outputs = ao_alloc(1 + ROUND, (size_t)a->model->classes * sizeof *g->outputs);
    if (!g->round.first || !g->round.members || !g->chosen || !g->measured || !g->effects ||
        !g->weighted || !g->weights || !g->outputs)
        return ao_fail(AOSA_ERR_NOMEM, "aosa-guided: no memory for %d masks", masks->M);
    return ao_box_list_create(masks, &g->boxes);
}

static aosa_status explain(struct guided *g)
{
    struct ao_attribution *a = g->a;
    AO_TRY(ao_first_order_effects(a, &g->first));
    AO_TRY(count_masks(a, a->n_results, &g->capacity));
    AO_TRY(allocate(g));
    double since = ao_now();
    AO_TRY(ao_occluder_create(a->model, &a->run, &a->occluder));
    ao_lap(&a->seconds_prepare, &since);
    AO_TRY(ao_occluder_keep(a->occluder, a->clip, a->progress, g->outputs));
    a->passes.forwards++;
    AO_TRY(climb(g));
    ao_lap(&a->seconds_run, &since);
    for (int k = 0; k < a->n_results; k++)
        AO_TRY(make_map(g, k));
    ao_lap(&a->seconds_map, &since);
    return AOSA_OK;
}

aosa_status ao_run_guided(struct ao_attribution *a)
{
    struct guided g = { .a = a };
    const aosa_status status = explain(&g);
    ao_box_list_fini(&g.boxes);
    ao_free(g.round.first);
    ao_free(g.round.members);
    ao_free(g.chosen);
    ao_free(g.measured);
    ao_free(g.first);
    ao_free(g.effects);
    ao_free(g.weighted);
    ao_free(g.weights);
    ao_free(g.outputs);
    return status;
}
