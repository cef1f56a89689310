/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate/evaluation.h"

#include <dirent.h>
#include <string.h>

#include "attribution/targets.h"
#include "core/alloc.h"
#include "core/sha256.h"

/* Those of the list; without one, all but those that explain a clip many times. */
static aosa_status choose_metrics(struct ao_evaluation *e, const char *list)
{
    int n;
    struct ao_run_plan *plan = &e->plan;
    const struct ao_metric *rows = ao_metrics(&n);
    plan->metrics = ao_alloc((size_t)n, sizeof(const struct ao_metric *));
    e->metric_names = ao_alloc((size_t)n, sizeof *e->metric_names);
    if (!plan->metrics || !e->metric_names)
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
    for (int i = 0; i < n; i++) {
        if (list ? !ao_list_has(list, ',', rows[i].name)
                 : (rows[i].needs & AO_METRIC_WHEN_NAMED) != 0)
            continue;
        e->metric_names[plan->n_metrics] = rows[i].name;
        plan->metrics[plan->n_metrics++] = &rows[i];
    }
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
    return AOSA_OK;
}

static aosa_status resolve_methods(struct ao_evaluation *e, const aosa_settings *settings)
{
    const struct ao_run_plan *plan = &e->plan;
    e->own = ao_alloc((size_t)plan->n_methods, sizeof(aosa_settings *));
    if (!e->own)
        return ao_fail(AOSA_ERR_NOMEM, "evaluation: no memory");
    for (int i = 0; i < plan->n_methods; i++) {
        aosa_settings *own;
        AO_TRY(ao_settings_for_method(settings, plan->methods[i], &own));
        const aosa_status status = ao_settings_resolve(own, &e->own[i]);
        aosa_settings_destroy(&own);
        AO_TRY(status);
    }
    return AOSA_OK;
}

static void count_clips(struct ao_evaluation *e)
{
    for (size_t i = 0; i < e->dataset->n; i++)
        e->clips += ao_evaluation_has(e, &e->dataset->items[i]);
}

aosa_status ao_evaluation_init(struct ao_evaluation *e, const aosa_model *model,
                               const aosa_settings *settings, const char *methods,
                               const char *metrics)
{
    struct ao_run_plan *plan = &e->plan;
    *e = (struct ao_evaluation){ .plan = { .model = model } };
    AO_TRY(ao_model_require_clip(model));
    AO_TRY(ao_settings_choose_methods(settings, methods, true, &plan->methods, &plan->n_methods));
    AO_TRY(choose_metrics(e, metrics));
    AO_TRY(ao_settings_resolve(settings, &e->settings));
    plan->settings = e->settings;
    AO_TRY(check_metric_options(plan));
    AO_TRY(check_target(plan));
    AO_TRY(resolve_methods(e, settings));
    plan->own = e->own;
    AO_TRY(
        ao_shard_parse(e->settings->evaluation.shard, e->settings->evaluation.shards, &e->shard));
    AO_TRY(ao_dataset_open(&e->settings->dataset, &e->dataset));
    AO_TRY(ao_dataset_take_clips(e->dataset, e->settings->clip.clips));
    plan->dataset = e->dataset;
    count_clips(e);
    return ao_run_init(plan, &e->run);
}

void ao_evaluation_fini(struct ao_evaluation *e)
{
    ao_dataset_close(&e->dataset);
    for (int i = 0; e->own && i < e->plan.n_methods; i++)
        aosa_settings_destroy(&e->own[i]);
    ao_free(e->own);
    aosa_settings_destroy(&e->settings);
    ao_free(e->plan.methods);
    ao_free(e->plan.metrics);
    ao_free(e->metric_names);
    ao_run_fini(&e->run);
    *e = (struct ao_evaluation){ 0 };
}

bool ao_evaluation_has(const struct ao_evaluation *e, const struct ao_item *item)
{
    char key[AO_SHA256_TEXT];
    ao_sha256(item->id, strlen(item->id), key);
    return ao_shard_has(e->shard, key);
}

/* Number of shards that a name such as "shard-3-of-64.db" tells, 0 for any other name. */
static int count_of_name(const char *name)
{
    int index, count, length = 0;
    if (sscanf(name, "shard-%d-of-%d.db%n", &index, &count, &length) != 2 || !length ||
        name[length])
        return 0;
    return count;
}

static aosa_status check_counts(const struct ao_evaluation *e, const char *folder)
{
    DIR *entries = opendir(folder);
    aosa_status status = AOSA_OK;
    const struct dirent *entry;
    while (entries && status == AOSA_OK && (entry = readdir(entries))) {
        const int count = count_of_name(entry->d_name);
        if (count > 0 && count != e->shard.count)
            status = ao_fail(AOSA_ERR_ARGUMENT,
                             "%s: holds %s, and this is shard %d of %d; use another -o, or give "
                             "--shard i/%d",
                             folder, entry->d_name, e->shard.index + 1, e->shard.count, count);
    }
    if (entries)
        closedir(entries);
    return status;
}

aosa_status ao_evaluation_path(const struct ao_evaluation *e, const char *folder, char *path,
                               size_t bytes)
{
    AO_TRY(check_counts(e, folder));
    const int n =
        snprintf(path, bytes, "%s/shard-%d-of-%d.db", folder, e->shard.index + 1, e->shard.count);
    if (n < 0 || (size_t)n >= bytes)
        return ao_fail(AOSA_ERR_OUTPUT, "%.200s...: the path is too long", folder);
    return AOSA_OK;
}
