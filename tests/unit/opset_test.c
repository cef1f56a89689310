/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "onnx/onnx.h"
#include "passes/passes.h"
#include "support/onnx_writer.h"

/*
 * Old and new forms of an operator mean the same. Each case is a graph of constants, so the passes
 * compute its output: what is checked is the number, not the form.
 */

static const struct ao_onnx_options plain = { 0 };

/* Computes output "y" of a constant graph at that opset. */
static void computes(struct wire *graph, int64_t opset, const char *shape, const float *expected,
                     double tolerance)
{
    graph_output(graph, "y");
    struct wire file = model_of(graph, opset);
    struct ao_onnx_model *model;
    struct ao_passes_report report = { 0 };
    aosa_status status = ao_onnx_read(file.bytes, file.n, "m.onnx", &plain, &model);
    if (status == AOSA_OK)
        status = ao_passes_run(&model->graph, &report);
    if (status != AOSA_OK)
        printf("opset %d: %s\n", (int)opset, aosa_error_message());
    assert_int_equal(status, AOSA_OK);
    const struct ao_value *y = &model->graph.values[model->graph.outputs[0]];
    char text[AO_SHAPE_TEXT];
    assert_string_equal(ao_shape_text(&y->shape, text), shape);
    assert_int_equal(y->dtype, AO_F32);
    assert_non_null(y->data);
    for (int64_t i = 0; i < ao_shape_count(&y->shape); i++)
        assert_true(fabs((double)((const float *)y->data)[i] - (double)expected[i]) <= tolerance);
    ao_passes_report_fini(&report);
    ao_onnx_close(&model);
    wire_free(&file);
}

static void refused(struct wire *graph, int64_t opset, aosa_status expected, const char *part)
{
    graph_output(graph, "y");
    struct wire file = model_of(graph, opset);
    struct ao_onnx_model *model = NULL;
    assert_int_equal(ao_onnx_read(file.bytes, file.n, "m.onnx", &plain, &model), expected);
    assert_non_null(strstr(aosa_error_message(), part));
    wire_free(&file);
}

static const int64_t one_by_four[] = { 1, 4 };
static const float ramp[] = { 1, 2, 3, 4 };

/* A graph that holds a = [[1,2,3,4]]. */
static struct wire ramp_graph(void)
{
    struct wire graph = { 0 };
    graph_floats(&graph, "a", 2, one_by_four, ramp);
    return graph;
}

static void squeeze_and_unsqueeze_axes(void **state)
{
    (void)state;
    const int64_t zero = 0, last = 2;
    for (int64_t opset = 11; opset <= 13; opset += 2) {
        struct wire graph = ramp_graph(), first = { 0 }, second = { 0 };
        graph_ints(&graph, "zero", 1, &zero);
        graph_ints(&graph, "last", 1, &last);
        if (opset < 13) {
            attr_ints(&first, "axes", 1, &last);
            attr_ints(&second, "axes", 1, &zero);
        }
        graph_node(&graph, "Unsqueeze", "u", opset < 13 ? "a" : "a last", "b", &first);
        graph_node(&graph, "Squeeze", "s", opset < 13 ? "b" : "b zero", "y", &second);
        computes(&graph, opset, "[4,1]", ramp, 0);
    }
}

static void reduce_mean_axes(void **state)
{
    (void)state;
    const int64_t axis = -1;
    const float mean = 2.5f;
    for (int64_t opset = 17; opset <= 18; opset++) {
        struct wire graph = ramp_graph(), attrs = { 0 };
        graph_ints(&graph, "axes", 1, &axis);
        if (opset < 18)
            attr_ints(&attrs, "axes", 1, &axis);
        attr_int(&attrs, "keepdims", 0);
        graph_node(&graph, "ReduceMean", "m", opset < 18 ? "a" : "a axes", "y", &attrs);
        computes(&graph, opset, "[1]", &mean, 0);
    }
}

static void clip_bounds(void **state)
{
    (void)state;
    const float lo = 2, hi = 3, expected[] = { 2, 2, 3, 3 }, upper[] = { 1, 2, 3, 3 };
    for (int64_t opset = 6; opset <= 11; opset += 5) {
        struct wire graph = ramp_graph(), attrs = { 0 };
        graph_floats(&graph, "lo", 0, NULL, &lo);
        graph_floats(&graph, "hi", 0, NULL, &hi);
        if (opset < 11) {
            attr_float(&attrs, "min", lo);
            attr_float(&attrs, "max", hi);
        }
        graph_node(&graph, "Clip", "c", opset < 11 ? "a" : "a lo hi", "y", &attrs);
        computes(&graph, opset, "[1,4]", expected, 0);
    }
    struct wire graph = ramp_graph(), attrs = { 0 };
    attr_float(&attrs, "max", hi);
    graph_node(&graph, "Clip", "c", "a", "y", &attrs);
    computes(&graph, 6, "[1,4]", upper, 0);
}

static void pad_amounts(void **state)
{
    (void)state;
    const int64_t pads[] = { 0, 1, 0, 2 };
    const float value = 7, expected[] = { 7, 1, 2, 3, 4, 7, 7 };
    for (int64_t opset = 10; opset <= 11; opset++) {
        struct wire graph = ramp_graph(), attrs = { 0 };
        graph_ints(&graph, "pads", 4, pads);
        graph_floats(&graph, "value", 0, NULL, &value);
        if (opset < 11) {
            attr_ints(&attrs, "pads", 4, pads);
            attr_float(&attrs, "value", value);
        }
        graph_node(&graph, "Pad", "p", opset < 11 ? "a" : "a pads value", "y", &attrs);
        computes(&graph, opset, "[1,7]", expected, 0);
    }
}

static void slice_bounds(void **state)
{
    (void)state;
    const int64_t start = 1, end = -1, axis = 1;
    const float expected[] = { 2, 3 };
    for (int64_t opset = 9; opset <= 10; opset++) {
        struct wire graph = ramp_graph(), attrs = { 0 };
        graph_ints(&graph, "start", 1, &start);
        graph_ints(&graph, "end", 1, &end);
        graph_ints(&graph, "axis", 1, &axis);
        if (opset < 10) {
            attr_ints(&attrs, "starts", 1, &start);
            attr_ints(&attrs, "ends", 1, &end);
            attr_ints(&attrs, "axes", 1, &axis);
        }
        graph_node(&graph, "Slice", "s", opset < 10 ? "a" : "a start end axis", "y", &attrs);
        computes(&graph, opset, "[1,2]", expected, 0);
    }
}

static void split_sizes(void **state)
{
    (void)state;
    const int64_t sizes[] = { 1, 3 };
    const float expected[] = { 2, 3, 4 };
    for (int64_t opset = 11; opset <= 13; opset += 2) {
        struct wire graph = ramp_graph(), attrs = { 0 };
        graph_ints(&graph, "sizes", 2, sizes);
        attr_int(&attrs, "axis", 1);
        if (opset < 13)
            attr_ints(&attrs, "split", 2, sizes);
        graph_node(&graph, "Split", "s", opset < 13 ? "a" : "a sizes", "first y", &attrs);
        computes(&graph, opset, "[1,3]", expected, 0);
    }
}

/* Before opset 13 the axes from `axis` (default 1) on are one; since then only the axis itself. */
static void softmax_axes(void **state)
{
    (void)state;
    const int64_t dims[] = { 1, 2, 2 };
    const double e[] = { exp(1), exp(2), exp(3), exp(4) };
    float together[4], apart[4];
    for (int i = 0; i < 4; i++) {
        together[i] = (float)(e[i] / (e[0] + e[1] + e[2] + e[3]));
        apart[i] = (float)(e[i] / (e[i / 2 * 2] + e[i / 2 * 2 + 1]));
    }
    for (int64_t opset = 11; opset <= 13; opset += 2) {
        struct wire graph = { 0 };
        graph_floats(&graph, "a", 3, dims, ramp);
        graph_node(&graph, "Softmax", "s", "a", "y", NULL);
        computes(&graph, opset, "[1,2,2]", opset < 13 ? together : apart, 1e-7);
    }
}

/* Opset 6: B [2] is aligned at axis 1 of A [1,2,2], not at the last one. */
static void broadcast_at_an_axis(void **state)
{
    (void)state;
    const int64_t dims[] = { 1, 2, 2 }, two = 2;
    const float b[] = { 10, 20 }, by_axis[] = { 11, 12, 23, 24 }, by_end[] = { 11, 22, 13, 24 };
    for (int with_axis = 0; with_axis < 2; with_axis++) {
        struct wire graph = { 0 }, attrs = { 0 };
        graph_floats(&graph, "a", 3, dims, ramp);
        graph_floats(&graph, "b", 1, &two, b);
        attr_int(&attrs, "broadcast", 1);
        if (with_axis)
            attr_int(&attrs, "axis", 1);
        graph_node(&graph, "Add", "s", "a b", "y", &attrs);
        computes(&graph, 6, "[1,2,2]", with_axis ? by_axis : by_end, 0);
    }
}

static void batch_norm_of_opset_6(void **state)
{
    (void)state;
    const int64_t dims[] = { 1, 2, 2 }, two = 2;
    const float scale[] = { 2, 1 }, bias[] = { 1, 0 }, mean[] = { 1, 3 }, var[] = { 4, 1 };
    const float expected[] = { 1, 2, 0, 1 };
    for (int test = 1; test >= 0; test--) {
        struct wire graph = { 0 }, attrs = { 0 };
        graph_floats(&graph, "a", 3, dims, ramp);
        graph_floats(&graph, "scale", 1, &two, scale);
        graph_floats(&graph, "bias", 1, &two, bias);
        graph_floats(&graph, "mean", 1, &two, mean);
        graph_floats(&graph, "var", 1, &two, var);
        attr_int(&attrs, "is_test", test);
        attr_float(&attrs, "epsilon", 0);
        graph_node(&graph, "BatchNormalization", "bn", "a scale bias mean var", "y", &attrs);
        if (test)
            computes(&graph, 6, "[1,2,2]", expected, 1e-6);
        else
            refused(&graph, 6, AOSA_ERR_UNSUPPORTED,
                    "node 'bn' (BatchNormalization): is in training mode");
    }
}

static void dropout_is_the_identity(void **state)
{
    (void)state;
    for (int64_t opset = 6; opset <= 12; opset += 6) {
        struct wire graph = ramp_graph(), attrs = { 0 };
        if (opset < 12)
            attr_float(&attrs, "ratio", 0.5f);
        graph_node(&graph, "Dropout", "d", "a", "y mask", &attrs);
        computes(&graph, opset, "[1,4]", ramp, 0);
    }
}

static void constant_nodes_of_every_form(void **state)
{
    (void)state;
    const float half = 0.5f;
    const int64_t ints[] = { 1, 4 };
    struct wire graph = { 0 }, attrs = { 0 };
    attr_ints(&attrs, "value_ints", 2, ints);
    graph_node(&graph, "Constant", "c1", "", "shape", &attrs);
    attr_float(&attrs, "value_float", half);
    graph_node(&graph, "Constant", "c2", "", "half", &attrs);
    struct wire tensor = tensor_of("", W_FLOAT, 2, one_by_four, ramp, sizeof ramp);
    attr_message(&attrs, "value", W_TENSOR, &tensor);
    graph_node(&graph, "Constant", "c3", "", "a", &attrs);
    attr_int(&attrs, "value_int", 2);
    graph_node(&graph, "Constant", "c4", "", "two", &attrs);
    attr_int(&attrs, "to", 11); /* float64 counts as float32 */
    graph_node(&graph, "Cast", "cast", "two", "two_f", &attrs);
    graph_node(&graph, "Expand", "e", "half shape", "halves", NULL);
    graph_node(&graph, "Mul", "m", "a halves", "b", NULL);
    graph_node(&graph, "Mul", "m2", "b two_f", "y", NULL);
    computes(&graph, 18, "[1,4]", ramp, 0);

    graph = ramp_graph();
    attr_text(&attrs, "value_string", "text");
    graph_node(&graph, "Constant", "c5", "", "y", &attrs);
    refused(&graph, 18, AOSA_ERR_UNSUPPORTED, "node 'c5' (Constant) holds no tensor or number");
}

/* Expected values: tools/reference/old_forms.py. Roundings of scales and of sums of a few terms are
 * below 1e-6 of 8. */
static void resize_of_opset_10_looks_below_or_above(void **state)
{
    (void)state;
    const float nearest[] = { 1, 3, 1, 3, 5, 7 };
    const float linear[] = { 1, 2.6666665F, 3.6666667F, 5.333333F, 5, 6.666667F };
    const float values[] = { 1, 2, 3, 4, 5, 6, 7, 8 }, scales[] = { 1, 1, 1.5F, .6F };
    const int64_t dims[] = { 1, 1, 2, 4 }, four = 4;
    for (int mode = 0; mode < 2; mode++) {
        struct wire graph = { 0 }, attrs = { 0 };
        graph_floats(&graph, "a", 4, dims, values);
        graph_floats(&graph, "scales", 1, &four, scales);
        attr_text(&attrs, "mode", mode ? "linear" : "nearest");
        graph_node(&graph, "Resize", "r", "a scales", "y", &attrs);
        computes(&graph, 10, "[1,1,3,2]", mode ? linear : nearest, 8e-6);
    }
}

static void group_norm_of_opset_18_scales_groups(void **state)
{
    (void)state;
    const float values[] = { 1, 2, 4, 8, 3, 3, 5, 9 }, scale[] = { 2, -1 }, bias[] = { .5F, 1 };
    const float expected[] = {
        -1.5167367F, -.7833779F, .6833397F, 3.6167748F, 1.8F, 1.8F, 1, -.6F
    };
    const int64_t dims[] = { 1, 4, 2 }, two = 2;
    for (int64_t opset = 18; opset <= 20; opset++) {
        struct wire graph = { 0 }, attrs = { 0 };
        graph_floats(&graph, "a", 3, dims, values);
        graph_floats(&graph, "scale", 1, &two, scale);
        graph_floats(&graph, "bias", 1, &two, bias);
        attr_int(&attrs, "num_groups", 2);
        attr_float(&attrs, "epsilon", .25F);
        graph_node(&graph, "GroupNormalization", "g", "a scale bias", "y", &attrs);
        computes(&graph, opset, "[1,4,2]", expected, 1e-6);
    }
    struct wire graph = ramp_graph();
    graph_node(&graph, "GroupNormalization", "g", "a a a", "y", NULL);
    refused(&graph, 18, AOSA_ERR_FORMAT, "node 'g' (GroupNormalization) has not three inputs");
}

static void sums_and_means_of_many(void **state)
{
    (void)state;
    const float three[] = { 3, 6, 9, 12 }, log_of_ten[] = { 2.3025851F };
    const int64_t last = 1;
    for (int64_t opset = 8; opset <= 18; opset += 10) {
        struct wire graph = ramp_graph(), axes = { 0 };
        graph_node(&graph, "Sum", "s", "a a a", "y", NULL);
        computes(&graph, opset, "[1,4]", three, 0);
        graph = ramp_graph();
        graph_node(&graph, "Sum", "s", "a", "y", NULL);
        computes(&graph, opset, "[1,4]", ramp, 0);
        graph = ramp_graph();
        graph_node(&graph, "Mean", "m", "a a a", "y", NULL);
        computes(&graph, opset, "[1,4]", ramp, 1e-6); /* 1 / 3 is rounded */
        graph = ramp_graph();
        graph_ints(&graph, "axes", 1, &last);
        if (opset < 18)
            attr_ints(&axes, "axes", 1, &last);
        graph_node(&graph, "ReduceLogSum", "l", opset < 18 ? "a" : "a axes", "y", &axes);
        computes(&graph, opset, "[1,1]", log_of_ten, 1e-6);
    }
}

static void upsample_repeats(void **state)
{
    (void)state;
    const float twice[] = { 1, 1, 2, 2, 3, 3, 4, 4 }, scales[] = { 1, 2 };
    const int64_t two = 2;
    struct wire graph = ramp_graph();
    graph_floats(&graph, "scales", 1, &two, scales);
    graph_node(&graph, "Upsample", "u", "a scales", "y", NULL);
    computes(&graph, 9, "[1,8]", twice, 0);
}

/* Sets 1 to 5 are read as far as their operators were as they are in set 6. */
static void sets_before_6_are_read_where_nothing_changed(void **state)
{
    (void)state;
    const float greatest[] = { 4 };
    const int64_t last = 1;
    struct wire graph = ramp_graph(), axes = { 0 };
    attr_ints(&axes, "axes", 1, &last);
    graph_node(&graph, "ReduceMax", "r", "a", "y", &axes);
    computes(&graph, 1, "[1,1]", greatest, 0);
    graph = ramp_graph();
    graph_node(&graph, "Relu", "old", "a", "y", NULL);
    refused(&graph, 5, AOSA_ERR_UNSUPPORTED, "node 'old' (Relu): the form of opset 5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(squeeze_and_unsqueeze_axes),
        cmocka_unit_test(reduce_mean_axes),
        cmocka_unit_test(clip_bounds),
        cmocka_unit_test(pad_amounts),
        cmocka_unit_test(slice_bounds),
        cmocka_unit_test(split_sizes),
        cmocka_unit_test(softmax_axes),
        cmocka_unit_test(broadcast_at_an_axis),
        cmocka_unit_test(batch_norm_of_opset_6),
        cmocka_unit_test(dropout_is_the_identity),
        cmocka_unit_test(constant_nodes_of_every_form),
        cmocka_unit_test(resize_of_opset_10_looks_below_or_above),
        cmocka_unit_test(group_norm_of_opset_18_scales_groups),
        cmocka_unit_test(sums_and_means_of_many),
        cmocka_unit_test(upsample_repeats),
        cmocka_unit_test(sets_before_6_are_read_where_nothing_changed),
    };
    return cmocka_run_group_tests_name("opset", tests, NULL, NULL);
}
