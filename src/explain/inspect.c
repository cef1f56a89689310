/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "aosa/model.h"
#include "attribution/layer.h"
#include "core/alloc.h"
#include "explain/explanation.h"
#include "explain/inspect.h"
#include "explain/layers.h"
#include "explain/page.h"
#include "explain/report.h"
#include "model/card.h"
#include "ops/op.h"
#include "passes/gradient.h"

/* The page is made from the JSON object, so that both say the same. */

static json_t *values_json(const struct ao_graph *graph, const int32_t *indices, int n)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        const struct ao_value *value = &graph->values[indices[i]];
        json_t *dims = json_array();
        for (int a = 0; a < value->shape.rank; a++)
            json_array_append_new(dims, json_integer((json_int_t)value->shape.dims[a]));
        json_array_append_new(list, json_pack("{s:o, s:s, s:o}", "name", ao_json_text(value->name),
                                              "type", ao_dtype_name(value->dtype), "shape", dims));
    }
    return list;
}

/* {"Conv": {"nodes_before": 22, "nodes": 20, "gmacs": 40.7}, ...} in order of appearance. */
static json_t *operators_json(const struct ao_graph *graph, const struct ao_passes_report *r)
{
    json_t *table = json_object();
    for (size_t i = 0; i < r->n_types; i++)
        json_object_set_new(table, r->types[i].type,
                            json_pack("{s:i, s:i, s:f}", "nodes_before", r->types[i].nodes, "nodes",
                                      0, "gmacs", 0.0));
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const struct ao_node *node = &graph->nodes[i];
        const json_t *old = json_object_get(table, node->type);
        const json_int_t nodes = json_integer_value(json_object_get(old, "nodes")) + 1;
        const double macs = node->op && node->op->macs ? node->op->macs(graph, node) : 0;
        const double gmacs = json_number_value(json_object_get(old, "gmacs")) + 1e-9 * macs;
        const json_int_t before = json_integer_value(json_object_get(old, "nodes_before"));
        json_object_set_new(
            table, node->type,
            json_pack("{s:I, s:I, s:f}", "nodes_before", before, "nodes", nodes, "gmacs", gmacs));
    }
    return table;
}

static json_t *passes_json(const struct ao_passes_report *r)
{
    return json_pack("{s:I, s:I, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "nodes_before",
                     (json_int_t)r->nodes_before, "nodes_after", (json_int_t)r->nodes_after,
                     "folded", r->folded, "branches", r->branches, "batch_norms", r->batch_norms,
                     "scales", r->scales, "pads", r->conv_pads + r->pool_pads, "no_ops", r->no_ops,
                     "dead", r->dead);
}

static json_t *traced_json(const struct ao_passes_report *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->n_traced; i++) {
        char shape[AO_SHAPE_TEXT];
        json_array_append_new(list, json_pack("{s:o, s:s}", "node", ao_json_text(r->traced[i].node),
                                              "shape", ao_shape_text(&r->traced[i].shape, shape)));
    }
    return list;
}

/* Which engine will explain and what it holds, or the reason why none can, in `object`. */
static void add_engine(json_t *object, const struct aosa_model *model,
                       const aosa_settings *settings)
{
    const struct ao_occluder_options options = ao_settings_occluder(settings);
    struct ao_occluder *occluder;
    if (ao_occluder_create(model, &options, &occluder) != AOSA_OK) {
        json_object_set_new(object, "not_explainable", ao_json_text(aosa_error_message()));
        return;
    }
    const struct ao_occluder_cost cost = ao_occluder_cost(occluder);
    json_object_set_new(
        object, "engine",
        json_pack("{s:s, s:o, s:o, s:s, s:i, s:I, s:I, s:o}", "name", cost.engine, "why_dense",
                  ao_json_text(cost.why), "dense_from", ao_json_text(cost.dense_from),
                  "why_dense_from", cost.why_dense_from, "batch", cost.batch, "weight_bytes",
                  (json_int_t)cost.weight_bytes, "bytes_per_thread", (json_int_t)cost.thread_bytes,
                  "stages", ao_report_stages(occluder)));
    ao_occluder_destroy(&occluder);
}

/* Whether there is a backward pass to the clip or, for methods that weigh features, their layer. */
static aosa_status check_gradient(const struct ao_method *method, const struct aosa_model *model,
                                  const aosa_settings *settings)
{
    struct ao_gradient_options options = { .clip = !(method->needs & AO_NEEDS_FEATURES) };
    struct ao_layer layer;
    if (!options.clip) {
        AO_TRY(ao_layer_find(model, settings->method.layer, &layer));
        options.taps = &layer.value;
        options.n_taps = 1;
    }
    return ao_gradient_check(ao_model_graph(model), &options);
}

/* Whether the method can explain this network at all; the error text says why not. */
static aosa_status check_method(const struct ao_method *method, const struct aosa_model *model,
                                const aosa_settings *settings)
{
    const struct aosa_mask_set none = { .T = model->T, .H = model->H, .W = model->W };
    const struct ao_attribution attribution = {
        .method = method,
        .model = model,
        .masks = &none,
        .options = &settings->method,
        .run = ao_settings_occluder(settings),
    };
    struct ao_passes passes;
    AO_TRY(method->passes(&attribution, 1, &passes));
    if (method->needs & AO_NEEDS_GRADIENT)
        AO_TRY(check_gradient(method, model, settings));
    return AOSA_OK;
}

/* [{"name": "gradcam", "works": false, "why": "..."}, ...] */
static json_t *methods_json(const struct aosa_model *model, const aosa_settings *settings)
{
    int n;
    const struct ao_method *methods = ao_methods(&n);
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        const bool works = check_method(&methods[i], model, settings) == AOSA_OK;
        json_array_append_new(list, json_pack("{s:s, s:b, s:o}", "name", methods[i].name, "works",
                                              (int)works, "why",
                                              ao_json_text(works ? "" : aosa_error_message())));
    }
    return list;
}

static json_t *model_json(const struct aosa_model *model, const aosa_settings *settings)
{
    const struct ao_graph *graph = ao_model_graph(model);
    json_t *object =
        json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:b, s:s}", "aosa_inspect",
                  AO_RESULT_SCHEMA, "model", ao_report_model(model), "inputs",
                  values_json(graph, graph->inputs, graph->n_inputs), "outputs",
                  values_json(graph, graph->outputs, graph->n_outputs), "operators",
                  operators_json(graph, &model->report), "passes", passes_json(&model->report),
                  "traced_constants", traced_json(&model->report), "card", model->card != NULL,
                  "labels", model->labels != NULL, "batchable", (int)graph->batchable,
                  "not_batchable", graph->not_batchable);
    if (!object)
        return NULL;
    json_object_set_new(object, "file_inputs", ao_feeds_json(model));
    json_object_set_new(object, "resolutions", ao_resolutions_json(graph));
    add_engine(object, model, settings);
    if (ao_model_require_clip(model) == AOSA_OK) {
        json_object_set_new(object, "methods", methods_json(model, settings));
        json_object_set_new(object, "layers", ao_layers_json(model));
    }
    return object;
}

static json_t *unsupported_json(const char *path, const struct ao_passes_report *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->n_unsupported; i++)
        json_array_append_new(list, json_pack("{s:o, s:o, s:i}", "operator",
                                              ao_json_text(r->unsupported[i].type), "node",
                                              ao_json_text(r->unsupported[i].node), "nodes",
                                              r->unsupported[i].count));
    return json_pack("{s:i, s:{s:o}, s:o, s:o}", "aosa_inspect", AO_RESULT_SCHEMA, "model", "path",
                     ao_json_text(path), "unsupported", list, "reason",
                     ao_json_text(aosa_error_message()));
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static double number_of(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static void page_values(struct ao_page *page, const char *title, const json_t *list)
{
    size_t i, a;
    json_t *value, *dim;
    json_array_foreach(list, i, value)
    {
        ao_page_add(page, "%-10s %s  %s [", i ? "" : title, text_of(value, "name"),
                    text_of(value, "type"));
        json_array_foreach(json_object_get(value, "shape"), a, dim)
            ao_page_add(page, "%s%lld", a ? "," : "", (long long)json_integer_value(dim));
        ao_page_add(page, "]\n");
    }
}

static void page_operators(struct ao_page *page, json_t *table)
{
    const char *type;
    json_t *row;
    json_object_foreach(table, type, row) ao_page_add(
        page, "           %-24s %5.0f nodes of %5.0f %10.3f GMAC\n", type, number_of(row, "nodes"),
        number_of(row, "nodes_before"), number_of(row, "gmacs"));
}

/* Those that work, then those that do not, neighbours with one reason on one line. */
static void page_methods(struct ao_page *page, const json_t *methods)
{
    const char *reason = "";
    int working = 0;
    size_t i;
    json_t *row;
    json_array_foreach(methods, i, row) if (json_is_true(json_object_get(row, "works")))
        ao_page_add(page, "%s%s", working++ ? " " : "methods    ", text_of(row, "name"));
    json_array_foreach(methods, i, row)
    {
        const char *why = text_of(row, "why");
        if (*reason && strcmp(why, reason))
            ao_page_add(page, ": %s", reason);
        if (*why)
            ao_page_add(page, "%s%s", strcmp(why, reason) ? "\nnot        " : " ",
                        text_of(row, "name"));
        reason = why;
    }
    if (*reason)
        ao_page_add(page, ": %s", reason);
    ao_page_add(page, "%s", json_array_size(methods) ? "\n" : "");
}

static void page_model(struct ao_page *page, const json_t *object)
{
    const json_t *model = json_object_get(object, "model");
    const json_t *passes = json_object_get(object, "passes");
    const json_t *engine = json_object_get(object, "engine");
    const bool softmax = json_is_true(json_object_get(model, "ends_in_softmax"));
    ao_page_add(page, "model      %s\n           sha256 %s\n           opset %.0f, made by %s\n",
                text_of(model, "path"), text_of(model, "sha256"), number_of(model, "opset"),
                text_of(model, "producer"));
    page_values(page, "inputs", json_object_get(object, "inputs"));
    ao_page_feeds(page, json_object_get(object, "file_inputs"));
    page_values(page, "outputs", json_object_get(object, "outputs"));
    ao_page_add(page, "answers    %.0f classes, %s\n", number_of(model, "classes"),
                softmax ? "probabilities (the network ends in Softmax)" : "logits");
    ao_page_add(page, "nodes      %.0f in the file, %.0f to run\n",
                number_of(passes, "nodes_before"), number_of(passes, "nodes_after"));
    page_operators(page, json_object_get(object, "operators"));
    ao_page_add(page, "work       %.3f GMAC a clip\n", number_of(model, "gmacs"));
    ao_page_resolutions(page, json_object_get(object, "resolutions"));
    if (engine) {
        const char *why = text_of(engine, "why_dense");
        ao_page_add(page, "engine     %s%s%s, batches of %.0f masks\n", text_of(engine, "name"),
                    *why ? ": " : "", why, number_of(engine, "batch"));
        if (*text_of(engine, "dense_from"))
            ao_page_add(page, "dense      from node '%s' on, which %s\n",
                        text_of(engine, "dense_from"), text_of(engine, "why_dense_from"));
        ao_page_add(page, "memory     %.1f MB weights, %.1f MB more for each thread\n",
                    1e-6 * number_of(engine, "weight_bytes"),
                    1e-6 * number_of(engine, "bytes_per_thread"));
        page_methods(page, json_object_get(object, "methods"));
    } else {
        ao_page_add(page, "explain    not possible: %s\n", text_of(object, "not_explainable"));
    }
    if (*text_of(object, "not_batchable"))
        ao_page_add(page, "batch      one clip at a time: %s\n", text_of(object, "not_batchable"));
    ao_page_add(page, "card       %s\nlabels     %s\n",
                json_is_true(json_object_get(object, "card"))
                    ? "yes"
                    : "none: give --preset or --mean and --std, wrong ones fail silently",
                json_is_true(json_object_get(object, "labels")) ? "yes" : "none: give --labels");
}

static void page_warnings(struct ao_page *page, const json_t *object)
{
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(object, "traced_constants"), i, row)
        ao_page_add(page,
                    "WARNING    node '%s' adds a constant %s shaped like a feature map: this "
                    "export is only right for the clip it was traced with\n",
                    text_of(row, "node"), text_of(row, "shape"));
    json_array_foreach(json_object_get(object, "unsupported"), i, row)
        ao_page_add(page, "missing    operator %s, %.0f nodes, first '%s'\n",
                    text_of(row, "operator"), number_of(row, "nodes"), text_of(row, "node"));
    if (json_object_get(object, "unsupported"))
        ao_page_add(page, "reason     %s\n", text_of(object, "reason"));
}

static aosa_status finish(json_t *object, bool json, char **text)
{
    if (json || !object)
        return ao_report_text(object, text);
    struct ao_page page = { 0 };
    if (json_object_get(object, "passes"))
        page_model(&page, object);
    page_warnings(&page, object);
    json_decref(object);
    return ao_page_take(&page, text);
}

/* The file once more, to list all that is missing instead of the first. */
static aosa_status inspect_unsupported(const char *path, const struct ao_model_options *options,
                                       bool json, char **text)
{
    const struct ao_onnx_options onnx = {
        .frames = options->frames,
        .height = options->frame_height,
        .width = options->frame_width,
        .allow_nonfinite = options->allow_nonfinite,
    };
    struct ao_onnx_model *file = NULL;
    struct ao_passes_report report = { 0 };
    aosa_status status = ao_onnx_open(path, &onnx, &file);
    if (status == AOSA_OK)
        status = ao_passes_run(&file->graph, &report);
    if (status == AOSA_ERR_UNSUPPORTED) {
        char reason[AO_ERROR_TEXT];
        memcpy(reason, aosa_error_message(), sizeof reason);
        const aosa_status made = finish(unsupported_json(path, &report), json, text);
        status = made == AOSA_OK ? ao_fail(status, "%s", reason) : made;
    }
    ao_passes_report_fini(&report);
    ao_onnx_close(&file);
    return status;
}

/* --layer list: the feature maps alone. */
static aosa_status list_layers(const struct aosa_model *model, bool json, char **text)
{
    AO_TRY(ao_model_require_clip(model));
    json_t *object =
        json_pack("{s:i, s:o}", "aosa_layers", AO_RESULT_SCHEMA, "layers", ao_layers_json(model));
    if (json || !object)
        return ao_report_text(object, text);
    struct ao_page page = { 0 };
    ao_layers_page(&page, json_object_get(object, "layers"));
    json_decref(object);
    return ao_page_take(&page, text);
}

aosa_status aosa_inspect(const char *path, const aosa_settings *settings, bool json, char **text)
{
    aosa_settings *resolved;
    AO_TRY(ao_settings_resolve(settings, &resolved));
    const struct ao_model_options options = ao_settings_model_options(resolved);
    struct aosa_model *model = NULL;
    const char *layer = resolved->method.layer;
    *text = NULL;
    aosa_status status = ao_model_open(path, &options, &model);
    if (status == AOSA_OK && layer && !strcmp(layer, "list"))
        status = list_layers(model, json, text);
    else if (status == AOSA_OK)
        status = finish(model_json(model, resolved), json, text);
    else if (status == AOSA_ERR_UNSUPPORTED)
        status = inspect_unsupported(path, &options, json, text);
    ao_model_close(&model);
    aosa_settings_destroy(&resolved);
    return status;
}
