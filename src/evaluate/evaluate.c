/* SPDX-License-Identifier: Apache-2.0 */
#include "aosa/evaluate.h"

#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "core/file.h"
#include "evaluate/content.h"
#include "evaluate/evaluation.h"
#include "evaluate/item.h"
#include "evaluate/journal.h"

struct work {
    struct ao_evaluation evaluation;
    struct ao_journal *journal;
    struct ao_scorer *scorer;           /* NULL until a metric needs it */
    struct ao_progress between, within; /* items */
    struct aosa_evaluation *counts;
    struct todo *todo; /* [n_methods] of the clip at hand */
};

/* What a method still has to do on a clip. */
struct todo {
    bool pending;
    bool *measured;                   /* [n_metrics of the plan] */
    const struct ao_metric **metrics; /* [n] those that are not */
    const char **names;
    int n;
};

static aosa_status open_journal(struct work *w, const char *folder, bool force)
{
    char path[4096];
    int64_t foreign;
    const struct ao_evaluation *e = &w->evaluation;
    const struct ao_evaluation_options *options = &e->settings->evaluation;
    AO_TRY(ao_evaluation_path(e, folder, path, sizeof path));
    AO_TRY(ao_folder_make(folder));
    const struct ao_journal_head head = {
        .run = &e->run,
        .shard = e->shard,
        .clips = (int64_t)e->clips,
    };
    const struct ao_journal_mode mode = {
        .replace = force,
        .allow_builds = options->allow_builds,
        .redo_builds = options->redo_builds,
    };
    AO_TRY(ao_journal_open(path, &head, &mode, &w->journal));
    AO_TRY(ao_journal_foreign(w->journal, &foreign));
    w->counts->other_builds = options->redo_builds ? 0 : (size_t)foreign;
    return AOSA_OK;
}

static aosa_status make_scorer(struct work *w)
{
    const struct ao_run_plan *plan = &w->evaluation.plan;
    const struct ao_run_options *run = &plan->settings->run;
    const struct ao_scorer_options options = {
        .backend = (enum ao_backend)run->backend,
        .threads = run->threads,
        .batch = run->batch,
    };
    for (int i = 0; i < plan->n_metrics && !w->scorer; i++)
        if (plan->metrics[i]->needs & AO_METRIC_NEEDS_SCORES)
            AO_TRY(ao_scorer_create(plan->model, &options, &w->scorer));
    return AOSA_OK;
}

/* --- what is to be done -------------------------------------------------------------------------
 */

static aosa_status make_todo(struct work *w)
{
    const struct ao_run_plan *plan = &w->evaluation.plan;
    const size_t n = (size_t)plan->n_metrics;
    w->todo = ao_alloc((size_t)plan->n_methods, sizeof *w->todo);
    for (int m = 0; w->todo && m < plan->n_methods; m++) {
        struct todo *todo = &w->todo[m];
        todo->measured = ao_alloc(n, sizeof *todo->measured);
        todo->metrics = ao_alloc(n, sizeof(const struct ao_metric *));
        todo->names = ao_alloc(n, sizeof *todo->names);
        if (!todo->measured || !todo->metrics || !todo->names)
            return ao_fail(AOSA_ERR_NOMEM, "evaluation: no memory");
    }
    return w->todo ? AOSA_OK : ao_fail(AOSA_ERR_NOMEM, "evaluation: no memory");
}

static void free_todo(struct work *w)
{
    for (int m = 0; w->todo && m < w->evaluation.plan.n_methods; m++) {
        ao_free(w->todo[m].measured);
        ao_free(w->todo[m].metrics);
        ao_free(w->todo[m].names);
    }
    ao_free(w->todo);
}

/* The video's digest, read or remembered. One that cannot be read has none: opening says why. */
static aosa_status find_content(struct work *w, const struct ao_item *item,
                                char stamp[AO_SHA256_TEXT], char content[AO_SHA256_TEXT])
{
    bool found = false;
    stamp[0] = content[0] = '\0';
    aosa_status status = ao_content_stamp(item->path, stamp);
    if (status == AOSA_OK && w->evaluation.settings->evaluation.trust_mtime)
        AO_TRY(ao_journal_content(w->journal, item->id, stamp, content, &found));
    if (status == AOSA_OK && !found)
        status = ao_content_digest(item->path, content);
    return ao_item_can_fail(status) ? AOSA_OK : status;
}

static aosa_status find_todo(struct work *w, const struct ao_item *item, const char *content, int m)
{
    enum ao_item_state state;
    struct todo *todo = &w->todo[m];
    const struct ao_evaluation *e = &w->evaluation;
    AO_TRY(ao_journal_state(w->journal, item->id, e->plan.methods[m]->name, content,
                            e->metric_names, e->plan.n_metrics, todo->measured, &state));
    todo->n = 0;
    for (int i = 0; i < e->plan.n_metrics; i++) {
        if (todo->measured[i])
            continue;
        todo->metrics[todo->n] = e->plan.metrics[i];
        todo->names[todo->n++] = e->metric_names[i];
    }
    todo->pending = state == AO_ITEM_FAILED ? e->settings->evaluation.retry_failed
                                            : state == AO_ITEM_NEW || todo->n > 0;
    return AOSA_OK;
}

/* --- items --------------------------------------------------------------------------------------
 */

static aosa_status report_progress(struct work *w)
{
    const struct aosa_evaluation *c = w->counts;
    return ao_progress_report(&w->between, c->done + c->failed, c->items - c->skipped);
}

/* Writes down how an item ended, unless that ends the run. */
static aosa_status finish(struct work *w, struct ao_record *record, aosa_status status)
{
    char reason[AO_ERROR_TEXT];
    if (status != AOSA_OK && !ao_item_can_fail(status))
        return status;
    if (status != AOSA_OK) {
        snprintf(reason, sizeof reason, "%s", aosa_error_message());
        record->reason = reason;
        record->n_metrics = 0;
        ao_metric_answer_fini(&record->answer);
    }
    AO_TRY(ao_journal_put(w->journal, record));
    w->counts->done += status == AOSA_OK;
    w->counts->failed += status != AOSA_OK;
    return report_progress(w);
}

/* One method on the clip; `record` knows the clip. */
static aosa_status run_method(struct work *w, struct ao_clip_work *clip, int m, aosa_status opened,
                              struct ao_record record)
{
    record.method = w->evaluation.plan.methods[m]->name;
    record.metrics = w->todo[m].names;
    record.n_metrics = w->todo[m].n;
    clip->metrics = w->todo[m].metrics;
    clip->n_metrics = w->todo[m].n;
    aosa_status status = opened;
    if (status == AOSA_OK)
        status = ao_clip_work_run(clip, m, &record);
    status = finish(w, &record, status);
    ao_metric_answer_fini(&record.answer);
    return status;
}

static aosa_status run_pending(struct work *w, const struct ao_item *item, const char *stamp,
                               const char *content)
{
    AO_TRY(make_scorer(w));
    struct ao_clip_work clip = {
        .plan = &w->evaluation.plan,
        .item = item,
        .scorer = w->scorer,
        .progress = &w->within,
    };
    const struct ao_record record = {
        .clip = item->id,
        .content = content,
        .stamp = stamp,
        .label = item->label,
        .base = (double)NAN,
    };
    const aosa_status opened = ao_clip_work_open(&clip);
    char reason[AO_ERROR_TEXT];
    snprintf(reason, sizeof reason, "%s", opened == AOSA_OK ? "" : aosa_error_message());
    aosa_status status = AOSA_OK;
    for (int m = 0; status == AOSA_OK && m < w->evaluation.plan.n_methods; m++) {
        if (!w->todo[m].pending)
            continue;
        if (opened != AOSA_OK)
            ao_fail(opened, "%s", reason); /* what the journal did since may have replaced it */
        status = run_method(w, &clip, m, opened, record);
    }
    ao_clip_work_close(&clip);
    return status;
}

static aosa_status run_clip(struct work *w, const struct ao_item *item)
{
    char stamp[AO_SHA256_TEXT], content[AO_SHA256_TEXT];
    size_t pending = 0;
    const int n = w->evaluation.plan.n_methods;
    AO_TRY(find_content(w, item, stamp, content));
    for (int m = 0; m < n; m++) {
        AO_TRY(find_todo(w, item, content, m));
        pending += w->todo[m].pending;
    }
    w->counts->skipped += (size_t)n - pending;
    return pending ? run_pending(w, item, stamp, content) : report_progress(w);
}

static aosa_status run_shard(struct work *w, const char *folder, bool force)
{
    const struct ao_dataset *dataset = w->evaluation.dataset;
    w->counts->items = w->evaluation.clips * (size_t)w->evaluation.plan.n_methods;
    w->counts->boxes_unused = dataset->boxes_unused;
    AO_TRY(make_todo(w));
    AO_TRY(open_journal(w, folder, force));
    AO_TRY(report_progress(w));
    for (size_t i = 0; i < dataset->n; i++)
        if (ao_evaluation_has(&w->evaluation, &dataset->items[i]))
            AO_TRY(run_clip(w, &dataset->items[i]));
    return AOSA_OK;
}

aosa_status aosa_evaluate(const aosa_model *model, const aosa_settings *settings,
                          const char *methods, const char *metrics, const char *folder, bool force,
                          aosa_progress_fn progress, void *user, struct aosa_evaluation *evaluation)
{
    *evaluation = (struct aosa_evaluation){ 0 };
    struct work w = {
        .between = { .fn = progress, .user = user, .stage = "items" },
        .within = { .fn = progress, .user = user, .stage = "metrics" },
        .counts = evaluation,
    };
    aosa_status status = ao_evaluation_init(&w.evaluation, model, settings, methods, metrics);
    if (status == AOSA_OK)
        status = run_shard(&w, folder, force);
    free_todo(&w);
    ao_scorer_destroy(&w.scorer);
    ao_journal_close(&w.journal);
    ao_evaluation_fini(&w.evaluation);
    return status;
}
