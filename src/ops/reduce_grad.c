/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/backward.h"
#include "ops/check.h"
#include "ops/element.h"
#include "ops/move.h"
#include "ops/reduce.h"

/*
 * ReduceProdGrad(dL/dy, x): dL/dy times the product of the other elements of the group, which
 * dividing y by x does not give where x is 0. dL/dy has extent 1 on the reduced axes.
 */

static aosa_status product_grad_infer(struct ao_graph *graph, struct ao_node *node)
{
    char text[2][AO_SHAPE_TEXT];
    AO_TRY(ao_op_arity(node, 2, 2, 1));
    AO_TRY(ao_op_float(graph, node, 0));
    AO_TRY(ao_op_float(graph, node, 1));
    const struct ao_shape *gy = &ao_op_in(graph, node, 0)->shape;
    const struct ao_shape *x = &ao_op_in(graph, node, 1)->shape;
    bool fits = gy->rank == x->rank;
    for (int i = 0; i < x->rank && fits; i++)
        fits = gy->dims[i] == x->dims[i] || gy->dims[i] == 1;
    if (!fits)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "of shape %s for an input of shape %s",
                          ao_shape_text(gy, text[0]), ao_shape_text(x, text[1]));
    return ao_op_set(graph, node, 0, ao_op_in(graph, node, 1)->dtype, x);
}

/* Product of the elements of a group but those at 0, and how many are 0. */
static double product_of(const struct ao_view *part, int64_t *zeros)
{
    const int64_t count = ao_shape_count(&part->shape);
    double product = 1;
    *zeros = 0;
    for (int64_t i = 0; i < count; i++) {
        const double x = ao_element(part, ao_view_offset(part, i));
        *zeros += x == 0;
        product *= x == 0 ? 1 : x;
    }
    return product;
}

static void product_grad_forward(const struct ao_op_call *call)
{
    const struct ao_view *gy = &call->in[0], *x = &call->in[1], *gx = &call->out[0];
    struct ao_view x_part = *x, gx_part = *gx, x_grid = *x, gx_grid = *gx;
    for (int i = 0; i < x->shape.rank; i++) {
        x_grid.shape.dims[i] = gx_grid.shape.dims[i] = gy->shape.dims[i];
        x_part.shape.dims[i] = gx_part.shape.dims[i] =
            gy->shape.dims[i] == x->shape.dims[i] ? 1 : x->shape.dims[i];
    }
    const int64_t groups = ao_shape_count(&gy->shape), n = ao_shape_count(&x_part.shape);
    for (int64_t g = 0; g < groups; g++) {
        int64_t zeros;
        x_part.data = ao_element_at(x, ao_view_offset(&x_grid, g));
        gx_part.data = ao_element_at(gx, ao_view_offset(&gx_grid, g));
        const double product = ao_element(gy, ao_view_offset(gy, g)) * product_of(&x_part, &zeros);
        for (int64_t i = 0; i < n; i++) {
            const double at = ao_element(&x_part, ao_view_offset(&x_part, i));
            const double value = at == 0 ? (zeros == 1 ? product : 0) : zeros ? 0 : product / at;
            ao_row_store(&gx_part, ao_view_offset(&gx_part, i), 1, &value, 1);
        }
    }
}

const struct ao_op ao_op_ReduceProdGrad = {
    .type = "ReduceProdGrad",
    .own = true,
    .infer = product_grad_infer,
    .forward = product_grad_forward,
    .batch = AO_BATCH_POINTWISE,
};

/* A value of the output's shape (the gradient, the output) with the reduced axes back, extent 1. */
static int32_t with_axes(struct ao_vjp *vjp, int32_t value)
{
    const struct ao_reduce_params *params = vjp->node.params;
    struct ao_shape shape = ao_vjp_shape(vjp, vjp->node.in[0]);
    for (int i = 0; i < shape.rank; i++)
        shape.dims[i] = params->axes[i] ? 1 : shape.dims[i];
    return ao_vjp_reshape(vjp, value, &shape);
}

static int32_t spread(struct ao_vjp *vjp, int32_t value)
{
    const struct ao_shape shape = ao_vjp_shape(vjp, vjp->node.in[0]);
    return ao_vjp_expand(vjp, with_axes(vjp, value), &shape);
}

aosa_status ao_vjp_reduce_sum(struct ao_vjp *vjp)
{
    vjp->grad_in[0] = spread(vjp, vjp->grad_out[0]);
    return vjp->status;
}

aosa_status ao_vjp_reduce_mean(struct ao_vjp *vjp)
{
    const struct ao_reduce_params *params = vjp->node.params;
    const struct ao_shape shape = ao_vjp_shape(vjp, vjp->node.in[0]);
    double count = 1;
    for (int i = 0; i < shape.rank; i++)
        count *= params->axes[i] ? (double)shape.dims[i] : 1;
    const int32_t share = ao_vjp_two(vjp, "Div", vjp->grad_out[0], ao_vjp_number(vjp, count));
    vjp->grad_in[0] = spread(vjp, share);
    return vjp->status;
}

aosa_status ao_vjp_reduce_prod(struct ao_vjp *vjp)
{
    const int32_t g = with_axes(vjp, vjp->grad_out[0]);
    vjp->grad_in[0] = ao_vjp_two(vjp, "ReduceProdGrad", g, vjp->node.in[0]);
    return vjp->status;
}

/* Shared equally by all elements that are the extreme, as in PyTorch. */
aosa_status ao_vjp_reduce_extreme(struct ao_vjp *vjp)
{
    const struct ao_reduce_params *params = vjp->node.params;
    const int32_t x = vjp->node.in[0], y = with_axes(vjp, vjp->node.out[0]);
    const struct ao_attr type = { .name = "to",
                                  .type = AO_ATTR_INT,
                                  .i = ao_vjp_onnx_type(vjp, vjp->node.in[0]) };
    const int32_t taken = ao_vjp_two(vjp, "Equal", x, y);
    const int32_t one = ao_vjp_apply(vjp, "Cast", &taken, 1, &type, 1);
    const int32_t count = ao_vjp_sum(vjp, one, params->axes);
    const int32_t share = ao_vjp_two(vjp, "Div", with_axes(vjp, vjp->grad_out[0]), count);
    vjp->grad_in[0] = ao_vjp_two(vjp, "Mul", one, share);
    return vjp->status;
}

/* 2 g x */
aosa_status ao_vjp_reduce_sum_square(struct ao_vjp *vjp)
{
    const int32_t g = with_axes(vjp, vjp->grad_out[0]);
    const int32_t twice = ao_vjp_two(vjp, "Add", g, g);
    vjp->grad_in[0] = ao_vjp_two(vjp, "Mul", vjp->node.in[0], twice);
    return vjp->status;
}

/* g sign(x) */
aosa_status ao_vjp_reduce_l1(struct ao_vjp *vjp)
{
    const struct ao_attr function = { .name = "function", .type = AO_ATTR_TEXT, .text = "Abs" };
    const int32_t in[] = { spread(vjp, vjp->grad_out[0]), vjp->node.in[0] };
    vjp->grad_in[0] = ao_vjp_apply(vjp, "PointwiseGrad", in, 2, &function, 1);
    return vjp->status;
}

/* g x / y, and 0 at x = 0, as in PyTorch: there y is taken for 1. */
aosa_status ao_vjp_reduce_l2(struct ao_vjp *vjp)
{
    const int32_t y = vjp->node.out[0];
    const int32_t empty = ao_vjp_two(vjp, "Equal", y, ao_vjp_number(vjp, 0));
    const int32_t in[] = { empty, ao_vjp_number(vjp, 1), y };
    const int32_t divisor = ao_vjp_apply(vjp, "Where", in, 3, NULL, 0);
    const int32_t share = ao_vjp_two(vjp, "Div", vjp->grad_out[0], divisor);
    vjp->grad_in[0] = ao_vjp_two(vjp, "Mul", vjp->node.in[0], with_axes(vjp, share));
    return vjp->status;
}

/* The sums of dL/dy from the other end. */
aosa_status ao_vjp_cumsum(struct ao_vjp *vjp)
{
    const struct ao_attr back = { .name = "reverse",
                                  .type = AO_ATTR_INT,
                                  .i = ao_node_int(&vjp->node, "reverse", 0) == 0 };
    const int32_t in[] = { vjp->grad_out[0], vjp->node.in[1] };
    vjp->grad_in[0] = ao_vjp_inherit(vjp, "CumSum", in, 2, &back);
    return vjp->status;
}

static int32_t sum_of_axis(struct ao_vjp *vjp, int32_t value)
{
    const int64_t axis = ((const struct ao_axis_params *)vjp->node.params)->axis;
    return ao_vjp_two(vjp, "ReduceSum", value, ao_vjp_ints(vjp, &axis, 1));
}

/* y (g - sum g y). Rescaled, the quotients less their mean, as Captum does: the gradient itself
 * sums to 0, for a softmax does not change with the sum of x. */
aosa_status ao_vjp_softmax(struct ao_vjp *vjp)
{
    const int32_t g = vjp->grad_out[0], x = vjp->node.in[0], y = vjp->node.out[0];
    const int64_t axis = ((const struct ao_axis_params *)vjp->node.params)->axis;
    const int32_t mean = sum_of_axis(vjp, ao_vjp_two(vjp, "Mul", g, y));
    vjp->grad_in[0] = ao_vjp_two(vjp, "Mul", y, ao_vjp_two(vjp, "Sub", g, mean));
    if (ao_vjp_baseline(vjp, x) == x)
        return vjp->status;
    const int32_t quotients = ao_vjp_rescale(vjp, 0, vjp->grad_in[0]);
    const int32_t level = ao_vjp_two(vjp, "ReduceMean", quotients, ao_vjp_ints(vjp, &axis, 1));
    vjp->grad_in[0] = ao_vjp_two(vjp, "Sub", quotients, level);
    return vjp->status;
}

/* g - exp(y) sum g */
aosa_status ao_vjp_log_softmax(struct ao_vjp *vjp)
{
    const int32_t g = vjp->grad_out[0];
    const int32_t p = ao_vjp_one(vjp, "Exp", vjp->node.out[0]);
    const int32_t share = ao_vjp_two(vjp, "Mul", p, sum_of_axis(vjp, g));
    vjp->grad_in[0] = ao_vjp_two(vjp, "Sub", g, share);
    return vjp->status;
}
