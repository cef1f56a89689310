/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/file.h"
#include "model/model.h"
#include "support/onnx_writer.h"

/*
 * The limits of a model, each with the text that names it. What the reader of the bytes alone
 * refuses (nesting, number of parts, names) stands in onnx_test.c, what operators refuse in
 * ops_refusal_test.c.
 */

static const struct ao_onnx_options plain = { .frames = 0 };

static struct wire clip_graph(void)
{
    struct wire graph = { 0 };
    graph_input(&graph, "x", W_FLOAT, 5, (const int64_t[]){ 1, 3, 4, 8, 8 });
    return graph;
}

static void file_refused(struct wire file, aosa_status status, const char *text)
{
    struct ao_onnx_model *model = NULL;
    struct ao_passes_report report = { 0 };
    aosa_status got = ao_onnx_read(file.bytes, file.n, "m", &plain, &model);
    if (got == AOSA_OK)
        got = ao_passes_run(&model->graph, &report);
    ao_passes_report_fini(&report);
    ao_onnx_close(&model);
    wire_free(&file);
    if (got != status || !strstr(aosa_error_message(), text))
        fail_msg("status %d, '%s' is not in '%s'", got, text, aosa_error_message());
}

static void refused(struct wire graph, aosa_status status, const char *text)
{
    graph_output(&graph, "y");
    file_refused(model_of(&graph, 18), status, text);
}

static void a_file_over_2_gib(void **state)
{
    (void)state;
    char path[] = "/tmp/aosa-limits-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)INT32_MAX + 1), 0); /* a hole, no blocks */
    close(fd);
    struct ao_onnx_model *model = NULL;
    const aosa_status status = ao_onnx_open(path, &plain, &model);
    unlink(path);
    assert_int_equal(status, AOSA_ERR_FORMAT);
    assert_non_null(strstr(aosa_error_message(), "an ONNX file has at most 2147483647"));
}

static void more_than_100000_nodes(void **state)
{
    (void)state;
    struct wire graph = clip_graph();
    for (int i = 0; i <= 100000; i++) {
        char out[16];
        snprintf(out, sizeof out, "v%d", i);
        graph_node(&graph, "Neg", "", "x", i ? out : "y", NULL);
    }
    refused(graph, AOSA_ERR_FORMAT, "100001 nodes; the limit is 100000");
}

static void more_than_100000_weights(void **state)
{
    (void)state;
    struct wire graph = clip_graph();
    for (int i = 0; i <= 100000; i++) {
        char name[16];
        snprintf(name, sizeof name, "w%d", i);
        graph_ints(&graph, name, 0, NULL);
    }
    graph_node(&graph, "Neg", "", "x", "y", NULL);
    refused(graph, AOSA_ERR_FORMAT, "100001 weights; the limit is 100000");
}

static void more_than_1000_inputs_or_outputs(void **state)
{
    (void)state;
    struct wire graph = { 0 };
    for (int i = 0; i <= 1000; i++) {
        char name[16];
        snprintf(name, sizeof name, "x%d", i);
        graph_input(&graph, name, W_FLOAT, 1, (const int64_t[]){ 1 });
    }
    graph_node(&graph, "Neg", "", "x1", "y", NULL);
    refused(graph, AOSA_ERR_FORMAT, "more than 1000 inputs");
    graph = clip_graph();
    graph_node(&graph, "Neg", "", "x", "y", NULL);
    for (int i = 0; i < 1000; i++)
        graph_output(&graph, "y");
    refused(graph, AOSA_ERR_FORMAT, "1001 outputs; the limit is 1000");
}

static void more_than_8_axes(void **state)
{
    (void)state;
    static const int64_t ones[9] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 };
    struct wire graph = { 0 };
    graph_input(&graph, "x", W_FLOAT, 9, ones);
    graph_node(&graph, "Neg", "", "x", "y", NULL);
    refused(graph, AOSA_ERR_UNSUPPORTED, "input 'x' has 9 axes; 1 to 8 are supported");
    graph = clip_graph();
    graph_tensor(&graph, "w", W_FLOAT, 9, ones, ones, 4);
    graph_node(&graph, "Neg", "", "x", "y", NULL);
    refused(graph, AOSA_ERR_UNSUPPORTED, "tensor 'w' has 9 axes; the limit is 8");
    graph = clip_graph();
    graph_ints(&graph, "axes", 4, (const int64_t[]){ 0, 1, 2, 3 });
    graph_node(&graph, "Unsqueeze", "u", "x axes", "y", NULL);
    refused(graph, AOSA_ERR_UNSUPPORTED, "to 9 axes, at most 8 are supported");
}

static void extents_over_2_to_the_31(void **state)
{
    (void)state;
    static const int64_t huge[] = { INT64_C(1) << 31 }, square[] = { 65536, 65536 };
    struct wire graph = clip_graph();
    graph_tensor(&graph, "w", W_FLOAT, 1, huge, NULL, 0);
    graph_node(&graph, "Neg", "", "x", "y", NULL);
    refused(graph, AOSA_ERR_FORMAT, "tensor 'w': axis 0 has size 2147483648");
    graph = clip_graph();
    graph_tensor(&graph, "w", W_FLOAT, 2, square, NULL, 0);
    graph_node(&graph, "Neg", "", "x", "y", NULL);
    refused(graph, AOSA_ERR_FORMAT, "tensor 'w' of shape [65536,65536] has too many elements");
    graph = (struct wire){ 0 };
    graph_input(&graph, "x", W_FLOAT, 5, (const int64_t[]){ 1, 3, 4096, 4096, 4096 });
    graph_node(&graph, "Neg", "", "x", "y", NULL);
    refused(graph, AOSA_ERR_FORMAT, "too many elements");
    graph = clip_graph();
    graph_ints(&graph, "to", 5, (const int64_t[]){ 1, 3, 1 << 20, 1 << 10, 8 });
    graph_node(&graph, "Resize", "r", "x - - to", "y", NULL);
    refused(graph, AOSA_ERR_FORMAT, "[1,3,1048576,1024,8]");
}

static void attributes_over_their_limits(void **state)
{
    (void)state;
    static int64_t many[65537];
    struct wire graph = clip_graph(), attrs = { 0 };
    attr_ints(&attrs, "perm", 65537, many);
    graph_node(&graph, "Transpose", "t", "x", "y", &attrs);
    refused(graph, AOSA_ERR_FORMAT, "attribute 'perm' has too many entries");
    graph = clip_graph();
    attrs = (struct wire){ 0 };
    for (int i = 0; i < 65; i++) {
        char name[8];
        snprintf(name, sizeof name, "a%d", i);
        attr_int(&attrs, name, i);
    }
    graph_node(&graph, "Neg", "n", "x", "y", &attrs);
    refused(graph, AOSA_ERR_FORMAT, "node 'n' (Neg) has 65 attributes");
}

/* FunctionProto fields: name 1, input 4, output 5, node 7, opset_import 9, domain 10. */
static void add_function(struct wire *model, int level, bool last, int calls)
{
    struct wire function = { 0 }, opset = { 0 };
    char name[16], inner[16];
    snprintf(name, sizeof name, "F%d", level);
    snprintf(inner, sizeof inner, "F%d", level + 1);
    wire_text(&function, 1, name);
    wire_text(&function, 4, "a");
    wire_text(&function, 5, "b");
    for (int i = 0; i < calls; i++) {
        char out[16];
        snprintf(out, sizeof out, i ? "b%d" : "b", i);
        struct wire node = node_of(last ? "Neg" : inner, "", "a", out, NULL);
        wire_text(&node, 7, last ? "" : "d");
        wire_message(&function, 7, &node);
    }
    wire_int(&opset, 2, 18);
    wire_message(&function, 9, &opset);
    wire_text(&function, 10, "d");
    wire_message(model, 25, &function);
}

/* Each of the levels calls the next so many times, and the last as many Negs. */
static struct wire function_tower(int levels, int calls)
{
    struct wire graph = clip_graph(), node = node_of("F0", "", "x", "y", NULL);
    wire_text(&node, 7, "d");
    wire_message(&graph, 1, &node);
    graph_output(&graph, "y");
    struct wire model = model_of(&graph, 18);
    for (int i = 0; i < levels; i++)
        add_function(&model, i, i == levels - 1, calls);
    return model;
}

static void functions_over_16_deep_or_a_bomb_of_them(void **state)
{
    (void)state;
    file_refused(function_tower(17, 1), AOSA_ERR_FORMAT, "more than 16 deep");
    /* 10^6 nodes out of 60. */
    file_refused(function_tower(6, 10), AOSA_ERR_FORMAT, "more than 100000 nodes, branches and");
    struct wire deep = function_tower(16, 1);
    struct ao_onnx_model *model;
    assert_int_equal(ao_onnx_read(deep.bytes, deep.n, "m", &plain, &model), AOSA_OK);
    ao_onnx_close(&model);
    wire_free(&deep);
}

static void loops_are_named(void **state)
{
    (void)state;
    struct wire graph = clip_graph();
    graph_node(&graph, "Loop", "again", "x", "y", NULL);
    refused(graph, AOSA_ERR_UNSUPPORTED, "operator Loop of opset 18 is not supported");
}

static void folding_that_would_take_long(void **state)
{
    (void)state;
    static const int64_t side = 46000; /* 46000^2 elements fit, making them takes 2.1e9 steps */
    struct wire graph = clip_graph();
    graph_ints(&graph, "shape", 2, (const int64_t[]){ side, side });
    graph_node(&graph, "ConstantOfShape", "c", "shape", "c", NULL);
    graph_node(&graph, "ReduceSum", "s", "c", "s", NULL);
    graph_node(&graph, "Add", "a", "x s", "y", NULL);
    refused(graph, AOSA_ERR_UNSUPPORTED, "takes more than 6e+08 operations");
}

/* One convolution of 87 GMAC, under a limit of 80 and one of 90. */
static void work_over_the_limit(void **state)
{
    (void)state;
    static float weights[64 * 3 * 27];
    char path[] = "/tmp/aosa-work-XXXXXX";
    struct wire graph = { 0 }, attrs = { 0 };
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    graph_input(&graph, "x", W_FLOAT, 5, (const int64_t[]){ 1, 3, 16, 1024, 1024 });
    graph_floats(&graph, "w", 5, (const int64_t[]){ 64, 3, 3, 3, 3 }, weights);
    attr_ints(&attrs, "pads", 6, (const int64_t[]){ 1, 1, 1, 1, 1, 1 });
    graph_node(&graph, "Conv", "big", "x w", "y", &attrs);
    graph_output(&graph, "y");
    struct wire file = model_of(&graph, 18);
    assert_int_equal(ao_file_write(path, file.bytes, file.n), AOSA_OK);
    struct aosa_model *model = NULL;
    const aosa_status status =
        ao_model_open(path, &(struct ao_model_options){ .max_gmacs = 80 }, &model);
    assert_int_equal(status, AOSA_ERR_UNSUPPORTED);
    /* 64 x 3 x 27 weights at 16 x 1024 x 1024 positions. */
    assert_non_null(strstr(aosa_error_message(), "one clip takes 86.97 GMAC"));
    assert_non_null(strstr(aosa_error_message(), "--max-gmacs"));
    assert_int_equal(ao_model_open(path, &(struct ao_model_options){ .max_gmacs = 90 }, &model),
                     AOSA_OK);
    ao_model_close(&model);
    unlink(path);
    wire_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_over_2_gib),
        cmocka_unit_test(more_than_100000_nodes),
        cmocka_unit_test(more_than_100000_weights),
        cmocka_unit_test(more_than_1000_inputs_or_outputs),
        cmocka_unit_test(more_than_8_axes),
        cmocka_unit_test(extents_over_2_to_the_31),
        cmocka_unit_test(attributes_over_their_limits),
        cmocka_unit_test(functions_over_16_deep_or_a_bomb_of_them),
        cmocka_unit_test(loops_are_named),
        cmocka_unit_test(folding_that_would_take_long),
        cmocka_unit_test(work_over_the_limit),
    };
    return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
