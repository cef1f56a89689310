/* SPDX-License-Identifier: Apache-2.0 */
#include "model/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"
#include "model/card.h"
#include "model/feeds.h"
#include "model/labels.h"
#include "ops/element.h"
#include "ops/op.h"

const struct ao_graph *ao_model_graph(const struct aosa_model *model)
{
    return &model->onnx->graph;
}

/* Operators that hand values on unchanged, so that a Softmax above them still ends the network. */
static bool passes_values_on(const char *type)
{
    static const char *const types[] = { "Reshape",   "Flatten",  "Squeeze",
                                         "Unsqueeze", "Identity", "Transpose" };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (!strcmp(type, types[i]))
            return true;
    return false;
}

static bool ends_in_softmax(const struct ao_graph *graph)
{
    for (int v = graph->outputs[0]; v >= 0 && graph->values[v].producer >= 0;) {
        const struct ao_node *node = &graph->nodes[graph->values[v].producer];
        if (!strcmp(node->type, "Softmax"))
            return true;
        if (!passes_values_on(node->type))
            return false;
        v = node->in[0];
    }
    return false;
}

/* Why this network is not a classifier of one clip, or NULL; fills the clip's and output's sizes.
 */
static const char *classify(struct aosa_model *model)
{
    const struct ao_graph *graph = ao_model_graph(model);
    if (graph->n_inputs != 1)
        return "it has several inputs";
    const struct ao_value *input = &graph->values[graph->inputs[0]];
    const int64_t *in = input->shape.dims;
    if (input->dtype != AO_F32 || input->shape.rank != 5 || in[0] != 1 || in[1] != 3)
        return "its input is not float32 [N,3,T,H,W]";
    if (in[2] > 4096 || in[3] > 8192 || in[4] > 8192)
        return "its input is larger than 4096 frames of 8192 x 8192";
    const struct ao_value *output = &graph->values[graph->outputs[0]];
    const int64_t *out = output->shape.dims;
    if (output->dtype != AO_F32 || output->shape.rank < 1 || !output->batched)
        return "its first output is not float32 and computed from the clip";
    const int class_axis = output->shape.rank > 1 && out[0] == 1 ? 1 : 0;
    const int64_t count = ao_shape_count(&output->shape);
    if (out[class_axis] < 2 || out[class_axis] > 1000000)
        return "its first output is not a row of classes";
    model->T = (int)in[2];
    model->H = (int)in[3];
    model->W = (int)in[4];
    model->classes = (int)out[class_axis];
    model->per_class = (int)(count / out[class_axis]);
    model->probabilities = ends_in_softmax(graph);
    return NULL;
}

static aosa_status load_labels(struct aosa_model *model, const char *given)
{
    char *from_card = NULL;
    if (!given) {
        AO_TRY(ao_card_labels_path(model, &from_card));
        given = from_card;
    }
    aosa_status status = AOSA_OK;
    if (given)
        status = ao_labels_read(given, &model->labels, &model->n_labels);
    if (status == AOSA_OK && given && model->T && model->n_labels != model->classes)
        status = ao_fail(AOSA_ERR_SHAPE, "%s: %d labels, the model %s answers %d classes", given,
                         model->n_labels, model->path, model->classes);
    ao_free(from_card);
    return status;
}

/* A file written to waste time is refused before the first forward pass. */
static aosa_status check_work(const struct aosa_model *model, double max_gmacs)
{
    const double most = max_gmacs > 0 ? max_gmacs : AO_MAX_GMACS;
    const double gmacs = 1e-9 * ao_model_macs(model);
    if (gmacs <= most)
        return AOSA_OK;
    return ao_fail(AOSA_ERR_UNSUPPORTED,
                   "%s: one clip takes %.4g GMAC (10^9 multiply-accumulates), at most %.4g are "
                   "allowed; if that is meant, give --max-gmacs",
                   model->path, gmacs, most);
}

static aosa_status load(struct aosa_model *model, const char *path,
                        const struct ao_model_options *options)
{
    const struct ao_onnx_options onnx = {
        .frames = options->frames,
        .height = options->frame_height,
        .width = options->frame_width,
        .allow_nonfinite = options->allow_nonfinite,
        .max_bytes = options->max_memory,
    };
    ao_budget_init(&model->budget, options->max_memory);
    model->allow_traced = options->allow_traced;
    model->path = ao_strdup(path);
    if (!model->path)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for the path", path);
    AO_TRY(ao_onnx_open(path, &onnx, &model->onnx));
    model->onnx->graph.budget = &model->budget;
    AO_TRY(ao_card_load(model));
    if (!options->file_inputs)
        AO_TRY(ao_feeds_apply(model));
    const aosa_status status = ao_passes_run(&model->onnx->graph, &model->report);
    if (status != AOSA_OK)
        return ao_fail_in(status, "%s", path);
    AO_TRY(ao_budget_take(&model->budget, model->onnx->graph.arena.used_bytes, path));
    AO_TRY(check_work(model, options->max_gmacs));
    const char *reason = classify(model);
    if (reason)
        snprintf(model->not_a_clip, sizeof model->not_a_clip, "%s", reason);
    return load_labels(model, options->labels);
}

aosa_status ao_model_open(const char *path, const struct ao_model_options *options,
                          struct aosa_model **model)
{
    struct aosa_model *m = ao_alloc(1, sizeof *m);
    if (!m)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for the model", path);
    const aosa_status status = load(m, path, options);
    if (status != AOSA_OK) {
        ao_model_close(&m);
        return status;
    }
    *model = m;
    return AOSA_OK;
}

void ao_model_close(struct aosa_model **model)
{
    struct aosa_model *m = *model;
    if (!m)
        return;
    ao_passes_report_fini(&m->report);
    ao_onnx_close(&m->onnx);
    ao_labels_destroy(&m->labels, m->n_labels);
    ao_free(m->feeds);
    json_decref(m->card);
    ao_free(m->card_source);
    ao_free(m->path);
    ao_free(m);
    *model = NULL;
}

aosa_status ao_model_require_clip(const struct aosa_model *model)
{
    const struct ao_passes_report *report = &model->report;
    char text[AO_SHAPE_TEXT];
    if (model->T && report->n_traced > 0 && !model->allow_traced)
        return ao_fail(AOSA_ERR_UNSUPPORTED,
                       "%s: node '%s' adds a constant %s shaped like a feature map: this export is "
                       "only right for the clip it was traced with; export again without .data or "
                       ".detach() on activations, or give --allow-traced",
                       model->path, report->traced[0].node,
                       ao_shape_text(&report->traced[0].shape, text));
    if (model->T)
        return AOSA_OK;
    return ao_fail(AOSA_ERR_UNSUPPORTED,
                   "%s: cannot be explained as a clip classifier: %s; see aosa inspect",
                   model->path, model->not_a_clip);
}

const char *ao_model_label(const struct aosa_model *model, int c, char *text, size_t bytes)
{
    if (c < model->n_labels)
        snprintf(text, bytes, "%s", model->labels[c]);
    else
        snprintf(text, bytes, "class %d", c);
    return text;
}

aosa_status ao_model_find_class(const struct aosa_model *model, const char *text, int *c)
{
    const int named = ao_labels_find(model->labels, model->n_labels, text);
    if (named >= 0) {
        *c = named;
        return AOSA_OK;
    }
    char *end;
    const long index = strtol(text, &end, 10);
    if (end == text || *end) {
        if (!model->labels)
            return ao_fail(AOSA_ERR_ARGUMENT,
                           "target '%s': the model has no labels; give --labels FILE or a number",
                           text);
        return ao_fail(AOSA_ERR_ARGUMENT, "target '%s' is none of the %d labels, such as '%s'",
                       text, model->n_labels, model->labels[0]);
    }
    if (index < 0 || index >= model->classes)
        return ao_fail(AOSA_ERR_ARGUMENT, "target %ld is out of range, the classes are 0 to %d",
                       index, model->classes - 1);
    *c = (int)index;
    return AOSA_OK;
}

double ao_model_macs(const struct aosa_model *model)
{
    const struct ao_graph *graph = ao_model_graph(model);
    double macs = 0;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const struct ao_node *node = &graph->nodes[i];
        if (node->op->macs)
            macs += node->op->macs(graph, node);
    }
    return macs;
}

/* Element `index` of a sample's block in logical order. */
static double read_element(const struct ao_view *view, int64_t sample, int64_t index)
{
    const struct ao_shape *shape = &view->shape;
    int64_t offset = 0;
    for (int a = shape->rank - 1; a > 0; a--) {
        offset += index % shape->dims[a] * view->strides[a];
        index /= shape->dims[a];
    }
    return ao_element(view, offset + (sample + index) * view->strides[0]);
}

aosa_status ao_model_read_outputs(const struct aosa_model *model, const struct ao_view *output,
                                  int64_t sample, int64_t variant, float *classes)
{
    /* A rank-1 output [classes] holds its samples one after the other. */
    const int64_t first = output->shape.rank > 1 ? sample : sample * model->classes;
    for (int c = 0; c < model->classes; c++) {
        double sum = 0;
        for (int i = 0; i < model->per_class; i++)
            sum += read_element(output, first, (int64_t)c * model->per_class + i);
        classes[c] = (float)(sum / model->per_class);
        if (!isfinite(classes[c]))
            return ao_fail(AOSA_ERR_NUMERIC,
                           "%s: output %d of variant %lld of the clip is %g, not a finite number; "
                           "check the model's weights",
                           model->path, c, (long long)variant, (double)classes[c]);
    }
    return AOSA_OK;
}
