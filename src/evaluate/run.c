/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate/run.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"
#include "core/sha256.h"
#include "explain/page.h"
#include "explain/report.h"

/* --- what it is of ------------------------------------------------------------------------------
 */

/* Hash of the page's text; empties it. */
static aosa_status hash_page(struct ao_page *page, char text[AO_SHA256_TEXT])
{
    char *bytes;
    AO_TRY(ao_page_take(page, &bytes));
    ao_sha256(bytes, strlen(bytes), text);
    ao_free(bytes);
    return AOSA_OK;
}

static aosa_status hash_dataset(const struct ao_dataset *dataset, char text[AO_SHA256_TEXT])
{
    struct ao_page page = { 0 };
    for (size_t i = 0; i < dataset->n_labels; i++)
        ao_page_add(&page, "%s\n", dataset->labels[i]);
    for (size_t i = 0; i < dataset->n; i++) {
        const struct ao_item *item = &dataset->items[i];
        ao_page_add(&page, "%s\n%s\n%lld %lld %zu\n", item->id, item->label, (long long)item->first,
                    (long long)item->end, item->n_boxes);
        for (size_t b = 0; b < item->n_boxes; b++) {
            const struct ao_source_box *box = &item->boxes[b];
            ao_page_add(&page, "%lld %.17g %.17g %.17g %.17g\n", (long long)box->frame, box->x0,
                        box->y0, box->x1, box->y1);
        }
    }
    return hash_page(&page, text);
}

/* Names of classes and the card, which stand beside the network's file or in options. */
static aosa_status hash_about(const struct aosa_model *model, char text[AO_SHA256_TEXT])
{
    struct ao_page page = { 0 };
    char *card = model->card ? json_dumps(model->card, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    if (model->card && !card)
        return ao_fail(AOSA_ERR_NOMEM, "evaluation: no memory for the model card");
    ao_page_add(&page, "%s\n", card ? card : "");
    free(card); /* jansson's allocation, not ours */
    for (int i = 0; i < model->n_labels; i++)
        ao_page_add(&page, "%s\n", model->labels[i]);
    return hash_page(&page, text);
}

static aosa_status write_shared(const struct ao_run_plan *plan, char **shared)
{
    char list[AO_SHA256_TEXT], about[AO_SHA256_TEXT];
    AO_TRY(hash_dataset(plan->dataset, list));
    AO_TRY(hash_about(plan->model, about));
    json_t *model = ao_report_model(plan->model);
    if (!model || json_object_set_new(model, "about_sha256", json_string(about))) {
        json_decref(model);
        return ao_fail(AOSA_ERR_NOMEM, "evaluation: no memory for its identity");
    }
    json_object_del(model, "path");
    return ao_report_text(json_pack("{s:i, s:o, s:{s:I, s:s}, s:i}", "aosa_evaluation",
                                    AO_RUN_SCHEMA, "model", model, "dataset", "clips",
                                    (json_int_t)plan->dataset->n, "sha256", list, "seed",
                                    plan->settings->mask.seed),
                          shared);
}

/* Steals the options. */
static aosa_status add_json(struct ao_run *run, enum ao_run_kind kind, const char *name,
                            json_t *options)
{
    char *text;
    AO_TRY(ao_report_text(options, &text));
    const aosa_status status = ao_run_add(run, kind, name, text);
    ao_free(text);
    return status;
}

static aosa_status add_method(struct ao_run *run, const struct ao_method *method,
                              const aosa_settings *own)
{
    static const char *const idle[] = { "threads",    "labels",          "max-gmacs",
                                        "max-memory", "allow-nonfinite", "allow-traced" };
    json_t *options = ao_settings_json(own, method);
    for (size_t i = 0; i < sizeof idle / sizeof idle[0]; i++)
        json_object_del(options, idle[i]);
    return add_json(run, AO_RUN_METHODS, method->name, options);
}

static aosa_status add_metric(struct ao_run *run, const struct ao_metric *metric,
                              const aosa_settings *settings)
{
    json_t *all = ao_settings_group_json(settings, "metrics");
    json_t *options = json_object(), *value;
    const char *key;
    json_object_foreach(all, key, value)
    {
        if (ao_list_has(metric->options, ' ', key) && json_object_set(options, key, value)) {
            json_decref(options);
            options = NULL; /* which the next step tells */
        }
    }
    const bool whole = all != NULL;
    json_decref(all);
    if (whole)
        return add_json(run, AO_RUN_METRICS, metric->name, options);
    json_decref(options);
    return ao_fail(AOSA_ERR_NOMEM, "evaluation: no memory for its identity");
}

static aosa_status add_build(struct ao_run *run, const struct ao_run_plan *plan)
{
    char *text;
    AO_TRY(ao_report_text(ao_report_build((enum ao_backend)plan->settings->run.backend), &text));
    const aosa_status status = ao_run_add(run, AO_RUN_BUILDS, text, "");
    ao_free(text);
    return status;
}

aosa_status ao_run_init(const struct ao_run_plan *plan, struct ao_run *run)
{
    *run = (struct ao_run){ 0 };
    AO_TRY(write_shared(plan, &run->shared));
    for (int i = 0; i < plan->n_methods; i++)
        AO_TRY(add_method(run, plan->methods[i], plan->own[i]));
    for (int i = 0; i < plan->n_metrics; i++)
        AO_TRY(add_metric(run, plan->metrics[i], plan->settings));
    return add_build(run, plan);
}

void ao_run_fini(struct ao_run *run)
{
    for (int kind = 0; kind < AO_RUN_KINDS; kind++) {
        for (size_t i = 0; i < run->parts[kind].n; i++) {
            ao_free(run->parts[kind].items[i].name);
            ao_free(run->parts[kind].items[i].options);
        }
        ao_free(run->parts[kind].items);
    }
    ao_free(run->shared);
    *run = (struct ao_run){ 0 };
}

/* --- parts --------------------------------------------------------------------------------------
 */

/* Row of its .def file; those that this program does not know come last. */
static int rank_of(enum ao_run_kind kind, const char *name)
{
    int n = 0;
    const struct ao_method *methods = ao_methods(&n);
    for (int i = 0; kind == AO_RUN_METHODS && i < n; i++)
        if (!strcmp(methods[i].name, name))
            return i;
    const struct ao_metric *metrics = ao_metrics(&n);
    for (int i = 0; kind == AO_RUN_METRICS && i < n; i++)
        if (!strcmp(metrics[i].name, name))
            return i;
    return INT_MAX;
}

static bool comes_before(enum ao_run_kind kind, const char *a, const char *b)
{
    const int p = rank_of(kind, a), q = rank_of(kind, b);
    return p != q ? p < q : strcmp(a, b) < 0;
}

static const struct ao_ingredient *find_part(const struct ao_ingredients *parts, const char *name)
{
    for (size_t i = 0; i < parts->n; i++)
        if (!strcmp(parts->items[i].name, name))
            return &parts->items[i];
    return NULL;
}

aosa_status ao_run_add(struct ao_run *run, enum ao_run_kind kind, const char *name,
                       const char *options)
{
    struct ao_ingredients *parts = &run->parts[kind];
    if (find_part(parts, name))
        return AOSA_OK;
    struct ao_ingredient part = { ao_strdup(name), ao_strdup(options) };
    void *items = parts->items;
    if (!part.name || !part.options ||
        !ao_grow(&items, &parts->capacity, parts->n, sizeof *parts->items)) {
        ao_free(part.name);
        ao_free(part.options);
        return ao_fail(AOSA_ERR_NOMEM, "evaluation: no memory for its identity");
    }
    parts->items = items;
    size_t at = parts->n++;
    for (; at > 0 && comes_before(kind, name, parts->items[at - 1].name); at--)
        parts->items[at] = parts->items[at - 1];
    parts->items[at] = part;
    return AOSA_OK;
}

/* --- comparing ----------------------------------------------------------------------------------
 */

/* The first key, and the key below it, in which two objects differ. */
static void find_difference(json_t *a, json_t *b, char *text, size_t bytes)
{
    const char *key;
    json_t *value;
    json_object_foreach(a, key, value)
    {
        json_t *other = json_object_get(b, key);
        if (other && json_equal(value, other))
            continue;
        const size_t used = strlen(text);
        snprintf(text + used, bytes - used, "%s%s", used ? "." : "", key);
        if (json_is_object(value) && json_is_object(other))
            find_difference(value, other, text, bytes);
        return;
    }
}

void ao_run_difference(const char *a, const char *b, char *text, size_t bytes)
{
    text[0] = '\0';
    if (!strcmp(a, b))
        return;
    json_t *p = json_loads(a, 0, NULL), *q = json_loads(b, 0, NULL);
    find_difference(p, q, text, bytes);
    if (!*text) /* what only the other has */
        find_difference(q, p, text, bytes);
    if (!*text)
        snprintf(text, bytes, "its form");
    json_decref(p);
    json_decref(q);
}

/* What the two have both must be the same; `name` stands before the difference, "" or "aosa.". */
static aosa_status check_same(const char *a, const char *b, const char *name, const char *path,
                              const char *remedy)
{
    char difference[256];
    ao_run_difference(a, b, difference, sizeof difference);
    if (!*difference)
        return AOSA_OK;
    return ao_fail(AOSA_ERR_ARGUMENT,
                   "%s: belongs to another run, the first difference is '%s%s%s'; %s", path, name,
                   *name ? "." : "", difference, remedy);
}

aosa_status ao_run_join(struct ao_run *run, const struct ao_run *other, const char *path,
                        const char *remedy)
{
    if (run->shared)
        AO_TRY(check_same(other->shared, run->shared, "", path, remedy));
    else if (!(run->shared = ao_strdup(other->shared)))
        return ao_fail(AOSA_ERR_NOMEM, "evaluation: no memory for its identity");
    for (int kind = 0; kind < AO_RUN_KINDS; kind++)
        for (size_t i = 0; i < other->parts[kind].n; i++) {
            const struct ao_ingredient *part = &other->parts[kind].items[i];
            const struct ao_ingredient *own = find_part(&run->parts[kind], part->name);
            if (own)
                AO_TRY(check_same(part->options, own->options, part->name, path, remedy));
            AO_TRY(ao_run_add(run, (enum ao_run_kind)kind, part->name, part->options));
        }
    return AOSA_OK;
}

enum ao_build_relation ao_build_compare(const char *a, const char *b)
{
    if (!strcmp(a, b))
        return AO_BUILD_SAME;
    json_t *p = json_loads(a, 0, NULL), *q = json_loads(b, 0, NULL);
    json_object_del(p, "isa");
    json_object_del(q, "isa");
    json_object_del(p, "kernels_isa");
    json_object_del(q, "kernels_isa");
    const bool same = p && q && json_equal(p, q);
    json_decref(p);
    json_decref(q);
    return same ? AO_BUILD_OTHER_ISA : AO_BUILD_OTHER_VERSION;
}

aosa_status ao_run_check_builds(const struct ao_run *run, const char *own, const char *path)
{
    char difference[64];
    const struct ao_ingredients *builds = &run->parts[AO_RUN_BUILDS];
    for (size_t i = 0; i < builds->n; i++) {
        if (ao_build_compare(builds->items[i].name, own) != AO_BUILD_OTHER_VERSION)
            continue;
        ao_run_difference(builds->items[i].name, own, difference, sizeof difference);
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "%s: holds results of another build, the first difference is '%s'; go on "
                       "with --allow-builds, do them again with --redo-builds, or use another -o",
                       path, difference);
    }
    return AOSA_OK;
}

/* --- as one object ------------------------------------------------------------------------------
 */

static json_t *parts_json(const struct ao_run *run, enum ao_run_kind kind)
{
    json_t *list = json_array();
    for (size_t i = 0; i < run->parts[kind].n; i++) {
        const struct ao_ingredient *part = &run->parts[kind].items[i];
        json_t *value =
            json_loads(kind == AO_RUN_BUILDS ? part->name : part->options, JSON_DECODE_ANY, NULL);
        if (kind != AO_RUN_BUILDS)
            value = json_pack("{s:o, s:o}", "name", ao_json_text(part->name), "options", value);
        if (json_array_append_new(list, value)) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

json_t *ao_run_json(const struct ao_run *run)
{
    static const char *const keys[AO_RUN_KINDS] = { "methods", "metrics", "builds" };
    json_t *object = json_loads(run->shared, 0, NULL);
    for (int kind = 0; object && kind < AO_RUN_KINDS; kind++)
        if (json_object_set_new(object, keys[kind], parts_json(run, (enum ao_run_kind)kind))) {
            json_decref(object);
            return NULL;
        }
    return object;
}
