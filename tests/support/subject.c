/* SPDX-License-Identifier: Apache-2.0 */
#include "support/subject.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/alloc.h"
#include "support/zoo.h"

static char path[] = "subject.onnx";

static void prepare(struct subject *s)
{
    const struct ao_graph *graph = ao_model_graph(&s->model);
    const int64_t *in = graph->values[graph->inputs[0]].shape.dims;
    s->model.path = path;
    s->model.T = (int)in[2];
    s->model.H = (int)in[3];
    s->model.W = (int)in[4];
    s->model.per_class = 1;
    s->model.classes = (int)ao_shape_count(&graph->values[graph->outputs[0]].shape);
    assert_int_equal(ao_clip_create(s->model.T, s->model.H, s->model.W, &s->clip), AOSA_OK);
    for (int c = 0; c < 3; c++) {
        s->clip->mean[c] = 0.5;
        s->clip->std[c] = 0.25;
    }
    assert_int_equal(ao_options_init(ao_method_option_table, &s->options), AOSA_OK);
    s->a = (struct ao_attribution){
        .model = &s->model,
        .clip = s->clip,
        .target = "top1",
        .score = AO_SCORE_LOGIT,
        .options = &s->options,
        .run = { .backend = AO_BACKEND_ONEDNN, .threads = 1, .batch = 1 },
    };
}

void subject_open(struct subject *s, const char *name)
{
    struct ao_passes_report report = { 0 };
    memset(s, 0, sizeof *s);
    aosa_status status =
        strcmp(name, "demo") != 0
            ? zoo_open(name, &s->file)
            : ao_onnx_open("demo/model.onnx", &(struct ao_onnx_options){ 0 }, &s->file);
    if (status == AOSA_OK)
        status = ao_passes_run(&s->file->graph, &report);
    ao_passes_report_fini(&report);
    if (status != AOSA_OK)
        fail_msg("%s: %s", name, aosa_error_message());
    s->model.onnx = s->file;
    prepare(s);
    const struct ao_graph *graph = &s->file->graph;
    zoo_input(0, graph->values[graph->inputs[0]].name, 3 * (int64_t)ao_clip_voxels(s->clip),
              s->clip->values);
}

void subject_init(struct subject *s, const struct ao_graph *graph)
{
    memset(s, 0, sizeof *s);
    s->onnx.graph = *graph;
    s->model.onnx = &s->onnx;
    prepare(s);
}

void subject_defaults(struct subject *s)
{
    ao_options_fini(ao_method_option_table, &s->options);
    assert_int_equal(ao_options_init(ao_method_option_table, &s->options), AOSA_OK);
}

void subject_set(struct subject *s, const char *option, const char *text)
{
    const struct ao_option *row = ao_options_find(ao_method_option_table, option);
    assert_non_null(row);
    assert_int_equal(ao_option_set(row, &s->options, text), AOSA_OK);
}

/* Frees what a run left and makes the attribution ready for another. */
static void reset(struct subject *s)
{
    struct ao_attribution *a = &s->a;
    ao_attribution_fini(a);
    a->results = NULL;
    a->outputs = NULL;
    a->n_results = 0;
    a->passes = (struct ao_passes){ 0 };
    a->warning[0] = '\0';
    a->stopped = false;
}

aosa_status subject_run(struct subject *s, const char *method)
{
    int n;
    const struct ao_method *methods = ao_methods(&n);
    reset(s);
    while (n > 0 && strcmp(methods[n - 1].name, method) != 0)
        n--;
    if (n == 0)
        fail_msg("there is no method '%s'", method);
    s->a.method = &methods[n - 1];
    s->a.outputs = ao_alloc((size_t)s->model.classes, sizeof *s->a.outputs);
    assert_non_null(s->a.outputs);
    return s->a.method->run(&s->a);
}

/* A copy of the map of target 0, freed by the caller. */
static float *run_by(struct subject *s, const char *method, enum ao_engine engine, int threads,
                     int forwards)
{
    const size_t bytes = ao_clip_voxels(s->clip) * sizeof(float);
    s->a.run = (struct ao_occluder_options){
        .engine = engine, .backend = AO_BACKEND_ONEDNN, .threads = threads, .batch = 1
    };
    if (subject_run(s, method) != AOSA_OK)
        fail_msg("%s: %s", method, aosa_error_message());
    assert_int_equal(s->a.passes.forwards, forwards);
    float *map = malloc(bytes);
    assert_non_null(map);
    memcpy(map, s->a.results[0].map, bytes);
    return map;
}

void subject_compare_engines(struct subject *s, const char *method, int forwards, double share)
{
    const size_t n = ao_clip_voxels(s->clip);
    float *delta = run_by(s, method, AO_ENGINE_DELTA, 1, forwards);
    float *threaded = run_by(s, method, AO_ENGINE_DELTA, 2, forwards);
    float *dense = run_by(s, method, AO_ENGINE_DENSE, 1, forwards);
    double worst = 0, most = 0;
    for (size_t i = 0; i < n; i++) {
        worst = fmax(worst, fabs((double)delta[i] - (double)dense[i]));
        most = fmax(most, fabs((double)dense[i]));
    }
    print_message("%s: delta and dense differ by %g of %g\n", method, worst, most);
    assert_memory_equal(delta, threaded, n * sizeof *delta);
    assert_true(worst <= share * most);
    free(delta);
    free(threaded);
    free(dense);
}

void subject_close(struct subject *s)
{
    reset(s);
    ao_options_fini(ao_method_option_table, &s->options);
    ao_clip_destroy(&s->clip);
    ao_onnx_close(&s->file);
}
