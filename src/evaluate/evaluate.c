/* SPDX-License-Identifier: Apache-2.0 */
#include "aosa/evaluate.h"

#include <math.h>
#include <string.h>

#include "attribution/targets.h"
#include "core/alloc.h"
#include "core/file.h"
#include "evaluate/item.h"

struct evaluation {
    struct ao_run_plan plan;
    struct ao_shard shard;
    struct ao_dataset *dataset;
    aosa_settings *settings;
    aosa_settings **own;
    char *run;
    const char *folder;
    struct ao_journal *journal;
    struct ao_scorer *scorer;
    struct ao_progress between, within; /* items */
    struct aosa_evaluation *counts;
};

/* --- what is evaluated --------------------------------------------------------------------------
 */

static aosa_status choose_metrics(struct ao_run_plan *plan, const char *list)
{
    int n;
    const struct ao_metric *rows = ao_metrics(&n);
    plan->metrics = ao_alloc((size_t)n, sizeof(const struct ao_metric *));
    if (!plan->metrics)
        return ao_fail(AOSA_ERR_NOMEM, "--metrics: no memory for %d", n);
    for (const char *p = list; p && *p;) {
        const size_t length = strcspn(p, ",");
        char word[64];
        snprintf(word, sizeof word, "%.*s", (int)(length < 63 ? length : 63), p);
        if (!ao_metric_find(word))
            return ao_fail(AOSA_ERR_ARGUMENT, "--metrics: '%s' is unknown, see aosa list metrics",
                           word);
        p += length + (p[length] == ',');
    }
    for (int i = 0; i < n; i++)
        if (!list || ao_list_has(list, ',', rows[i].name))
            plan->metrics[plan->n_metrics++] = &rows[i];
    return plan->n_metrics ? AOSA_OK : ao_fail(AOSA_ERR_ARGUMENT, "--metrics: names none");
}

/* An option that none of the metrics reads is a mistake. */
static aosa_status check_metric_options(const struct ao_run_plan *plan)
{
    for (const struct ao_option *row = ao_metric_option_table; row->name; row++) {
        bool read = !ao_settings_has(plan->settings, row->name);
        for (int i = 0; i < plan->n_metrics && !read; i++)
            read = ao_list_has(plan->metrics[i]->options, ' ', row->name);
        if (!read)
            return ao_fail(AOSA_ERR_ARGUMENT, "--%s: none of the %d metrics reads it", row->name,
                           plan->n_metrics);
    }
    return AOSA_OK;
}

static aosa_status check_target(const struct ao_run_plan *plan)
{
    const char *target = plan->settings->explain.target;
    struct ao_target targets[AO_MAX_TARGETS];
    int n = 1;
    if (strcmp(target, "label"))
        AO_TRY(ao_targets_resolve(plan->model, target, NULL, targets, &n));
    if (n != 1)
        return ao_fail(AOSA_ERR_ARGUMENT, "--target %s: %d targets, one can be scored", target, n);
    if (plan->settings->clip.clips != 1)
        return ao_fail(AOSA_ERR_ARGUMENT, "--clips %d: one clip of a video can be scored",
                       plan->settings->clip.clips);
    return AOSA_OK;
}

static aosa_status make_plan(struct evaluation *e, const aosa_settings *settings,
                             const char *methods, const char *metrics)
{
    struct ao_run_plan *plan = &e->plan;
    AO_TRY(ao_settings_choose_methods(settings, methods, true, &plan->methods, &plan->n_methods));
    AO_TRY(choose_metrics(plan, metrics));
    AO_TRY(ao_settings_resolve(settings, &e->settings));
    plan->settings = e->settings;
    AO_TRY(check_metric_options(plan));
    AO_TRY(check_target(plan));
    e->own = ao_alloc((size_t)plan->n_methods, sizeof(aosa_settings *));
    if (!e->own)
        return ao_fail(AOSA_ERR_NOMEM, "evaluation: no memory");
    plan->own = e->own;
    for (int i = 0; i < plan->n_methods; i++) {
        aosa_settings *own;
        AO_TRY(ao_settings_for_method(settings, plan->methods[i], &own));
        const aosa_status status = ao_settings_resolve(own, &e->own[i]);
        aosa_settings_destroy(&own);
        AO_TRY(status);
    }
    AO_TRY(ao_dataset_open(&e->settings->dataset, &e->dataset));
    plan->dataset = e->dataset;
    e->counts->boxes_unused = e->dataset->boxes_unused;
    return ao_run_identity(plan, &e->run);
}

/* --- the shard ----------------------------------------------------------------------------------
 */

/* Whole clips belong to a shard, so that each is decoded once. */
static bool is_ours(const struct evaluation *e, const struct ao_item *item)
{
    char key[AO_SHA256_TEXT];
    ao_sha256(item->id, strlen(item->id), key);
    return ao_shard_has(e->shard, key);
}

static aosa_status open_journal(struct evaluation *e)
{
    char path[4096];
    const int n = snprintf(path, sizeof path, "%s/shard-%d-of-%d.db", e->folder, e->shard.index + 1,
                           e->shard.count);
    if (n < 0 || (size_t)n >= sizeof path)
        return ao_fail(AOSA_ERR_OUTPUT, "%.200s...: the path is too long", e->folder);
    AO_TRY(ao_folder_make(e->folder));
    const struct ao_journal_head head = {
        .run = e->run,
        .shard = e->shard,
        .planned = (int64_t)e->counts->items,
    };
    return ao_journal_open(path, &head, &e->journal);
}

static aosa_status make_scorer(struct evaluation *e)
{
    const struct ao_run_options *run = &e->settings->run;
    const struct ao_scorer_options options = {
        .backend = (enum ao_backend)run->backend,
        .threads = run->threads,
        .batch = run->batch,
    };
    for (int i = 0; i < e->plan.n_metrics; i++)
        if (e->plan.metrics[i]->needs & AO_METRIC_NEEDS_SCORES)
            return ao_scorer_create(e->plan.model, &options, &e->scorer);
    return AOSA_OK;
}

/* --- items --------------------------------------------------------------------------------------
 */

static aosa_status report_progress(struct evaluation *e)
{
    const struct aosa_evaluation *c = e->counts;
    return ao_progress_report(&e->between, c->done + c->failed, c->items - c->skipped);
}

/* Writes down how an item ended, unless that ends the run. */
static aosa_status finish(struct evaluation *e, struct ao_record *record, aosa_status status)
{
    char reason[AO_ERROR_TEXT];
    if (status != AOSA_OK && !ao_item_can_fail(status))
        return status;
    if (status != AOSA_OK) {
        snprintf(reason, sizeof reason, "%s", aosa_error_message());
        record->reason = reason;
        ao_metric_answer_fini(&record->answer);
    }
    AO_TRY(ao_journal_put(e->journal, record));
    e->counts->done += status == AOSA_OK;
    e->counts->failed += status != AOSA_OK;
    return report_progress(e);
}

static aosa_status run_method(struct evaluation *e, struct ao_clip_work *work, int m,
                              aosa_status opened, const char *key)
{
    struct ao_record record = {
        .clip = work->item->id,
        .method = e->plan.methods[m]->name,
        .key = key,
        .label = work->item->label,
        .base = (double)NAN,
    };
    aosa_status status = opened;
    if (status == AOSA_OK)
        status = ao_clip_work_run(work, m, &record);
    status = finish(e, &record, status);
    ao_metric_answer_fini(&record.answer);
    return status;
}

/* Keys of the clip's items, and which of them are to be done. */
static aosa_status find_pending(struct evaluation *e, const struct ao_item *item,
                                char (*keys)[AO_SHA256_TEXT], bool *pending, int *n)
{
    char content[AO_SHA256_TEXT] = "";
    const aosa_status status = ao_content_digest(item->path, content);
    if (status != AOSA_OK && !ao_item_can_fail(status))
        return status; /* else opening it will say so */
    *n = 0;
    for (int m = 0; m < e->plan.n_methods; m++) {
        const char *name = e->plan.methods[m]->name;
        enum ao_item_state state;
        AO_TRY(ao_run_key(e->run, item->id, content, name, keys[m]));
        AO_TRY(ao_journal_state(e->journal, item->id, name, keys[m], &state));
        pending[m] = state == AO_ITEM_NEW ||
                     (state == AO_ITEM_FAILED && e->settings->evaluation.retry_failed);
        *n += pending[m];
        e->counts->skipped += !pending[m];
    }
    return AOSA_OK;
}

static aosa_status run_pending(struct evaluation *e, const struct ao_item *item,
                               char (*keys)[AO_SHA256_TEXT], const bool *pending)
{
    struct ao_clip_work work = {
        .plan = &e->plan,
        .item = item,
        .scorer = e->scorer,
        .progress = &e->within,
    };
    const aosa_status opened = ao_clip_work_open(&work);
    char reason[AO_ERROR_TEXT];
    snprintf(reason, sizeof reason, "%s", opened == AOSA_OK ? "" : aosa_error_message());
    aosa_status status = AOSA_OK;
    for (int m = 0; status == AOSA_OK && m < e->plan.n_methods; m++) {
        if (!pending[m])
            continue;
        if (opened != AOSA_OK)
            ao_fail(opened, "%s", reason); /* what the journal did since may have replaced it */
        status = run_method(e, &work, m, opened, keys[m]);
    }
    ao_clip_work_close(&work);
    return status;
}

static aosa_status run_clip(struct evaluation *e, const struct ao_item *item)
{
    int n = 0;
    const size_t n_methods = (size_t)e->plan.n_methods;
    char(*keys)[AO_SHA256_TEXT] = ao_alloc(n_methods, sizeof *keys);
    bool *pending = ao_alloc(n_methods, sizeof *pending);
    aosa_status status = keys && pending ? find_pending(e, item, keys, pending, &n)
                                         : ao_fail(AOSA_ERR_NOMEM, "evaluation: no memory");
    if (status == AOSA_OK && n > 0)
        status = run_pending(e, item, keys, pending);
    ao_free(keys);
    ao_free(pending);
    return status;
}

static aosa_status run_shard(struct evaluation *e)
{
    for (size_t i = 0; i < e->dataset->n; i++)
        if (is_ours(e, &e->dataset->items[i]))
            e->counts->items += (size_t)e->plan.n_methods;
    AO_TRY(open_journal(e));
    AO_TRY(make_scorer(e));
    AO_TRY(report_progress(e));
    for (size_t i = 0; i < e->dataset->n; i++)
        if (is_ours(e, &e->dataset->items[i]))
            AO_TRY(run_clip(e, &e->dataset->items[i]));
    return AOSA_OK;
}

static void fini(struct evaluation *e)
{
    ao_scorer_destroy(&e->scorer);
    ao_journal_close(&e->journal);
    ao_dataset_close(&e->dataset);
    for (int i = 0; e->own && i < e->plan.n_methods; i++)
        aosa_settings_destroy(&e->own[i]);
    ao_free(e->own);
    aosa_settings_destroy(&e->settings);
    ao_free(e->plan.methods);
    ao_free(e->plan.metrics);
    ao_free(e->run);
}

aosa_status aosa_evaluate(const aosa_model *model, const aosa_settings *settings,
                          const char *methods, const char *metrics, const char *folder,
                          aosa_progress_fn progress, void *user, struct aosa_evaluation *evaluation)
{
    *evaluation = (struct aosa_evaluation){ 0 };
    struct evaluation e = {
        .plan = { .model = model },
        .folder = folder,
        .between = { .fn = progress, .user = user, .stage = "items" },
        .within = { .fn = progress, .user = user, .stage = "metrics" },
        .counts = evaluation,
    };
    aosa_status status = ao_model_require_clip(model);
    if (status == AOSA_OK)
        status = make_plan(&e, settings, methods, metrics);
    if (status == AOSA_OK)
        status =
            ao_shard_parse(e.settings->evaluation.shard, e.settings->evaluation.shards, &e.shard);
    if (status == AOSA_OK)
        status = run_shard(&e);
    fini(&e);
    return status;
}
