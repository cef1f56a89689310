/* SPDX-License-Identifier: Apache-2.0 */
#include "model/card.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "core/file.h"

#define CARD_VERSION 1
#define METADATA_KEY "aosa_model_card"

/* Keys and the JSON type each must have; JSON_NULL: anything, it is for people. */
static const struct key {
    const char *name;
    json_type type;
} keys[] = {
    { METADATA_KEY, JSON_INTEGER }, { "preset", JSON_STRING }, { "mean", JSON_ARRAY },
    { "std", JSON_ARRAY },          { "range", JSON_REAL },    { "bgr", JSON_TRUE },
    { "resize", JSON_STRING },      { "step", JSON_INTEGER },  { "labels", JSON_STRING },
    { "inputs", JSON_ARRAY },       { "title", JSON_NULL },    { "trained_on", JSON_NULL },
    { "accuracy", JSON_NULL },      { "command", JSON_NULL },  { "licence", JSON_NULL },
    { "source", JSON_NULL },
};

static bool has_type(const json_t *value, json_type type)
{
    if (type == JSON_NULL || json_is_null(value))
        return true;
    if (type == JSON_REAL)
        return json_is_number(value);
    if (type == JSON_TRUE)
        return json_is_boolean(value);
    return json_typeof(value) == type;
}

static aosa_status check_key(const char *source, const char *name, const json_t *value)
{
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(keys[i].name, name))
            continue;
        if (!has_type(value, keys[i].type))
            return ao_fail(AOSA_ERR_FORMAT, "%s: '%s' has the wrong type", source, name);
        return AOSA_OK;
    }
    return ao_fail(AOSA_ERR_FORMAT, "%s: '%s' is no key of a model card", source, name);
}

static aosa_status check_card(const char *source, json_t *card)
{
    const char *name;
    json_t *value;
    json_object_foreach(card, name, value) AO_TRY(check_key(source, name, value));
    const json_int_t version = json_integer_value(json_object_get(card, METADATA_KEY));
    if (version != CARD_VERSION)
        return ao_fail(AOSA_ERR_FORMAT, "%s: \"" METADATA_KEY "\" is %lld, this version reads %d",
                       source, (long long)version, CARD_VERSION);
    const json_int_t step = json_integer_value(json_object_get(card, "step"));
    if (step < 0 || step > 4096)
        return ao_fail(AOSA_ERR_FORMAT, "%s: step %lld is not in 1 to 4096", source,
                       (long long)step);
    return AOSA_OK;
}

static aosa_status card_from_metadata(struct aosa_model *model, const char *text)
{
    json_error_t error;
    json_t *card = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(card)) {
        json_decref(card);
        return ao_fail(AOSA_ERR_FORMAT, "%s: metadata " METADATA_KEY " is no JSON object",
                       model->path);
    }
    model->card = card;
    return AOSA_OK;
}

aosa_status ao_card_load(struct aosa_model *model)
{
    const size_t n = strlen(model->path) + sizeof ".json";
    model->card_source = ao_alloc(n, 1);
    if (!model->card_source)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for the path", model->path);
    snprintf(model->card_source, n, "%s.json", model->path);
    const char *metadata = ao_onnx_property(model->onnx, METADATA_KEY);
    if (ao_path_exists(model->card_source))
        AO_TRY(ao_json_read(model->card_source, &model->card));
    else if (metadata)
        AO_TRY(card_from_metadata(model, metadata));
    return model->card ? check_card(model->card_source, model->card) : AOSA_OK;
}

/* Below the model's folder: no absolute path, no step up. */
static bool stays_below(const char *path)
{
    if (path[0] == '/' || path[0] == '\0')
        return false;
    for (const char *p = path; p; p = strchr(p, '/')) {
        p += *p == '/';
        if (!strncmp(p, "..", 2) && (p[2] == '/' || p[2] == '\0'))
            return false;
    }
    return true;
}

aosa_status ao_card_labels_path(const struct aosa_model *model, char **path)
{
    const char *name = json_string_value(json_object_get(model->card, "labels"));
    *path = NULL;
    if (!name)
        return AOSA_OK;
    if (!stays_below(name))
        return ao_fail(AOSA_ERR_FORMAT, "%s: labels '%s' is not below the model's folder",
                       model->card_source, name);
    const size_t folder = (size_t)(ao_path_base(model->path) - model->path);
    const size_t n = folder + strlen(name) + 1;
    *path = ao_alloc(n, 1);
    if (!*path)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for the path of its labels", model->path);
    snprintf(*path, n, "%.*s%s", (int)folder, model->path, name);
    return AOSA_OK;
}

const char *ao_card_preset(const struct aosa_model *model)
{
    return json_string_value(json_object_get(model->card, "preset"));
}

static aosa_status read_three(const struct aosa_model *model, const char *name, double value[3])
{
    const json_t *array = json_object_get(model->card, name);
    if (!json_is_array(array))
        return AOSA_OK;
    if (json_array_size(array) != 3)
        return ao_fail(AOSA_ERR_FORMAT, "%s: '%s' has %zu numbers, 3 are needed",
                       model->card_source, name, json_array_size(array));
    for (size_t c = 0; c < 3; c++) {
        const json_t *number = json_array_get(array, c);
        if (!json_is_number(number))
            return ao_fail(AOSA_ERR_FORMAT, "%s: '%s' holds something that is no number",
                           model->card_source, name);
        value[c] = json_number_value(number);
    }
    return AOSA_OK;
}

aosa_status ao_card_apply(const struct aosa_model *model, struct ao_preprocess *pre)
{
    const json_t *card = model->card;
    if (!card)
        return AOSA_OK;
    AO_TRY(read_three(model, "mean", pre->mean));
    AO_TRY(read_three(model, "std", pre->std));
    for (int c = 0; c < 3; c++)
        if (!(pre->std[c] > 0))
            return ao_fail(AOSA_ERR_FORMAT, "%s: std %g is not above 0", model->card_source,
                           pre->std[c]);
    const json_t *range = json_object_get(card, "range");
    if (json_is_number(range))
        pre->range = json_number_value(range);
    if (!(pre->range > 0) || !isfinite(pre->range))
        return ao_fail(AOSA_ERR_FORMAT, "%s: range %g is not above 0", model->card_source,
                       pre->range);
    const json_t *bgr = json_object_get(card, "bgr");
    if (json_is_boolean(bgr))
        pre->bgr = json_is_true(bgr);
    const json_int_t step = json_integer_value(json_object_get(card, "step"));
    if (step)
        pre->step = (int)step;
    const char *resize = json_string_value(json_object_get(card, "resize"));
    if (!resize)
        return AOSA_OK;
    const aosa_status status = ao_preprocess_set_resize(pre, resize);
    return status == AOSA_OK ? AOSA_OK : ao_fail_in(AOSA_ERR_FORMAT, "%s", model->card_source);
}
