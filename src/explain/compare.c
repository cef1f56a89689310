/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "core/file.h"
#include "explain/explanation.h"
#include "explain/page.h"
#include "explain/report.h"
#include "explain/save.h"
#include "render/sheet.h"

/* What the sheet keeps of one method's explanation. */
struct entry {
    const struct ao_method *method;
    float *maps;      /* [targets][T][H][W] normalised; NULL: `detail` says why not */
    char detail[512]; /* passes and seconds, or why the model cannot be explained so */
    char warning[256];
    double seconds; /* without optical flow, which all share */
    struct ao_passes passes;
};

struct comparison {
    const struct aosa_model *model;
    const struct aosa_clip *clip;
    const aosa_settings *settings;
    const char *folder;
    bool force;
    struct entry *entries;
    int n, done;
    struct ao_flow_field *flow; /* of the first method that needed it, for the next ones */
    int n_targets;
    struct ao_target targets[AO_MAX_TARGETS];
    double probabilities[AO_MAX_TARGETS];
    struct ao_progress progress;
};

static aosa_status choose(struct comparison *c, const char *list)
{
    const struct ao_method **methods;
    AO_TRY(ao_settings_choose_methods(c->settings, list, false, &methods, &c->n));
    c->entries = ao_alloc((size_t)c->n, sizeof *c->entries);
    for (int i = 0; c->entries && i < c->n; i++)
        c->entries[i].method = methods[i];
    ao_free(methods);
    return c->entries ? AOSA_OK
                      : ao_fail(AOSA_ERR_NOMEM, "comparison: no memory for %d methods", c->n);
}

static void describe(const struct aosa_explanation *e, struct entry *entry)
{
    const struct ao_attribution *a = &e->attribution;
    char backwards[32] = "";
    snprintf(entry->warning, sizeof entry->warning, "%s", a->warning);
    entry->passes = a->passes;
    entry->seconds = e->seconds_masks + a->seconds_prepare + a->seconds_run + a->seconds_map;
    if (a->passes.backwards)
        snprintf(backwards, sizeof backwards, " + %lld back", (long long)a->passes.backwards);
    const bool short_time = entry->seconds < 1;
    snprintf(entry->detail, sizeof entry->detail, "%lld forward%s, %.3g %s",
             (long long)a->passes.forwards, backwards, entry->seconds * (short_time ? 1000 : 1),
             short_time ? "ms" : "s");
}

static aosa_status keep(struct comparison *c, const struct aosa_explanation *e, struct entry *entry)
{
    const struct ao_attribution *a = &e->attribution;
    const size_t voxels = ao_clip_voxels(c->clip);
    if (c->n_targets == 0) {
        c->n_targets = a->n_results;
        for (int k = 0; k < a->n_results; k++) {
            c->targets[k] = a->results[k].target;
            c->probabilities[k] = a->results[k].probability;
        }
    }
    entry->maps = ao_alloc_raw((size_t)c->n_targets * voxels, sizeof *entry->maps);
    if (!entry->maps)
        return ao_fail(AOSA_ERR_NOMEM, "comparison: no memory for %d maps", c->n_targets);
    for (int k = 0; k < c->n_targets; k++)
        memcpy(entry->maps + (size_t)k * voxels, a->results[k].normalised,
               voxels * sizeof *entry->maps);
    describe(e, entry);
    return AOSA_OK;
}

static aosa_status save_entry(const struct comparison *c, const struct aosa_explanation *e)
{
    char path[4096];
    const char *name = e->attribution.method->name;
    const int n = snprintf(path, sizeof path, "%s/%s", c->folder, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return ao_fail(AOSA_ERR_OUTPUT, "%.200s...: the path is too long", c->folder);
    return aosa_explanation_save(e, path, NULL, c->force);
}

static aosa_status explain_prepared(struct comparison *c, struct aosa_explanation *e,
                                    struct entry *entry)
{
    AO_TRY(ao_explanation_run(e, c->progress.fn, c->progress.user));
    AO_TRY(save_entry(c, e));
    return keep(c, e, entry);
}

static aosa_status explain_by(struct comparison *c, struct entry *entry)
{
    aosa_settings *settings;
    struct aosa_explanation *e = NULL;
    AO_TRY(ao_settings_for_method(c->settings, entry->method, &settings));
    aosa_status status = ao_explanation_prepare(c->model, c->clip, settings, &c->flow, &e);
    if (status == AOSA_OK) {
        status = explain_prepared(c, e, entry);
        c->flow = e->flow;
        e->flow = NULL;
    }
    aosa_explanation_destroy(&e);
    aosa_settings_destroy(&settings);
    /* What the model cannot do is an answer too. */
    if (status != AOSA_ERR_UNSUPPORTED)
        return status;
    snprintf(entry->detail, sizeof entry->detail, "%s", aosa_error_message());
    return AOSA_OK;
}

static aosa_status explain_all(struct comparison *c)
{
    bool any = false;
    for (int i = 0; i < c->n; i++) {
        AO_TRY(explain_by(c, &c->entries[i]));
        any = any || c->entries[i].maps;
    }
    return any ? AOSA_OK : ao_fail(AOSA_ERR_UNSUPPORTED, "%s", c->entries[0].detail);
}

static aosa_status draw(const struct comparison *c, int k, struct ao_sheet_row *rows,
                        const char *path)
{
    char name[600];
    for (int i = 0; i < c->n; i++)
        rows[i] = (struct ao_sheet_row){
            .family = c->entries[i].method->family,
            .title = c->entries[i].method->name,
            .detail = c->entries[i].detail,
            .map = c->entries[i].maps ? c->entries[i].maps + (size_t)k * ao_clip_voxels(c->clip)
                                      : NULL,
        };
    const struct ao_picture_spec spec = {
        .clip = c->clip,
        .colormap = ao_colormap_find("coolwarm"),
        .blend = AO_BLEND_STRENGTH,
        .class_name = ao_target_name(c->model, c->targets[k], name, sizeof name),
        .probability = c->probabilities[k],
        .source = c->clip->path ? ao_path_base(c->clip->path) : NULL,
    };
    return ao_render_sheet(&spec, rows, c->n, path);
}

static aosa_status draw_sheets(const struct comparison *c, struct ao_outdir *dir)
{
    struct ao_sheet_row *rows = ao_alloc((size_t)c->n, sizeof *rows);
    aosa_status status = rows ? AOSA_OK : ao_fail(AOSA_ERR_NOMEM, "sheet: no memory");
    for (int k = 0; status == AOSA_OK && k < c->n_targets; k++) {
        char name[32];
        snprintf(name, sizeof name, c->n_targets == 1 ? "sheet.png" : "sheet.%d.png", k);
        char *path = ao_outdir_file(dir, name);
        status = path ? draw(c, k, rows, path)
                      : ao_fail(AOSA_ERR_NOMEM, "%s: no memory for its path", name);
        ao_free(path);
    }
    ao_free(rows);
    return status;
}

static json_t *entry_json(const struct entry *entry)
{
    if (!entry->maps)
        return json_pack("{s:s, s:s, s:o}", "name", entry->method->name, "family",
                         entry->method->family, "not_possible", ao_json_text(entry->detail));
    return json_pack("{s:s, s:s, s:I, s:I, s:f, s:o}", "name", entry->method->name, "family",
                     entry->method->family, "forwards", (json_int_t)entry->passes.forwards,
                     "backwards", (json_int_t)entry->passes.backwards, "seconds", entry->seconds,
                     "warning", ao_json_text(entry->warning));
}

static json_t *report(const struct comparison *c)
{
    json_t *list = json_array();
    for (int i = 0; list && i < c->n; i++)
        if (json_array_append_new(list, entry_json(&c->entries[i]))) {
            json_decref(list);
            list = NULL;
        }
    return json_pack("{s:i, s:o, s:o, s:o}", "aosa_compare", AO_RESULT_SCHEMA, "model",
                     ao_report_model(c->model), "input", ao_report_clip(c->clip), "methods", list);
}

static aosa_status print(const struct comparison *c, bool json, char **text)
{
    if (json)
        return ao_report_text(report(c), text);
    struct ao_page page = { 0 };
    for (int i = 0; i < c->n; i++) {
        const struct entry *entry = &c->entries[i];
        ao_page_add(&page, "%-22s%s%s%s\n", entry->method->name, entry->detail,
                    *entry->warning ? "; " : "", entry->warning);
    }
    return ao_page_take(&page, text);
}

static aosa_status compare(struct comparison *c, const char *methods, bool json, char **text)
{
    struct ao_outdir dir;
    AO_TRY(choose(c, methods));
    AO_TRY(ao_outdir_begin(&dir, c->folder, "compare.json", c->force));
    aosa_status status = explain_all(c);
    if (status == AOSA_OK)
        status = draw_sheets(c, &dir);
    if (status == AOSA_OK)
        status = ao_save_json(&dir, "compare.json", report(c));
    if (status == AOSA_OK)
        status = print(c, json, text);
    if (status == AOSA_OK)
        return ao_outdir_commit(&dir);
    ao_outdir_abort(&dir);
    return status;
}

aosa_status aosa_compare(const aosa_model *model, const aosa_clip *clip,
                         const aosa_settings *settings, const char *methods,
                         aosa_progress_fn progress, void *user, const char *folder, bool json,
                         bool force, char **text)
{
    struct comparison c = {
        .model = model,
        .clip = clip,
        .settings = settings,
        .folder = folder,
        .force = force,
        .progress = { .fn = progress, .user = user },
    };
    const aosa_status status = compare(&c, methods, json, text);
    for (int i = 0; c.entries && i < c.n; i++)
        ao_free(c.entries[i].maps);
    ao_free(c.entries);
    ao_flow_field_destroy(&c.flow);
    return status;
}
