/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "data/view.h"

static void names_and_sizes_of_types(void **state)
{
    (void)state;
    assert_int_equal(ao_dtype_size(AO_F32), 4);
    assert_int_equal(ao_dtype_size(AO_F64), 8);
    assert_int_equal(ao_dtype_size(AO_I64), 8);
    assert_int_equal(ao_dtype_size(AO_I32), 4);
    assert_int_equal(ao_dtype_size(AO_BOOL), 1);
    assert_string_equal(ao_dtype_name(AO_F32), "float32");
    assert_string_equal(ao_dtype_name(AO_I64), "int64");
    assert_string_equal(ao_dtype_name(AO_BOOL), "bool");
}

static void a_shape_prints_as_a_list(void **state)
{
    (void)state;
    char text[AO_SHAPE_TEXT];
    const struct ao_shape clip = { .rank = 5, .dims = { 1, 3, 16, 112, 112 } };
    const struct ao_shape number = { .rank = 0 };
    struct ao_shape widest = { .rank = AO_MAX_RANK };
    for (int i = 0; i < AO_MAX_RANK; i++)
        widest.dims[i] = INT64_MIN;
    assert_string_equal(ao_shape_text(&clip, text), "[1,3,16,112,112]");
    assert_string_equal(ao_shape_text(&number, text), "[]");
    assert_int_equal(strlen(ao_shape_text(&widest, text)), 8 * 20 + 7 + 2);
}

static void shapes_count_and_compare(void **state)
{
    (void)state;
    const struct ao_shape number = { .rank = 0 }, none = { .rank = 2, .dims = { 3, 0 } };
    const struct ao_shape a = { .rank = 2, .dims = { 3, 4 } };
    const struct ao_shape longer = { .rank = 3, .dims = { 3, 4, 1 } };
    const struct ao_shape same = { .rank = 2, .dims = { 3, 4, 99 } };
    assert_int_equal(ao_shape_count(&number), 1);
    assert_int_equal(ao_shape_count(&none), 0);
    assert_int_equal(ao_shape_count(&a), 12);
    assert_true(ao_shape_equal(&a, &same));
    assert_false(ao_shape_equal(&a, &longer));
    assert_false(ao_shape_equal(&a, &none));
}

static void strides_of_both_layouts(void **state)
{
    (void)state;
    const struct ao_shape shape = { .rank = 5, .dims = { 2, 3, 4, 5, 6 } };
    const int64_t dense[] = { 360, 120, 30, 6, 1 }, last[] = { 360, 1, 90, 18, 3 };
    const struct ao_view a = ao_view_dense(NULL, AO_F32, &shape);
    const struct ao_view b = ao_view_channels_last(NULL, AO_F32, &shape);
    assert_memory_equal(a.strides, dense, sizeof dense);
    assert_memory_equal(b.strides, last, sizeof last);
    assert_true(ao_view_is_dense(&a));
    assert_false(ao_view_is_dense(&b));
    /* A matrix has no spatial axes, so both layouts are row-major. */
    const struct ao_shape matrix = { .rank = 2, .dims = { 3, 4 } };
    const struct ao_view c = ao_view_channels_last(NULL, AO_F32, &matrix);
    assert_true(ao_view_is_dense(&c));
}

static void axes_of_one_do_not_matter_for_density(void **state)
{
    (void)state;
    const struct ao_shape pooled = { .rank = 5, .dims = { 2, 7, 1, 1, 1 } };
    const struct ao_view view = ao_view_channels_last(NULL, AO_F32, &pooled);
    assert_true(ao_view_is_dense(&view));
}

/* Element number i holds i, in row-major order, whatever the layout. */
static void check_copy(enum ao_dtype dtype)
{
    enum { N = 2 * 3 * 4 * 5 };
    const struct ao_shape shape = { .rank = 4, .dims = { 2, 3, 4, 5 } };
    const size_t size = ao_dtype_size(dtype);
    unsigned char dense[N * 8], last[N * 8], back[N * 8];
    for (size_t i = 0; i < N * size; i++)
        dense[i] = (unsigned char)(i * 7 + i / 256);
    const struct ao_view a = ao_view_dense(dense, dtype, &shape);
    const struct ao_view b = ao_view_channels_last(last, dtype, &shape);
    const struct ao_view c = ao_view_dense(back, dtype, &shape);
    ao_view_copy(&b, &a);
    size_t i = 0;
    for (size_t n = 0; n < 2; n++)
        for (size_t ch = 0; ch < 3; ch++)
            for (size_t y = 0; y < 4; y++)
                for (size_t x = 0; x < 5; x++, i++)
                    assert_memory_equal(last + (((n * 4 + y) * 5 + x) * 3 + ch) * size,
                                        dense + i * size, size);
    ao_view_copy(&c, &b);
    assert_memory_equal(back, dense, N * size);
}

static void copies_keep_the_logical_order(void **state)
{
    (void)state;
    check_copy(AO_F32);
    check_copy(AO_F64);
    check_copy(AO_I64);
    check_copy(AO_BOOL);
}

static void copies_of_numbers_and_of_nothing(void **state)
{
    (void)state;
    const struct ao_shape number = { .rank = 0 }, none = { .rank = 2, .dims = { 0, 4 } };
    float from = 3, to = 0;
    const struct ao_view a = ao_view_dense(&from, AO_F32, &number);
    const struct ao_view b = ao_view_dense(&to, AO_F32, &number);
    ao_view_copy(&b, &a);
    assert_true(to == from);
    const struct ao_view c = ao_view_dense(NULL, AO_F32, &none);
    ao_view_copy(&c, &c);
}

static void a_stride_of_zero_repeats(void **state)
{
    (void)state;
    const struct ao_shape shape = { .rank = 2, .dims = { 2, 3 } };
    float row[] = { 1, 2, 3 }, all[6];
    const float want[] = { 1, 2, 3, 1, 2, 3 };
    struct ao_view src = ao_view_dense(row, AO_F32, &shape);
    src.strides[0] = 0;
    const struct ao_view dst = ao_view_dense(all, AO_F32, &shape);
    ao_view_copy(&dst, &src);
    assert_memory_equal(all, want, sizeof want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_sizes_of_types),
        cmocka_unit_test(a_shape_prints_as_a_list),
        cmocka_unit_test(shapes_count_and_compare),
        cmocka_unit_test(strides_of_both_layouts),
        cmocka_unit_test(axes_of_one_do_not_matter_for_density),
        cmocka_unit_test(copies_keep_the_logical_order),
        cmocka_unit_test(copies_of_numbers_and_of_nothing),
        cmocka_unit_test(a_stride_of_zero_repeats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
