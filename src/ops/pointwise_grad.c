/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "ops/backward.h"
#include "ops/check.h"
#include "ops/element.h"
#include "ops/pointwise.h"

/*
 * ReluGrad(dL/dy, y) = dL/dy [y > 0]: y rather than x, so that ReLU may still be fused into what
 * makes x. PointwiseGrad(dL/dy, inputs of the forward) = dL/dy f'(x), where attribute `function`
 * is the forward's type and the others are its own. RescaleQuotient(n, d, plain) = n / d, or
 * `plain` where |d| < AO_RESCALE_MIN.
 *
 * At a kink the derivative is PyTorch's: 0 for ReLU, the slope of the left side for LeakyRelu and
 * Elu, 1 at the bounds of Clip, 0 at those of HardSigmoid, 0 for |x|.
 */

#define SQRT_HALF 0.70710678118654752440
#define SQRT_2_OVER_PI 0.79788456080286535588
#define INV_SQRT_2PI 0.39894228040143267794
#define TWO_OVER_SQRT_PI 1.12837916709551257390

typedef const struct ao_pointwise_params *params_ptr;

static double of_sigmoid(double x, params_ptr p)
{
    const double e = exp(-fabs(x));
    (void)p;
    return e / ((1 + e) * (1 + e));
}

static double of_tanh(double x, params_ptr p)
{
    const double y = tanh(x);
    (void)p;
    return 1 - y * y;
}

static double of_exp(double x, params_ptr p)
{
    (void)p;
    return exp(x);
}

static double of_log(double x, params_ptr p)
{
    (void)p;
    return 1 / x;
}

static double of_sqrt(double x, params_ptr p)
{
    (void)p;
    return 0.5 / sqrt(x);
}

static double of_erf(double x, params_ptr p)
{
    (void)p;
    return TWO_OVER_SQRT_PI * exp(-x * x);
}

static double of_reciprocal(double x, params_ptr p)
{
    (void)p;
    return -1 / (x * x);
}

static double of_abs(double x, params_ptr p)
{
    (void)p;
    return (x > 0) - (x < 0);
}

static double of_softplus(double x, params_ptr p)
{
    const double e = exp(-fabs(x));
    (void)p;
    return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

static double of_hard_sigmoid(double x, params_ptr p)
{
    const double y = p->a * x + p->b;
    return y > 0 && y < 1 ? p->a : 0;
}

static double of_hard_swish(double x, params_ptr p)
{
    const double gate = fmax(0, fmin(1, p->a * x + p->b));
    return gate + x * of_hard_sigmoid(x, p);
}

static double of_leaky_relu(double x, params_ptr p)
{
    return x > 0 ? 1 : p->a;
}

static double of_elu(double x, params_ptr p)
{
    return x > 0 ? 1 : p->a * exp(x);
}

static double of_gelu(double x, params_ptr p)
{
    if (p->a == 0)
        return 0.5 * (1 + erf(x * SQRT_HALF)) + x * INV_SQRT_2PI * exp(-0.5 * x * x);
    const double y = tanh(SQRT_2_OVER_PI * (x + 0.044715 * x * x * x));
    const double slope = SQRT_2_OVER_PI * (1 + 3 * 0.044715 * x * x);
    return 0.5 * (1 + y) + 0.5 * x * (1 - y * y) * slope;
}

static double of_clip(double x, params_ptr p)
{
    return x >= p->a && x <= p->b;
}

static const struct {
    const char *type;
    ao_pointwise_fn derivative;
} rows[] = {
    { "Sigmoid", of_sigmoid },
    { "Tanh", of_tanh },
    { "Exp", of_exp },
    { "Log", of_log },
    { "Sqrt", of_sqrt },
    { "Erf", of_erf },
    { "Reciprocal", of_reciprocal },
    { "Abs", of_abs },
    { "Softplus", of_softplus },
    { "HardSigmoid", of_hard_sigmoid },
    { "HardSwish", of_hard_swish },
    { "LeakyRelu", of_leaky_relu },
    { "Elu", of_elu },
    { "Gelu", of_gelu },
    { "Clip", of_clip },
};

static ao_pointwise_fn derivative_of(const char *type)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].type, type) == 0)
            return rows[i].derivative;
    return NULL;
}

/* Inputs of one shape and float type, all of them in [0, n). */
static aosa_status check_alike(const struct ao_graph *graph, const struct ao_node *node, int n)
{
    char text[2][AO_SHAPE_TEXT];
    AO_TRY(ao_op_arity(node, n, node->n_in, 1));
    for (int i = 0; i < n; i++) {
        const struct ao_shape *first = &ao_op_in(graph, node, 0)->shape;
        const struct ao_shape *next = &ao_op_in(graph, node, i)->shape;
        AO_TRY(ao_op_float(graph, node, i));
        if (!ao_shape_equal(first, next))
            return ao_op_fail(node, AOSA_ERR_FORMAT, "input %d has shape %s, input 0 %s", i,
                              ao_shape_text(next, text[0]), ao_shape_text(first, text[1]));
    }
    return AOSA_OK;
}

static aosa_status relu_grad_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, 2, 2, 1));
    AO_TRY(check_alike(graph, node, 2));
    return ao_op_set_like(graph, node);
}

static aosa_status quotient_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, 3, 3, 1));
    AO_TRY(check_alike(graph, node, 3));
    return ao_op_set_like(graph, node);
}

struct pointwise_grad_params {
    struct ao_pointwise_params forward;
    ao_pointwise_fn derivative;
};

static aosa_status pointwise_grad_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(check_alike(graph, node, 2));
    struct pointwise_grad_params *params = ao_op_params(graph, node, sizeof *params);
    if (!params)
        return AOSA_ERR_NOMEM;
    struct ao_node forward = *node;
    forward.type = ao_node_text(node, "function", "");
    forward.in++;
    forward.n_in--;
    params->derivative = derivative_of(forward.type);
    if (!params->derivative)
        return ao_op_fail(node, AOSA_ERR_UNSUPPORTED, "of '%s': its derivative is not known",
                          forward.type);
    AO_TRY(ao_pointwise_read(graph, &forward, &params->forward));
    return ao_op_set_like(graph, node);
}

static void relu_grad_forward(const struct ao_op_call *call)
{
    const struct ao_view *gy = &call->in[0], *y = &call->in[1], *gx = &call->out[0];
    const int64_t *const strides[] = { gy->strides, y->strides, gx->strides };
    double row[AO_ROW], at[AO_ROW];
    struct ao_walk walk;
    ao_walk_init(&walk, &gx->shape, 3, strides);
    while (ao_walk_next(&walk)) {
        ao_row_load(row, gy, walk.offset[0], walk.stride[0], walk.n);
        ao_row_load(at, y, walk.offset[1], walk.stride[1], walk.n);
        for (int64_t i = 0; i < walk.n; i++)
            row[i] = at[i] > 0 ? row[i] : 0;
        ao_row_store(gx, walk.offset[2], walk.stride[2], row, walk.n);
    }
}

static void pointwise_grad_forward(const struct ao_op_call *call)
{
    const struct pointwise_grad_params *params = call->node->params;
    const struct ao_view *gy = &call->in[0], *x = &call->in[1], *gx = &call->out[0];
    const int64_t *const strides[] = { gy->strides, x->strides, gx->strides };
    double row[AO_ROW], at[AO_ROW];
    struct ao_walk walk;
    ao_walk_init(&walk, &gx->shape, 3, strides);
    while (ao_walk_next(&walk)) {
        ao_row_load(row, gy, walk.offset[0], walk.stride[0], walk.n);
        ao_row_load(at, x, walk.offset[1], walk.stride[1], walk.n);
        for (int64_t i = 0; i < walk.n; i++)
            row[i] *= params->derivative(at[i], &params->forward);
        ao_row_store(gx, walk.offset[2], walk.stride[2], row, walk.n);
    }
}

static void quotient_forward(const struct ao_op_call *call)
{
    const struct ao_view *in = call->in, *gx = &call->out[0];
    const int64_t *const strides[] = { in[0].strides, in[1].strides, in[2].strides, gx->strides };
    double row[AO_ROW], change[AO_ROW], plain[AO_ROW];
    struct ao_walk walk;
    ao_walk_init(&walk, &gx->shape, 4, strides);
    while (ao_walk_next(&walk)) {
        ao_row_load(row, &in[0], walk.offset[0], walk.stride[0], walk.n);
        ao_row_load(change, &in[1], walk.offset[1], walk.stride[1], walk.n);
        ao_row_load(plain, &in[2], walk.offset[2], walk.stride[2], walk.n);
        for (int64_t i = 0; i < walk.n; i++)
            row[i] = fabs(change[i]) < AO_RESCALE_MIN ? plain[i] : row[i] / change[i];
        ao_row_store(gx, walk.offset[3], walk.stride[3], row, walk.n);
    }
}

aosa_status ao_vjp_relu(struct ao_vjp *vjp)
{
    const int32_t g = vjp->grad_out[0], y = vjp->node.out[0];
    if (vjp->baseline)
        vjp->grad_in[0] = ao_vjp_rescale(vjp, 0, ao_vjp_two(vjp, "ReluGrad", g, y));
    else if (vjp->relu == AO_RELU_PLAIN)
        vjp->grad_in[0] = ao_vjp_two(vjp, "ReluGrad", g, y);
    else if (vjp->relu == AO_RELU_GUIDED)
        vjp->grad_in[0] = ao_vjp_two(vjp, "ReluGrad", ao_vjp_one(vjp, "Relu", g), y);
    else
        vjp->grad_in[0] = ao_vjp_one(vjp, "Relu", g);
    return vjp->status;
}

aosa_status ao_vjp_neg(struct ao_vjp *vjp)
{
    vjp->grad_in[0] = ao_vjp_one(vjp, "Neg", vjp->grad_out[0]);
    return vjp->status;
}

aosa_status ao_vjp_pointwise(struct ao_vjp *vjp)
{
    const struct ao_node *node = &vjp->node;
    const struct ao_attr function = { .name = "function",
                                      .type = AO_ATTR_TEXT,
                                      .text = node->type };
    int32_t in[4] = { vjp->grad_out[0] }; /* Clip has the most inputs, three */
    memcpy(in + 1, node->in, (size_t)node->n_in * sizeof *in);
    const int32_t plain = ao_vjp_inherit(vjp, "PointwiseGrad", in, node->n_in + 1, &function);
    vjp->grad_in[0] = ao_vjp_rescale(vjp, 0, plain);
    return vjp->status;
}

#define GRAD(name, file)                \
    const struct ao_op ao_op_##name = { \
        .type = #name,                  \
        .own = true,                    \
        .infer = file##_infer,          \
        .forward = file##_forward,      \
        .batch = AO_BATCH_POINTWISE,    \
    };
GRAD(ReluGrad, relu_grad)
GRAD(PointwiseGrad, pointwise_grad)
GRAD(RescaleQuotient, quotient)
