/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "passes/passes.h"
#include "support/onnx_writer.h"
#include "support/run_graph.h"
#include "onnx/onnx.h"

/*
 * What an exporter writes on axis 0 behind a Transpose must give the same numbers when it is said
 * on the axis where it is; moving is exact. Inputs are [1,3,4,2] with elements 0, 1, 2, ...
 */
#define N 24

static void transpose(struct wire *graph, const char *in, const char *out, int n,
                      const int64_t *perm)
{
    struct wire attrs = { 0 };
    attr_ints(&attrs, "perm", n, perm);
    graph_node(graph, "Transpose", "", in, out, &attrs);
}

static struct ao_onnx_model *import(const struct wire *file)
{
    struct ao_onnx_model *model;
    assert_int_equal(
        ao_onnx_read(file->bytes, file->n, "m", &(struct ao_onnx_options){ 0 }, &model), AOSA_OK);
    return model;
}

static int64_t run(struct ao_onnx_model *model, float *y)
{
    float x[N];
    for (int i = 0; i < N; i++)
        x[i] = (float)i;
    return run_graph(&model->graph, x, y);
}

static bool has_type(const struct ao_graph *graph, const char *type)
{
    for (size_t k = 0; k < graph->n_nodes; k++)
        if (strcmp(graph->nodes[k].type, type) == 0)
            return true;
    return false;
}

/* Finishes the graph; with all passes it gives the same and can be batched, without `gone`. */
static void check(struct wire *graph, const char *gone, size_t most_nodes)
{
    graph_output(graph, "y");
    struct wire file = model_of(graph, 18);
    struct ao_onnx_model *plain = import(&file), *moved = import(&file);
    struct ao_passes_report report = { 0 };
    float want[256], got[256];
    assert_int_equal(ao_pass_operators(&plain->graph, &report), AOSA_OK);
    assert_int_equal(ao_pass_fold(&plain->graph, &report), AOSA_OK);
    ao_passes_report_fini(&report);
    assert_int_equal(ao_passes_run(&moved->graph, &report), AOSA_OK);
    ao_passes_report_fini(&report);
    const int64_t n = run(plain, want);
    assert_int_equal(run(moved, got), n);
    assert_memory_equal(got, want, (size_t)n * sizeof *got);
    if (!moved->graph.batchable)
        fail_msg("%s", moved->graph.not_batchable);
    assert_false(has_type(&moved->graph, gone));
    assert_true(moved->graph.n_nodes <= most_nodes);
    ao_onnx_close(&plain);
    ao_onnx_close(&moved);
    wire_free(&file);
}

static struct wire begin(void)
{
    struct wire graph = { 0 };
    graph_input(&graph, "x", W_FLOAT, 4, (const int64_t[]){ 1, 3, 4, 2 });
    return graph;
}

static void transposes_that_cancel_go(void **state)
{
    (void)state;
    struct wire graph = begin();
    transpose(&graph, "x", "a", 4, (const int64_t[]){ 2, 0, 3, 1 });
    transpose(&graph, "a", "b", 4, (const int64_t[]){ 1, 3, 0, 2 });
    graph_node(&graph, "Neg", "", "b", "y", NULL);
    check(&graph, "Transpose", 1);
}

static void a_gather_of_the_first_axis_moves_to_the_axis_it_was(void **state)
{
    (void)state;
    for (int scalar = 0; scalar < 2; scalar++) {
        struct wire graph = begin(), axis = { 0 };
        const int64_t places[] = { 3, 1 };
        attr_int(&axis, "axis", 0);
        transpose(&graph, "x", "a", 4, (const int64_t[]){ 2, 0, 3, 1 });
        if (scalar)
            graph_tensor(&graph, "i", W_INT64, 0, NULL, places, sizeof *places);
        else
            graph_ints(&graph, "i", 2, places);
        graph_node(&graph, "Gather", "", "a i", scalar ? "y" : "b", &axis);
        if (!scalar)
            transpose(&graph, "b", "y", 4, (const int64_t[]){ 1, 0, 2, 3 });
        check(&graph, "none", 2);
    }
}

/* out = zeros; out[:, :, 1:3] = x[:, :, 2:4], as torch.export writes it. */
static void a_slice_assignment_into_zeros_becomes_padding(void **state)
{
    (void)state;
    static const float zeros[N];
    struct wire graph = begin();
    graph_ints(&graph, "from", 1, (const int64_t[]){ 2 });
    graph_ints(&graph, "to", 1, (const int64_t[]){ 4 });
    graph_node(&graph, "Slice", "", "x from to from", "s", NULL);
    transpose(&graph, "s", "t", 4, (const int64_t[]){ 2, 1, 0, 3 });
    graph_floats(&graph, "z", 4, (const int64_t[]){ 4, 3, 1, 2 }, zeros);
    graph_tensor(&graph, "i", W_INT64, 2, (const int64_t[]){ 2, 1 }, (const int64_t[]){ 1, 2 }, 16);
    graph_node(&graph, "ScatterND", "", "z i t", "u", NULL);
    transpose(&graph, "u", "y", 4, (const int64_t[]){ 2, 1, 0, 3 });
    check(&graph, "ScatterND", 2);
}

/* A constant that is no zeros, and one that is the update, are joined piece by piece. */
static void a_slice_assignment_joins_pieces(void **state)
{
    (void)state;
    float numbers[N];
    for (int i = 0; i < N; i++)
        numbers[i] = (float)(100 + i);
    for (int constant = 0; constant < 3; constant++) {
        struct wire graph = begin();
        const bool whole = constant == 0;
        graph_ints(&graph, "from", 1, (const int64_t[]){ -2 });
        graph_ints(&graph, "to", 1, (const int64_t[]){ 9 });
        graph_ints(&graph, "axis", 1, (const int64_t[]){ 2 });
        graph_node(&graph, "Slice", "", "x from to axis", "s", NULL);
        transpose(&graph, "x", "xt", 4, (const int64_t[]){ 2, 1, 0, 3 });
        transpose(&graph, "s", "st", 4, (const int64_t[]){ 2, 1, 0, 3 });
        graph_floats(&graph, "c", 4, (const int64_t[]){ whole ? 4 : 2, 3, 1, 2 }, numbers);
        graph_tensor(&graph, "i", W_INT64, 2, (const int64_t[]){ 2, 1 },
                     (const int64_t[]){ -4, -3 }, 16);
        graph_node(&graph, "ScatterND", "",
                   whole           ? "c i st"
                   : constant == 1 ? "xt i c"
                                   : "xt i st",
                   "u", NULL);
        transpose(&graph, "u", "y", 4, (const int64_t[]){ 2, 1, 0, 3 });
        check(&graph, "ScatterND", 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transposes_that_cancel_go),
        cmocka_unit_test(a_gather_of_the_first_axis_moves_to_the_axis_it_was),
        cmocka_unit_test(a_slice_assignment_into_zeros_becomes_padding),
        cmocka_unit_test(a_slice_assignment_joins_pieces),
    };
    return cmocka_run_group_tests_name("transposes", tests, NULL, NULL);
}
