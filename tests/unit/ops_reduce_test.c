/* SPDX-License-Identifier: Apache-2.0 */
#include "support/one_node.h"

/* Values of reductions, softmax and the normalisations. */

static double rounding(double size)
{
    return size * 0x1p-24;
}

static void reductions_over_any_axes(void **state)
{
    (void)state;
    static const float x[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 }; /* [2,3,2] */
    static const double sum_02[] = { 18, 26, 34 }, mean_last[] = { 1.5, 3.5, 5.5, 7.5, 9.5, 11.5 };
    static const double max_all[] = { 12 }, min_0[] = { 1, 2, 3, 4, 5, 6 };
    struct rig rig;
    rig_init(&rig, "ReduceSum", 1);
    rig_f32(&rig, SHAPE(2, 3, 2), x);
    RIG_INTS(&rig, 0, -1);
    rig_attr_int(&rig, "keepdims", 0);
    rig_gives(&rig, SHAPE(3), sum_02, 0);
    rig_init(&rig, "ReduceMean", 1);
    rig_f32(&rig, SHAPE(2, 3, 2), x);
    RIG_INTS(&rig, 2);
    rig_gives(&rig, SHAPE(2, 3, 1), mean_last, 0);
    rig_init(&rig, "ReduceMax", 1);
    rig_f32(&rig, SHAPE(2, 3, 2), x);
    rig_gives(&rig, SHAPE(1, 1, 1), max_all, 0);
    rig_init(&rig, "ReduceMin", 1);
    rig_f32(&rig, SHAPE(2, 3, 2), x);
    RIG_INTS(&rig, 0);
    rig_gives(&rig, SHAPE(1, 3, 2), min_0, 0);
}

static void no_axes_reduce_all_or_nothing(void **state)
{
    (void)state;
    static const float x[] = { 3, -4 };
    static const double sum[] = { -1 }, same[] = { 3, -4 }, squares[] = { 25 };
    static const double l1[] = { 7 }, l2[] = { 5 }, product[] = { -12 };
    static const int64_t none[1] = { 0 };
    struct rig rig;
    rig_init(&rig, "ReduceSum", 1);
    rig_f32(&rig, SHAPE(2), x);
    rig_in(&rig, AO_I64, SHAPE(0), none, true);
    rig_gives(&rig, SHAPE(1), sum, 0);
    rig_init(&rig, "ReduceSum", 1);
    rig_f32(&rig, SHAPE(2), x);
    rig_in(&rig, AO_I64, SHAPE(0), none, true);
    rig_attr_int(&rig, "noop_with_empty_axes", 1);
    rig_gives(&rig, SHAPE(2), same, 0);
    const double *const want[] = { squares, l1, l2, product };
    static const char *const types[] = { "ReduceSumSquare", "ReduceL1", "ReduceL2", "ReduceProd" };
    for (int i = 0; i < 4; i++) {
        rig_init(&rig, types[i], 1);
        rig_f32(&rig, SHAPE(2), x);
        rig_gives(&rig, SHAPE(1), want[i], 0);
    }
}

static void reduced_integers_are_exact(void **state)
{
    (void)state;
    static const int64_t x[] = { 3037000499, 2965820801 };
    static const int64_t want = 9007199252581579699; /* odd, and far above 2^53 */
    struct rig rig;
    rig_init(&rig, "ReduceProd", 1);
    rig_in(&rig, AO_I64, SHAPE(2), x, false);
    int64_t got = 0;
    assert_int_equal(rig_infer(&rig), AOSA_OK);
    const struct ao_shape shape = SHAPE(1);
    const struct ao_view out = ao_view_dense(&got, AO_I64, &shape);
    const struct ao_op_call call = { .node = &rig.node, .in = rig.feed, .out = &out };
    rig.node.op->forward(&call);
    assert_true(got == want);
    rig_fini(&rig);
}

static void softmax_of_large_numbers(void **state)
{
    (void)state;
    static const float x[] = { 1000, 1000, -1000, 0, 1, 2 };
    /* exp(0..2) over their sum 11.107337927389695 */
    static const double p[] = {
        0.5, 0.5, 0, 0.090030573170380458, 0.24472847105479765, 0.66524095577482189
    };
    static const double logp[] = {
        -0.69314718055994531, -0.69314718055994531, -2000.6931471805599,
        -2.4076059644443806,  -1.4076059644443806,  -0.40760596444438046
    };
    struct rig rig;
    rig_init(&rig, "Softmax", 1);
    rig_f32(&rig, SHAPE(2, 3), x);
    rig_gives(&rig, SHAPE(2, 3), p, rounding(1));
    rig_init(&rig, "LogSoftmax", 1);
    rig_f32(&rig, SHAPE(2, 3), x);
    rig_gives(&rig, SHAPE(2, 3), logp, rounding(2001));
}

static void softmax_along_another_axis(void **state)
{
    (void)state;
    static const float x[] = { 0, 5, 1, 5 };
    /* 1 / (1 + e) and e / (1 + e) in the first column. */
    static const double p[] = { 0.26894142136999512, 0.5, 0.73105857863000488, 0.5 };
    struct rig rig;
    rig_init(&rig, "Softmax", 1);
    rig_f32(&rig, SHAPE(1, 2, 2), x);
    rig_attr_int(&rig, "axis", -2);
    rig_gives(&rig, SHAPE(1, 2, 2), p, rounding(1));
}

static void batch_norm_per_channel(void **state)
{
    (void)state;
    static const float x[] = { 1, 2, 3, 4, 5, 6, 7, 8 }; /* [2,2,2] */
    static const float scale[] = { 2, 1 }, bias[] = { 0, -1 }, mean[] = { 1, 3 };
    static const float variance[] = { 3, 15 };
    /* epsilon 1: standard deviations 2 and 4. */
    static const double want[] = { 0, 1, -1, -0.75, 4, 5, 0, 0.25 };
    struct rig rig;
    rig_init(&rig, "BatchNormalization", 1);
    rig_f32(&rig, SHAPE(2, 2, 2), x);
    rig_f32(&rig, SHAPE(2), scale);
    rig_f32(&rig, SHAPE(2), bias);
    rig_f32(&rig, SHAPE(2), mean);
    rig_f32(&rig, SHAPE(2), variance);
    rig_attr_float(&rig, "epsilon", 1);
    rig_gives(&rig, SHAPE(2, 2, 2), want, 0);
}

static void norms_over_the_input_itself(void **state)
{
    (void)state;
    static const float x[] = { -3, 3, 1, 9, -1, 1, 0, 0 };
    static const float scale[] = { 1, 2, 1, 1 }, bias[] = { 0, 1, 0, 5 };
    /* Variances 9, 16, 1 and 0; with epsilon 0 all but the last are exact. */
    static const double instance[] = { -1, 1, -1, 3, -1, 1 };
    struct rig rig;
    rig_init(&rig, "InstanceNormalization", 1);
    rig_f32(&rig, SHAPE(1, 3, 2), x);
    rig_f32(&rig, SHAPE(3), scale);
    rig_f32(&rig, SHAPE(3), bias);
    rig_attr_float(&rig, "epsilon", 0);
    rig_gives(&rig, SHAPE(1, 3, 2), instance, 0);

    static const float y[] = { 1, 1, 3, 3, 0, 4, 4, 0 };
    static const double group[] = { -1, -1, 3, 3, -1, 1, 6, 4 };
    rig_init(&rig, "GroupNormalization", 1);
    rig_f32(&rig, SHAPE(1, 4, 2), y);
    rig_f32(&rig, SHAPE(4), scale);
    rig_f32(&rig, SHAPE(4), bias);
    rig_attr_int(&rig, "num_groups", 2);
    rig_attr_float(&rig, "epsilon", 0);
    rig_gives(&rig, SHAPE(1, 4, 2), group, 0);
}

static void layer_norm_over_the_last_axes(void **state)
{
    (void)state;
    static const float x[] = { -3, 3, 1, 9 }, scale[] = { 2, 1 }, bias[] = { 0, 1 };
    static const double last[] = { -2, 2, -2, 2 };
    struct rig rig;
    rig_init(&rig, "LayerNormalization", 1);
    rig_f32(&rig, SHAPE(2, 2), x);
    rig_f32(&rig, SHAPE(2), scale);
    rig_f32(&rig, SHAPE(2), bias);
    rig_attr_float(&rig, "epsilon", 0);
    rig_gives(&rig, SHAPE(2, 2), last, 0);

    static const float one = 1;
    static const float pair[] = { 0, 0, 4, 4 };
    static const double both[] = { -1, -1, 1, 1 };
    rig_init(&rig, "LayerNormalization", 1);
    rig_f32(&rig, SHAPE(1, 2, 2), pair);
    rig_f32(&rig, SHAPE(1), &one);
    rig_attr_int(&rig, "axis", 1);
    rig_attr_float(&rig, "epsilon", 0);
    rig_gives(&rig, SHAPE(1, 2, 2), both, 0);
}

static void layer_norm_gives_its_statistics(void **state)
{
    (void)state;
    static const float x[] = { -3, 3, 1, 9 }, one = 1;
    static const double normed[] = { -1, 1, -1, 1 }, mean[] = { 0, 5 },
                        inverse[] = { 1. / 3, 0.25 };
    const double *const want[RIG_SLOTS] = { normed, mean, inverse };
    for (int only_mean = 0; only_mean < 2; only_mean++) {
        struct rig rig;
        rig_init(&rig, "LayerNormalization", only_mean ? 2 : 3);
        if (only_mean)
            rig.out[0] = -1;
        rig_f32(&rig, SHAPE(2, 2), x);
        rig_f32(&rig, SHAPE(1), &one);
        rig_attr_float(&rig, "epsilon", 0);
        assert_int_equal(rig_infer(&rig), AOSA_OK);
        for (int layout = 0; layout < RIG_LAYOUTS; layout++)
            rig_run(&rig, (enum rig_layout)layout, layout == 1, want, rounding(1));
        rig_fini(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reductions_over_any_axes),
        cmocka_unit_test(no_axes_reduce_all_or_nothing),
        cmocka_unit_test(reduced_integers_are_exact),
        cmocka_unit_test(softmax_of_large_numbers),
        cmocka_unit_test(softmax_along_another_axis),
        cmocka_unit_test(batch_norm_per_channel),
        cmocka_unit_test(norms_over_the_input_itself),
        cmocka_unit_test(layer_norm_over_the_last_axes),
        cmocka_unit_test(layer_norm_gives_its_statistics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
