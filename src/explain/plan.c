/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/occlusion.h"
#include "core/alloc.h"
#include "explain/explanation.h"
#include "explain/page.h"
#include "explain/report.h"
#include "explain/targets.h"

/* What an explanation will cost. */
struct plan {
    int masks, forwards, batch, threads;
    double gmacs_each, gmacs, seconds;
    struct ao_program_memory memory;
};

/* One batch on every thread, timed: enough of the masks to fill them, at most all. */
static aosa_status measure(struct ao_scorer *scorer, const struct aosa_clip *clip,
                           const struct aosa_mask_set *masks, const struct aosa_model *model,
                           struct plan *plan)
{
    const struct ao_fill fill = { 0 };
    struct aosa_mask_set some = *masks; /* shares the arrays, has fewer masks */
    const int wanted = plan->batch * plan->threads - 1;
    if (some.M > wanted)
        some.M = wanted;
    float *outputs = ao_alloc(1 + (size_t)some.M, (size_t)model->classes * sizeof *outputs);
    if (!outputs)
        return ao_fail(AOSA_ERR_NOMEM, "plan: no memory for %d outputs", some.M);
    /* The first run pays for touching the memory. */
    aosa_status status = ao_occlusion_outputs(scorer, clip, &some, &fill, NULL, outputs);
    const double start = ao_now();
    if (status == AOSA_OK)
        status = ao_occlusion_outputs(scorer, clip, &some, &fill, NULL, outputs);
    const int batches = (plan->forwards + plan->batch - 1) / plan->batch;
    const int rounds = (batches + plan->threads - 1) / plan->threads;
    plan->seconds = (ao_now() - start) * rounds;
    ao_free(outputs);
    return status;
}

static aosa_status make_plan(const struct aosa_model *model, const struct aosa_clip *clip,
                             const aosa_settings *settings, struct plan *plan)
{
    const struct ao_scorer_options options = {
        .backend = (enum ao_backend)settings->run.backend,
        .threads = settings->run.threads,
        .batch = settings->run.batch,
    };
    struct ao_target targets[AO_MAX_TARGETS];
    double seconds[AO_STAGES];
    struct ao_flow_field *flow;
    struct aosa_mask_set *masks;
    struct ao_scorer *scorer;
    int n;
    AO_TRY(ao_model_require_clip(model));
    AO_TRY(ao_clip_fits(clip, model));
    AO_TRY(ao_targets_resolve(model, settings->explain.target, NULL, targets, &n));
    AO_TRY(ao_make_masks(clip, settings, &flow, &masks, seconds));
    aosa_status status = ao_scorer_create(model, &options, &scorer);
    if (status == AOSA_OK) {
        *plan = (struct plan){
            .masks = masks->M,
            .forwards = 1 + masks->M,
            .batch = ao_scorer_batch(scorer),
            .threads = options.threads,
            .gmacs_each = 1e-9 * ao_model_macs(model),
            .memory = ao_scorer_memory(scorer),
        };
        plan->gmacs = plan->gmacs_each * plan->forwards;
        status = measure(scorer, clip, masks, model, plan);
        ao_scorer_destroy(&scorer);
    }
    ao_flow_field_destroy(&flow);
    ao_mask_set_destroy(&masks);
    return status;
}

static json_t *plan_json(const struct plan *plan)
{
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:f, s:f, s:I, s:I, s:I, s:f}", "aosa_plan",
                     AO_RESULT_SCHEMA, "masks", plan->masks, "forwards", plan->forwards, "batch",
                     plan->batch, "threads", plan->threads, "gmacs_per_forward", plan->gmacs_each,
                     "gmacs", plan->gmacs, "weight_bytes", (json_int_t)plan->memory.weight_bytes,
                     "activation_bytes_per_thread", (json_int_t)plan->memory.activation_bytes,
                     "scratch_bytes_per_thread", (json_int_t)plan->memory.scratch_bytes,
                     "estimated_seconds", plan->seconds);
}

static double megabytes(size_t bytes)
{
    return 1e-6 * (double)bytes;
}

static void plan_page(const struct plan *plan, struct ao_page *page)
{
    const struct ao_program_memory *m = &plan->memory;
    ao_page_add(page, "masks      %d, so %d forwards in batches of %d on %d threads\n", plan->masks,
                plan->forwards, plan->batch, plan->threads);
    ao_page_add(page, "work       %.2f GMAC a forward, %.1f GMAC in all\n", plan->gmacs_each,
                plan->gmacs);
    ao_page_add(page, "memory     %.1f MB weights, %.1f MB for each thread\n",
                megabytes(m->weight_bytes), megabytes(m->activation_bytes + m->scratch_bytes));
    ao_page_add(page, "time       about %.1f s, from one measured batch\n", plan->seconds);
}

aosa_status aosa_explain_plan(const aosa_model *model, const aosa_clip *clip,
                              const aosa_settings *settings, bool json, char **text)
{
    struct plan plan;
    aosa_settings *resolved;
    AO_TRY(ao_settings_resolve(settings, &resolved));
    const aosa_status status = make_plan(model, clip, resolved, &plan);
    aosa_settings_destroy(&resolved);
    AO_TRY(status);
    if (json)
        return ao_report_text(plan_json(&plan), text);
    struct ao_page page = { 0 };
    plan_page(&plan, &page);
    return ao_page_take(&page, text);
}
