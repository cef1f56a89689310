/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "aosa/evaluate.h"
#include "core/alloc.h"
#include "core/file.h"
#include "evaluate/evaluation.h"
#include "evaluate/item.h"
#include "evaluate/journal.h"
#include "explain/page.h"
#include "explain/report.h"

/* What a run would do, without doing it: nothing is written, one clip is read. */
struct preview {
    struct ao_evaluation evaluation;
    struct ao_journal *journal; /* NULL where none is there */
    size_t done, failed, todo;  /* items */
    struct ao_passes *each;     /* [n_methods] of one clip */
    bool known;                 /* `each` */
};

/* A journal that the run could not go on with is refused here as it would be there. */
static aosa_status open_journal(struct preview *p, const char *folder)
{
    char path[4096];
    struct ao_journal_head head;
    if (!folder)
        return AOSA_OK;
    AO_TRY(ao_evaluation_path(&p->evaluation, folder, path, sizeof path));
    if (!ao_path_exists(path))
        return AOSA_OK;
    AO_TRY(ao_journal_read(path, &p->journal, &head));
    struct ao_run *run = &p->evaluation.run;
    const char *build = run->parts[AO_RUN_BUILDS].items[0].name;
    const struct ao_evaluation_options *options = &p->evaluation.settings->evaluation;
    if (options->redo_builds)
        AO_TRY(ao_journal_only_build(p->journal, build));
    else if (!options->allow_builds)
        AO_TRY(ao_run_check_builds(head.run, build, path));
    return ao_run_join(run, head.run, path, "use another -o, or replace it with -f");
}

static aosa_status count_item(struct preview *p, const struct ao_item *item, int m, bool *measured)
{
    const struct ao_evaluation *e = &p->evaluation;
    enum ao_item_state state = AO_ITEM_NEW;
    if (p->journal)
        AO_TRY(ao_journal_state(p->journal, item->id, e->plan.methods[m]->name, NULL,
                                e->metric_names, e->plan.n_metrics, measured, &state));
    for (int i = 0; state == AO_ITEM_DONE && i < e->plan.n_metrics; i++)
        if (!measured[i])
            state = AO_ITEM_NEW;
    p->done += state == AO_ITEM_DONE;
    p->failed += state == AO_ITEM_FAILED;
    p->todo +=
        state == AO_ITEM_NEW || (state == AO_ITEM_FAILED && e->settings->evaluation.retry_failed);
    return AOSA_OK;
}

static aosa_status count_items(struct preview *p)
{
    const struct ao_evaluation *e = &p->evaluation;
    bool *measured = ao_alloc((size_t)e->plan.n_metrics, sizeof *measured);
    aosa_status status = measured ? AOSA_OK : ao_fail(AOSA_ERR_NOMEM, "evaluation: no memory");
    for (size_t i = 0; i < e->dataset->n; i++)
        for (int m = 0; status == AOSA_OK && m < e->plan.n_methods; m++)
            if (ao_evaluation_has(e, &e->dataset->items[i]))
                status = count_item(p, &e->dataset->items[i], m, measured);
    ao_free(measured);
    return status;
}

/* Passes of the methods on the first clip that can be read. */
static aosa_status count_passes(struct preview *p)
{
    const struct ao_evaluation *e = &p->evaluation;
    aosa_status status = AOSA_OK;
    p->each = ao_alloc((size_t)e->plan.n_methods, sizeof *p->each);
    if (!p->each)
        return ao_fail(AOSA_ERR_NOMEM, "evaluation: no memory");
    for (size_t i = 0; !p->known && i < e->dataset->n; i++) {
        struct ao_clip_work work = { .plan = &e->plan, .item = &e->dataset->items[i] };
        if (!ao_evaluation_has(e, work.item))
            continue;
        status = ao_clip_work_open(&work);
        p->known = status == AOSA_OK;
        for (int m = 0; status == AOSA_OK && m < e->plan.n_methods; m++)
            status = ao_clip_work_passes(&work, m, &p->each[m]);
        ao_clip_work_close(&work);
        if (status != AOSA_OK && !ao_item_can_fail(status))
            return status;
    }
    p->known = p->known && status == AOSA_OK;
    return AOSA_OK;
}

static void print_passes(const struct preview *p, struct ao_page *page)
{
    const struct ao_run_plan *plan = &p->evaluation.plan;
    if (!p->known)
        ao_page_add(page, "passes     unknown: no clip could be read and explained\n");
    for (int m = 0; p->known && m < plan->n_methods; m++)
        ao_page_add(page, "%s%s: %lld forward, %lld backward\n", m ? "           " : "passes     ",
                    plan->methods[m]->name, (long long)p->each[m].forwards,
                    (long long)p->each[m].backwards);
    if (p->known)
        ao_page_add(page, "           for each clip; those of metrics come on top\n");
}

static aosa_status print(const struct preview *p, char **text)
{
    struct ao_page page = { 0 };
    const struct ao_evaluation *e = &p->evaluation;
    ao_page_add(&page, "clips      %zu, %zu of them in shard %d/%d\nmethods   ", e->dataset->n,
                e->clips, e->shard.index + 1, e->shard.count);
    for (int m = 0; m < e->plan.n_methods; m++)
        ao_page_add(&page, " %s", e->plan.methods[m]->name);
    ao_page_add(&page, "\nmetrics   ");
    for (int i = 0; i < e->plan.n_metrics; i++)
        ao_page_add(&page, " %s", e->metric_names[i]);
    ao_page_add(&page, "\nitems      %zu: %zu done before, %zu failed before, %zu to do\n",
                e->clips * (size_t)e->plan.n_methods, p->done, p->failed, p->todo);
    print_passes(p, &page);
    return ao_page_take(&page, text);
}

static json_t *methods_json(const struct preview *p)
{
    json_t *list = json_array();
    for (int m = 0; m < p->evaluation.plan.n_methods; m++) {
        json_t *method = json_pack("{s:s}", "name", p->evaluation.plan.methods[m]->name);
        if (p->known) {
            json_object_set_new(method, "forwards", json_integer(p->each[m].forwards));
            json_object_set_new(method, "backwards", json_integer(p->each[m].backwards));
        }
        json_array_append_new(list, method);
    }
    return list;
}

static json_t *preview_json(const struct preview *p)
{
    const struct ao_evaluation *e = &p->evaluation;
    return json_pack("{s:i, s:I, s:I, s:[i,i], s:I, s:I, s:I, s:I, s:o}", "aosa_evaluation_plan", 1,
                     "clips", (json_int_t)e->dataset->n, "clips_of_shard", (json_int_t)e->clips,
                     "shard", e->shard.index + 1, e->shard.count, "items",
                     (json_int_t)(e->clips * (size_t)e->plan.n_methods), "done",
                     (json_int_t)p->done, "failed", (json_int_t)p->failed, "todo",
                     (json_int_t)p->todo, "methods", methods_json(p));
}

aosa_status aosa_evaluate_plan(const aosa_model *model, const aosa_settings *settings,
                               const char *methods, const char *metrics, const char *folder,
                               bool json, char **text)
{
    struct preview p = { 0 };
    aosa_status status = ao_evaluation_init(&p.evaluation, model, settings, methods, metrics);
    if (status == AOSA_OK)
        status = open_journal(&p, folder);
    if (status == AOSA_OK)
        status = count_items(&p);
    if (status == AOSA_OK)
        status = count_passes(&p);
    if (status == AOSA_OK)
        status = json ? ao_report_text(preview_json(&p), text) : print(&p, text);
    ao_free(p.each);
    ao_journal_close(&p.journal);
    ao_evaluation_fini(&p.evaluation);
    return status;
}
