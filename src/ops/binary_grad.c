/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "ops/backward.h"
#include "ops/check.h"
#include "ops/element.h"

/*
 * BinaryGrad(dL/dy, a, b) = dL/dy df/da, or df/db, at the broadcast a and b: `function` is the
 * forward's type, `input` 0 or 1. Where a maximum has two it is shared equally, as in PyTorch.
 */

static double max_by_a(double a, double b)
{
    return a > b ? 1 : a == b ? 0.5 : 0;
}

static double max_by_b(double a, double b)
{
    return max_by_a(b, a);
}

static double min_by_a(double a, double b)
{
    return max_by_a(b, a);
}

static double min_by_b(double a, double b)
{
    return max_by_a(a, b);
}

static double pow_by_a(double a, double b)
{
    return b == 0 ? 0 : b * pow(a, b - 1);
}

static double pow_by_b(double a, double b) /* 0 at a = 0, where the power is 0 for all b > 0 */
{
    return a == 0 && b >= 0 ? 0 : pow(a, b) * log(a);
}

static double prelu_by_a(double a, double b)
{
    return a > 0 ? 1 : b;
}

static double prelu_by_b(double a, double b)
{
    (void)b;
    return a > 0 ? 0 : a;
}

typedef double (*derivative_fn)(double a, double b);

static const struct {
    const char *type;
    derivative_fn by[2];
} rows[] = {
    { "Max", { max_by_a, max_by_b } },
    { "Min", { min_by_a, min_by_b } },
    { "Pow", { pow_by_a, pow_by_b } },
    { "PRelu", { prelu_by_a, prelu_by_b } },
};

static derivative_fn derivative_of(const struct ao_node *node)
{
    const char *type = ao_node_text(node, "function", "");
    const int64_t input = ao_node_int(node, "input", 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].type, type) == 0 && (input == 0 || input == 1))
            return rows[i].by[input];
    return NULL;
}

static aosa_status binary_grad_infer(struct ao_graph *graph, struct ao_node *node)
{
    char text[2][AO_SHAPE_TEXT];
    AO_TRY(ao_op_arity(node, 3, 3, 1));
    AO_TRY(ao_op_float(graph, node, 0));
    if (!derivative_of(node))
        return ao_op_fail(node, AOSA_ERR_UNSUPPORTED, "of '%s': its derivative is not known",
                          ao_node_text(node, "function", ""));
    const struct ao_shape *gy = &ao_op_in(graph, node, 0)->shape;
    for (int i = 1; i < 3; i++) {
        const struct ao_shape *operand = &ao_op_in(graph, node, i)->shape;
        struct ao_shape wide;
        if (!ao_shape_broadcast(operand, gy, &wide) || !ao_shape_equal(&wide, gy))
            return ao_op_fail(node, AOSA_ERR_FORMAT,
                              "input %d of shape %s does not broadcast to %s", i,
                              ao_shape_text(operand, text[0]), ao_shape_text(gy, text[1]));
    }
    return ao_op_set_like(graph, node);
}

static void binary_grad_forward(const struct ao_op_call *call)
{
    const derivative_fn derivative = derivative_of(call->node);
    const struct ao_view *gy = &call->in[0], *gx = &call->out[0];
    const struct ao_view a = ao_view_broadcast(&call->in[1], &gx->shape);
    const struct ao_view b = ao_view_broadcast(&call->in[2], &gx->shape);
    const int64_t *const strides[] = { gy->strides, a.strides, b.strides, gx->strides };
    double row[AO_ROW], left[AO_ROW], right[AO_ROW];
    struct ao_walk walk;
    ao_walk_init(&walk, &gx->shape, 4, strides);
    while (ao_walk_next(&walk)) {
        ao_row_load(row, gy, walk.offset[0], walk.stride[0], walk.n);
        ao_row_load(left, &a, walk.offset[1], walk.stride[1], walk.n);
        ao_row_load(right, &b, walk.offset[2], walk.stride[2], walk.n);
        for (int64_t i = 0; i < walk.n; i++)
            row[i] *= derivative(left[i], right[i]);
        ao_row_store(gx, walk.offset[3], walk.stride[3], row, walk.n);
    }
}

const struct ao_op ao_op_BinaryGrad = {
    .type = "BinaryGrad",
    .own = true,
    .infer = binary_grad_infer,
    .forward = binary_grad_forward,
    .batch = AO_BATCH_POINTWISE,
};

/* Each gradient has the output's shape first, and is summed over what broadcasting repeated. */
static void give(struct ao_vjp *vjp, int i, int32_t gradient)
{
    const struct ao_shape shape = ao_vjp_shape(vjp, vjp->node.in[i]);
    vjp->grad_in[i] = ao_vjp_fold(vjp, gradient, &shape);
}

aosa_status ao_vjp_add(struct ao_vjp *vjp)
{
    for (int i = 0; i < vjp->node.n_in; i++)
        if (vjp->wanted[i])
            give(vjp, i, vjp->grad_out[0]);
    return vjp->status;
}

aosa_status ao_vjp_sub(struct ao_vjp *vjp)
{
    const int32_t g = vjp->grad_out[0];
    if (vjp->wanted[0])
        give(vjp, 0, g);
    if (vjp->wanted[1])
        give(vjp, 1, ao_vjp_one(vjp, "Neg", g));
    return vjp->status;
}

aosa_status ao_vjp_mul(struct ao_vjp *vjp)
{
    for (int i = 0; i < 2; i++)
        if (vjp->wanted[i]) {
            const int32_t other = ao_vjp_middle(vjp, vjp->node.in[1 - i]);
            give(vjp, i, ao_vjp_two(vjp, "Mul", vjp->grad_out[0], other));
        }
    return vjp->status;
}

/* a / b: g / b and -g a / b^2. Rescaled, 1/b is (1/b + 1/b')/2 = (b + b')/2 / (b b'), a is
 * (a + a')/2, and the square is b b'. */
aosa_status ao_vjp_div(struct ao_vjp *vjp)
{
    const int32_t g = vjp->grad_out[0], a = vjp->node.in[0], b = vjp->node.in[1];
    const int32_t base = ao_vjp_baseline(vjp, b);
    const int32_t square = base != b || vjp->wanted[1] ? ao_vjp_two(vjp, "Mul", b, base) : -1;
    if (vjp->wanted[0] && base == b) {
        give(vjp, 0, ao_vjp_two(vjp, "Div", g, b));
    } else if (vjp->wanted[0]) {
        const int32_t top = ao_vjp_two(vjp, "Mul", g, ao_vjp_middle(vjp, b));
        give(vjp, 0, ao_vjp_two(vjp, "Div", top, square));
    }
    if (vjp->wanted[1]) {
        const int32_t top = ao_vjp_two(vjp, "Mul", g, ao_vjp_middle(vjp, a));
        give(vjp, 1, ao_vjp_one(vjp, "Neg", ao_vjp_two(vjp, "Div", top, square)));
    }
    return vjp->status;
}

static int32_t by_operand(struct ao_vjp *vjp, int32_t g, int32_t a, int32_t b, int i)
{
    const struct ao_attr attrs[] = {
        { .name = "function", .type = AO_ATTR_TEXT, .text = vjp->node.type },
        { .name = "input", .type = AO_ATTR_INT, .i = i },
    };
    return ao_vjp_apply(vjp, "BinaryGrad", (const int32_t[]){ g, a, b }, 3, attrs, 2);
}

/* Pow and PRelu. Only one operand changes as a rule, and then it is an operator of one input. */
aosa_status ao_vjp_binary(struct ao_vjp *vjp)
{
    const int32_t *in = vjp->node.in;
    for (int i = 0; i < 2; i++)
        if (vjp->wanted[i]) {
            const int32_t plain = by_operand(vjp, vjp->grad_out[0], in[0], in[1], i);
            const bool alone = ao_vjp_baseline(vjp, in[1 - i]) == in[1 - i];
            give(vjp, i, alone ? ao_vjp_rescale(vjp, i, plain) : plain);
        }
    return vjp->status;
}

/* Max and Min of the inputs up to number `last`. */
static int32_t extreme_of(struct ao_vjp *vjp, int last)
{
    if (last == 0)
        return vjp->node.in[0];
    return ao_vjp_apply(vjp, vjp->node.type, vjp->node.in, last + 1, NULL, 0);
}

/* Max and Min of many: from the last input to the first, each against all before it. */
aosa_status ao_vjp_extreme(struct ao_vjp *vjp)
{
    int32_t g = vjp->grad_out[0];
    if (vjp->node.n_in == 2)
        return ao_vjp_binary(vjp);
    for (int i = vjp->node.n_in - 1; i > 0; i--) {
        const int32_t before = extreme_of(vjp, i - 1);
        if (vjp->wanted[i])
            give(vjp, i, by_operand(vjp, g, before, vjp->node.in[i], 1));
        g = by_operand(vjp, g, before, vjp->node.in[i], 0);
    }
    if (vjp->wanted[0])
        give(vjp, 0, g);
    return vjp->status;
}

/* a - trunc(a / b) b, whose quotient is constant almost everywhere. */
aosa_status ao_vjp_mod(struct ao_vjp *vjp)
{
    if (vjp->wanted[1])
        return ao_vjp_refuse(vjp, "for a divisor that depends on the clip");
    give(vjp, 0, vjp->grad_out[0]);
    return vjp->status;
}

aosa_status ao_vjp_where(struct ao_vjp *vjp)
{
    const int32_t g = vjp->grad_out[0], condition = vjp->node.in[0];
    const int32_t zero = ao_vjp_number(vjp, 0);
    if (vjp->wanted[1])
        give(vjp, 1,
             ao_vjp_apply(vjp, "Where", (const int32_t[]){ condition, g, zero }, 3, NULL, 0));
    if (vjp->wanted[2])
        give(vjp, 2,
             ao_vjp_apply(vjp, "Where", (const int32_t[]){ condition, zero, g }, 3, NULL, 0));
    return vjp->status;
}
