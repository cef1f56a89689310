/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "attribution/method.h"
#include "explain/page.h"
#include "explain/report.h"
#include "metric/metric.h"
#include "render/colormap.h"

/* Text is made from the JSON object, so that both say the same. */

static const char *const masks[] = {
#define AO_MASK(name) #name,
#include "mask/masks.def"
#undef AO_MASK
    NULL,
};
static const char *const stacks[] = {
#define AO_STACK(name) #name,
#include "mask/stacks.def"
#undef AO_STACK
    NULL,
};
static const char *const flows[] = {
#define AO_FLOW(name) #name,
#include "flow/flows.def"
#undef AO_FLOW
    NULL,
};
static const char *const presets[] = {
#define AO_PRESET(name, ...) #name,
#include "video/presets.def"
#undef AO_PRESET
    NULL,
};

/* [{"name": "flow_one"}, ...] */
static json_t *names_json(const char *const *names)
{
    json_t *list = json_array();
    for (; *names; names++)
        json_array_append_new(list, json_pack("{s:s}", "name", *names));
    return list;
}

static json_t *masks_json(void)
{
    return names_json(masks);
}

static json_t *stacks_json(void)
{
    return names_json(stacks);
}

static json_t *flows_json(void)
{
    return names_json(flows);
}

static json_t *presets_json(void)
{
    return names_json(presets);
}

static json_t *colormaps_json(void)
{
    json_t *list = json_array();
    for (const struct ao_colormap *map = ao_colormaps; map->name; map++)
        json_array_append_new(list,
                              json_pack("{s:s, s:s}", "name", map->name, "summary", map->summary));
    return list;
}

/* Options of one method alone: those of the groups "clip" and "run" serve all. */
static json_t *options_json(const struct ao_method *method)
{
    struct aosa_option_info option;
    json_t *list = json_array();
    for (size_t i = 0; aosa_option_at(i, &option); i++)
        if (ao_method_reads(method, option.name))
            json_array_append_new(list, json_string(option.name));
    return list;
}

static json_t *methods_json(void)
{
    int n;
    const struct ao_method *methods = ao_methods(&n);
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        json_t *row = ao_report_method(&methods[i]);
        json_object_set_new(row, "mask",
                            methods[i].mask ? json_string(methods[i].mask) : json_null());
        json_object_set_new(row, "options", options_json(&methods[i]));
        json_array_append_new(list, row);
    }
    return list;
}

static json_t *metrics_json(void)
{
    int n;
    const struct ao_metric *metrics = ao_metrics(&n);
    json_t *list = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", metrics[i].name,
                                              "summary", metrics[i].summary, "source",
                                              metrics[i].source, "better", metrics[i].better,
                                              "options", metrics[i].options));
    return list;
}

static json_t *datasets_json(void)
{
    static const char *const rows[][2] = {
#define LAYOUT(name, options, summary) { #name, summary },
#include "dataset/datasets.def"
#undef LAYOUT
    };
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:s}", "name", rows[i][0], "summary", rows[i][1]));
    return list;
}

static const struct topic {
    const char *name;
    json_t *(*make)(void);
} topics[] = {
    { "methods", methods_json }, { "masks", masks_json },       { "stacks", stacks_json },
    { "flows", flows_json },     { "presets", presets_json },   { "colormaps", colormaps_json },
    { "metrics", metrics_json }, { "datasets", datasets_json },
};
#define N_TOPICS (sizeof topics / sizeof topics[0])

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* "needs scores, masks" of a list of words, or nothing. */
static void page_words(struct ao_page *page, const char *title, const char *before,
                       const json_t *words)
{
    size_t i;
    json_t *word;
    json_array_foreach(words, i, word)
        ao_page_add(page, "%s%s%s", i ? ", " : title, before, json_string_value(word));
}

static void page_method(struct ao_page *page, const json_t *row)
{
    ao_page_add(page, "  %-22s%s\n%24s%s\n%24s", text_of(row, "name"), text_of(row, "summary"), "",
                text_of(row, "source"), "");
    page_words(page, "needs ", "", json_object_get(row, "needs"));
    page_words(page, "; reads ", "--", json_object_get(row, "options"));
    ao_page_add(page, "\n");
}

static void page_topic(struct ao_page *page, const char *topic, const json_t *rows)
{
    const char *family = "";
    size_t i;
    json_t *row;
    ao_page_add(page, "%s%s\n", page->length ? "\n" : "", topic);
    json_array_foreach(rows, i, row)
    {
        if (!json_object_get(row, "family")) {
            const char *summary = text_of(row, "summary");
            ao_page_add(page, "  %-*s%s\n", *summary ? 22 : 0, text_of(row, "name"), summary);
            continue;
        }
        if (strcmp(family, text_of(row, "family"))) {
            family = text_of(row, "family");
            ao_page_add(page, "%s\n", family);
        }
        page_method(page, row);
    }
}

/* Rows of one topic or all, NULL without memory. */
static json_t *collect(const char *topic)
{
    json_t *object = json_pack("{s:i}", "aosa_list", AO_RESULT_SCHEMA);
    for (size_t i = 0; object && i < N_TOPICS; i++) {
        if (topic && strcmp(topic, topics[i].name))
            continue;
        if (json_object_set_new(object, topics[i].name, topics[i].make()) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

aosa_status aosa_list(const char *topic, bool json, char **text)
{
    json_t *object = collect(topic);
    if (object && json_object_size(object) == 1) {
        json_decref(object);
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "list: '%s' is unknown, choose methods, masks, stacks, flows, presets, "
                       "colormaps, metrics or datasets",
                       topic);
    }
    if (json || !object)
        return ao_report_text(object, text);
    struct ao_page page = { 0 };
    for (size_t i = 0; i < N_TOPICS; i++)
        if (json_object_get(object, topics[i].name))
            page_topic(&page, topics[i].name, json_object_get(object, topics[i].name));
    json_decref(object);
    return ao_page_take(&page, text);
}
