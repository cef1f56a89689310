/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE /* scandir */
#include "evaluate/run.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"
#include "core/file.h"
#include "explain/page.h"
#include "explain/report.h"

/* --- identity -----------------------------------------------------------------------------------
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
    for (size_t i = 0; i < dataset->n; i++) {
        const struct ao_item *item = &dataset->items[i];
        ao_page_add(&page, "%s\n%s\n%zu\n", item->id, item->label, item->n_boxes);
        for (size_t b = 0; b < item->n_boxes; b++) {
            const struct ao_source_box *box = &item->boxes[b];
            ao_page_add(&page, "%lld %.17g %.17g %.17g %.17g\n", (long long)box->frame, box->x0,
                        box->y0, box->x1, box->y1);
        }
    }
    return hash_page(&page, text);
}

static json_t *model_json(const struct aosa_model *model)
{
    json_t *report = ao_report_model(model);
    json_object_del(report, "path");
    return report;
}

static json_t *methods_json(const struct ao_run_plan *plan)
{
    json_t *list = json_array();
    for (int i = 0; i < plan->n_methods; i++) {
        json_t *options = ao_settings_json(plan->own[i], plan->methods[i]);
        json_object_del(options, "threads");
        json_array_append_new(
            list, json_pack("{s:s, s:o}", "name", plan->methods[i]->name, "options", options));
    }
    return list;
}

static json_t *metrics_json(const struct ao_run_plan *plan)
{
    json_t *list = json_array();
    for (int i = 0; i < plan->n_metrics; i++)
        json_array_append_new(list, json_string(plan->metrics[i]->name));
    return list;
}

aosa_status ao_run_identity(const struct ao_run_plan *plan, char **run)
{
    char list[AO_SHA256_TEXT];
    AO_TRY(hash_dataset(plan->dataset, list));
    const enum ao_backend backend = (enum ao_backend)plan->settings->run.backend;
    json_t *value = json_pack(
        "{s:i, s:o, s:o, s:{s:I, s:s}, s:i, s:o, s:o, s:o}", "aosa_evaluation", AO_RUN_SCHEMA,
        "build", ao_report_build(backend), "model", model_json(plan->model), "dataset", "clips",
        (json_int_t)plan->dataset->n, "sha256", list, "seed", plan->settings->mask.seed, "metrics",
        metrics_json(plan), "metric_options", ao_settings_group_json(plan->settings, "metrics"),
        "methods", methods_json(plan));
    return ao_report_text(value, run);
}

static json_t *parse(const char *run)
{
    json_t *value = json_loads(run, 0, NULL);
    return value && json_is_object(value) ? value : json_object();
}

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

aosa_status ao_run_compare(const char *path, const char *run, const char *other, bool any_build)
{
    char difference[256] = "";
    if (!strcmp(run, other))
        return AOSA_OK;
    json_t *a = parse(run), *b = parse(other);
    if (any_build) {
        json_object_del(a, "build");
        json_object_del(b, "build");
    }
    find_difference(a, b, difference, sizeof difference);
    if (!*difference) /* what only the other has */
        find_difference(b, a, difference, sizeof difference);
    json_decref(a);
    json_decref(b);
    if (any_build && !*difference)
        return AOSA_OK;
    return ao_fail(AOSA_ERR_ARGUMENT,
                   "%s: belongs to another run, the first difference is '%s'; use another -o", path,
                   difference);
}

/* --- keys ---------------------------------------------------------------------------------------
 */

static aosa_status digest_file(const char *path, char text[AO_SHA256_TEXT])
{
    struct ao_file file;
    AO_TRY(ao_file_open(&file, path));
    ao_sha256(file.bytes, file.size, text);
    ao_file_close(&file);
    return AOSA_OK;
}

static aosa_status add_entry(struct ao_page *page, const char *folder, const char *name)
{
    char path[4096], digest[AO_SHA256_TEXT];
    const int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return ao_fail(AOSA_ERR_INPUT, "%.200s...: the path is too long", folder);
    if (ao_path_is_folder(path))
        return AOSA_OK;
    AO_TRY(digest_file(path, digest));
    ao_page_add(page, "%s  %s\n", digest, name);
    return AOSA_OK;
}

/* By bytes, whatever the locale. */
static int compare_entries(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

aosa_status ao_content_digest(const char *path, char text[AO_SHA256_TEXT])
{
    struct dirent **entries;
    struct ao_page page = { 0 };
    char *rest;
    if (!ao_path_is_folder(path))
        return digest_file(path, text);
    const int n = scandir(path, &entries, NULL, compare_entries);
    if (n < 0)
        return ao_fail(AOSA_ERR_INPUT, "%s: %s", path, strerror(errno));
    aosa_status status = AOSA_OK;
    for (int i = 0; i < n; i++) {
        if (status == AOSA_OK)
            status = add_entry(&page, path, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    if (status == AOSA_OK)
        return hash_page(&page, text);
    if (ao_page_take(&page, &rest) == AOSA_OK)
        ao_free(rest);
    return status;
}

aosa_status ao_run_key(const char *run, const char *clip, const char *content, const char *method,
                       char key[AO_SHA256_TEXT])
{
    struct ao_page page = { 0 };
    ao_page_add(&page, "%s\n%s\n%s\n%s\n", run, clip, content, method);
    return hash_page(&page, key);
}
