/* SPDX-License-Identifier: Apache-2.0 */
#include "support/one_node.h"

/* Operators that move elements or make shapes: results are exact. */

static const float six[] = { 1, 2, 3, 4, 5, 6 };
static const float twelve[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };

static const double six_again[] = { 1, 2, 3, 4, 5, 6 };

static void reshape_copies_zero_and_fills_minus_one(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, "Reshape", 1);
    rig_f32(&rig, SHAPE(2, 3), six);
    RIG_INTS(&rig, 0, -1, 1);
    rig_gives(&rig, SHAPE(2, 3, 1), six_again, 0);
    rig_init(&rig, "Reshape", 1);
    rig_f32(&rig, SHAPE(1, 2, 3), six);
    RIG_INTS(&rig, 3, 2);
    rig_gives(&rig, SHAPE(3, 2), six_again, 0);
}

static void reshape_with_allowzero_means_zero(void **state)
{
    (void)state;
    static const double nothing[1] = { 0 };
    struct rig rig;
    rig_init(&rig, "Reshape", 1);
    rig_f32(&rig, SHAPE(0, 3), six);
    RIG_INTS(&rig, 3, 0);
    rig_attr_int(&rig, "allowzero", 1);
    rig_gives(&rig, SHAPE(3, 0), nothing, 0);
}

static void flatten_at_any_axis(void **state)
{
    (void)state;
    static const struct {
        int64_t axis, rows, cols;
    } cases[] = { { 0, 1, 6 }, { 1, 1, 6 }, { 2, 2, 3 }, { 3, 6, 1 }, { -1, 2, 3 } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig rig;
        rig_init(&rig, "Flatten", 1);
        rig_f32(&rig, SHAPE(1, 2, 3), six);
        rig_attr_int(&rig, "axis", cases[i].axis);
        rig_gives(&rig, SHAPE(cases[i].rows, cases[i].cols), six_again, 0);
    }
}

static void squeeze_and_unsqueeze(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, "Squeeze", 1);
    rig_f32(&rig, SHAPE(1, 2, 1, 3), six);
    RIG_INTS(&rig, -2);
    rig_gives(&rig, SHAPE(1, 2, 3), six_again, 0);
    rig_init(&rig, "Squeeze", 1);
    rig_f32(&rig, SHAPE(1, 2, 1, 3), six);
    rig_gives(&rig, SHAPE(2, 3), six_again, 0);
    rig_init(&rig, "Unsqueeze", 1);
    rig_f32(&rig, SHAPE(2, 3), six);
    RIG_INTS(&rig, 3, 0);
    rig_gives(&rig, SHAPE(1, 2, 3, 1), six_again, 0);
}

static void transpose_permutes_and_reverses(void **state)
{
    (void)state;
    /* [2,3,2] with perm 1,2,0: y[i][j][k] = x[k][i][j] */
    static const double turned[] = { 0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11 };
    static const double reversed[] = { 1, 4, 2, 5, 3, 6 };
    struct rig rig;
    rig_init(&rig, "Transpose", 1);
    rig_f32(&rig, SHAPE(2, 3, 2), twelve);
    RIG_ATTR_INTS(&rig, "perm", 1, 2, 0);
    rig_gives(&rig, SHAPE(3, 2, 2), turned, 0);
    rig_init(&rig, "Transpose", 1);
    rig_f32(&rig, SHAPE(2, 3), six);
    rig_gives(&rig, SHAPE(3, 2), reversed, 0);
}

static void expand_and_tile_repeat(void **state)
{
    (void)state;
    static const float pair[] = { 1, 2 };
    static const double expanded[] = { 1, 1, 1, 2, 2, 2 };
    static const double tiled[] = { 1, 2, 1, 2, 1, 2, 1, 2 };
    struct rig rig;
    rig_init(&rig, "Expand", 1);
    rig_f32(&rig, SHAPE(2, 1), pair);
    RIG_INTS(&rig, 1, 1, 3);
    rig_gives(&rig, SHAPE(1, 2, 3), expanded, 0);
    rig_init(&rig, "Tile", 1);
    rig_f32(&rig, SHAPE(1, 2), pair);
    RIG_INTS(&rig, 2, 2);
    rig_gives(&rig, SHAPE(2, 4), tiled, 0);
}

static void concat_along_a_middle_axis(void **state)
{
    (void)state;
    static const float a[] = { 1, 2, 3, 4 }, b[] = { 5, 6 };
    static const double want[] = { 1, 2, 5, 3, 4, 6 };
    struct rig rig;
    rig_init(&rig, "Concat", 1);
    rig_f32(&rig, SHAPE(2, 2, 1), a);
    rig_f32(&rig, SHAPE(2, 1, 1), b);
    rig_attr_int(&rig, "axis", -2);
    rig_gives(&rig, SHAPE(2, 3, 1), want, 0);
}

static void split_in_given_and_equal_parts(void **state)
{
    (void)state;
    static const double first[] = { 1, 4 }, second[] = { 2, 3, 5, 6 };
    static const double *const given[RIG_SLOTS] = { first, second };
    struct rig rig;
    rig_init(&rig, "Split", 2);
    rig_f32(&rig, SHAPE(2, 3), six);
    RIG_INTS(&rig, 1, 2);
    rig_attr_int(&rig, "axis", 1);
    assert_int_equal(rig_infer(&rig), AOSA_OK);
    for (int layout = 0; layout < RIG_LAYOUTS; layout++)
        rig_run(&rig, (enum rig_layout)layout, false, given, 0);
    rig_fini(&rig);

    /* Equal parts of 2 with a smaller last one; the first output is unwanted. */
    static const double last[] = { 3, 6 };
    static const double *const equal[RIG_SLOTS] = { NULL, last };
    rig_init(&rig, "Split", 2);
    rig.out[0] = -1;
    rig_f32(&rig, SHAPE(2, 3), six);
    rig_attr_int(&rig, "axis", 1);
    rig_attr_int(&rig, "num_outputs", 2);
    assert_int_equal(rig_infer(&rig), AOSA_OK);
    rig_run(&rig, RIG_DENSE, false, equal, 0);
    rig_fini(&rig);
}

/* One axis of 0..11 sliced; n is the number of elements expected. */
static void check_slice(int64_t start, int64_t end, int64_t step, const double *want, int64_t n)
{
    struct rig rig;
    const int64_t bounds[] = { start, end, step }, axis = 0;
    rig_init(&rig, "Slice", 1);
    rig_f32(&rig, SHAPE(12), twelve);
    rig_in(&rig, AO_I64, SHAPE(1), &bounds[0], true);
    rig_in(&rig, AO_I64, SHAPE(1), &bounds[1], true);
    rig_in(&rig, AO_I64, SHAPE(1), &axis, true);
    rig_in(&rig, AO_I64, SHAPE(1), &bounds[2], true);
    rig_gives(&rig, SHAPE(n), want, 0);
}

static void slices_as_python_takes_them(void **state)
{
    (void)state;
    static const double up[] = { 2, 5, 8 }, down[] = { 11, 7, 3 }, tail[] = { 10, 11 };
    static const double back[] = { 1, 0 }, one[] = { 5 };
    check_slice(2, 11, 3, up, 3);
    check_slice(-1, -12, -4, down, 3);
    check_slice(-2, INT64_MAX, 1, tail, 2);
    check_slice(1, INT64_MIN, -1, back, 2);
    check_slice(5, 100, INT64_MAX, one, 1);
    check_slice(5, -100, INT64_MIN, one, 1);
    check_slice(5, 5, 1, one, 0);
    check_slice(100, 200, 1, one, 0);
    check_slice(3, 8, -1, one, 0);
}

static void slice_of_two_axes_of_three(void **state)
{
    (void)state;
    /* x[:, 2:0:-1, 1:] of [2,3,2] */
    static const double want[] = { 5, 3, 11, 9 };
    struct rig rig;
    rig_init(&rig, "Slice", 1);
    rig_f32(&rig, SHAPE(2, 3, 2), twelve);
    RIG_INTS(&rig, 1, 2);
    RIG_INTS(&rig, 2, 0);
    RIG_INTS(&rig, -1, 1);
    RIG_INTS(&rig, 1, -1);
    rig_gives(&rig, SHAPE(2, 2, 1), want, 0);
}

static void gather_takes_rows_and_scalars(void **state)
{
    (void)state;
    static const int64_t grid[] = { 1, -1, 0, 0 }, last = -1;
    static const double rows[] = { 3, 4, 5, 6, 1, 2, 1, 2 }, column[] = { 3, 6 };
    struct rig rig;
    rig_init(&rig, "Gather", 1);
    rig_f32(&rig, SHAPE(3, 2), six);
    rig_in(&rig, AO_I64, SHAPE(2, 2), grid, true);
    rig_gives(&rig, SHAPE(2, 2, 2), rows, 0);
    rig_init(&rig, "Gather", 1);
    rig_f32(&rig, SHAPE(2, 3), six);
    rig_in(&rig, AO_I64, SHAPE_NUMBER, &last, true);
    rig_attr_int(&rig, "axis", -1);
    rig_gives(&rig, SHAPE(2), column, 0);
}

static void computed_indices_stay_inside(void **state)
{
    (void)state;
    static const int64_t wild[] = { 99, -99, 1 };
    static const double want[] = { 3, 1, 2 };
    struct rig rig;
    rig_init(&rig, "Gather", 1);
    rig_f32(&rig, SHAPE(3), six);
    rig_in(&rig, AO_I64, SHAPE(3), wild, false);
    rig_gives(&rig, SHAPE(3), want, 0);
}

static void constant_padding_grows_and_crops(void **state)
{
    (void)state;
    static const float value = 9;
    static const double grown[] = { 9, 1, 2, 3, 9, 4, 5, 6 };
    static const double cropped[] = { 0, 2, 0, 5 };
    struct rig rig;
    rig_init(&rig, "Pad", 1);
    rig_f32(&rig, SHAPE(2, 3), six);
    RIG_INTS(&rig, 0, 1, 0, 0);
    rig_in(&rig, AO_F32, SHAPE_NUMBER, &value, true);
    rig_gives(&rig, SHAPE(2, 4), grown, 0);
    /* Axis 1 loses one element at both ends, axis 2 gets a zero in front. */
    rig_init(&rig, "Pad", 1);
    rig_f32(&rig, SHAPE(2, 3, 1), six);
    RIG_INTS(&rig, -1, 1, -1, 0);
    rig_in(&rig, AO_F32, SHAPE_NUMBER, NULL, true);
    RIG_INTS(&rig, 1, -1);
    rig_gives(&rig, SHAPE(2, 1, 2), cropped, 0);
}

static void mirrored_padding(void **state)
{
    (void)state;
    static const float x[] = { 1, 2, 3 };
    static const double reflect[] = { 3, 2, 1, 2, 3, 2 }, edge[] = { 1, 1, 1, 2, 3, 3 };
    static const double wrap[] = { 2, 3, 1, 2, 3, 1 };
    const double *const want[] = { reflect, edge, wrap };
    static const char *const modes[] = { "reflect", "edge", "wrap" };
    for (int i = 0; i < 3; i++) {
        struct rig rig;
        rig_init(&rig, "Pad", 1);
        rig_f32(&rig, SHAPE(1, 3), x);
        RIG_INTS(&rig, 0, 2, 0, 1);
        rig_attr_text(&rig, "mode", modes[i]);
        rig_gives(&rig, SHAPE(1, 6), want[i], 0);
    }
}

static void gather_nd_and_scatter_nd(void **state)
{
    (void)state;
    /* Of [2,3]: element (1,0) and (0,-1); then per row of a batch axis. */
    static const int64_t pairs[] = { 1, 0, 0, -1 }, rows[] = { 2, 0 };
    static const double taken[] = { 4, 3 }, per_row[] = { 3, 4 };
    struct rig rig;
    rig_init(&rig, "GatherND", 1);
    rig_f32(&rig, SHAPE(2, 3), six);
    rig_in(&rig, AO_I64, SHAPE(2, 2), pairs, true);
    rig_gives(&rig, SHAPE(2), taken, 0);
    rig_init(&rig, "GatherND", 1);
    rig_f32(&rig, SHAPE(2, 3), six);
    rig_in(&rig, AO_I64, SHAPE(2, 1), rows, true);
    rig_attr_int(&rig, "batch_dims", 1);
    rig_gives(&rig, SHAPE(2), per_row, 0);

    static const float updates[] = { 10, 20, 30, 40, 50, 60 };
    static const int64_t twice[] = { 1, 1 };
    static const double replaced[] = { 1, 2, 3, 40, 50, 60 }, added[] = { 1, 2, 3, 54, 75, 96 };
    for (int add = 0; add < 2; add++) {
        rig_init(&rig, "ScatterND", 1);
        rig_f32(&rig, SHAPE(2, 3), six);
        rig_in(&rig, AO_I64, SHAPE(2, 1), twice, true);
        rig_f32(&rig, SHAPE(2, 3), updates);
        rig_attr_text(&rig, "reduction", add ? "add" : "none");
        rig_gives(&rig, SHAPE(2, 3), add ? added : replaced, 0);
    }
}

static void running_sums(void **state)
{
    (void)state;
    static const int64_t axis = -1;
    static const double plain[] = { 1, 3, 6, 4, 9, 15 }, other[] = { 5, 3, 0, 11, 6, 0 };
    for (int i = 0; i < 2; i++) {
        struct rig rig;
        rig_init(&rig, "CumSum", 1);
        rig_f32(&rig, SHAPE(2, 3), six);
        rig_in(&rig, AO_I64, SHAPE_NUMBER, &axis, true);
        rig_attr_int(&rig, "exclusive", i);
        rig_attr_int(&rig, "reverse", i);
        rig_gives(&rig, SHAPE(2, 3), i ? other : plain, 0);
    }
}

static void shape_and_size(void **state)
{
    (void)state;
    static const double all[] = { 1, 2, 3 }, last[] = { 3 }, size[] = { 6 };
    struct rig rig;
    rig_init(&rig, "Shape", 1);
    rig_f32(&rig, SHAPE(1, 2, 3), six);
    rig_gives(&rig, SHAPE(3), all, 0);
    rig_init(&rig, "Shape", 1);
    rig_f32(&rig, SHAPE(1, 2, 3), six);
    rig_attr_int(&rig, "start", -1);
    rig_attr_int(&rig, "end", 99);
    rig_gives(&rig, SHAPE(1), last, 0);
    rig_init(&rig, "Size", 1);
    rig_f32(&rig, SHAPE(1, 2, 3), six);
    rig_gives(&rig, SHAPE_NUMBER, size, 0);
}

static void constants_of_every_kind(void **state)
{
    (void)state;
    static const double number[] = { 2.5 }, list[] = { 3, -1 };
    struct rig rig;
    rig_init(&rig, "Constant", 1);
    rig_attr_float(&rig, "value_float", 2.5f);
    rig_gives(&rig, SHAPE_NUMBER, number, 0);
    rig_init(&rig, "Constant", 1);
    RIG_ATTR_INTS(&rig, "value_ints", 3, -1);
    rig_gives(&rig, SHAPE(2), list, 0);

    static const double sevens[] = { 7, 7, 7, 7 }, zeros[] = { 0, 0 };
    static const int64_t seven = 7;
    int value;
    rig_init(&rig, "ConstantOfShape", 1);
    RIG_INTS(&rig, 2, 2);
    const struct ao_shape one = SHAPE(1);
    assert_int_equal(ao_graph_add_constant(&rig.graph, "v", AO_I64, &one, &seven, &value), AOSA_OK);
    rig.attrs[rig.node.n_attrs++] =
        (struct ao_attr){ .name = "value", .type = AO_ATTR_VALUE, .value = value };
    rig_gives(&rig, SHAPE(2, 2), sevens, 0);
    rig_init(&rig, "ConstantOfShape", 1);
    RIG_INTS(&rig, 2);
    rig_gives(&rig, SHAPE(2), zeros, 0);
}

static void range_counts_up_and_down(void **state)
{
    (void)state;
    static const int64_t bounds[] = { 10, 3, -3 }, huge[] = { INT64_MIN, INT64_MIN + 5, 3 };
    static const double down[] = { 10, 7, 4 };
    static const double low[] = { -0x1p63, -0x1p63 + 3 };
    static const float start = 1, limit = 2, delta = 0.5f;
    static const double halves[] = { 1, 1.5 };
    struct rig rig;
    rig_init(&rig, "Range", 1);
    for (int i = 0; i < 3; i++)
        rig_in(&rig, AO_I64, SHAPE_NUMBER, &bounds[i], true);
    rig_gives(&rig, SHAPE(3), down, 0);
    rig_init(&rig, "Range", 1);
    for (int i = 0; i < 3; i++)
        rig_in(&rig, AO_I64, SHAPE_NUMBER, &huge[i], true);
    rig_gives(&rig, SHAPE(2), low, 0);
    rig_init(&rig, "Range", 1);
    rig_in(&rig, AO_F32, SHAPE_NUMBER, &start, true);
    rig_in(&rig, AO_F32, SHAPE_NUMBER, &limit, true);
    rig_in(&rig, AO_F32, SHAPE_NUMBER, &delta, true);
    rig_gives(&rig, SHAPE(2), halves, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reshape_copies_zero_and_fills_minus_one),
        cmocka_unit_test(reshape_with_allowzero_means_zero),
        cmocka_unit_test(flatten_at_any_axis),
        cmocka_unit_test(squeeze_and_unsqueeze),
        cmocka_unit_test(transpose_permutes_and_reverses),
        cmocka_unit_test(expand_and_tile_repeat),
        cmocka_unit_test(concat_along_a_middle_axis),
        cmocka_unit_test(split_in_given_and_equal_parts),
        cmocka_unit_test(slices_as_python_takes_them),
        cmocka_unit_test(slice_of_two_axes_of_three),
        cmocka_unit_test(gather_takes_rows_and_scalars),
        cmocka_unit_test(computed_indices_stay_inside),
        cmocka_unit_test(constant_padding_grows_and_crops),
        cmocka_unit_test(mirrored_padding),
        cmocka_unit_test(gather_nd_and_scatter_nd),
        cmocka_unit_test(running_sums),
        cmocka_unit_test(shape_and_size),
        cmocka_unit_test(constants_of_every_kind),
        cmocka_unit_test(range_counts_up_and_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
