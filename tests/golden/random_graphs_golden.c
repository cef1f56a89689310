/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/file.h"
#include "core/rng.h"
#include "engine/engine.h"
#include "onnx/onnx.h"
#include "ops/element.h"
#include "passes/passes.h"
#include "support/zoo.h"

/*
 * Random small networks against ONNX Runtime: tools/random_graphs.py made random_graphs.bin and
 * says what is in it. A file of more cases is tested by AOSA_RANDOM_GRAPHS=FILE.
 *
 * What is compared are sums of the output weighted by random numbers in [-1, 1), in units of
 * S = sum |weight value|. Each side rounds a value once per layer and sums up to a few hundred
 * terms in float32: 1e-6 of its size at most, and so of S. A wrong element among the at most few
 * thousand of an output moves a sum by 1e-4 of S or more. Networks that cancel (a norm of
 * near-constant planes, epsilon 1e-3) magnify rounding by up to 1 / sqrt(epsilon) = 30.
 */
#define TOLERANCE 3e-5
#define SUMS 4
#define CLIPS 2
#define CASES 2000

static void fill_uniform(const char *number, const char *name, double lo, double hi, int64_t n,
                         float *values)
{
    char key[300];
    struct ao_rng rng;
    snprintf(key, sizeof key, "%s:%s", number, name);
    ao_rng_init(&rng, zoo_crc32(key));
    for (int64_t i = 0; i < n; i++)
        values[i] = (float)ao_rng_range(&rng, lo, hi);
}

static aosa_status fill(void *user, const struct ao_onnx_model *model, const char *name,
                        const struct ao_shape *shape, float *values)
{
    (void)user;
    const bool positive = name[0] == 'p';
    fill_uniform(ao_onnx_property(model, "case"), name, positive ? 0.5 : -1, positive ? 1.5 : 1,
                 ao_shape_count(shape), values);
    return AOSA_OK;
}

static aosa_status load(const unsigned char *bytes, size_t size, struct ao_onnx_model **model)
{
    const struct ao_onnx_options options = { .fill = fill };
    struct ao_passes_report report = { 0 };
    AO_TRY(ao_onnx_read(bytes, size, "case", &options, model));
    const aosa_status status = ao_passes_run(&(*model)->graph, &report);
    ao_passes_report_fini(&report);
    return status;
}

/* Block k of the first axis: what a batch holds of clip k. */
static struct ao_view block(const struct ao_view *view, int64_t blocks, int64_t k)
{
    struct ao_view part = *view;
    part.shape.dims[0] /= blocks;
    part.data = ao_element_at(view, k * part.shape.dims[0] * view->strides[0]);
    return part;
}

/* Largest error of the sums over the output of clip k, in units of S. */
static double sums_error(const struct ao_onnx_model *model, const struct ao_view *y, int k)
{
    const char *number = ao_onnx_property(model, "case"), *text = ao_onnx_property(model, "sums");
    double want[CLIPS * SUMS], worst = 0;
    char *end = (char *)(uintptr_t)text;
    for (int i = 0; i < CLIPS * SUMS; i++)
        want[i] = strtod(end, &end);
    for (int s = 0; s < SUMS; s++) {
        char key[64];
        struct ao_rng rng;
        double sum = 0, size = 1e-30;
        snprintf(key, sizeof key, "%s:y%d", number, s);
        ao_rng_init(&rng, zoo_crc32(key));
        for (int64_t i = 0; i < ao_shape_count(&y->shape); i++) {
            const double term = ao_rng_range(&rng, -1, 1) * ao_element(y, ao_view_offset(y, i));
            sum += term;
            size += fabs(term);
        }
        const double error = fabs(sum - want[k * SUMS + s]) / size;
        worst = error <= worst ? worst : error; /* a NaN is taken, and stays */
    }
    return worst;
}

static aosa_status check_shape(const struct ao_onnx_model *model)
{
    const struct ao_graph *graph = &model->graph;
    char text[AO_SHAPE_TEXT], got[AO_SHAPE_TEXT];
    snprintf(text, sizeof text, "[%s]", ao_onnx_property(model, "shape"));
    ao_shape_text(&graph->values[graph->outputs[0]].shape, got);
    if (strcmp(text, got) != 0)
        return ao_fail(AOSA_ERR_SHAPE, "the output is %s, not %s", got, text);
    return AOSA_OK;
}

/* Both clips in one batch, which all these networks allow. */
static aosa_status run_case(const struct ao_onnx_model *model, enum ao_backend backend,
                            double *error)
{
    const struct ao_graph *graph = &model->graph;
    const struct ao_program_options options = {
        .backend = backend,
        .batch = CLIPS,
        .inner_threads = 1,
    };
    struct ao_program *program = NULL;
    struct ao_session *session = NULL;
    AO_TRY(check_shape(model));
    aosa_status status = ao_program_create(graph, &options, &program);
    if (status == AOSA_OK)
        status = ao_session_create(program, &session);
    float values[8 * 7 * 7 * 7];
    for (int k = 0; status == AOSA_OK && k < CLIPS; k++) {
        char name[8];
        const struct ao_view x = ao_session_input(session, 0), dst = block(&x, CLIPS, k);
        const int64_t n = ao_shape_count(&dst.shape);
        assert_true((size_t)n <= sizeof values / sizeof values[0]);
        snprintf(name, sizeof name, "x%d", k);
        fill_uniform(ao_onnx_property(model, "case"), name, -1, 1, n, values);
        const struct ao_view src = ao_view_dense(values, AO_F32, &dst.shape);
        ao_view_copy(&dst, &src);
    }
    if (status == AOSA_OK)
        status = ao_session_run(session);
    *error = 0;
    for (int k = 0; status == AOSA_OK && k < CLIPS; k++) {
        const struct ao_view y = ao_session_output(session, 0), part = block(&y, CLIPS, k);
        const double worst = sums_error(model, &part, k);
        *error = worst <= *error ? *error : worst;
    }
    ao_session_destroy(&session);
    ao_program_destroy(&program);
    return status;
}

static void describe(const struct ao_graph *graph)
{
    for (size_t i = 0; i < graph->n_nodes; i++) {
        char text[AO_SHAPE_TEXT];
        print_message("    %s %s\n", graph->nodes[i].type,
                      ao_shape_text(&graph->values[graph->nodes[i].out[0]].shape, text));
    }
}

/* Whether the case agrees; *worst grows to its error. */
static bool check_case(const unsigned char *bytes, size_t size, enum ao_backend backend,
                       double *worst)
{
    struct ao_onnx_model *model = NULL;
    double error = 0;
    aosa_status status = load(bytes, size, &model);
    if (status == AOSA_OK)
        status = run_case(model, backend, &error);
    const bool agrees = status == AOSA_OK && error <= TOLERANCE;
    if (!agrees) {
        print_message("case %s: error %.2e %s\n", model ? ao_onnx_property(model, "case") : "?",
                      error, status == AOSA_OK ? "" : aosa_error_message());
        if (model)
            describe(&model->graph);
    }
    *worst = error <= *worst ? *worst : error;
    ao_onnx_close(&model);
    return agrees;
}

static void check_file(enum ao_backend backend)
{
    char path[512];
    struct ao_file file;
    const char *root = getenv("AOSA_SOURCE_ROOT"), *other = getenv("AOSA_RANDOM_GRAPHS");
    snprintf(path, sizeof path, "%s/tests/golden/random_graphs.bin", root ? root : ".");
    if (ao_file_open(&file, other ? other : path) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    int cases = 0, wrong = 0;
    double worst = 0;
    for (size_t at = 0; at + 4 <= file.size; cases++) {
        uint32_t size;
        memcpy(&size, file.bytes + at, sizeof size);
        at += sizeof size;
        assert_true(size <= file.size - at);
        wrong += !check_case(file.bytes + at, size, backend, &worst);
        at += size;
    }
    ao_file_close(&file);
    print_message("%d of %d networks agree with ONNX Runtime, worst error %.2e of the output\n",
                  cases - wrong, cases, worst);
    assert_int_equal(wrong, 0);
    assert_true(other || cases == CASES);
}

static void random_networks_on_the_reference_backend(void **state)
{
    (void)state;
    check_file(AO_BACKEND_REFERENCE);
}

static void random_networks_on_the_onednn_backend(void **state)
{
    (void)state;
    check_file(AO_BACKEND_ONEDNN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_networks_on_the_reference_backend),
        cmocka_unit_test(random_networks_on_the_onednn_backend),
    };
    return cmocka_run_group_tests_name("random graphs", tests, NULL, NULL);
}
