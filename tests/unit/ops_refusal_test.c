/* SPDX-License-Identifier: Apache-2.0 */
#include "support/one_node.h"

/* Models that are wrong get one line with the node and the numbers; and who keeps batches apart. */

static const float data[64];

static void conv_rig(struct rig *rig, struct ao_shape x, struct ao_shape w)
{
    rig_init(rig, "Conv", 1);
    rig_f32(rig, x, data);
    rig_f32(rig, w, data);
}

static void conv_with_wrong_numbers(void **state)
{
    (void)state;
    struct rig rig;
    conv_rig(&rig, SHAPE(1, 60, 5, 5), SHAPE(8, 32, 3, 3));
    rig_attr_int(&rig, "group", 2);
    rig_refused(&rig, AOSA_ERR_FORMAT, "32 input channels x 2 groups|has 60");
    conv_rig(&rig, SHAPE(1, 4, 5, 5), SHAPE(3, 2, 3, 3));
    rig_attr_int(&rig, "group", 2);
    rig_refused(&rig, AOSA_ERR_FORMAT, "makes 3 channels|2 groups");
    conv_rig(&rig, SHAPE(1, 4, 5, 5), SHAPE(3, 4, 3, 3));
    rig_attr_int(&rig, "group", 0);
    rig_refused(&rig, AOSA_ERR_FORMAT, "0 groups");
    conv_rig(&rig, SHAPE(1, 4, 5, 5), SHAPE(3, 4, 3));
    rig_refused(&rig, AOSA_ERR_FORMAT, "weights|[3,4,3]|4 axes");
    conv_rig(&rig, SHAPE(1, 4), SHAPE(3, 4));
    rig_refused(&rig, AOSA_ERR_UNSUPPORTED, "[1,4]");
    conv_rig(&rig, SHAPE(1, 4, 2, 5), SHAPE(3, 4, 3, 3));
    rig_refused(&rig, AOSA_ERR_FORMAT, "kernel 3|axis y|2 + 0 + 0");
    conv_rig(&rig, SHAPE(1, 4, 5, 5), SHAPE(3, 4, 0, 3));
    rig_refused(&rig, AOSA_ERR_FORMAT, "kernel of axis y is 0");
}

static void windows_with_wrong_attributes(void **state)
{
    (void)state;
    struct rig rig;
    conv_rig(&rig, SHAPE(1, 1, 5, 5), SHAPE(1, 1, 3, 3));
    RIG_ATTR_INTS(&rig, "strides", 1, 0);
    rig_refused(&rig, AOSA_ERR_FORMAT, "strides holds 0");
    conv_rig(&rig, SHAPE(1, 1, 5, 5), SHAPE(1, 1, 3, 3));
    RIG_ATTR_INTS(&rig, "dilations", -1, 1);
    rig_refused(&rig, AOSA_ERR_FORMAT, "dilations holds -1");
    conv_rig(&rig, SHAPE(1, 1, 5, 5), SHAPE(1, 1, 3, 3));
    RIG_ATTR_INTS(&rig, "pads", 1, 1);
    rig_refused(&rig, AOSA_ERR_FORMAT, "pads has 2 integers|4");
    conv_rig(&rig, SHAPE(1, 1, 5, 5), SHAPE(1, 1, 3, 3));
    RIG_ATTR_INTS(&rig, "pads", 0, 0, INT64_MAX, 0);
    rig_refused(&rig, AOSA_ERR_FORMAT, "pads holds");
    conv_rig(&rig, SHAPE(1, 1, 5, 5), SHAPE(1, 1, 3, 3));
    RIG_ATTR_INTS(&rig, "kernel_shape", 3, 2);
    rig_refused(&rig, AOSA_ERR_FORMAT, "kernel_shape has 2|3");
    conv_rig(&rig, SHAPE(1, 1, 5, 5), SHAPE(1, 1, 3, 3));
    rig_attr_text(&rig, "auto_pad", "SOME");
    rig_refused(&rig, AOSA_ERR_FORMAT, "auto_pad is 'SOME'");
    rig_init(&rig, "MaxPool", 1);
    rig_f32(&rig, SHAPE(1, 1, 5), data);
    rig_refused(&rig, AOSA_ERR_FORMAT, "kernel of axis x is 0");
    rig_init(&rig, "MaxPool", 1);
    rig_f32(&rig, SHAPE(1, 1, 5), data);
    RIG_ATTR_INTS(&rig, "kernel_shape", 2);
    RIG_ATTR_INTS(&rig, "pads", 2, 0);
    rig_refused(&rig, AOSA_ERR_FORMAT, "pads 2 and 0|window of 2");
}

static void an_output_beyond_all_memory(void **state)
{
    (void)state;
    struct rig rig;
    conv_rig(&rig, SHAPE(1, 1, 1, 1, 1), SHAPE(1, 1, 1, 1, 1));
    RIG_ATTR_INTS(&rig, "pads", INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX);
    rig_refused(&rig, AOSA_ERR_FORMAT, "4294967295");
    rig_init(&rig, "Expand", 1);
    rig_f32(&rig, SHAPE(1), data);
    RIG_INTS(&rig, INT64_C(1) << 31, INT64_C(1) << 31);
    rig_refused(&rig, AOSA_ERR_FORMAT, "2147483648");
    rig_init(&rig, "ConstantOfShape", 1);
    RIG_INTS(&rig, -1);
    rig_refused(&rig, AOSA_ERR_FORMAT, "[-1]");
    rig_init(&rig, "Tile", 1);
    rig_f32(&rig, SHAPE(2), data);
    RIG_INTS(&rig, INT64_MAX);
    rig_refused(&rig, AOSA_ERR_FORMAT, "repeats axis 0");
    static const int64_t start = 0, limit = INT64_MAX, step = 1;
    rig_init(&rig, "Range", 1);
    rig_in(&rig, AO_I64, SHAPE_NUMBER, &start, true);
    rig_in(&rig, AO_I64, SHAPE_NUMBER, &limit, true);
    rig_in(&rig, AO_I64, SHAPE_NUMBER, &step, true);
    rig_refused(&rig, AOSA_ERR_FORMAT, "elements");
}

static void reshapes_that_do_not_fit(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, "Reshape", 1);
    rig_f32(&rig, SHAPE(2, 3), data);
    RIG_INTS(&rig, 4, -1);
    rig_refused(&rig, AOSA_ERR_FORMAT, "[2,3]|[4,-1]|6 elements");
    rig_init(&rig, "Reshape", 1);
    rig_f32(&rig, SHAPE(2, 3), data);
    RIG_INTS(&rig, -1, -1);
    rig_refused(&rig, AOSA_ERR_FORMAT, "two sizes of -1");
    rig_init(&rig, "Reshape", 1);
    rig_f32(&rig, SHAPE(2, 3), data);
    RIG_INTS(&rig, 2, 3, 0);
    rig_refused(&rig, AOSA_ERR_FORMAT, "axis 2");
    rig_init(&rig, "Reshape", 1);
    rig_f32(&rig, SHAPE(2, 3), data);
    RIG_INTS(&rig, 1, 1, 1, 1, 1, 1, 1, 1, 6);
    rig_refused(&rig, AOSA_ERR_UNSUPPORTED, "9 axes");
    rig_init(&rig, "Reshape", 1);
    rig_f32(&rig, SHAPE(2, 3), data);
    rig_in(&rig, AO_I64, SHAPE(1), &(const int64_t){ 6 }, false);
    rig_refused(&rig, AOSA_ERR_UNSUPPORTED, "shape (input 1|computed");
    rig_init(&rig, "Squeeze", 1);
    rig_f32(&rig, SHAPE(2, 3), data);
    RIG_INTS(&rig, 1);
    rig_refused(&rig, AOSA_ERR_FORMAT, "axis 1|3 elements");
    rig_init(&rig, "Unsqueeze", 1);
    rig_f32(&rig, SHAPE(2, 3), data);
    RIG_INTS(&rig, 0, 0);
    rig_refused(&rig, AOSA_ERR_FORMAT, "axis 0 twice");
    rig_init(&rig, "Transpose", 1);
    rig_f32(&rig, SHAPE(2, 3), data);
    RIG_ATTR_INTS(&rig, "perm", 1, 1);
    rig_refused(&rig, AOSA_ERR_FORMAT, "axis 1 twice");
}

static void axes_and_indices_out_of_range(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, "Concat", 1);
    rig_f32(&rig, SHAPE(2, 3), data);
    rig_attr_int(&rig, "axis", 2);
    rig_refused(&rig, AOSA_ERR_FORMAT, "axis 2|2 axes");
    rig_init(&rig, "Softmax", 1);
    rig_f32(&rig, SHAPE(2, 3), data);
    rig_attr_int(&rig, "axis", -3);
    rig_refused(&rig, AOSA_ERR_FORMAT, "axis -3");
    rig_init(&rig, "ReduceMean", 1);
    rig_f32(&rig, SHAPE(2, 3), data);
    RIG_INTS(&rig, 2);
    rig_refused(&rig, AOSA_ERR_FORMAT, "axis 2");
    rig_init(&rig, "Gather", 1);
    rig_f32(&rig, SHAPE(2, 3), data);
    RIG_INTS(&rig, 1, 2);
    rig_refused(&rig, AOSA_ERR_FORMAT, "index 2|2 elements");
    rig_init(&rig, "Slice", 1);
    rig_f32(&rig, SHAPE(2, 3), data);
    RIG_INTS(&rig, 0);
    RIG_INTS(&rig, 1);
    RIG_INTS(&rig, 0);
    RIG_INTS(&rig, 0);
    rig_refused(&rig, AOSA_ERR_FORMAT, "step 0 on axis 0");
    rig_init(&rig, "Pad", 1);
    rig_f32(&rig, SHAPE(1, 3), data);
    RIG_INTS(&rig, 0, 3, 0, 0);
    rig_attr_text(&rig, "mode", "reflect");
    rig_refused(&rig, AOSA_ERR_FORMAT, "reflects 3 and 0|axis 1|3");
    rig_init(&rig, "GatherND", 1);
    rig_f32(&rig, SHAPE(2, 3), data);
    rig_in(&rig, AO_I64, SHAPE(1, 2), (const int64_t[]){ 1, 3 }, true);
    rig_refused(&rig, AOSA_ERR_FORMAT, "index 3|axis 1|3 elements");
    rig_init(&rig, "ScatterND", 1);
    rig_f32(&rig, SHAPE(2, 3), data);
    rig_in(&rig, AO_I64, SHAPE(1, 1), (const int64_t[]){ 1 }, true);
    rig_f32(&rig, SHAPE(1, 2), data);
    rig_refused(&rig, AOSA_ERR_FORMAT, "updates|[1,2]|[1,3]");
    rig_init(&rig, "Split", 2);
    rig_f32(&rig, SHAPE(4), data);
    RIG_INTS(&rig, 3, 2);
    rig_refused(&rig, AOSA_ERR_FORMAT, "output 1 has 2|1 of 4");
}

static void operands_that_do_not_agree(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, "Add", 1);
    rig_f32(&rig, SHAPE(2, 3), data);
    rig_f32(&rig, SHAPE(2), data);
    rig_refused(&rig, AOSA_ERR_FORMAT, "[2,3]|[2]");
    rig_init(&rig, "Add", 1);
    rig_f32(&rig, SHAPE(2), data);
    RIG_INTS(&rig, 1, 2);
    rig_refused(&rig, AOSA_ERR_FORMAT, "int64|float32");
    rig_init(&rig, "Add", 1);
    rig_f32(&rig, SHAPE(2), data);
    rig_refused(&rig, AOSA_ERR_FORMAT, "1 inputs|2 to 2");
    rig_init(&rig, "Gemm", 1);
    rig_f32(&rig, SHAPE(2, 3), data);
    rig_f32(&rig, SHAPE(2, 3), data);
    rig_refused(&rig, AOSA_ERR_FORMAT, "3 columns|2 rows");
    rig_init(&rig, "MatMul", 1);
    rig_f32(&rig, SHAPE(1, 2, 3), data);
    rig_f32(&rig, SHAPE(4, 5), data);
    rig_refused(&rig, AOSA_ERR_FORMAT, "3 columns|4 rows");
    rig_init(&rig, "Relu", 1);
    RIG_INTS(&rig, 1, 2);
    rig_refused(&rig, AOSA_ERR_UNSUPPORTED, "int64");
    rig_init(&rig, "BatchNormalization", 1);
    rig_f32(&rig, SHAPE(1, 3, 2), data);
    rig_f32(&rig, SHAPE(3), data);
    rig_f32(&rig, SHAPE(3), data);
    rig_f32(&rig, SHAPE(2), data);
    rig_f32(&rig, SHAPE(3), data);
    rig_refused(&rig, AOSA_ERR_FORMAT, "mean|[2]|[3]");
}

static bool keeps(struct rig *rig, int batched)
{
    assert_int_equal(rig_infer(rig), AOSA_OK);
    for (int i = 0; i < rig->node.n_in; i++)
        if (batched >> i & 1)
            rig->graph.values[rig->in[i]].batched = true;
    const bool answer = ao_op_keeps_batch(&rig->graph, &rig->node);
    rig_fini(rig);
    return answer;
}

static bool add_keeps(struct ao_shape a, struct ao_shape b, int batched)
{
    struct rig rig;
    rig_init(&rig, "Add", 1);
    rig_f32(&rig, a, data);
    rig_f32(&rig, b, data);
    return keeps(&rig, batched);
}

static void who_keeps_batches_apart_pointwise(void **state)
{
    (void)state;
    assert_true(add_keeps(SHAPE(1, 3), SHAPE(1, 3), 3));
    assert_true(add_keeps(SHAPE(1, 3), SHAPE(1, 3), 1));
    assert_true(add_keeps(SHAPE(1, 3), SHAPE(3), 1));
    assert_true(add_keeps(SHAPE(1, 3), SHAPE(2, 3), 0));
    /* A constant with a row per image, a batched vector, images that repeat. */
    assert_false(add_keeps(SHAPE(2, 3), SHAPE(2, 3), 1));
    assert_false(add_keeps(SHAPE(1, 3), SHAPE(3), 2));
    assert_false(add_keeps(SHAPE(1, 3), SHAPE(2, 3), 3));
}

static bool matmul_keeps(struct ao_shape a, struct ao_shape b, int batched)
{
    struct rig rig;
    rig_init(&rig, "MatMul", 1);
    rig_f32(&rig, a, data);
    rig_f32(&rig, b, data);
    return keeps(&rig, batched);
}

static void who_keeps_batches_apart_in_products(void **state)
{
    (void)state;
    assert_true(matmul_keeps(SHAPE(1, 3), SHAPE(3, 2), 1));
    assert_true(matmul_keeps(SHAPE(1, 2, 3), SHAPE(3, 2), 1));
    assert_true(matmul_keeps(SHAPE(1, 2, 3), SHAPE(1, 3, 2), 3));
    assert_true(matmul_keeps(SHAPE(2, 3), SHAPE(1, 3, 2), 2));
    assert_false(matmul_keeps(SHAPE(3), SHAPE(3, 2), 1));
    assert_false(matmul_keeps(SHAPE(1, 3), SHAPE(3, 2), 2));
    assert_false(matmul_keeps(SHAPE(1, 3), SHAPE(2, 3, 2), 1));
    assert_false(matmul_keeps(SHAPE(1, 1, 3), SHAPE(2, 3, 1), 3));
}

static bool reshaped_keeps(const char *type, int64_t number, const char *attr)
{
    struct rig rig;
    rig_init(&rig, type, 1);
    rig_f32(&rig, SHAPE(1, 2, 3), data);
    if (attr)
        rig_attr_int(&rig, attr, number);
    else
        rig_in(&rig, AO_I64, SHAPE(1), &number, true);
    return keeps(&rig, 1);
}

static void who_keeps_batches_apart_along_axes(void **state)
{
    (void)state;
    assert_true(reshaped_keeps("Softmax", 1, "axis"));
    assert_false(reshaped_keeps("Softmax", 0, "axis"));
    assert_true(reshaped_keeps("ReduceMean", -1, NULL));
    assert_false(reshaped_keeps("ReduceMean", 0, NULL));
    assert_true(reshaped_keeps("Squeeze", 0, NULL));
    assert_true(reshaped_keeps("Reshape", 6, NULL));
    assert_true(reshaped_keeps("Relu", 0, "none"));
    assert_false(reshaped_keeps("Shape", 0, "start"));
    struct rig rig;
    rig_init(&rig, "Transpose", 1);
    rig_f32(&rig, SHAPE(1, 2, 3), data);
    RIG_ATTR_INTS(&rig, "perm", 1, 0, 2);
    assert_false(keeps(&rig, 1));
    rig_init(&rig, "Concat", 1);
    rig_f32(&rig, SHAPE(1, 2), data);
    rig_f32(&rig, SHAPE(1, 2), data);
    rig_attr_int(&rig, "axis", 1);
    assert_true(keeps(&rig, 1)); /* the other is repeated */
    rig_init(&rig, "Concat", 1);
    rig_f32(&rig, SHAPE(2, 2), data);
    rig_f32(&rig, SHAPE(2, 2), data);
    rig_attr_int(&rig, "axis", 1);
    assert_false(keeps(&rig, 1));
}

static void the_list_names_every_operator_once(void **state)
{
    (void)state;
    const struct ao_op *const *list = ao_op_list();
    for (size_t i = 0; list[i]; i++) {
        assert_non_null(list[i]->infer);
        assert_non_null(list[i]->forward);
        assert_true(list[i]->batch != AO_BATCH_ASKS || list[i]->keeps_batch);
        assert_ptr_equal(ao_op_find(list[i]->type), list[i]);
    }
    assert_null(ao_op_find("NoSuchOperator"));
    assert_null(ao_op_find(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv_with_wrong_numbers),
        cmocka_unit_test(windows_with_wrong_attributes),
        cmocka_unit_test(an_output_beyond_all_memory),
        cmocka_unit_test(reshapes_that_do_not_fit),
        cmocka_unit_test(axes_and_indices_out_of_range),
        cmocka_unit_test(operands_that_do_not_agree),
        cmocka_unit_test(who_keeps_batches_apart_pointwise),
        cmocka_unit_test(who_keeps_batches_apart_in_products),
        cmocka_unit_test(who_keeps_batches_apart_along_axes),
        cmocka_unit_test(the_list_names_every_operator_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
