/* SPDX-License-Identifier: Apache-2.0 */
#include "support/one_node.h"

#include "core/rng.h"

/* Values of arithmetic, logic, casts and matrix products. */

static double rounding(double size)
{
    return size * 0x1p-24;
}

static void sums_broadcast_both_ways(void **state)
{
    (void)state;
    static const float column[] = { 10, 20 }, row[] = { 1, 2, 3 };
    static const double sum[] = { 11, 12, 13, 21, 22, 23 };
    static const double difference[] = { 9, 8, 7, 19, 18, 17 };
    static const double product[] = { 10, 20, 30, 20, 40, 60 };
    const double *const want[] = { sum, difference, product };
    static const char *const types[] = { "Add", "Sub", "Mul" };
    for (int i = 0; i < 3; i++) {
        struct rig rig;
        rig_init(&rig, types[i], 1);
        rig_f32(&rig, SHAPE(2, 1), column);
        rig_f32(&rig, SHAPE(3), row);
        rig_gives(&rig, SHAPE(2, 3), want[i], 0);
    }
}

static void a_channel_vector_scales_a_clip(void **state)
{
    (void)state;
    float x[2 * 3 * 4];
    double want[2 * 3 * 4];
    static const float scale[] = { 1, 0.5, -2 };
    for (int i = 0; i < 24; i++) {
        x[i] = (float)i;
        want[i] = i * (double)scale[i / 4 % 3];
    }
    struct rig rig;
    rig_init(&rig, "Mul", 1);
    rig_f32(&rig, SHAPE(2, 3, 2, 1, 2), x);
    rig_f32(&rig, SHAPE(1, 3, 1, 1, 1), scale);
    rig_gives(&rig, SHAPE(2, 3, 2, 1, 2), want, 0);
}

static void division_power_and_extremes(void **state)
{
    (void)state;
    static const float a[] = { 1, -8, 9 }, b[] = { 4, 2, 3 };
    static const double quotient[] = { 0.25, -4, 3 }, power[] = { 1, 64, 729 };
    static const double least[] = { 1, -8, 3 }, greatest[] = { 4, 2, 9 };
    static const double slopes[] = { 1, -16, 9 };
    const double *const want[] = { quotient, power, least, greatest, slopes };
    static const char *const types[] = { "Div", "Pow", "Min", "Max", "PRelu" };
    for (int i = 0; i < 5; i++) {
        struct rig rig;
        rig_init(&rig, types[i], 1);
        rig_f32(&rig, SHAPE(3), a);
        rig_f32(&rig, SHAPE(3), b);
        rig_gives(&rig, SHAPE(3), want[i], 0);
    }
}

static void max_of_three(void **state)
{
    (void)state;
    static const float a[] = { 1, 5 }, b = 3, c[] = { 2, 2, 9, 9 };
    static const double want[] = { 3, 5, 9, 9 };
    struct rig rig;
    rig_init(&rig, "Max", 1);
    rig_f32(&rig, SHAPE(2), a);
    rig_f32(&rig, SHAPE_NUMBER, &b);
    rig_f32(&rig, SHAPE(2, 2), c);
    rig_gives(&rig, SHAPE(2, 2), want, 0);
}

/* Reads the int64 or bool output exactly. */
static void gives_ints(struct rig *rig, const int64_t *want, int64_t n)
{
    int64_t got[8];
    struct ao_view in[RIG_SLOTS], out;
    assert_int_equal(rig_infer(rig), AOSA_OK);
    const struct ao_value *value = ao_op_out(&rig->graph, &rig->node, 0);
    assert_int_equal(ao_shape_count(&value->shape), n);
    for (int i = 0; i < rig->node.n_in; i++)
        in[i] = rig->feed[i];
    out = ao_view_dense(got, value->dtype, &value->shape);
    const struct ao_op_call call = { .node = &rig->node, .in = in, .out = &out };
    rig->node.op->forward(&call);
    for (int64_t i = 0; i < n; i++)
        assert_int_equal(ao_element_int(&out, i), want[i]);
    rig_fini(rig);
}

static void integers_are_exact(void **state)
{
    (void)state;
    /* 2^53 + 1 has no double. */
    static const int64_t a[] = { 9007199254740993, -7, 7 }, b[] = { 1, 2, -2 };
    static const struct {
        const char *type;
        int64_t want[3];
    } cases[] = {
        { "Add", { 9007199254740994, -5, 5 } },
        { "Sub", { 9007199254740992, -9, 9 } },
        { "Mul", { 9007199254740993, -14, -14 } },
        { "Div", { 9007199254740993, -3, -3 } },
        { "Mod", { 0, 1, -1 } },
        { "Min", { 1, -7, -2 } },
        { "Max", { 9007199254740993, 2, 7 } },
        { "Less", { 0, 1, 0 } },
        { "Greater", { 1, 0, 1 } },
        { "Equal", { 0, 0, 0 } },
        { "LessOrEqual", { 0, 1, 0 } },
        { "GreaterOrEqual", { 1, 0, 1 } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig rig;
        rig_init(&rig, cases[i].type, 1);
        rig_in(&rig, AO_I64, SHAPE(3), a, false);
        rig_in(&rig, AO_I64, SHAPE(3), b, false);
        gives_ints(&rig, cases[i].want, 3);
    }
}

static void integer_corners_do_not_trap(void **state)
{
    (void)state;
    static const int64_t a[] = { INT64_MIN, 5, INT64_MIN }, b[] = { -1, 0, INT64_MIN };
    static const int64_t quotient[] = { INT64_MIN, 0, 1 }, rest[] = { 0, 0, 0 };
    struct rig rig;
    rig_init(&rig, "Div", 1);
    rig_in(&rig, AO_I64, SHAPE(3), a, false);
    rig_in(&rig, AO_I64, SHAPE(3), b, false);
    gives_ints(&rig, quotient, 3);
    rig_init(&rig, "Mod", 1);
    rig_in(&rig, AO_I64, SHAPE(3), a, false);
    rig_in(&rig, AO_I64, SHAPE(3), b, false);
    gives_ints(&rig, rest, 3);
    static const int64_t base[] = { 3, 2, -1 }, exponent[] = { 4, -1, -3 }, power[] = { 81, 0, -1 };
    rig_init(&rig, "Pow", 1);
    rig_in(&rig, AO_I64, SHAPE(3), base, false);
    rig_in(&rig, AO_I64, SHAPE(3), exponent, false);
    gives_ints(&rig, power, 3);
}

static void integer_signs_and_bounds(void **state)
{
    (void)state;
    static const int64_t x[] = { -9007199254740993, 0, 9007199254740993 }, bound = -1;
    static const int64_t negative[] = { 9007199254740993, 0, -9007199254740993 };
    static const int64_t size[] = { 9007199254740993, 0, 9007199254740993 };
    static const int64_t clipped[] = { -1, 0, 9007199254740993 };
    const int64_t *const want[] = { negative, size, clipped };
    static const char *const types[] = { "Neg", "Abs", "Clip" };
    for (int i = 0; i < 3; i++) {
        struct rig rig;
        rig_init(&rig, types[i], 1);
        rig_in(&rig, AO_I64, SHAPE(3), x, false);
        if (i == 2)
            rig_in(&rig, AO_I64, SHAPE_NUMBER, &bound, true);
        gives_ints(&rig, want[i], 3);
    }
}

static void logic_and_choice(void **state)
{
    (void)state;
    static const uint8_t a[] = { 0, 0, 1, 1 }, b[] = { 0, 1, 0, 1 };
    static const struct {
        const char *type;
        int64_t want[4];
    } cases[] = {
        { "And", { 0, 0, 0, 1 } },
        { "Or", { 0, 1, 1, 1 } },
        { "Xor", { 0, 1, 1, 0 } },
        { "Equal", { 1, 0, 0, 1 } },
    };
    struct rig rig;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rig_init(&rig, cases[i].type, 1);
        rig_in(&rig, AO_BOOL, SHAPE(4), a, false);
        rig_in(&rig, AO_BOOL, SHAPE(4), b, false);
        gives_ints(&rig, cases[i].want, 4);
    }
    static const int64_t inverse[] = { 1, 1, 0, 0 };
    rig_init(&rig, "Not", 1);
    rig_in(&rig, AO_BOOL, SHAPE(4), a, false);
    gives_ints(&rig, inverse, 4);

    static const float yes[] = { 1, 2 }, no = -1;
    static const double chosen[] = { -1, 2, -1, 2 };
    rig_init(&rig, "Where", 1);
    rig_in(&rig, AO_BOOL, SHAPE(2, 2), b, false);
    rig_f32(&rig, SHAPE(2), yes);
    rig_f32(&rig, SHAPE_NUMBER, &no);
    rig_gives(&rig, SHAPE(2, 2), chosen, 0);
}

static void casts_round_to_zero_and_saturate(void **state)
{
    (void)state;
    const float x[] = { -1.9f, 2.9f, 1e30f, NAN };
    const int64_t want[] = { -1, 2, INT64_MAX, 0 };
    struct rig rig;
    rig_init(&rig, "Cast", 1);
    rig_in(&rig, AO_F32, SHAPE(4), x, false);
    rig_attr_int(&rig, "to", 7);
    gives_ints(&rig, want, 4);
    const int64_t truth[] = { 1, 1, 1, 1 };
    rig_init(&rig, "Cast", 1);
    rig_in(&rig, AO_F32, SHAPE(4), x, false);
    rig_attr_int(&rig, "to", 9);
    gives_ints(&rig, truth, 4);
    static const int64_t whole[] = { -3, 0, 1 << 20 };
    static const double real[] = { -3, 0, 1 << 20 };
    rig_init(&rig, "Cast", 1);
    rig_in(&rig, AO_I64, SHAPE(3), whole, false);
    rig_attr_int(&rig, "to", 1);
    rig_gives(&rig, SHAPE(3), real, 0);
}

static void gemm_with_every_option(void **state)
{
    (void)state;
    /* A' = [1 2 3; 4 5 6] and B' = [1 0; 0 1; 1 1] in all four storages. */
    static const float a[] = { 1, 2, 3, 4, 5, 6 }, at[] = { 1, 4, 2, 5, 3, 6 };
    static const float b[] = { 1, 0, 0, 1, 1, 1 }, bt[] = { 1, 0, 1, 0, 1, 1 };
    static const float c[] = { 10, 20 };
    /* 2 A'B' + 3 C: A'B' is [4 5; 10 11]. */
    static const double want[] = { 38, 70, 50, 82 };
    for (int i = 0; i < 4; i++) {
        const bool ta = i & 1, tb = i & 2;
        struct rig rig;
        rig_init(&rig, "Gemm", 1);
        rig_f32(&rig, ta ? SHAPE(3, 2) : SHAPE(2, 3), ta ? at : a);
        rig_f32(&rig, tb ? SHAPE(2, 3) : SHAPE(3, 2), tb ? bt : b);
        rig_f32(&rig, SHAPE(2), c);
        rig_attr_int(&rig, "transA", ta);
        rig_attr_int(&rig, "transB", tb);
        rig_attr_float(&rig, "alpha", 2);
        rig_attr_float(&rig, "beta", 3);
        rig_gives(&rig, SHAPE(2, 2), want, 0);
    }
}

static void wide_gemm_crosses_the_tiles(void **state)
{
    (void)state;
    enum { M = 5, K = 700, N = 70 };
    static float a[M * K], b[K * N];
    static double want[M * N];
    struct ao_rng rng;
    ao_rng_init(&rng, 3);
    for (int i = 0; i < M * K; i++)
        a[i] = (float)ao_rng_range(&rng, -1, 1);
    for (int i = 0; i < K * N; i++)
        b[i] = (float)ao_rng_range(&rng, -1, 1);
    for (int m = 0; m < M; m++)
        for (int n = 0; n < N; n++) {
            want[m * N + n] = 0;
            for (int k = 0; k < K; k++)
                want[m * N + n] += (double)a[m * K + k] * (double)b[k * N + n];
        }
    struct rig rig;
    rig_init(&rig, "Gemm", 1);
    rig_f32(&rig, SHAPE(M, K), a);
    rig_f32(&rig, SHAPE(K, N), b);
    /* At most K terms of size 1 each, summed twice in double, stored once in float. */
    rig_gives(&rig, SHAPE(M, N), want, rounding(K) + 2 * K * 0x1p-53 * K);
}

static void matmul_shapes_are_those_of_numpy(void **state)
{
    (void)state;
    static const float x[] = { 1, 2, 3, 4, 5, 6, 7, 8 }, v[] = { 1, 10 };
    static const double mv[] = { 21, 43, 65, 87 }, vm[] = { 31, 42, 75, 86 }, dot[] = { 101 };
    static const double mm[] = { 7, 10, 15, 22, 67, 78, 91, 106 };
    struct rig rig;
    rig_init(&rig, "MatMul", 1);
    rig_f32(&rig, SHAPE(2, 2, 2), x);
    rig_f32(&rig, SHAPE(2), v);
    rig_gives(&rig, SHAPE(2, 2), mv, 0);
    rig_init(&rig, "MatMul", 1);
    rig_f32(&rig, SHAPE(2), v);
    rig_f32(&rig, SHAPE(2, 2, 2), x);
    rig_gives(&rig, SHAPE(2, 2), vm, 0);
    rig_init(&rig, "MatMul", 1);
    rig_f32(&rig, SHAPE(2), v);
    rig_f32(&rig, SHAPE(2), v);
    rig_gives(&rig, SHAPE_NUMBER, dot, 0);
    rig_init(&rig, "MatMul", 1);
    rig_f32(&rig, SHAPE(2, 2, 2), x);
    rig_f32(&rig, SHAPE(2, 2, 2), x);
    rig_gives(&rig, SHAPE(2, 2, 2), mm, 0);
}

static void matmul_broadcasts_leading_axes(void **state)
{
    (void)state;
    static const float a[] = { 1, 2, 3, 4 }, b[] = { 1, 10, 100 };
    static const double want[] = { 1, 2, 10, 20, 100, 200, 3, 4, 30, 40, 300, 400 };
    struct rig rig;
    rig_init(&rig, "MatMul", 1);
    rig_f32(&rig, SHAPE(2, 1, 2, 1), a);
    rig_f32(&rig, SHAPE(3, 1, 1), b);
    rig_gives(&rig, SHAPE(2, 3, 2, 1), want, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_broadcast_both_ways),
        cmocka_unit_test(a_channel_vector_scales_a_clip),
        cmocka_unit_test(division_power_and_extremes),
        cmocka_unit_test(max_of_three),
        cmocka_unit_test(integers_are_exact),
        cmocka_unit_test(integer_corners_do_not_trap),
        cmocka_unit_test(integer_signs_and_bounds),
        cmocka_unit_test(logic_and_choice),
        cmocka_unit_test(casts_round_to_zero_and_saturate),
        cmocka_unit_test(gemm_with_every_option),
        cmocka_unit_test(wide_gemm_crosses_the_tiles),
        cmocka_unit_test(matmul_shapes_are_those_of_numpy),
        cmocka_unit_test(matmul_broadcasts_leading_axes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
