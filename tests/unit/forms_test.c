/* SPDX-License-Identifier: Apache-2.0 */
#include "support/one_node.h"

/*
 * Forms of operators that few exports have. Expected values are worked out by hand from the ONNX
 * definitions, or stand beside the numpy expression that gives them.
 */

static void infer_and_compare(struct rig *rig, const double *const *want)
{
    if (rig_infer(rig) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    for (int layout = 0; layout < RIG_LAYOUTS; layout++)
        for (int wide = 0; wide < 2; wide++)
            rig_run(rig, (enum rig_layout)layout, wide, want, 1e-6);
    rig_fini(rig);
}

static void max_pool_tells_where_its_maxima_are(void **state)
{
    (void)state;
    /* Two channels of 2 x 3; windows of 2 x 2. */
    static const float x[] = { 1, 9, 3, 4, 5, 6, 8, 2, 2, 1, 1, 7 };
    const double y[] = { 9, 9, 8, 7 }, rows[] = { 1, 1, 6, 11 }, columns[] = { 2, 2, 6, 11 };
    for (int column_major = 0; column_major < 2; column_major++) {
        struct rig rig;
        rig_init(&rig, "MaxPool", 2);
        rig_f32(&rig, SHAPE(1, 2, 2, 3), x);
        RIG_ATTR_INTS(&rig, "kernel_shape", 2, 2);
        rig_attr_int(&rig, "storage_order", column_major);
        const double *const want[RIG_SLOTS] = { y, column_major ? columns : rows };
        infer_and_compare(&rig, want);
    }
}

static void a_window_of_padding_only_gives_the_least_float(void **state)
{
    (void)state;
    /* Taps at -1 and 2 of an axis of two elements. */
    static const float x[] = { 5, 6 };
    const double y[] = { -3.4028234663852886e38 };
    struct rig rig;
    rig_init(&rig, "MaxPool", 1);
    rig_f32(&rig, SHAPE(1, 1, 2), x);
    RIG_ATTR_INTS(&rig, "kernel_shape", 2);
    RIG_ATTR_INTS(&rig, "dilations", 3);
    RIG_ATTR_INTS(&rig, "pads", 1, 1);
    rig_gives(&rig, SHAPE(1, 1, 1), y, 0);
}

static void batch_norm_in_training_takes_the_batch_and_keeps_running_values(void **state)
{
    (void)state;
    /* Channel 0 has 1, 3 (mean 2, variance 1), channel 1 has 0, 4 (mean 2, variance 4). */
    static const float x[] = { 1, 0, 3, 4 }, ones[] = { 1, 1 }, zeros[] = { 0, 0 };
    const double y[] = { -1, -1, 1, 1 }, mean[] = { 1, 1 }, variance[] = { 1, 2.5 };
    struct rig rig;
    rig_init(&rig, "BatchNormalization", 3);
    rig_f32(&rig, SHAPE(2, 2), x);
    rig_f32(&rig, SHAPE(2), ones);
    rig_f32(&rig, SHAPE(2), zeros);
    rig_f32(&rig, SHAPE(2), zeros);
    rig_f32(&rig, SHAPE(2), ones);
    rig_attr_int(&rig, "training_mode", 1);
    rig_attr_float(&rig, "momentum", 0.5F);
    rig_attr_float(&rig, "epsilon", 0);
    const double *const want[RIG_SLOTS] = { y, mean, variance };
    infer_and_compare(&rig, want);
}

static void arg_max_takes_the_first_or_the_last_of_equals(void **state)
{
    (void)state;
    static const float x[] = { 1, 5, 5, 7, 2, 7 };
    const double first[] = { 1, 0 }, last[] = { 2, 2 }, least[] = { 0, 1 };
    struct rig rig;
    rig_init(&rig, "ArgMax", 1);
    rig_f32(&rig, SHAPE(2, 3), x);
    rig_attr_int(&rig, "axis", -1);
    rig_gives(&rig, SHAPE(2, 1), first, 0);
    rig_init(&rig, "ArgMax", 1);
    rig_f32(&rig, SHAPE(2, 3), x);
    rig_attr_int(&rig, "axis", 1);
    rig_attr_int(&rig, "select_last_index", 1);
    rig_attr_int(&rig, "keepdims", 0);
    rig_gives(&rig, SHAPE(2), last, 0);
    rig_init(&rig, "ArgMin", 1);
    rig_f32(&rig, SHAPE(2, 3), x);
    rig_attr_int(&rig, "axis", 1);
    rig_attr_int(&rig, "keepdims", 0);
    rig_gives(&rig, SHAPE(2), least, 0);
}

static void einsum(const char *equation, struct ao_shape a_shape, const float *a,
                   struct ao_shape b_shape, const float *b, struct ao_shape shape,
                   const double *want)
{
    struct rig rig;
    rig_init(&rig, "Einsum", 1);
    rig_f32(&rig, a_shape, a);
    if (b)
        rig_f32(&rig, b_shape, b);
    rig_attr_text(&rig, "equation", equation);
    rig_gives(&rig, shape, want, 1e-5);
}

static void einsum_multiplies_sums_and_turns(void **state)
{
    (void)state;
    static const float a[] = { 1, 2, 3, 4, 5, 6 }, b[] = { 1, 0, 2, 1, 0, 3 };
    /* a @ b, a.T, trace of the square part, outer product's sum over j, relative positions. */
    einsum("ik,kj->ij", SHAPE(2, 3), a, SHAPE(3, 2), b, SHAPE(2, 2),
           (const double[]){ 5, 11, 14, 23 });
    einsum("ij -> ji", SHAPE(2, 3), a, SHAPE_NUMBER, NULL, SHAPE(3, 2),
           (const double[]){ 1, 4, 2, 5, 3, 6 });
    einsum("ii", SHAPE(2, 2), a, SHAPE_NUMBER, NULL, SHAPE_NUMBER, (const double[]){ 5 });
    einsum("i,j->i", SHAPE(2), a, SHAPE(3), b, SHAPE(2), (const double[]){ 3, 6 });
    einsum("bhc,hkc->bhk", SHAPE(1, 1, 3), a, SHAPE(1, 2, 3), b, SHAPE(1, 1, 2),
           (const double[]){ 7, 10 });
}

static void einsum_refuses_what_it_cannot_read(void **state)
{
    (void)state;
    static const float a[] = { 1, 2, 3, 4, 5, 6 };
    static const struct {
        const char *equation, *words;
    } cases[] = {
        { "...i->...", "not supported" }, { "ij->ik", "not supported" },
        { "ij->ii", "not supported" },    { "ijk->i", "has not the letters" },
        { "ij,j->i", "not supported" },   { "ii->i", "letter 'i'" },
        { "ij-", "not supported" },       { "", "has not the letters" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig rig;
        rig_init(&rig, "Einsum", 1);
        rig_f32(&rig, SHAPE(2, 3), a);
        rig_attr_text(&rig, "equation", cases[i].equation);
        if (rig_infer(&rig) == AOSA_OK)
            fail_msg("'%s' is taken", cases[i].equation);
        assert_non_null(strstr(aosa_error_message(), cases[i].words));
        rig_fini(&rig);
    }
}

static void resize(const char *mode, const char *transform, const char *rounding,
                   const float *scales, const int64_t *sizes, int64_t n, const double *want)
{
    static const float x[] = { 1, 2, 3, 4 };
    struct rig rig;
    rig_init(&rig, "Resize", 1);
    rig_f32(&rig, SHAPE(1, 4), x);
    rig_in(&rig, AO_F32, SHAPE(0), NULL, true);
    rig_in(&rig, AO_F32, SHAPE(2), scales, true);
    rig_in(&rig, AO_I64, SHAPE(2), sizes, true);
    rig_attr_text(&rig, "mode", mode);
    rig_attr_text(&rig, "coordinate_transformation_mode", transform);
    rig_attr_text(&rig, "nearest_mode", rounding);
    rig_gives(&rig, SHAPE(1, n), want, 1e-6);
}

static void resize_looks_where_each_mode_says(void **state)
{
    (void)state;
    static const float twice[] = { 1, 2 }, less[] = { 1, 0.6F };
    static const int64_t seven[] = { 1, 7 };
    /* The examples of the ONNX operator page: the reference implementation's answers. */
    resize("linear", "half_pixel", "floor", twice, NULL, 8,
           (const double[]){ 1, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75, 4 });
    resize("linear", "align_corners", "floor", NULL, seven, 7,
           (const double[]){ 1, 1.5, 2, 2.5, 3, 3.5, 4 });
    resize("linear", "asymmetric", "floor", twice, NULL, 8,
           (const double[]){ 1, 1.5, 2, 2.5, 3, 3.5, 4, 4 });
    resize("linear", "half_pixel", "floor", less, NULL, 2,
           (const double[]){ 1.3333333333333333, 3 });
    resize("nearest", "asymmetric", "floor", twice, NULL, 8,
           (const double[]){ 1, 1, 2, 2, 3, 3, 4, 4 });
    resize("nearest", "half_pixel", "round_prefer_floor", NULL, seven, 7,
           (const double[]){ 1, 1, 2, 2, 3, 4, 4 });
    resize("nearest", "asymmetric", "ceil", twice, NULL, 8,
           (const double[]){ 1, 2, 2, 3, 3, 4, 4, 4 });
}

static void scatter_nd_combines_with_what_is_there(void **state)
{
    (void)state;
    static const float x[] = { 2, 3, 4 }, updates[] = { 5, 1 };
    static const int64_t places[] = { 0, 2 };
    static const struct {
        const char *reduction;
        double want[3];
    } cases[] = { { "none", { 5, 3, 1 } },
                  { "add", { 7, 3, 5 } },
                  { "mul", { 10, 3, 4 } },
                  { "max", { 5, 3, 4 } },
                  { "min", { 2, 3, 1 } } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig rig;
        rig_init(&rig, "ScatterND", 1);
        rig_f32(&rig, SHAPE(3), x);
        rig_in(&rig, AO_I64, SHAPE(2, 1), places, true);
        rig_f32(&rig, SHAPE(2), updates);
        rig_attr_text(&rig, "reduction", cases[i].reduction);
        rig_gives(&rig, SHAPE(3), cases[i].want, 0);
    }
}

static void gather_elements_takes_one_element_each(void **state)
{
    (void)state;
    static const float x[] = { 1, 2, 3, 4, 5, 6 };
    static const int64_t places[] = { 0, -1, 2, 1 };
    struct rig rig;
    rig_init(&rig, "GatherElements", 1);
    rig_f32(&rig, SHAPE(2, 3), x);
    rig_in(&rig, AO_I64, SHAPE(2, 2), places, true);
    rig_attr_int(&rig, "axis", 1);
    rig_gives(&rig, SHAPE(2, 2), (const double[]){ 1, 3, 6, 5 }, 0);
    rig_init(&rig, "GatherElements", 1);
    rig_f32(&rig, SHAPE(2, 3), x);
    rig_in(&rig, AO_I64, SHAPE(2, 2), (const int64_t[]){ 0, 3, 0, 0 }, true);
    rig_attr_int(&rig, "axis", 1);
    rig_refused(&rig, AOSA_ERR_FORMAT, "index 3|3 elements");
}

static void a_dropout_that_drops_nothing_is_no_training(void **state)
{
    (void)state;
    static const float x[] = { 1, 2 }, ratio = 0;
    static const unsigned char yes = 1;
    struct rig rig;
    rig_init(&rig, "Dropout", 1);
    rig_f32(&rig, SHAPE(2), x);
    rig_in(&rig, AO_F32, SHAPE_NUMBER, &ratio, true);
    rig_in(&rig, AO_BOOL, SHAPE_NUMBER, &yes, true);
    rig_gives(&rig, SHAPE(2), (const double[]){ 1, 2 }, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(max_pool_tells_where_its_maxima_are),
        cmocka_unit_test(a_window_of_padding_only_gives_the_least_float),
        cmocka_unit_test(batch_norm_in_training_takes_the_batch_and_keeps_running_values),
        cmocka_unit_test(arg_max_takes_the_first_or_the_last_of_equals),
        cmocka_unit_test(einsum_multiplies_sums_and_turns),
        cmocka_unit_test(einsum_refuses_what_it_cannot_read),
        cmocka_unit_test(resize_looks_where_each_mode_says),
        cmocka_unit_test(scatter_nd_combines_with_what_is_there),
        cmocka_unit_test(gather_elements_takes_one_element_each),
        cmocka_unit_test(a_dropout_that_drops_nothing_is_no_training),
    };
    return cmocka_run_group_tests_name("forms", tests, NULL, NULL);
}
