/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate/item.h"

#include <math.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#include "core/alloc.h"
#include "evaluate/partner.h"
#include "explain/clip.h"

bool ao_item_can_fail(aosa_status status)
{
    return status == AOSA_ERR_INPUT || status == AOSA_ERR_FORMAT || status == AOSA_ERR_SHAPE ||
           status == AOSA_ERR_UNSUPPORTED || status == AOSA_ERR_NUMERIC ||
           status == AOSA_ERR_INTERNAL;
}

/* Class of the item's label: by the model's labels, else by its place in the dataset's. */
static aosa_status find_label(const struct ao_clip_work *work, int *class)
{
    const struct aosa_model *model = work->plan->model;
    const struct ao_dataset *dataset = work->plan->dataset;
    const char *label = work->item->label;
    for (size_t i = 0; !model->labels && i < dataset->n_labels; i++)
        if (!strcasecmp(dataset->labels[i], label) && i < (size_t)model->classes) {
            *class = (int)i;
            return AOSA_OK;
        }
    if (ao_model_find_class(model, label, class) == AOSA_OK)
        return AOSA_OK;
    /* The label is wrong, not an option: this item's failure. */
    return ao_fail(AOSA_ERR_FORMAT, "%s: the label '%s' is no class of the model", work->item->id,
                   label);
}

static aosa_status find_target(struct ao_clip_work *work)
{
    const char *target = work->plan->settings->explain.target;
    int class;
    snprintf(work->target, sizeof work->target, "%s", target);
    if (strcmp(target, "label"))
        return AOSA_OK;
    AO_TRY(find_label(work, &class));
    snprintf(work->target, sizeof work->target, "%d", class);
    return AOSA_OK;
}

aosa_status ao_clip_work_open(struct ao_clip_work *work)
{
    const struct ao_item *item = work->item;
    aosa_status status = find_target(work);
    if (status == AOSA_OK)
        status = ao_clip_open_range(item->path, work->plan->model, work->plan->settings, item->clip,
                                    item->first, item->end, &work->clip);
    if (status != AOSA_OK)
        return ao_fail_in(status, "%s", item->where);
    return ao_truth_init(&work->truth, work->clip, item->boxes, item->n_boxes);
}

void ao_clip_work_close(struct ao_clip_work *work)
{
    aosa_clip_close(&work->clip);
    aosa_clip_close(&work->partner);
    ao_truth_fini(&work->truth);
    ao_flow_field_destroy(&work->flow);
}

static aosa_status check_map(const struct ao_clip_work *work, const float *map, const char *method)
{
    const size_t n = ao_clip_voxels(work->clip);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(map[i]))
            return ao_fail(AOSA_ERR_NUMERIC, "%s: the map of %s holds a NaN or an infinity",
                           work->item->id, method);
    return AOSA_OK;
}

/* The map from its own zero, which metrics that sum or scale it need. */
static aosa_status read_map(const struct ao_clip_work *work, const struct ao_attribution *a,
                            float *map)
{
    const struct ao_map_result *result = &a->results[0];
    const size_t n = ao_clip_voxels(work->clip);
    if (a->stopped)
        return ao_fail(AOSA_ERR_CANCELLED, "%s: stopped", work->item->id);
    for (size_t i = 0; i < n; i++)
        map[i] = (float)((double)result->map[i] - result->zero);
    return check_map(work, map, a->method->name);
}

/* A method of the plan and a target on a clip and a model, which may be changed ones. */
static aosa_status prepare(const struct ao_clip_work *work, int m, const char *target,
                           const struct aosa_model *model, const struct aosa_clip *clip,
                           struct ao_flow_field **flow, struct aosa_explanation **e)
{
    aosa_settings *own;
    AO_TRY(ao_settings_for_method(work->plan->settings, work->plan->methods[m], &own));
    aosa_status status = aosa_settings_set(own, "target", target);
    if (status == AOSA_OK)
        status = ao_explanation_prepare(model, clip, own, flow, e);
    aosa_settings_destroy(&own);
    return status;
}

struct again {
    const struct ao_clip_work *work;
    int m;
    char target[32]; /* the class itself, whatever another clip's or network's `top1` is */
};

static aosa_status explain_again(void *context, const struct aosa_model *model,
                                 const struct aosa_clip *clip, float *map, struct ao_passes *passes)
{
    const struct again *again = context;
    const struct ao_progress *progress = again->work->progress;
    struct ao_flow_field *none = NULL; /* the clip's own motion, not that of the first one */
    struct aosa_explanation *e = NULL;
    AO_TRY(prepare(again->work, again->m, again->target, model, clip, &none, &e));
    aosa_status status = ao_explanation_run(e, progress->fn, progress->user);
    if (status == AOSA_OK)
        status = read_map(again->work, &e->attribution, map);
    passes->forwards += e->attribution.passes.forwards;
    passes->backwards += e->attribution.passes.backwards;
    aosa_explanation_destroy(&e);
    return status;
}

static aosa_status measure(const struct ao_clip_work *work, int m, const struct ao_attribution *a,
                           const float *map, struct ao_record *record)
{
    const struct ao_run_plan *plan = work->plan;
    const struct ao_map_result *result = &a->results[0];
    const struct aosa_model *model = plan->model;
    struct again again = { .work = work, .m = m };
    const struct ao_explainer explainer = { explain_again, &again };
    if (result->target.b < 0)
        snprintf(again.target, sizeof again.target, "%d", result->target.a);
    else
        snprintf(again.target, sizeof again.target, "%d-%d", result->target.a, result->target.b);
    record->base = ao_score((enum ao_score_kind)plan->settings->metric.score, a->outputs,
                            model->classes, model->probabilities, result->target);
    struct ao_metric_call call = {
        .model = model,
        .scorer = work->scorer,
        .explainer = &explainer,
        .clip = work->clip,
        .partner = work->partner,
        .map = map,
        .target = result->target,
        .truth = &work->truth,
        .options = &plan->settings->metric,
        .seed = (uint64_t)plan->settings->mask.seed,
        .progress = work->progress,
        .answer = &record->answer,
    };
    return ao_metrics_run(&call, work->metrics, work->n_metrics);
}

static aosa_status find_partner(struct ao_clip_work *work)
{
    for (int i = 0; i < work->n_metrics && !work->partner_sought; i++)
        if (work->metrics[i]->needs & AO_METRIC_NEEDS_PARTNER) {
            work->partner_sought = true;
            return ao_partner_open(work->plan, work->item, &work->partner);
        }
    return AOSA_OK;
}

static double peak_bytes(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return 1024.0 * (double)usage.ru_maxrss; /* Linux counts in KiB */
}

static aosa_status run_prepared(const struct ao_clip_work *work, int m, struct aosa_explanation *e,
                                struct ao_record *record)
{
    const struct ao_attribution *a = &e->attribution;
    AO_TRY(ao_explanation_run(e, work->progress->fn, work->progress->user));
    record->seconds = e->seconds_masks + a->seconds_prepare + a->seconds_run + a->seconds_map;
    record->peak_bytes = peak_bytes();
    record->forwards = a->passes.forwards;
    record->backwards = a->passes.backwards;
    float *map = ao_alloc_raw(ao_clip_voxels(work->clip), sizeof *map);
    if (!map)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for its map", work->item->id);
    aosa_status status = read_map(work, a, map);
    if (status == AOSA_OK)
        status = measure(work, m, a, map, record);
    ao_free(map);
    return status;
}

aosa_status ao_clip_work_run(struct ao_clip_work *work, int m, struct ao_record *record)
{
    struct aosa_explanation *e = NULL;
    AO_TRY(find_partner(work));
    AO_TRY(prepare(work, m, work->target, work->plan->model, work->clip, &work->flow, &e));
    const aosa_status status = run_prepared(work, m, e, record);
    work->flow = e->flow;
    e->flow = NULL;
    aosa_explanation_destroy(&e);
    return status;
}

aosa_status ao_clip_work_passes(struct ao_clip_work *work, int m, struct ao_passes *passes)
{
    struct aosa_explanation *e = NULL;
    AO_TRY(prepare(work, m, work->target, work->plan->model, work->clip, &work->flow, &e));
    const struct ao_attribution *a = &e->attribution;
    const aosa_status status = a->method->passes(a, 1, passes);
    work->flow = e->flow;
    e->flow = NULL;
    aosa_explanation_destroy(&e);
    return status;
}
