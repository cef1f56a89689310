/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "attribution/gradients.h"
#include "attribution/layer.h"
#include "core/alloc.h"
#include "core/clock.h"
#include "explain/explanation.h"
#include "explain/page.h"
#include "explain/report.h"

/* What an explanation will cost. */
struct plan {
    const struct aosa_explanation *explanation; /* prepared */
    struct ao_passes passes;
    double gmacs_each, seconds;
    int masks;                    /* that are run, which the delta engine shortens */
    struct ao_occluder *occluder; /* of masks, or of a forward; NULL where all go backward */
    int measured;                 /* masks */
    size_t weight_bytes, thread_bytes;
};

/* The forwards of the masks: all but those that a backward follows and that of the clip alone. */
static int count_masks(const struct plan *plan)
{
    const struct ao_attribution *a = &plan->explanation->attribution;
    const int64_t n = plan->passes.forwards - plan->passes.backwards - 1;
    return (a->method->needs & AO_NEEDS_MASKS) && n > 0 ? (int)n : 0;
}

static aosa_status create_occluder(struct plan *plan)
{
    const struct ao_attribution *a = &plan->explanation->attribution;
    struct ao_layer layer;
    if (!a->options->layer)
        return ao_occluder_create(a->model, &a->run, &plan->occluder);
    AO_TRY(ao_layer_find(a->model, a->options->layer, &layer));
    return ao_occluder_create_until(a->model, &a->run, layer.value, &plan->occluder);
}

/* Seconds of one run over the first `n` masks of a set; up to a layer without its gradients, which
 * take little. */
static aosa_status time_masks(const struct plan *plan, const struct aosa_mask_set *masks, int n,
                              float *outputs, double *seconds)
{
    const struct ao_attribution *a = &plan->explanation->attribution;
    struct aosa_mask_set some = *masks; /* shares the arrays, has fewer masks */
    double product;
    some.M = n;
    const double start = ao_now();
    if (a->options->layer)
        AO_TRY(ao_occluder_project(plan->occluder, a->clip, &some, a->fill, NULL, outputs, 0,
                                   &product));
    else
        AO_TRY(ao_occluder_run(plan->occluder, a->clip, &some, a->fill, NULL, outputs));
    *seconds = ao_now() - start;
    return AOSA_OK;
}

/*
 * Times the clip alone and with one batch on every thread; the difference, times the rounds of such
 * batches, is the time of the masks. The first masks are as good as any: tubes are alike in size.
 */
static aosa_status measure_masks(struct plan *plan)
{
    const struct ao_attribution *a = &plan->explanation->attribution;
    AO_TRY(create_occluder(plan));
    const int round = ao_occluder_cost(plan->occluder).batch * a->run.threads;
    plan->measured = plan->masks < round ? plan->masks : round;
    float *outputs =
        ao_alloc(1 + (size_t)plan->measured, (size_t)a->model->classes * sizeof *outputs);
    if (!outputs)
        return ao_fail(AOSA_ERR_NOMEM, "plan: no memory for %d outputs", plan->measured);
    double warm, alone = 0, together = 0;
    aosa_status status = time_masks(plan, a->masks, 0, outputs, &warm);
    if (status == AOSA_OK)
        status = time_masks(plan, a->masks, 0, outputs, &alone);
    if (status == AOSA_OK)
        status = time_masks(plan, a->masks, plan->measured, outputs, &together);
    ao_free(outputs);
    const int rounds = (plan->masks + round - 1) / round;
    plan->seconds += alone + (together > alone ? together - alone : 0) * rounds;
    return status;
}

/* Passes at once on every thread: those of the seconds of one. */
static double rounds(const struct plan *plan, int64_t passes)
{
    const int threads = plan->explanation->attribution.run.threads;
    return (double)((passes + threads - 1) / threads);
}

/* Times one forward of the whole network. */
static aosa_status measure_forward(struct plan *plan)
{
    const struct ao_attribution *a = &plan->explanation->attribution;
    const struct aosa_mask_set none = { .T = a->clip->T, .H = a->clip->H, .W = a->clip->W };
    struct ao_occluder_options dense = a->run;
    double warm, seconds = 0;
    dense.engine = AO_ENGINE_DENSE;
    AO_TRY(ao_occluder_create(a->model, &dense, &plan->occluder));
    AO_TRY(time_masks(plan, &none, 0, a->outputs, &warm));
    AO_TRY(time_masks(plan, &none, 0, a->outputs, &seconds));
    plan->seconds += seconds * rounds(plan, plan->passes.forwards);
    return AOSA_OK;
}

static void write_clip(const void *context, const struct ao_view *input, int64_t item,
                       int64_t previous)
{
    const struct ao_attribution *a = context;
    (void)item, (void)previous;
    ao_gradients_write(a->clip->values, input);
}

/* Times the forward and the backward of the clip, by which any other pass is judged. */
static aosa_status measure_backward(struct plan *plan)
{
    struct ao_attribution trial = plan->explanation->attribution; /* its results are its own */
    struct ao_backprop_options options = { .one_item = plan->passes.backwards == 1, .clip = true };
    struct ao_gradients *gradients = NULL;
    struct ao_layer layer;
    if ((trial.method->needs & AO_NEEDS_FEATURES) || trial.options->layer) {
        AO_TRY(ao_layer_find(trial.model, trial.options->layer, &layer));
        options.clip = false;
        options.taps = &layer.value;
        options.n_taps = 1;
    }
    trial.outputs = ao_alloc((size_t)trial.model->classes, sizeof *trial.outputs);
    aosa_status status = trial.outputs
                             ? ao_gradients_open(&trial, &options, &gradients)
                             : ao_fail(AOSA_ERR_NOMEM, "plan: no memory for the class outputs");
    if (status == AOSA_OK)
        status = ao_gradients_clip(gradients, NULL, NULL, NULL);
    const double warm = trial.seconds_run; /* the first pass touches all memory */
    if (status == AOSA_OK)
        status = ao_gradients_variants(gradients, &trial.results[0], 1, write_clip, NULL, &trial);
    plan->weight_bytes = trial.memory.weight_bytes;
    plan->thread_bytes = trial.memory.activation_bytes + trial.memory.scratch_bytes;
    plan->seconds += (trial.seconds_run - warm) * rounds(plan, plan->passes.backwards);
    ao_gradients_close(&gradients);
    ao_attribution_fini(&trial);
    return status;
}

static void keep_larger(struct plan *plan, struct ao_occluder_cost cost)
{
    if (cost.weight_bytes > plan->weight_bytes)
        plan->weight_bytes = cost.weight_bytes;
    if (cost.thread_bytes > plan->thread_bytes)
        plan->thread_bytes = cost.thread_bytes;
}

static aosa_status make_plan(struct plan *plan)
{
    const struct ao_attribution *a = &plan->explanation->attribution;
    struct ao_target targets[AO_MAX_TARGETS];
    int n;
    AO_TRY(ao_targets_resolve(a->model, a->target, NULL, targets, &n));
    AO_TRY(a->method->passes(a, n, &plan->passes));
    plan->gmacs_each = 1e-9 * ao_model_macs(a->model);
    plan->masks = count_masks(plan);
    if (plan->passes.backwards > 0)
        AO_TRY(measure_backward(plan));
    if (plan->masks > 0)
        AO_TRY(measure_masks(plan));
    else if (plan->passes.backwards == 0)
        AO_TRY(measure_forward(plan));
    if (plan->occluder) /* what goes backward has been let go before */
        keep_larger(plan, ao_occluder_cost(plan->occluder));
    return AOSA_OK;
}

/* GMACs that all masks will take, from those that were measured. */
static double gmacs_of_masks(const struct plan *plan)
{
    const struct ao_occluder_cost cost = ao_occluder_cost(plan->occluder);
    return cost.macs_dense > 0 ? plan->gmacs_each * plan->masks * cost.macs_done / cost.macs_dense
                               : 0;
}

static json_t *plan_json(const struct plan *plan)
{
    const struct ao_attribution *a = &plan->explanation->attribution;
    json_t *object = json_pack(
        "{s:i, s:s, s:I, s:I, s:i, s:f, s:I, s:I, s:f}", "aosa_plan", AO_RESULT_SCHEMA, "method",
        a->method->name, "forwards", (json_int_t)plan->passes.forwards, "backwards",
        (json_int_t)plan->passes.backwards, "threads", a->run.threads, "gmacs_per_forward",
        plan->gmacs_each, "weight_bytes", (json_int_t)plan->weight_bytes, "bytes_per_thread",
        (json_int_t)plan->thread_bytes, "estimated_seconds", plan->seconds);
    if (!object || plan->masks == 0)
        return object;
    const struct ao_occluder_cost cost = ao_occluder_cost(plan->occluder);
    const int M = plan->masks;
    json_t *masks = json_pack("{s:s, s:o, s:i, s:i, s:f, s:f, s:I}", "engine", cost.engine,
                              "why_dense", ao_json_text(cost.why), "masks", M, "batch", cost.batch,
                              "gmacs_dense", plan->gmacs_each * M, "gmacs", gmacs_of_masks(plan),
                              "base_bytes", (json_int_t)cost.base_bytes);
    const bool whole = json_object_update(object, masks) == 0;
    json_decref(masks);
    if (!whole)
        json_decref(object);
    return whole ? object : NULL;
}

static double megabytes(size_t bytes)
{
    return 1e-6 * (double)bytes;
}

static void page_masks(const struct plan *plan, struct ao_page *page)
{
    const struct ao_occluder_cost cost = ao_occluder_cost(plan->occluder);
    const int M = plan->masks;
    ao_page_add(page, "masks      %d, in batches of %d on %d threads\n", M, cost.batch,
                plan->explanation->attribution.run.threads);
    ao_page_add(page, "engine     %s%s%s\n", cost.engine, *cost.why ? ": " : "", cost.why);
    ao_page_add(page, "work       %.1f GMAC; whole forwards would be %.2f GMAC each, %.1f in all\n",
                gmacs_of_masks(plan), plan->gmacs_each, plan->gmacs_each * M);
    ao_page_add(page, "base       %.1f MB for the clip\n", megabytes(cost.base_bytes));
}

static void plan_page(const struct plan *plan, struct ao_page *page)
{
    const struct ao_method *method = plan->explanation->attribution.method;
    char from[48];
    snprintf(from, sizeof from, "%d masks", plan->measured);
    ao_page_add(page, "method     %s: %s\n", method->name, method->summary);
    ao_page_add(page, "passes     %lld forward, %lld backward, a forward is %.2f GMAC\n",
                (long long)plan->passes.forwards, (long long)plan->passes.backwards,
                plan->gmacs_each);
    if (plan->masks > 0)
        page_masks(plan, page);
    ao_page_add(page, "memory     %.1f MB weights, %.1f MB for each thread\n",
                megabytes(plan->weight_bytes), megabytes(plan->thread_bytes));
    ao_page_add(page, "time       about %.2g s, from %s measured\n", plan->seconds,
                plan->masks > 0 ? from : "one pass");
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
    struct plan plan = { 0 };
    struct ao_flow_field *none = NULL;
    aosa_explanation *e;
    AO_TRY(ao_explanation_prepare(model, clip, settings, &none, &e));
    plan.explanation = e;
    aosa_status status = make_plan(&plan);
    if (status == AOSA_OK)
        status = print_plan(&plan, json, text);
    ao_occluder_destroy(&plan.occluder);
    aosa_explanation_destroy(&e);
    return status;
}
