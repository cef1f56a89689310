/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "ops/backward.h"
#include "ops/check.h"
#include "ops/element.h"

/*
 * Two operands (more for Min and Max) that broadcast against each other. Floats are computed in
 * double, integers and bool exactly in int64.
 */

static double add(double a, double b)
{
    return a + b;
}

static double sub(double a, double b)
{
    return a - b;
}

static double mul(double a, double b)
{
    return a * b;
}

static double divide(double a, double b)
{
    return a / b;
}

/* NaN in either operand gives NaN, unlike fmin and fmax. */
static double least(double a, double b)
{
    return a < b || isnan(a) ? a : b;
}

static double greatest(double a, double b)
{
    return a > b || isnan(a) ? a : b;
}

static double remainder_of(double a, double b) /* Mod with fmod = 1: sign of a */
{
    return fmod(a, b);
}

static double slope_below_zero(double a, double b) /* PRelu */
{
    return a < 0 ? a * b : a;
}

static double equal(double a, double b)
{
    return a == b;
}

static double less(double a, double b)
{
    return a < b;
}

static double less_or_equal(double a, double b)
{
    return a <= b;
}

static double greater(double a, double b)
{
    return a > b;
}

static double greater_or_equal(double a, double b)
{
    return a >= b;
}

/* Integers wrap as two's complement does, which is what other implementations give. */
static int64_t add_int(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static int64_t sub_int(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

static int64_t mul_int(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a * (uint64_t)b);
}

/* Towards zero. Division by zero has no defined result in ONNX: 0 here, never a trap. */
static int64_t div_int(int64_t a, int64_t b)
{
    if (b == 0)
        return 0;
    return b == -1 ? sub_int(0, a) : a / b;
}

static int64_t pow_int(int64_t a, int64_t b)
{
    if (b < 0)
        return a == 1 ? 1 : a == -1 ? (b % 2 == 0 ? 1 : -1) : 0;
    int64_t result = 1;
    for (; b > 0; b >>= 1) {
        if (b & 1)
            result = mul_int(result, a);
        a = mul_int(a, a);
    }
    return result;
}

static int64_t least_int(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t greatest_int(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t mod_int(int64_t a, int64_t b) /* sign of b, as Python's % */
{
    if (b == 0 || b == -1)
        return 0;
    const int64_t rest = a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

static int64_t fmod_int(int64_t a, int64_t b) /* sign of a, as C's % */
{
    return b == 0 || b == -1 ? 0 : a % b;
}

static int64_t equal_int(int64_t a, int64_t b)
{
    return a == b;
}

static int64_t less_int(int64_t a, int64_t b)
{
    return a < b;
}

static int64_t less_or_equal_int(int64_t a, int64_t b)
{
    return a <= b;
}

static int64_t greater_int(int64_t a, int64_t b)
{
    return a > b;
}

static int64_t greater_or_equal_int(int64_t a, int64_t b)
{
    return a >= b;
}

static int64_t and_int(int64_t a, int64_t b)
{
    return a && b;
}

static int64_t or_int(int64_t a, int64_t b)
{
    return a || b;
}

static int64_t xor_int(int64_t a, int64_t b)
{
    return !a != !b;
}

struct row {
    const char *type;
    double (*real)(double a, double b);        /* NULL: no floats */
    int64_t (*exact)(int64_t a, int64_t b);    /* integers */
    bool answers_bool, takes_bool, any_number; /* any_number: more than two operands */
};

static const struct row rows[] = {
    { "Add", add, add_int, false, false, false },
    { "Sub", sub, sub_int, false, false, false },
    { "Mul", mul, mul_int, false, false, false },
    { "Div", divide, div_int, false, false, false },
    { "Pow", pow, pow_int, false, false, false },
    { "Min", least, least_int, false, false, true },
    { "Max", greatest, greatest_int, false, false, true },
    { "Mod", remainder_of, mod_int, false, false, false },
    { "PRelu", slope_below_zero, NULL, false, false, false },
    { "Equal", equal, equal_int, true, true, false },
    { "Less", less, less_int, true, false, false },
    { "LessOrEqual", less_or_equal, less_or_equal_int, true, false, false },
    { "Greater", greater, greater_int, true, false, false },
    { "GreaterOrEqual", greater_or_equal, greater_or_equal_int, true, false, false },
    { "And", NULL, and_int, true, true, false },
    { "Or", NULL, or_int, true, true, false },
    { "Xor", NULL, xor_int, true, true, false },
};

static const struct row *row_of(const char *type)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].type, type) == 0)
            return &rows[i];
    return NULL;
}

static aosa_status broadcast_inputs(const struct ao_graph *graph, const struct ao_node *node,
                                    struct ao_shape *shape)
{
    *shape = ao_op_in(graph, node, 0)->shape;
    for (int i = 1; i < node->n_in; i++) {
        const struct ao_shape *next = &ao_op_in(graph, node, i)->shape;
        char a[AO_SHAPE_TEXT], b[AO_SHAPE_TEXT];
        if (!ao_shape_broadcast(shape, next, shape))
            return ao_op_fail(node, AOSA_ERR_FORMAT, "cannot broadcast %s and %s",
                              ao_shape_text(shape, a), ao_shape_text(next, b));
    }
    return AOSA_OK;
}

static aosa_status check_type(const struct ao_graph *graph, const struct ao_node *node,
                              const struct row *row)
{
    const enum ao_dtype dtype = ao_op_in(graph, node, 0)->dtype;
    const bool is_bool = dtype == AO_BOOL;
    if (is_bool ? !row->takes_bool : ao_dtype_is_float(dtype) ? !row->real : !row->exact)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "does not take %s", ao_dtype_name(dtype));
    if (!row->real && !is_bool)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "takes bool, input 0 is %s", ao_dtype_name(dtype));
    /* The exponent of Pow may have a type of its own. */
    const bool mixed = row->real == pow;
    for (int i = 1; i < node->n_in; i++) {
        const enum ao_dtype next = ao_op_in(graph, node, i)->dtype;
        if (next != dtype && !(mixed && next != AO_BOOL))
            return ao_op_fail(node, AOSA_ERR_FORMAT, "input %d is %s, input 0 is %s", i,
                              ao_dtype_name(next), ao_dtype_name(dtype));
    }
    return AOSA_OK;
}

static aosa_status binary_infer(struct ao_graph *graph, struct ao_node *node)
{
    const struct row *row = row_of(node->type);
    const int least_inputs = row->any_number ? 1 : 2;
    const int most_inputs = row->any_number ? node->n_in : 2;
    AO_TRY(ao_op_arity(node, least_inputs, most_inputs, 1));
    AO_TRY(ao_op_arity(node, node->n_in, node->n_in, 1)); /* none of them absent */
    AO_TRY(check_type(graph, node, row));
    const enum ao_dtype dtype = ao_op_in(graph, node, 0)->dtype;
    if (row->exact == mod_int && ao_dtype_is_float(dtype) && ao_node_int(node, "fmod", 0) == 0)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "of floats needs attribute fmod = 1");
    if (row->real == pow && !ao_dtype_is_float(dtype) &&
        ao_dtype_is_float(ao_op_in(graph, node, 1)->dtype))
        return ao_op_fail(node, AOSA_ERR_UNSUPPORTED,
                          "of an integer with a float exponent is not supported");
    struct ao_shape shape;
    AO_TRY(broadcast_inputs(graph, node, &shape));
    const struct ao_shape *first = &ao_op_in(graph, node, 0)->shape;
    char wide[AO_SHAPE_TEXT], narrow[AO_SHAPE_TEXT];
    if (row->real == slope_below_zero && !ao_shape_equal(&shape, first))
        return ao_op_fail(node, AOSA_ERR_FORMAT, "slope widens the input from %s to %s",
                          ao_shape_text(first, narrow), ao_shape_text(&shape, wide));
    return ao_op_set(graph, node, 0, row->answers_bool ? AO_BOOL : dtype, &shape);
}

static void combine_real(const struct row *row, const struct ao_view *a, const struct ao_view *b,
                         const struct ao_view *y, struct ao_walk *walk)
{
    double left[AO_ROW], right[AO_ROW];
    int64_t answer[AO_ROW];
    while (ao_walk_next(walk)) {
        ao_row_load(left, a, walk->offset[0], walk->stride[0], walk->n);
        ao_row_load(right, b, walk->offset[1], walk->stride[1], walk->n);
        for (int64_t i = 0; i < walk->n; i++)
            left[i] = row->real(left[i], right[i]);
        if (!row->answers_bool) {
            ao_row_store(y, walk->offset[2], walk->stride[2], left, walk->n);
            continue;
        }
        for (int64_t i = 0; i < walk->n; i++)
            answer[i] = left[i] != 0;
        ao_row_store_int(y, walk->offset[2], walk->stride[2], answer, walk->n);
    }
}

static void combine_exact(int64_t (*fn)(int64_t a, int64_t b), const struct ao_view *a,
                          const struct ao_view *b, const struct ao_view *y, struct ao_walk *walk)
{
    int64_t left[AO_ROW], right[AO_ROW];
    while (ao_walk_next(walk)) {
        ao_row_load_int(left, a, walk->offset[0], walk->stride[0], walk->n);
        ao_row_load_int(right, b, walk->offset[1], walk->stride[1], walk->n);
        for (int64_t i = 0; i < walk->n; i++)
            left[i] = fn(left[i], right[i]);
        ao_row_store_int(y, walk->offset[2], walk->stride[2], left, walk->n);
    }
}

static void combine(const struct ao_node *node, const struct ao_view *left,
                    const struct ao_view *right, const struct ao_view *y)
{
    const struct row *row = row_of(node->type);
    const struct ao_view a = ao_view_broadcast(left, &y->shape);
    const struct ao_view b = ao_view_broadcast(right, &y->shape);
    const int64_t *const strides[] = { a.strides, b.strides, y->strides };
    struct ao_walk walk;
    ao_walk_init(&walk, &y->shape, 3, strides);
    if (ao_dtype_is_float(left->dtype)) {
        combine_real(row, &a, &b, y, &walk);
        return;
    }
    int64_t (*fn)(int64_t, int64_t) = row->exact;
    if (fn == mod_int && ao_node_int(node, "fmod", 0) != 0)
        fn = fmod_int;
    combine_exact(fn, &a, &b, y, &walk);
}

static void binary_forward(const struct ao_op_call *call)
{
    const struct ao_view *y = &call->out[0];
    if (call->node->n_in == 1) {
        const struct ao_view x = ao_view_broadcast(&call->in[0], &y->shape);
        ao_view_copy(y, &x);
        return;
    }
    /* Min and Max of many: the running result is exact in the output's own type. */
    combine(call->node, &call->in[0], &call->in[1], y);
    for (int i = 2; i < call->node->n_in; i++)
        combine(call->node, y, &call->in[i], y);
}

#define BINARY(name, vjp_fn)            \
    const struct ao_op ao_op_##name = { \
        .type = #name,                  \
        .infer = binary_infer,          \
        .forward = binary_forward,      \
        .vjp = vjp_fn,                  \
        .batch = AO_BATCH_POINTWISE,    \
    };
BINARY(Add, ao_vjp_add)
BINARY(Sub, ao_vjp_sub)
BINARY(Mul, ao_vjp_mul)
BINARY(Div, ao_vjp_div)
BINARY(Pow, ao_vjp_binary)
BINARY(Min, ao_vjp_extreme)
BINARY(Max, ao_vjp_extreme)
BINARY(Mod, ao_vjp_mod)
BINARY(PRelu, ao_vjp_binary)
BINARY(Equal, NULL)
BINARY(Less, NULL)
BINARY(LessOrEqual, NULL)
BINARY(Greater, NULL)
BINARY(GreaterOrEqual, NULL)
BINARY(And, NULL)
BINARY(Or, NULL)
BINARY(Xor, NULL)
