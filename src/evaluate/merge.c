/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "aosa/evaluate.h"
#include "core/alloc.h"
#include "core/file.h"
#include "evaluate/table.h"
#include "explain/save.h"
#include "explain/settings.h"

/* Numbers read back to the same bits, unlike those of ao_report_text. */
static aosa_status add_json(struct ao_page *page, json_t *value)
{
    char *text = value ? json_dumps(value, JSON_INDENT(2) | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(value);
    if (!text)
        return ao_fail(AOSA_ERR_NOMEM, "table: no memory for its JSON");
    ao_page_add(page, "%s\n", text);
    free(text); /* jansson's allocation, not ours */
    return AOSA_OK;
}

static aosa_status write_files(const struct ao_table *table, struct ao_outdir *dir)
{
    static const struct {
        const char *name;
        void (*add)(const struct ao_table *table, struct ao_page *page);
    } files[] = {
        { "table.csv", ao_table_csv },       { "classes.csv", ao_table_classes_csv },
        { "tests.csv", ao_table_tests_csv }, { "curves.csv", ao_table_curves_csv },
        { "cost.csv", ao_table_cost_csv },   { "table.md", ao_table_markdown },
    };
    struct ao_page page = { 0 };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        files[i].add(table, &page);
        AO_TRY(ao_save_page(dir, files[i].name, &page));
    }
    AO_TRY(add_json(&page, ao_table_json(table)));
    AO_TRY(ao_save_page(dir, "table.json", &page));
    return ao_mean_curves_draw(&table->curves, table->results, dir);
}

static aosa_status print(const struct ao_table *table, bool json, char **text)
{
    struct ao_page page = { 0 };
    if (json)
        AO_TRY(add_json(&page, ao_table_json(table)));
    else
        ao_table_markdown(table, &page);
    return ao_page_take(&page, text);
}

static aosa_status write_table(const struct ao_table *table, const char *output, bool force,
                               bool json, char **text)
{
    struct ao_outdir dir;
    char *printed = NULL;
    AO_TRY(ao_outdir_begin(&dir, output, "table.csv", force));
    aosa_status status = write_files(table, &dir);
    if (status == AOSA_OK)
        status = print(table, json, &printed);
    if (status != AOSA_OK) {
        ao_outdir_abort(&dir);
        return status;
    }
    status = ao_outdir_commit(&dir);
    if (status != AOSA_OK)
        ao_free(printed);
    else
        *text = printed;
    return status;
}

static aosa_status merge(const aosa_settings *settings, struct ao_results *results,
                         struct ao_table *table, const char *folder)
{
    const struct ao_evaluation_options *options = &settings->evaluation;
    AO_TRY(ao_results_read(results, folder, options));
    return ao_table_init(table, results, options->resamples, (uint64_t)settings->mask.seed);
}

aosa_status aosa_merge(const aosa_settings *settings, const char *folder, const char *output,
                       bool force, bool json, char **text)
{
    struct ao_results results = { 0 };
    struct ao_table table = { 0 };
    aosa_settings *resolved;
    AO_TRY(ao_settings_resolve(settings, &resolved));
    aosa_status status = merge(resolved, &results, &table, folder);
    if (status == AOSA_OK)
        status = write_table(&table, output, force, json, text);
    ao_table_fini(&table);
    ao_results_fini(&results);
    aosa_settings_destroy(&resolved);
    return status;
}
