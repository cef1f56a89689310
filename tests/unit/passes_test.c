/* SPDX-License-Identifier: Apache-2.0 */
#include "passes/passes.h"

#include <float.h>
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
#include "onnx/onnx.h"
#include "ops/op.h"
#include "support/onnx_writer.h"
#include "support/run_graph.h"

static const struct ao_onnx_options plain = { 0 };

struct run {
    struct wire file;
    struct ao_onnx_model *model;
    struct ao_passes_report report;
};

/* Imports a graph of opset 18, whose output is "y". */
static struct run import_graph(struct wire *graph)
{
    struct run run = { .model = NULL };
    graph_output(graph, "y");
    run.file = model_of(graph, 18);
    const aosa_status status =
        ao_onnx_read(run.file.bytes, run.file.n, "m.onnx", &plain, &run.model);
    if (status != AOSA_OK)
        printf("%s\n", aosa_error_message());
    assert_int_equal(status, AOSA_OK);
    return run;
}

static struct run pass_graph(struct wire *graph)
{
    struct run run = import_graph(graph);
    const aosa_status status = ao_passes_run(&run.model->graph, &run.report);
    if (status != AOSA_OK)
        printf("%s\n", aosa_error_message());
    assert_int_equal(status, AOSA_OK);
    return run;
}

static void end_run(struct run *run)
{
    ao_passes_report_fini(&run->report);
    ao_onnx_close(&run->model);
    wire_free(&run->file);
}

static void pass_fails(struct wire *graph, aosa_status expected, const char *part)
{
    struct run run = import_graph(graph);
    const aosa_status status = ao_passes_run(&run.model->graph, &run.report);
    if (status != expected || !strstr(aosa_error_message(), part))
        printf("%s: %s\n", aosa_status_name(status), aosa_error_message());
    assert_int_equal(status, expected);
    assert_non_null(strstr(aosa_error_message(), part));
    end_run(&run);
}

static int count_type(const struct ao_graph *graph, const char *type)
{
    int n = 0;
    for (size_t k = 0; k < graph->n_nodes; k++)
        n += strcmp(graph->nodes[k].type, type) == 0;
    return n;
}

/* An input x [1,2,2,4,4], and the rest as wanted. */
#define N_CLIP (2 * 2 * 4 * 4)
static struct wire clip_graph(void)
{
    const int64_t dims[] = { -1, 2, 2, 4, 4 };
    struct wire graph = { 0 };
    graph_input(&graph, "x", W_FLOAT, 5, dims);
    return graph;
}

static void random_floats(uint64_t seed, int64_t n, float *values)
{
    struct ao_rng rng;
    ao_rng_init(&rng, seed);
    for (int64_t i = 0; i < n; i++)
        values[i] = (float)ao_rng_range(&rng, -1, 1);
}

/* Weights [3,2,3,3,3] named w and a bias [3] named b. */
#define N_TAPS 54
static void add_weights(struct wire *graph)
{
    const int64_t dims[] = { 3, 2, 3, 3, 3 };
    float weights[3 * N_TAPS], bias[3];
    random_floats(2, 3 * N_TAPS, weights);
    random_floats(3, 3, bias);
    graph_floats(graph, "w", 5, dims, weights);
    graph_floats(graph, "b", 1, dims, bias);
}

/* y of the graph after all passes against y after folding only, on one random clip. */
static void check_same_numbers(struct wire *graph, double tolerance)
{
    struct wire copy = { 0 };
    wire_raw(&copy, graph->bytes, graph->n);
    struct run folded = import_graph(&copy), passed = pass_graph(graph);
    float clip[N_CLIP], expected[4096], got[4096];
    random_floats(5, N_CLIP, clip);
    assert_int_equal(ao_pass_operators(&folded.model->graph, &folded.report), AOSA_OK);
    assert_int_equal(ao_pass_fold(&folded.model->graph, &folded.report), AOSA_OK);
    const int64_t n = run_graph(&folded.model->graph, clip, expected);
    assert_int_equal(run_graph(&passed.model->graph, clip, got), n);
    double worst = 0;
    for (int64_t i = 0; i < n; i++)
        worst = fmax(worst, fabs((double)expected[i] - (double)got[i]));
    printf("worst difference %.3g, allowed %.3g\n", worst, tolerance);
    assert_true(worst <= tolerance);
    end_run(&folded);
    end_run(&passed);
}

static void missing_operators_are_named_and_listed(void **state)
{
    (void)state;
    struct wire graph = clip_graph();
    graph_node(&graph, "GridSample", "warp", "x x", "a", NULL);
    graph_node(&graph, "LSTM", "rnn", "a", "b", NULL);
    graph_node(&graph, "GridSample", "warp2", "b x", "y", NULL);
    struct run run = import_graph(&graph);
    assert_int_equal(ao_passes_run(&run.model->graph, &run.report), AOSA_ERR_UNSUPPORTED);
    assert_non_null(
        strstr(aosa_error_message(),
               "operator GridSample of opset 18 is not supported (node 'warp'), nor are 1 other"));
    assert_non_null(strstr(aosa_error_message(), "aosa inspect"));
    assert_int_equal(run.report.n_unsupported, 2);
    assert_string_equal(run.report.unsupported[0].type, "GridSample");
    assert_int_equal(run.report.unsupported[0].count, 2);
    assert_string_equal(run.report.unsupported[1].node, "rnn");
    end_run(&run);
}

/* The backward pass has operators of its own; they trust what made them. */
static void own_operators_are_refused_in_a_file(void **state)
{
    (void)state;
    for (const struct ao_op *const *op = ao_op_list(); *op; op++) {
        const size_t length = strlen((*op)->type);
        const bool grad = length > 4 && strcmp((*op)->type + length - 4, "Grad") == 0;
        assert_true((*op)->own || !grad);
    }
    struct wire graph = clip_graph();
    graph_node(&graph, "ReluGrad", "back", "x x", "y", NULL);
    struct run run = import_graph(&graph);
    assert_int_equal(ao_passes_run(&run.model->graph, &run.report), AOSA_ERR_UNSUPPORTED);
    assert_non_null(strstr(aosa_error_message(), "operator ReluGrad of opset 18"));
    end_run(&run);
}

/* view(x.size(0), -1) as exporters write it: all of it folds, and the batch is free again. */
static void shape_arithmetic_folds_away(void **state)
{
    (void)state;
    const int64_t zero = 0, minus_one = -1;
    struct wire graph = clip_graph(), attrs = { 0 };
    graph_tensor(&graph, "i0", W_INT64, 0, NULL, &zero, 8);
    graph_ints(&graph, "axis", 1, &zero);
    graph_ints(&graph, "rest", 1, &minus_one);
    graph_node(&graph, "Shape", "shape", "x", "s", NULL);
    graph_node(&graph, "Gather", "size", "s i0", "n", NULL);
    graph_node(&graph, "Unsqueeze", "row", "n axis", "n1", NULL);
    attr_int(&attrs, "axis", 0);
    graph_node(&graph, "Concat", "cat", "n1 rest", "target", &attrs);
    graph_node(&graph, "Reshape", "view", "x target", "y", NULL);
    struct run run = pass_graph(&graph);
    const struct ao_graph *g = &run.model->graph;
    assert_int_equal(g->n_nodes, 1);
    assert_int_equal(run.report.folded, 4);
    assert_int_equal(g->n_values, 3); /* x, the target shape, y */
    char text[AO_SHAPE_TEXT];
    assert_string_equal(ao_shape_text(&g->values[g->outputs[0]].shape, text), "[1,64]");
    assert_true(g->batchable);
    assert_true(g->values[g->outputs[0]].batched);
    assert_false(g->values[g->nodes[0].in[1]].batched);
    const struct ao_shape four = ao_value_shape(&g->values[g->outputs[0]], 4);
    assert_string_equal(ao_shape_text(&four, text), "[4,64]");
    end_run(&run);
}

static struct wire branching_graph(bool constant)
{
    const int64_t five = 5, dims[] = { 1 };
    struct wire graph = clip_graph(), attrs = { 0 }, yes = { 0 }, no = { 0 };
    graph_ints(&graph, "five", 1, &five);
    graph_node(&graph, "Shape", "shape", "x", "s", NULL);
    graph_node(&graph, "Shape", "rank", "s", "r", NULL);
    graph_node(&graph, "Equal", "is5", "r five", "c", NULL);
    graph_input(&graph, "flag", W_BOOL, 1, dims);
    graph_node(&yes, "Relu", "then", "x", "t", NULL);
    graph_output(&yes, "t");
    graph_node(&no, "GridSample", "else", "x", "e", NULL);
    graph_output(&no, "e");
    attr_message(&attrs, "then_branch", W_GRAPH, &yes);
    attr_message(&attrs, "else_branch", W_GRAPH, &no);
    graph_node(&graph, "If", "if", constant ? "c" : "flag", "i", &attrs);
    graph_node(&graph, "Neg", "neg", "i", "y", NULL);
    return graph;
}

static void constant_if_becomes_its_branch(void **state)
{
    (void)state;
    struct wire graph = branching_graph(true);
    struct run run = pass_graph(&graph);
    const struct ao_graph *g = &run.model->graph;
    assert_int_equal(run.report.branches, 1);
    assert_int_equal(g->n_nodes, 2);
    assert_string_equal(g->nodes[0].name, "then");
    assert_string_equal(g->nodes[1].name, "neg");
    assert_int_equal(g->nodes[1].in[0], g->nodes[0].out[0]);
    end_run(&run);
    graph = branching_graph(false);
    pass_fails(&graph, AOSA_ERR_UNSUPPORTED, "node 'if' (If): its condition depends on the clip");
}

/* BatchNormalization after a Conv, then Mul and Add per channel. */
static struct wire normalised_graph(bool conv_has_bias, bool second_reader)
{
    const int64_t three = 3, per_channel[] = { 3, 1, 1, 1 };
    const float scale[] = { 0.5f, -2, 3 }, bias[] = { 1, 2, 3 }, mean[] = { 0.1f, -0.2f, 0.3f };
    const float var[] = { 0.5f, 1, 2 }, factor[] = { 2, 3, -1 }, shift = 0.25f;
    const int64_t pads[] = { 1, 1, 1, 1, 1, 1 };
    struct wire graph = clip_graph(), attrs = { 0 };
    add_weights(&graph);
    attr_ints(&attrs, "pads", 6, pads);
    graph_floats(&graph, "scale", 1, &three, scale);
    graph_floats(&graph, "bias", 1, &three, bias);
    graph_floats(&graph, "mean", 1, &three, mean);
    graph_floats(&graph, "var", 1, &three, var);
    graph_floats(&graph, "factor", 4, per_channel, factor);
    graph_floats(&graph, "shift", 0, NULL, &shift);
    graph_node(&graph, "Conv", "conv", conv_has_bias ? "x w b" : "x w", "c", &attrs);
    graph_node(&graph, "BatchNormalization", "bn", "c scale bias mean var", "n", NULL);
    graph_node(&graph, "Mul", "mul", "factor n", "m", NULL);
    graph_node(&graph, "Add", "add", "m shift", second_reader ? "z" : "y", NULL);
    if (second_reader)
        graph_node(&graph, "Add", "also", "z c", "y", NULL);
    return graph;
}

/*
 * Both sides sum N_TAPS products in double; the folded weights and bias are rounded three times
 * (three steps), so each output differs by at most 3 eps (sum |w x| + |b|) |scale factor| plus a
 * few roundings of values below 64: |w|, |x| <= 1, |scale factor| / sqrt(var) < 6.
 */
static void batch_norm_and_scales_go_into_the_conv(void **state)
{
    (void)state;
    const double tolerance =
        3 * (double)FLT_EPSILON * (N_TAPS + 1) * 6 + 8 * 64 * (double)FLT_EPSILON;
    for (int bias = 0; bias < 2; bias++) {
        struct wire graph = normalised_graph(bias, false);
        check_same_numbers(&graph, tolerance);
        graph = normalised_graph(bias, false);
        struct run run = pass_graph(&graph);
        assert_int_equal(run.report.batch_norms, 1);
        assert_int_equal(run.report.scales, 2);
        assert_int_equal(run.model->graph.n_nodes, 1);
        assert_string_equal(run.model->graph.values[run.model->graph.outputs[0]].name, "y");
        end_run(&run);
    }
}

static void conv_with_a_second_reader_stays(void **state)
{
    (void)state;
    struct wire graph = normalised_graph(true, true);
    struct run run = pass_graph(&graph);
    assert_int_equal(run.report.batch_norms, 0);
    assert_int_equal(count_type(&run.model->graph, "BatchNormalization"), 1);
    end_run(&run);
}

static struct wire padded_graph(const char *type, float value, const char *before)
{
    const int64_t pads[] = { 0, 0, 0, 1, 0, 0, 0, 1, 0, 2 }, kernel[] = { 2, 3, 3 };
    struct wire graph = clip_graph(), attrs = { 0 };
    add_weights(&graph);
    graph_ints(&graph, "pads", 10, pads);
    graph_floats(&graph, "value", 0, NULL, &value);
    graph_node(&graph, before, "before", "x", "r", NULL);
    graph_node(&graph, "Pad", "pad", "r pads value", "p", NULL);
    if (strcmp(type, "Conv") == 0) {
        const int64_t own[] = { 1, 0, 0, 1, 0, 1 };
        attr_ints(&attrs, "pads", 6, own);
        graph_node(&graph, "Conv", "conv", "p w b", "y", &attrs);
    } else {
        attr_ints(&attrs, "kernel_shape", 3, kernel);
        graph_node(&graph, type, "pool", "p", "y", &attrs);
    }
    return graph;
}

/* The very same products are summed: bit for bit. */
static void zero_pad_goes_into_the_conv(void **state)
{
    (void)state;
    struct wire graph = padded_graph("Conv", 0, "Neg");
    check_same_numbers(&graph, 0);
    graph = padded_graph("Conv", 0, "Neg");
    struct run run = pass_graph(&graph);
    assert_int_equal(run.report.conv_pads, 1);
    assert_int_equal(count_type(&run.model->graph, "Pad"), 0);
    const struct ao_attr *pads = ao_node_attr(&run.model->graph.nodes[1], "pads");
    const int64_t expected[] = { 1, 1, 0, 2, 0, 3 };
    assert_memory_equal(pads->ints, expected, sizeof expected);
    end_run(&run);
    graph = padded_graph("Conv", 1, "Neg");
    run = pass_graph(&graph);
    assert_int_equal(count_type(&run.model->graph, "Pad"), 1);
    end_run(&run);
}

static void zero_pad_goes_into_a_max_pool_of_nothing_negative(void **state)
{
    (void)state;
    struct wire graph = padded_graph("MaxPool", 0, "Relu");
    check_same_numbers(&graph, 0);
    static const struct {
        const char *type, *before;
        int folded;
    } cases[] = { { "MaxPool", "Relu", 1 }, { "MaxPool", "Neg", 0 }, { "AveragePool", "Relu", 0 } };
    for (size_t i = 0; i < 3; i++) {
        graph = padded_graph(cases[i].type, 0, cases[i].before);
        struct run run = pass_graph(&graph);
        assert_int_equal(run.report.pool_pads, cases[i].folded);
        assert_int_equal(count_type(&run.model->graph, "Pad"), 1 - cases[i].folded);
        end_run(&run);
    }
}

/* A window of padding only is 0 after a Pad, minus infinity in a MaxPool: the Pad stays. */
static void pool_window_of_padding_keeps_the_pad(void **state)
{
    (void)state;
    const int64_t pads[] = { 0, 0, 0, 0, 2, 0, 0, 0, 0, 0 }, kernel[] = { 1, 1, 2 };
    struct wire graph = clip_graph(), attrs = { 0 };
    graph_ints(&graph, "pads", 10, pads);
    graph_node(&graph, "Relu", "relu", "x", "r", NULL);
    graph_node(&graph, "Pad", "pad", "r pads", "p", NULL);
    attr_ints(&attrs, "kernel_shape", 3, kernel);
    graph_node(&graph, "MaxPool", "pool", "p", "y", &attrs);
    struct run run = pass_graph(&graph);
    assert_int_equal(run.report.pool_pads, 0);
    end_run(&run);
}

static void nodes_without_effect_go_and_the_output_keeps_its_name(void **state)
{
    (void)state;
    const int64_t same[] = { 0, 0, 2, 4, -1 }, perm[] = { 0, 1, 2, 3, 4 };
    struct wire graph = clip_graph(), attrs = { 0 };
    graph_ints(&graph, "same", 5, same);
    graph_node(&graph, "Relu", "relu", "x", "a", NULL);
    graph_node(&graph, "Identity", "id", "a", "b", NULL);
    graph_node(&graph, "Dropout", "drop", "b", "c mask", NULL);
    graph_node(&graph, "Reshape", "view", "c same", "d", NULL);
    attr_int(&attrs, "to", 1);
    graph_node(&graph, "Cast", "cast", "d", "e", &attrs);
    attr_ints(&attrs, "perm", 5, perm);
    graph_node(&graph, "Transpose", "t", "e", "y", &attrs);
    graph_node(&graph, "Neg", "unused", "e", "f", NULL);
    struct run run = pass_graph(&graph);
    assert_int_equal(run.model->graph.n_nodes, 1);
    assert_int_equal(run.report.no_ops, 5);
    assert_int_equal(run.report.dead, 1);
    assert_int_equal(run.model->graph.n_values, 2);
    assert_string_equal(run.model->graph.values[run.model->graph.outputs[0]].name, "y");
    end_run(&run);
}

static void identity_network_keeps_its_node(void **state)
{
    (void)state;
    struct wire graph = clip_graph();
    graph_node(&graph, "Identity", "id", "x", "y", NULL);
    struct run run = pass_graph(&graph);
    assert_int_equal(run.model->graph.n_nodes, 1);
    assert_int_not_equal(run.model->graph.inputs[0], run.model->graph.outputs[0]);
    end_run(&run);
}

/* Exporters write x.view() of the head as a Gather of every element in order. */
static void gather_of_everything_can_be_batched(void **state)
{
    (void)state;
    for (int shift = 0; shift < 2; shift++) {
        const int64_t flat = -1, dims[] = { 1, N_CLIP };
        int64_t order[N_CLIP];
        for (int i = 0; i < N_CLIP; i++)
            order[i] = (i + shift) % N_CLIP;
        struct wire graph = clip_graph();
        graph_ints(&graph, "flat", 1, &flat);
        graph_tensor(&graph, "order", W_INT64, 2, dims, order, sizeof order);
        graph_node(&graph, "Reshape", "flatten", "x flat", "f", NULL);
        graph_node(&graph, "Gather", "as_strided", "f order", "y", NULL);
        struct run run = pass_graph(&graph);
        assert_int_equal(run.model->graph.batchable, shift == 0);
        assert_int_equal(count_type(&run.model->graph, "Gather"), shift);
        if (shift)
            assert_non_null(strstr(run.model->graph.not_batchable, "node 'as_strided' (Gather)"));
        end_run(&run);
    }
}

static void mixing_the_batch_is_noticed(void **state)
{
    (void)state;
    const int64_t perm[] = { 1, 0, 2, 3, 4 };
    struct wire graph = clip_graph(), attrs = { 0 };
    attr_ints(&attrs, "perm", 5, perm);
    graph_node(&graph, "Transpose", "swap", "x", "y", &attrs);
    struct run run = pass_graph(&graph);
    assert_false(run.model->graph.batchable);
    assert_string_equal(run.model->graph.not_batchable,
                        "node 'swap' (Transpose) mixes the clips of a batch");
    assert_true(run.model->graph.values[run.model->graph.outputs[0]].batched);
    end_run(&run);
}

static void traced_feature_map_is_reported(void **state)
{
    (void)state;
    const int64_t map_dims[] = { 1, 3, 2, 2 }, channels[] = { 1, 3, 1, 1 };
    const int64_t clip[] = { -1, 2, 4, 4 }, weights[] = { 3, 2, 3, 3 };
    float values[54];
    random_floats(4, 54, values);
    for (int traced = 0; traced < 2; traced++) {
        struct wire graph = { 0 };
        graph_input(&graph, "x", W_FLOAT, 4, clip);
        graph_floats(&graph, "w", 4, weights, values);
        graph_floats(&graph, "k", 4, traced ? map_dims : channels, values);
        graph_node(&graph, "Conv", "conv", "x w", "c", NULL);
        graph_node(&graph, "Add", "shortcut", "c k", "y", NULL);
        struct run run = pass_graph(&graph);
        assert_int_equal(run.report.n_traced, traced);
        if (traced)
            assert_string_equal(run.report.traced[0].node, "shortcut");
        end_run(&run);
    }
}

/* Small files that ask for much memory or time. */
static void bombs_are_refused(void **state)
{
    (void)state;
    const int64_t huge[] = { 1 << 24, 64 }, square[] = { 3000, 3000 };
    struct wire graph = { 0 };
    graph_ints(&graph, "size", 2, huge);
    graph_node(&graph, "ConstantOfShape", "bomb", "size", "y", NULL);
    pass_fails(&graph, AOSA_ERR_UNSUPPORTED, "node 'bomb' (ConstantOfShape)");
    graph_ints(&graph, "size", 2, square);
    graph_node(&graph, "ConstantOfShape", "fill", "size", "a", NULL);
    graph_node(&graph, "MatMul", "product", "a a", "y", NULL);
    pass_fails(&graph, AOSA_ERR_UNSUPPORTED, "node 'product' (MatMul): the part of the model");
}

static void any_failed_allocation_is_reported(void **state)
{
    (void)state;
    long n = 0;
    for (bool failed = true; failed;) {
        struct wire graph = normalised_graph(false, false);
        struct run run = import_graph(&graph);
        ao_alloc_fail_at(++n);
        const aosa_status status = ao_passes_run(&run.model->graph, &run.report);
        failed = ao_alloc_has_failed();
        ao_alloc_fail_at(0);
        assert_int_equal(status, failed ? AOSA_ERR_NOMEM : AOSA_OK);
        end_run(&run);
    }
    printf("%ld allocations failed once each\n", n - 1);
    assert_true(n > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_operators_are_named_and_listed),
        cmocka_unit_test(own_operators_are_refused_in_a_file),
        cmocka_unit_test(shape_arithmetic_folds_away),
        cmocka_unit_test(constant_if_becomes_its_branch),
        cmocka_unit_test(batch_norm_and_scales_go_into_the_conv),
        cmocka_unit_test(conv_with_a_second_reader_stays),
        cmocka_unit_test(zero_pad_goes_into_the_conv),
        cmocka_unit_test(zero_pad_goes_into_a_max_pool_of_nothing_negative),
        cmocka_unit_test(pool_window_of_padding_keeps_the_pad),
        cmocka_unit_test(nodes_without_effect_go_and_the_output_keeps_its_name),
        cmocka_unit_test(identity_network_keeps_its_node),
        cmocka_unit_test(gather_of_everything_can_be_batched),
        cmocka_unit_test(mixing_the_batch_is_noticed),
        cmocka_unit_test(traced_feature_map_is_reported),
        cmocka_unit_test(bombs_are_refused),
        cmocka_unit_test(any_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests_name("passes", tests, NULL, NULL);
}
