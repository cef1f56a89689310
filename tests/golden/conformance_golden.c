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
#include "engine/engine.h"
#include "onnx/onnx.h"
#include "ops/element.h"
#include "passes/passes.h"
#include "support/onnx_writer.h"
#include "support/shared.h"

/*
 * The ONNX project's own test cases, as Debian's libonnx-testdata has them: a model, its inputs
 * and the outputs it must give. tests/conformance/ lists the cases and says which are left out.
 * The tolerance is that of the suite (onnx.backend.test.loader).
 */
#define RELATIVE 1e-3
#define ABSOLUTE 1e-7

#define DATA "/usr/share/libonnx-testdata/data"
#define MAX_ARRAYS 16

/* A TensorProto file, read by our own importer: as the constant of a model of one node. */
struct array {
    struct ao_file file;
    struct wire model;
    struct ao_onnx_model *holder;
    const struct ao_value *value;
};

static bool open_array(const char *folder, const char *kind, int index, struct array *array)
{
    char path[512];
    *array = (struct array){ 0 };
    snprintf(path, sizeof path, "%s/test_data_set_0/%s_%d.pb", folder, kind, index);
    if (!ao_path_exists(path))
        return false;
    if (ao_file_open(&array->file, path) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    struct wire tensor = { 0 }, attrs = { 0 }, graph = { 0 };
    wire_raw(&tensor, array->file.bytes, array->file.size);
    attr_message(&attrs, "value", W_TENSOR, &tensor);
    graph_node(&graph, "Constant", "array", "", "y", &attrs);
    graph_output(&graph, "y");
    array->model = model_of(&graph, 18);
    const struct ao_onnx_options options = { .allow_nonfinite = true };
    if (ao_onnx_read(array->model.bytes, array->model.n, path, &options, &array->holder) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    const struct ao_graph *held = &array->holder->graph;
    array->value = &held->values[held->outputs[0]];
    return true;
}

static void close_array(struct array *array)
{
    ao_onnx_close(&array->holder);
    wire_free(&array->model);
    ao_file_close(&array->file);
}

static int open_arrays(const char *folder, const char *kind, struct array arrays[MAX_ARRAYS])
{
    int n = 0;
    while (n < MAX_ARRAYS && open_array(folder, kind, n, &arrays[n]))
        n++;
    return n;
}

/*
 * Axes, shapes, pads and bounds are inputs in these cases. Our graphs want them as constants, so
 * every input behind the first that is no array of floats is bound at load.
 */
static aosa_status bind_inputs(struct ao_graph *graph, const struct array *arrays, int n_arrays)
{
    int n = 0;
    if (graph->n_inputs != n_arrays)
        return ao_fail(AOSA_ERR_FORMAT, "%d inputs, %d arrays", graph->n_inputs, n_arrays);
    for (int i = 0; i < graph->n_inputs; i++) {
        struct ao_value *value = &graph->values[graph->inputs[i]];
        value->shape = arrays[i].value->shape;
        if (i > 0 && (value->dtype != AO_F32 || value->shape.rank == 0))
            value->data = arrays[i].value->data;
        else
            graph->inputs[n++] = graph->inputs[i];
    }
    graph->n_inputs = n;
    return AOSA_OK;
}

/* Names of the inputs in the file's order; passes may drop inputs nobody reads. */
static const struct array *array_named(const char *name, const char *const *names,
                                       const struct array *arrays)
{
    int at = 0;
    while (strcmp(names[at], name) != 0)
        at++;
    return &arrays[at];
}

static aosa_status load_case(const char *folder, const struct array *inputs, int n_inputs,
                             const char **names, struct ao_onnx_model **model)
{
    char path[512];
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    const struct ao_onnx_options options = { .raw = true, .allow_nonfinite = true };
    AO_TRY(ao_onnx_open(path, &options, model));
    struct ao_graph *graph = &(*model)->graph;
    for (int i = 0; i < graph->n_inputs && i < MAX_ARRAYS; i++)
        names[i] = graph->values[graph->inputs[i]].name;
    AO_TRY(bind_inputs(graph, inputs, n_inputs));
    struct ao_passes_report report = { 0 };
    const aosa_status status = ao_passes_run(graph, &report);
    ao_passes_report_fini(&report);
    return status;
}

/* Largest excess over the suite's tolerance in units of it: at most 1 passes. */
static double worst_ratio(const struct ao_view *got, const struct ao_view *want)
{
    double worst = 0;
    for (int64_t i = 0; i < ao_shape_count(&want->shape); i++) {
        const double a = ao_element(got, ao_view_offset(got, i));
        const double b = ao_element(want, ao_view_offset(want, i));
        const bool same = a == b || (isnan(a) && isnan(b));
        const double ratio = same ? 0 : fabs(a - b) / (ABSOLUTE + RELATIVE * fabs(b));
        worst = ratio <= worst ? worst : ratio; /* a NaN is taken, and stays */
    }
    return worst;
}

/* A case without inputs is computed at load: its outputs are constants. */
static struct ao_view output_view(const struct ao_session *session, const struct ao_graph *graph,
                                  int i)
{
    const struct ao_value *value = &graph->values[graph->outputs[i]];
    if (session)
        return ao_session_output(session, i);
    return ao_view_dense((void *)(uintptr_t)value->data, value->dtype, &value->shape);
}

static aosa_status compare(const struct ao_session *session, const struct ao_graph *graph,
                           const struct array *outputs, int n_outputs, double *worst)
{
    if (graph->n_outputs != n_outputs)
        return ao_fail(AOSA_ERR_SHAPE, "%d outputs, %d are wanted", graph->n_outputs, n_outputs);
    for (int i = 0; i < n_outputs; i++) {
        const struct ao_value *value = outputs[i].value;
        const struct ao_view got = output_view(session, graph, i);
        const struct ao_view want =
            ao_view_dense((void *)(uintptr_t)value->data, value->dtype, &value->shape);
        char text[2][AO_SHAPE_TEXT];
        if (got.dtype != want.dtype || !ao_shape_equal(&got.shape, &want.shape))
            return ao_fail(AOSA_ERR_SHAPE, "output %d is %s %s, not %s %s", i,
                           ao_dtype_name(got.dtype), ao_shape_text(&got.shape, text[0]),
                           ao_dtype_name(want.dtype), ao_shape_text(&want.shape, text[1]));
        const double ratio = worst_ratio(&got, &want);
        *worst = ratio <= *worst ? *worst : ratio;
    }
    if (*worst <= 1)
        return AOSA_OK;
    return ao_fail(AOSA_ERR_NUMERIC, "%g times the tolerance from what is wanted", *worst);
}

static aosa_status run_case(const struct ao_graph *graph, enum ao_backend backend,
                            const char *const *names, const struct array *inputs,
                            const struct array *outputs, int n_outputs, double *worst)
{
    const struct ao_program_options options = { .backend = backend,
                                                .batch = 1,
                                                .inner_threads = 1 };
    struct ao_program *program = NULL;
    struct ao_session *session = NULL;
    if (graph->n_inputs == 0)
        return compare(NULL, graph, outputs, n_outputs, worst);
    aosa_status status = ao_program_create(graph, &options, &program);
    if (status == AOSA_OK)
        status = ao_session_create(program, &session);
    for (int i = 0; status == AOSA_OK && i < graph->n_inputs; i++) {
        const struct ao_value *given =
            array_named(graph->values[graph->inputs[i]].name, names, inputs)->value;
        const struct ao_view dst = ao_session_input(session, i);
        const struct ao_view src =
            ao_view_dense((void *)(uintptr_t)given->data, given->dtype, &given->shape);
        ao_view_copy(&dst, &src);
    }
    if (status == AOSA_OK)
        status = ao_session_run(session);
    if (status == AOSA_OK)
        status = compare(session, graph, outputs, n_outputs, worst);
    ao_session_destroy(&session);
    ao_program_destroy(&program);
    return status;
}

static aosa_status check_case(const char *suite, const char *name, enum ao_backend backend,
                              double *worst)
{
    char folder[400];
    struct array inputs[MAX_ARRAYS], outputs[MAX_ARRAYS];
    const char *names[MAX_ARRAYS];
    struct ao_onnx_model *model = NULL;
    snprintf(folder, sizeof folder, DATA "/%s/%s", suite, name);
    const int n_inputs = open_arrays(folder, "input", inputs);
    const int n_outputs = open_arrays(folder, "output", outputs);
    aosa_status status = load_case(folder, inputs, n_inputs, names, &model);
    if (status == AOSA_OK)
        status = run_case(&model->graph, backend, names, inputs, outputs, n_outputs, worst);
    ao_onnx_close(&model);
    for (int i = 0; i < n_inputs; i++)
        close_array(&inputs[i]);
    for (int i = 0; i < n_outputs; i++)
        close_array(&outputs[i]);
    return status;
}

/* Runs the cases that a list names, one a line; answers how many passed. */
static int check_list(const char *list, const char *suite, enum ao_backend backend, int *total)
{
    char path[512], name[256];
    const char *root = getenv("AOSA_SOURCE_ROOT");
    snprintf(path, sizeof path, "%s/tests/conformance/%s.txt", root ? root : ".", list);
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s cannot be read", path);
    int passed = 0;
    double worst = 0;
    *total = 0;
    while (fscanf(file, "%255s", name) == 1) {
        ++*total;
        if (check_case(suite, name, backend, &worst) == AOSA_OK)
            passed++;
        else
            print_message("FAILED %s: %s\n", name, aosa_error_message());
    }
    fclose(file);
    print_message("%-20s %3d of %3d cases, worst %.3f of the tolerance\n", suite, passed, *total,
                  worst);
    return passed;
}

static void check_suites(enum ao_backend backend)
{
    static const struct {
        const char *list, *suite;
    } suites[] = {
        { "node112", "node" },
        { "pytorch-converted", "pytorch-converted" },
        { "pytorch-operator", "pytorch-operator" },
    };
    int passed = 0, total = 0;
    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++) {
        int n;
        passed += check_list(suites[i].list, suites[i].suite, backend, &n);
        total += n;
    }
    print_message("%d of %d cases pass\n", passed, total);
    assert_int_equal(total, 271);
    assert_int_equal(passed, total);
}

static void the_reference_backend_passes_the_onnx_cases(void **state)
{
    (void)state;
    check_suites(AO_BACKEND_REFERENCE);
}

static void the_onednn_backend_passes_the_onnx_cases(void **state)
{
    (void)state;
    check_suites(AO_BACKEND_ONEDNN);
}

int main(void)
{
    if (!ao_path_is_folder(DATA)) {
        printf("skipped: no " DATA " (Debian package libonnx-testdata)\n");
        return EXIT_SKIPPED;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_backend_passes_the_onnx_cases),
        cmocka_unit_test(the_onednn_backend_passes_the_onnx_cases),
    };
    return cmocka_run_group_tests_name("ONNX conformance", tests, NULL, NULL);
}
