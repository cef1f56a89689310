/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/occluder.h"
#include "core/alloc.h"
#include "explain/explanation.h"
#include "explain/page.h"
#include "explain/report.h"
#include "explain/targets.h"

/* What an explanation will cost. */
struct plan {
    int masks, threads;
    double gmacs_each, seconds;
    struct ao_occluder_cost cost; /* of the masks that were measured */
    int measured;
};

/* Seconds of one run over the first `masks` of the masks. */
static aosa_status time_run(struct ao_occluder *occluder, const struct aosa_clip *clip,
                            const struct aosa_mask_set *all, int masks, float *outputs,
                            double *seconds)
{
    const struct ao_fill fill = { 0 };
    struct aosa_mask_set some = *all; /* shares the arrays, has fewer masks */
    some.M = masks;
    const double start = ao_now();
    AO_TRY(ao_occluder_run(occluder, clip, &some, &fill, NULL, outputs));
    *seconds = ao_now() - start;
    return AOSA_OK;
}

/*
 * Times the clip alone and with one batch on every thread; the difference, times the rounds of such
 * batches, is the time of the masks. The first masks are as good as any: tubes are alike in size.
 */
static aosa_status measure(struct ao_occluder *occluder, const struct aosa_clip *clip,
                           const struct aosa_mask_set *masks, const struct aosa_model *model,
                           struct plan *plan)
{
    const int round = ao_occluder_cost(occluder).batch * plan->threads;
    plan->measured = masks->M < round ? masks->M : round;
    float *outputs = ao_alloc(1 + (size_t)plan->measured, (size_t)model->classes * sizeof *outputs);
    if (!outputs)
        return ao_fail(AOSA_ERR_NOMEM, "plan: no memory for %d outputs", plan->measured);
    double warm, alone, together = 0;
    aosa_status status = time_run(occluder, clip, masks, 0, outputs, &warm);
    if (status == AOSA_OK)
        status = time_run(occluder, clip, masks, 0, outputs, &alone);
    if (status == AOSA_OK)
        status = time_run(occluder, clip, masks, plan->measured, outputs, &together);
    ao_free(outputs);
    if (status != AOSA_OK)
        return status;
    const int rounds = (masks->M + round - 1) / round;
    plan->seconds = alone + (together > alone ? together - alone : 0) * rounds;
    plan->cost = ao_occluder_cost(occluder);
    return AOSA_OK;
}

static aosa_status make_plan(const struct aosa_model *model, const struct aosa_clip *clip,
                             const aosa_settings *settings, struct ao_occluder **occluder,
                             struct plan *plan)
{
    const struct ao_occluder_options options = ao_settings_occluder(settings);
    struct ao_target targets[AO_MAX_TARGETS];
    double seconds[AO_STAGES];
    struct ao_flow_field *flow;
    struct aosa_mask_set *masks;
    int n;
    AO_TRY(ao_model_require_clip(model));
    AO_TRY(ao_clip_fits(clip, model));
    AO_TRY(ao_targets_resolve(model, settings->explain.target, NULL, targets, &n));
    AO_TRY(ao_make_masks(clip, settings, &flow, &masks, seconds));
    *plan = (struct plan){
        .masks = masks->M,
        .threads = options.threads,
        .gmacs_each = 1e-9 * ao_model_macs(model),
    };
    aosa_status status = ao_occluder_create(model, &options, occluder);
    if (status == AOSA_OK)
        status = measure(*occluder, clip, masks, model, plan);
    ao_flow_field_destroy(&flow);
    ao_mask_set_destroy(&masks);
    return status;
}

/* GMACs that all masks will take, from those that were measured. */
static double gmacs_to_do(const struct plan *plan)
{
    if (plan->cost.macs_dense <= 0)
        return 0;
    return plan->gmacs_each * plan->masks * plan->cost.macs_done / plan->cost.macs_dense;
}

static json_t *plan_json(const struct plan *plan)
{
    return json_pack("{s:i, s:s, s:o, s:i, s:i, s:i, s:f, s:f, s:f, s:I, s:I, s:I, s:f}",
                     "aosa_plan", AO_RESULT_SCHEMA, "engine", plan->cost.engine, "why_dense",
                     ao_json_text(plan->cost.why), "masks", plan->masks, "batch", plan->cost.batch,
                     "threads", plan->threads, "gmacs_per_forward", plan->gmacs_each, "gmacs_dense",
                     plan->gmacs_each * plan->masks, "gmacs", gmacs_to_do(plan), "weight_bytes",
                     (json_int_t)plan->cost.weight_bytes, "base_bytes",
                     (json_int_t)plan->cost.base_bytes, "bytes_per_thread",
                     (json_int_t)plan->cost.thread_bytes, "estimated_seconds", plan->seconds);
}

static double megabytes(size_t bytes)
{
    return 1e-6 * (double)bytes;
}

static void plan_page(const struct plan *plan, struct ao_page *page)
{
    const struct ao_occluder_cost *cost = &plan->cost;
    ao_page_add(page, "masks      %d, in batches of %d on %d threads\n", plan->masks, cost->batch,
                plan->threads);
    ao_page_add(page, "engine     %s%s%s\n", cost->engine, *cost->why ? ": " : "", cost->why);
    ao_page_add(page, "work       %.1f GMAC; whole forwards would be %.2f GMAC each, %.1f in all\n",
                gmacs_to_do(plan), plan->gmacs_each, plan->gmacs_each * plan->masks);
    ao_page_add(page, "memory     %.1f MB weights, %.1f MB for the clip, %.1f MB for each thread\n",
                megabytes(cost->weight_bytes), megabytes(cost->base_bytes),
                megabytes(cost->thread_bytes));
    ao_page_add(page, "time       about %.1f s, from %d masks measured\n", plan->seconds,
                plan->measured);
}

static aosa_status print_plan(const struct plan *plan, bool json, char **text)
{
    if (json)
        return ao_report_text(plan_json(plan), text);
    struct ao_page page = { 0 };
    plan_page(plan, &page);
    return ao_page_take(&page, text);
}

aosa_status aosa_explain_plan(const aosa_model *model, const aosa_clip *clip,
                              const aosa_settings *settings, bool json, char **text)
{
    struct plan plan;
    struct ao_occluder *occluder = NULL;
    aosa_settings *resolved;
    AO_TRY(ao_settings_resolve(settings, &resolved));
    aosa_status status = make_plan(model, clip, resolved, &occluder, &plan);
    if (status == AOSA_OK)
        status = print_plan(&plan, json, text);
    ao_occluder_destroy(&occluder);
    aosa_settings_destroy(&resolved);
    return status;
}
