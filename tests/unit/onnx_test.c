/* SPDX-License-Identifier: Apache-2.0 */
#include "onnx/onnx.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/alloc.h"
#include "core/rng.h"
#include "passes/passes.h"
#include "support/onnx_writer.h"

static const struct ao_onnx_options plain = { 0 };

/* Reads a copy of exactly the file's size, so that a sanitizer sees every byte read too many. */
static aosa_status read_copy(const void *bytes, size_t size, const struct ao_onnx_options *options,
                             struct ao_onnx_model **model, unsigned char **copy)
{
    *copy = malloc(size ? size : 1);
    assert_non_null(*copy);
    if (size)
        memcpy(*copy, bytes, size);
    *model = NULL;
    return ao_onnx_read(*copy, size, "m.onnx", options, model);
}

static void check_message(aosa_status status, aosa_status expected, const char *part)
{
    if (status != expected || !strstr(aosa_error_message(), part))
        printf("status %s, expected %s with '%s': %s\n", aosa_status_name(status),
               aosa_status_name(expected), part, aosa_error_message());
    assert_int_equal(status, expected);
    assert_non_null(strstr(aosa_error_message(), part));
    assert_memory_equal(aosa_error_message(), "m.onnx: ", 8);
}

/* The model is refused with that status and a text that contains `part`; frees it. */
static void refused_with(struct wire *file, const struct ao_onnx_options *options,
                         aosa_status expected, const char *part)
{
    struct ao_onnx_model *model;
    unsigned char *copy;
    const aosa_status status = read_copy(file->bytes, file->n, options, &model, &copy);
    check_message(status, expected, part);
    assert_null(model);
    free(copy);
    wire_free(file);
}

static void refused(struct wire *graph, aosa_status expected, const char *part)
{
    struct wire file = model_of(graph, 18);
    refused_with(&file, &plain, expected, part);
}

/* A model and the bytes it points into. */
struct opened {
    struct ao_onnx_model *model;
    unsigned char *bytes;
};

static struct opened open_with(struct wire *graph, int64_t opset,
                               const struct ao_onnx_options *options)
{
    struct wire file = model_of(graph, opset);
    struct opened opened;
    const aosa_status status = read_copy(file.bytes, file.n, options, &opened.model, &opened.bytes);
    if (status != AOSA_OK)
        printf("%s\n", aosa_error_message());
    assert_int_equal(status, AOSA_OK);
    wire_free(&file);
    return opened;
}

static void close_opened(struct opened *opened)
{
    ao_onnx_close(&opened->model);
    free(opened->bytes);
}

/* x [N,3] -> Relu -> y, and a weight w [3] added. */
static struct wire small_graph(void)
{
    const int64_t dims[] = { -1, 3 }, three = 3;
    const float weights[] = { 1, 2, 3 };
    struct wire graph = { 0 };
    graph_input(&graph, "x", W_FLOAT, 2, dims);
    graph_floats(&graph, "w", 1, &three, weights);
    graph_node(&graph, "Add", "add", "x w", "s", NULL);
    graph_node(&graph, "Relu", "relu", "s", "y", NULL);
    graph_output(&graph, "y");
    return graph;
}

static void small_model_is_read(void **state)
{
    (void)state;
    struct wire graph = small_graph();
    struct opened opened = open_with(&graph, 18, &plain);
    const struct ao_graph *g = &opened.model->graph;
    assert_int_equal(opened.model->opset, 18);
    assert_int_equal(opened.model->n_nodes_in_file, 2);
    assert_false(opened.model->batch_was_fixed);
    assert_int_equal(g->n_inputs, 1);
    assert_int_equal(g->n_outputs, 1);
    assert_string_equal(g->nodes[0].name, "add");
    assert_string_equal(g->values[g->inputs[0]].name, "x");
    assert_int_equal(g->values[g->inputs[0]].shape.dims[0], 1);
    assert_string_equal(g->values[g->outputs[0]].name, "y");
    const struct ao_value *w = &g->values[g->nodes[0].in[1]];
    assert_int_equal(w->dtype, AO_F32);
    assert_int_equal(((const float *)w->data)[2], 3);
    close_opened(&opened);
}

static void empty_file_is_refused(void **state)
{
    (void)state;
    struct wire file = { 0 };
    refused_with(&file, &plain, AOSA_ERR_FORMAT, "the file is empty");
}

/* The graph is the last field of the file, so no prefix is a whole model. */
static void file_cut_at_any_byte_is_refused(void **state)
{
    (void)state;
    struct wire graph = small_graph();
    struct wire file = model_of(&graph, 18);
    for (size_t n = 0; n < file.n; n++) {
        struct ao_onnx_model *model;
        unsigned char *copy;
        assert_int_equal(read_copy(file.bytes, n, &plain, &model, &copy), AOSA_ERR_FORMAT);
        assert_memory_equal(aosa_error_message(), "m.onnx: ", 8);
        free(copy);
    }
    wire_free(&file);
}

static void random_bytes_are_refused(void **state)
{
    (void)state;
    struct ao_rng rng;
    ao_rng_init(&rng, 1);
    for (int run = 0; run < 3000; run++) {
        unsigned char bytes[256];
        const size_t n = 1 + ao_rng_below(&rng, sizeof bytes);
        for (size_t i = 0; i < n; i++)
            bytes[i] = (unsigned char)ao_rng_next(&rng);
        struct ao_onnx_model *model;
        unsigned char *copy;
        assert_int_not_equal(read_copy(bytes, n, &plain, &model, &copy), AOSA_OK);
        free(copy);
    }
}

/* Whatever a damaged bit does, it ends in a status, through the passes too. */
static void every_flipped_bit_ends_in_a_status(void **state)
{
    (void)state;
    struct wire graph = small_graph();
    struct wire file = model_of(&graph, 18);
    int n_ok = 0;
    for (size_t bit = 0; bit < 8 * file.n; bit++) {
        struct ao_onnx_model *model;
        unsigned char *copy;
        file.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        if (read_copy(file.bytes, file.n, &plain, &model, &copy) == AOSA_OK) {
            struct ao_passes_report report = { 0 };
            n_ok += ao_passes_run(&model->graph, &report) == AOSA_OK;
            ao_passes_report_fini(&report);
            ao_onnx_close(&model);
        }
        free(copy);
        file.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    printf("%d of %zu damaged files still are models\n", n_ok, 8 * file.n);
    wire_free(&file);
}

static struct wire nested(int levels)
{
    struct wire graph = { 0 };
    for (int i = 0; i < levels; i++) {
        struct wire attrs = { 0 }, outer = { 0 };
        attr_message(&attrs, "then_branch", W_GRAPH, &graph);
        graph_node(&outer, "If", "if", "c", "y", &attrs);
        graph = outer;
    }
    return graph;
}

static void deep_nesting_is_refused(void **state)
{
    (void)state;
    struct wire graph = nested(12);
    refused(&graph, AOSA_ERR_FORMAT, "nested more than 32 deep");
    graph = nested(3000);
    refused(&graph, AOSA_ERR_FORMAT, "nested more than 32 deep");
}

/* Two bytes each in the file, hundreds in memory. */
static void swarm_of_empty_parts_is_refused(void **state)
{
    (void)state;
    struct wire graph = { 0 };
    static const unsigned char empty_node[] = { 0x0a, 0x00 };
    for (int i = 0; i < 1000000; i++)
        wire_raw(&graph, empty_node, 2);
    refused(&graph, AOSA_ERR_NOMEM, "to parse");
}

static void singular_field_given_twice_is_refused(void **state)
{
    (void)state;
    struct wire graph = small_graph(), again = small_graph();
    struct wire file = model_of(&graph, 18);
    wire_message(&file, 7, &again);
    refused_with(&file, &plain, AOSA_ERR_FORMAT, "given twice");
}

/* A number where a name belongs: the name must not point at the reader's stack. */
static void wrong_wire_type_is_refused(void **state)
{
    (void)state;
    struct wire graph = { 0 }, node = { 0 };
    wire_int(&node, 3, 123456);
    wire_message(&graph, 1, &node);
    refused(&graph, AOSA_ERR_FORMAT, "a number stands where a text belongs");
}

static void bad_names_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = { "a\xff", "a\xc0\x80", "a\xed\xa0\x80", "a\x1b[2J" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct wire graph = { 0 };
        graph_node(&graph, "Relu", names[i], "x", "y", NULL);
        refused(&graph, AOSA_ERR_FORMAT, "not valid UTF-8 or holds control characters");
    }
    char *name = malloc(5001);
    assert_non_null(name);
    memset(name, 'a', 5000);
    name[5000] = '\0';
    struct wire graph = { 0 };
    graph_node(&graph, "Relu", name, "x", "y", NULL);
    refused(&graph, AOSA_ERR_FORMAT, "a name of 5000 bytes; the limit is 4096");
    free(name);
}

static void model_without_parts_is_refused(void **state)
{
    (void)state;
    struct wire file = { 0 };
    wire_int(&file, 1, 8);
    refused_with(&file, &plain, AOSA_ERR_FORMAT, "the graph is missing");

    struct wire graph = { 0 };
    const int64_t dims[] = { 1, 3 };
    graph_input(&graph, "x", W_FLOAT, 2, dims);
    refused(&graph, AOSA_ERR_FORMAT, "has no output");

    graph = small_graph();
    struct wire bare = { 0 };
    wire_int(&bare, 1, 8);
    wire_message(&bare, 7, &graph);
    refused_with(&bare, &plain, AOSA_ERR_FORMAT, "does not say which opset");
}

static void unknown_opsets_are_refused(void **state)
{
    (void)state;
    static const int64_t opsets[] = { 5, 99, -1 };
    static const char *const texts[] = { "opset 5 is not supported", "opset 99 is not supported",
                                         "opset -1 is not supported" };
    for (size_t i = 0; i < 3; i++) {
        struct wire graph = small_graph();
        struct wire file = model_of(&graph, opsets[i]);
        refused_with(&file, &plain, AOSA_ERR_UNSUPPORTED, texts[i]);
    }
}

static void other_domain_is_refused_by_name(void **state)
{
    (void)state;
    struct wire graph = small_graph();
    struct wire node = node_of("FusedConv", "fused", "x", "z", NULL);
    wire_text(&node, 7, "com.microsoft");
    wire_message(&graph, 1, &node);
    refused(&graph, AOSA_ERR_UNSUPPORTED,
            "node 'fused': operator FusedConv of domain 'com.microsoft'");
}

static void nodes_in_any_order_are_sorted(void **state)
{
    (void)state;
    const int64_t dims[] = { 1, 3 };
    struct wire graph = { 0 };
    graph_node(&graph, "Relu", "third", "b", "y", NULL);
    graph_node(&graph, "Relu", "second", "a", "b", NULL);
    graph_node(&graph, "Relu", "first", "x", "a", NULL);
    graph_input(&graph, "x", W_FLOAT, 2, dims);
    graph_output(&graph, "y");
    struct opened opened = open_with(&graph, 18, &plain);
    assert_string_equal(opened.model->graph.nodes[0].name, "first");
    assert_string_equal(opened.model->graph.nodes[1].name, "second");
    assert_string_equal(opened.model->graph.nodes[2].name, "third");
    assert_true(opened.model->batch_was_fixed);
    close_opened(&opened);
}

static void cycles_are_refused(void **state)
{
    (void)state;
    struct wire graph = small_graph();
    graph_node(&graph, "Add", "p", "x q1", "p1", NULL);
    graph_node(&graph, "Add", "q", "x p1", "q1", NULL);
    refused(&graph, AOSA_ERR_FORMAT, "cycle through node 3 ('q', Add) and node 2 ('p', Add)");
    graph = small_graph();
    graph_node(&graph, "Add", "p", "x p1", "p1", NULL);
    refused(&graph, AOSA_ERR_FORMAT, "cycle through node 2 ('p', Add)");
}

/* Sorting has no recursion: a chain of 50,000 nodes in the worst order. */
static void long_chain_in_reverse_is_sorted(void **state)
{
    (void)state;
    const int64_t dims[] = { 1, 3 };
    struct wire graph = { 0 };
    enum { N = 50000 };
    for (int i = N - 1; i >= 0; i--) {
        char in[16], out[16];
        snprintf(in, sizeof in, "v%d", i);
        snprintf(out, sizeof out, "v%d", i + 1);
        graph_node(&graph, "Relu", "r", in, out, NULL);
    }
    graph_input(&graph, "v0", W_FLOAT, 2, dims);
    graph_output(&graph, "v50000");
    struct opened opened = open_with(&graph, 18, &plain);
    assert_int_equal(opened.model->graph.n_nodes, N);
    assert_string_equal(opened.model->graph.values[opened.model->graph.nodes[0].in[0]].name, "v0");
    close_opened(&opened);
}

static void unresolved_and_double_names_are_refused(void **state)
{
    (void)state;
    struct wire graph = small_graph();
    graph_node(&graph, "Relu", "r2", "nowhere", "z", NULL);
    refused(&graph, AOSA_ERR_FORMAT, "node 'r2' (Relu) reads 'nowhere', which nothing makes");
    graph = small_graph();
    graph_node(&graph, "Relu", "r2", "x", "y", NULL);
    refused(&graph, AOSA_ERR_FORMAT,
            "value 'y' is made twice, by node 1 ('relu', Relu) and node 2");
    graph = small_graph();
    graph_node(&graph, "Relu", "r2", "x", "w", NULL);
    refused(&graph, AOSA_ERR_FORMAT, "value 'w': the name is taken already");
    graph = small_graph();
    const float one = 1;
    graph_floats(&graph, "w", 0, NULL, &one);
    refused(&graph, AOSA_ERR_FORMAT, "initializer 'w': the name is taken already");
    graph = small_graph();
    graph_output(&graph, "nowhere");
    refused(&graph, AOSA_ERR_FORMAT, "output 'nowhere' is made by no node");
    graph = small_graph();
    const int64_t dims[] = { 1, 3 };
    graph_input(&graph, "x", W_FLOAT, 2, dims);
    refused(&graph, AOSA_ERR_FORMAT, "input 'x' is given twice");
}

static struct wire branching_graph(const char *inner)
{
    const int64_t dims[] = { 1, 3 };
    struct wire graph = { 0 }, attrs = { 0 };
    struct wire yes = { 0 }, no = { 0 };
    graph_input(&graph, "x", W_FLOAT, 2, dims);
    const unsigned char condition = 1;
    graph_tensor(&graph, "c", W_BOOL, 0, NULL, &condition, 1);
    graph_node(&graph, "Relu", "r", "x", "a", NULL);
    graph_node(&yes, "Neg", "inside", "a", inner, NULL);
    graph_output(&yes, inner);
    graph_output(&no, "a");
    attr_message(&attrs, "then_branch", W_GRAPH, &yes);
    attr_message(&attrs, "else_branch", W_GRAPH, &no);
    graph_node(&graph, "If", "if", "c", "y", &attrs);
    graph_output(&graph, "y");
    return graph;
}

static void branches_see_outer_names_and_do_not_shadow_them(void **state)
{
    (void)state;
    struct wire graph = branching_graph("b");
    struct opened opened = open_with(&graph, 18, &plain);
    const struct ao_graph *g = &opened.model->graph;
    assert_int_equal(g->n_nodes, 2);
    const struct ao_attr *branch = ao_node_attr(&g->nodes[1], "then_branch");
    assert_int_equal(branch->type, AO_ATTR_BLOCK);
    assert_int_equal(branch->block->n_nodes, 1);
    assert_int_equal(branch->block->nodes[0].in[0], g->nodes[0].out[0]);
    assert_int_equal(ao_graph_uses(g, g->nodes[0].out[0]), 2);
    close_opened(&opened);
    graph = branching_graph("x");
    refused(&graph, AOSA_ERR_FORMAT, "value 'x': the name is taken already");
}

static void attributes_are_checked(void **state)
{
    (void)state;
    struct wire graph = small_graph(), attrs = { 0 };
    attr_int(&attrs, "axis", 1);
    attr_int(&attrs, "axis", 2);
    graph_node(&graph, "Concat", "cat", "x x", "z", &attrs);
    refused(&graph, AOSA_ERR_FORMAT, "node 'cat' (Concat): attribute 'axis' is given twice");
    graph = small_graph();
    attr_text(&attrs, "auto_pad", "\x01");
    graph_node(&graph, "Conv", "conv", "x x", "z", &attrs);
    refused(&graph, AOSA_ERR_FORMAT, "attribute 'auto_pad' is no plain text");
    graph = small_graph();
    int64_t *many = calloc(70000, sizeof *many);
    assert_non_null(many);
    attr_ints(&attrs, "perm", 70000, many);
    graph_node(&graph, "Transpose", "t", "x", "z", &attrs);
    refused(&graph, AOSA_ERR_FORMAT, "attribute 'perm' has too many entries");
    free(many);
}

/* f(x) = Concat(Neg(x), x) along the attribute of the call. */
static void add_function(struct wire *file, const char *name, const char *inner)
{
    struct wire function = { 0 }, attr = { 0 }, entry = { 0 };
    wire_text(&function, 1, name);
    wire_text(&function, 4, "x");
    wire_text(&function, 5, "y");
    wire_text(&function, 10, "local");
    struct wire neg = node_of(inner, "n", "x", "t", NULL);
    if (strcmp(inner, "Neg") != 0)
        wire_text(&neg, 7, "local");
    wire_message(&function, 7, &neg);
    struct wire cat = node_of("Concat", "c", "t x", "y", NULL);
    wire_text(&attr, 1, "axis");
    wire_text(&attr, 21, "along");
    wire_int(&attr, 20, 2);
    wire_message(&cat, 5, &attr);
    wire_message(&function, 7, &cat);
    wire_int(&entry, 2, 18);
    wire_message(&function, 9, &entry);
    wire_message(file, 25, &function);
}

static struct wire calling_file(const char *inner)
{
    const int64_t dims[] = { 1, 3 };
    struct wire graph = { 0 }, attrs = { 0 };
    graph_input(&graph, "x", W_FLOAT, 2, dims);
    attr_int(&attrs, "along", 1);
    struct wire call = node_of("f", "call", "x", "y", &attrs);
    wire_text(&call, 7, "local");
    wire_message(&graph, 1, &call);
    graph_output(&graph, "y");
    struct wire file = model_of(&graph, 18);
    add_function(&file, "f", inner);
    return file;
}

static void functions_are_put_in_place(void **state)
{
    (void)state;
    struct wire file = calling_file("Neg");
    struct ao_onnx_model *model;
    unsigned char *copy;
    assert_int_equal(read_copy(file.bytes, file.n, &plain, &model, &copy), AOSA_OK);
    assert_int_equal(model->graph.n_nodes, 2);
    assert_string_equal(model->graph.nodes[0].type, "Neg");
    assert_string_equal(model->graph.nodes[1].type, "Concat");
    assert_int_equal(ao_node_int(&model->graph.nodes[1], "axis", -7), 1);
    assert_int_equal(model->graph.outputs[0], model->graph.nodes[1].out[0]);
    ao_onnx_close(&model);
    free(copy);
    wire_free(&file);
}

static void function_that_calls_itself_is_refused(void **state)
{
    (void)state;
    struct wire file = calling_file("f");
    refused_with(&file, &plain, AOSA_ERR_FORMAT, "functions call each other more than 16 deep");
}

/* Every allocation of ours fails once: no leak (under ASan), and one status. */
static void any_failed_allocation_is_reported(void **state)
{
    (void)state;
    struct wire graph = branching_graph("b");
    struct wire file = model_of(&graph, 18);
    long n = 0;
    for (bool failed = true; failed;) {
        struct ao_onnx_model *model = NULL;
        ao_alloc_fail_at(++n);
        const aosa_status status = ao_onnx_read(file.bytes, file.n, "m.onnx", &plain, &model);
        failed = ao_alloc_has_failed();
        ao_alloc_fail_at(0);
        assert_int_equal(status, failed ? AOSA_ERR_NOMEM : AOSA_OK);
        ao_onnx_close(&model);
    }
    printf("%ld allocations failed once each\n", n - 1);
    assert_true(n > 5);
    wire_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_model_is_read),
        cmocka_unit_test(empty_file_is_refused),
        cmocka_unit_test(file_cut_at_any_byte_is_refused),
        cmocka_unit_test(random_bytes_are_refused),
        cmocka_unit_test(every_flipped_bit_ends_in_a_status),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(swarm_of_empty_parts_is_refused),
        cmocka_unit_test(singular_field_given_twice_is_refused),
        cmocka_unit_test(wrong_wire_type_is_refused),
        cmocka_unit_test(bad_names_are_refused),
        cmocka_unit_test(model_without_parts_is_refused),
        cmocka_unit_test(unknown_opsets_are_refused),
        cmocka_unit_test(other_domain_is_refused_by_name),
        cmocka_unit_test(nodes_in_any_order_are_sorted),
        cmocka_unit_test(cycles_are_refused),
        cmocka_unit_test(long_chain_in_reverse_is_sorted),
        cmocka_unit_test(unresolved_and_double_names_are_refused),
        cmocka_unit_test(branches_see_outer_names_and_do_not_shadow_them),
        cmocka_unit_test(attributes_are_checked),
        cmocka_unit_test(functions_are_put_in_place),
        cmocka_unit_test(function_that_calls_itself_is_refused),
        cmocka_unit_test(any_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests_name("onnx", tests, NULL, NULL);
}
