/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/pointwise.h"

#include <math.h>
#include <string.h>

#include "ops/backward.h"
#include "ops/check.h"
#include "ops/element.h"

/* ln 2, 1/sqrt 2 and sqrt(2/pi), which <math.h> of POSIX.1-2008 names only for XSI. */
#define SQRT_HALF 0.70710678118654752440
#define SQRT_2_OVER_PI 0.79788456080286535588

typedef const struct ao_pointwise_params *params_ptr;

static double relu(double x, params_ptr p)
{
    (void)p;
    return x < 0 ? 0 : x; /* keeps NaN */
}

static double sigmoid(double x, params_ptr p)
{
    (void)p;
    /* The exponential never overflows. */
    const double e = exp(-fabs(x));
    return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

static double tanh_of(double x, params_ptr p)
{
    (void)p;
    return tanh(x);
}

static double exp_of(double x, params_ptr p)
{
    (void)p;
    return exp(x);
}

static double log_of(double x, params_ptr p)
{
    (void)p;
    return log(x);
}

static double sqrt_of(double x, params_ptr p)
{
    (void)p;
    return sqrt(x);
}

static double erf_of(double x, params_ptr p)
{
    (void)p;
    return erf(x);
}

static double reciprocal(double x, params_ptr p)
{
    (void)p;
    return 1 / x;
}

static double floor_of(double x, params_ptr p)
{
    (void)p;
    return floor(x);
}

static double ceil_of(double x, params_ptr p)
{
    (void)p;
    return ceil(x);
}

static double negate(double x, params_ptr p)
{
    (void)p;
    return -x;
}

static double absolute(double x, params_ptr p)
{
    (void)p;
    return fabs(x);
}

static double softplus(double x, params_ptr p)
{
    (void)p;
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

static double hard_sigmoid(double x, params_ptr p) /* max(0, min(1, a x + b)) */
{
    return fmax(0, fmin(1, p->a * x + p->b));
}

static double hard_swish(double x, params_ptr p) /* x HardSigmoid(x; 1/6, 1/2) */
{
    return x * hard_sigmoid(x, p);
}

static double leaky_relu(double x, params_ptr p) /* slope a below zero */
{
    return x < 0 ? p->a * x : x;
}

static double elu(double x, params_ptr p) /* a (e^x - 1) below zero */
{
    return x < 0 ? p->a * expm1(x) : x;
}

static double gelu(double x, params_ptr p) /* a = 1: the tanh approximation, else x Phi(x) */
{
    if (p->a != 0)
        return 0.5 * x * (1 + tanh(SQRT_2_OVER_PI * (x + 0.044715 * x * x * x)));
    return 0.5 * x * (1 + erf(x * SQRT_HALF));
}

static double clip(double x, params_ptr p) /* min(max(x, a), b) */
{
    if (x < p->a)
        x = p->a;
    return x > p->b ? p->b : x;
}

static aosa_status plain_params(struct ao_graph *graph, struct ao_node *node,
                                struct ao_pointwise_params *params)
{
    (void)graph;
    (void)params;
    return ao_op_arity(node, 1, 1, 1);
}

static aosa_status hard_sigmoid_params(struct ao_graph *graph, struct ao_node *node,
                                       struct ao_pointwise_params *params)
{
    params->a = ao_node_float(node, "alpha", 0.2);
    params->b = ao_node_float(node, "beta", 0.5);
    return plain_params(graph, node, params);
}

static aosa_status hard_swish_params(struct ao_graph *graph, struct ao_node *node,
                                     struct ao_pointwise_params *params)
{
    params->a = 1.0 / 6.0;
    params->b = 0.5;
    return plain_params(graph, node, params);
}

static aosa_status leaky_params(struct ao_graph *graph, struct ao_node *node,
                                struct ao_pointwise_params *params)
{
    params->a = ao_node_float(node, "alpha", 0.01);
    return plain_params(graph, node, params);
}

static aosa_status elu_params(struct ao_graph *graph, struct ao_node *node,
                              struct ao_pointwise_params *params)
{
    params->a = ao_node_float(node, "alpha", 1.0);
    return plain_params(graph, node, params);
}

static aosa_status gelu_params(struct ao_graph *graph, struct ao_node *node,
                               struct ao_pointwise_params *params)
{
    const char *approximate = ao_node_text(node, "approximate", "none");
    params->a = strcmp(approximate, "tanh") == 0;
    if (params->a == 0 && strcmp(approximate, "none") != 0)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "attribute approximate is '%s', not none or tanh",
                          approximate);
    return plain_params(graph, node, params);
}

/* Bound of Clip: the constant scalar of input i; absent, the initial values stay. */
static aosa_status read_bound(struct ao_graph *graph, struct ao_node *node, int i, double *bound,
                              int64_t *exact)
{
    const struct ao_value *value = ao_op_in(graph, node, i);
    const struct ao_value *x = ao_op_in(graph, node, 0);
    if (!value)
        return AOSA_OK;
    if (value->dtype != x->dtype)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "bound (input %d) is %s, input 0 is %s", i,
                          ao_dtype_name(value->dtype), ao_dtype_name(x->dtype));
    if (!value->data || ao_shape_count(&value->shape) != 1)
        return ao_op_fail(node, AOSA_ERR_UNSUPPORTED, "bound (input %d) is not one constant number",
                          i);
    const struct ao_view view =
        ao_view_dense((void *)(uintptr_t)value->data, value->dtype, &value->shape);
    *bound = ao_element(&view, 0);
    if (!ao_dtype_is_float(value->dtype))
        *exact = ao_element_int(&view, 0);
    return AOSA_OK;
}

static aosa_status clip_params(struct ao_graph *graph, struct ao_node *node,
                               struct ao_pointwise_params *params)
{
    *params = (struct ao_pointwise_params){ -HUGE_VAL, HUGE_VAL, INT64_MIN, INT64_MAX };
    AO_TRY(ao_op_arity(node, 1, 3, 1));
    AO_TRY(read_bound(graph, node, 1, &params->a, &params->lo));
    return read_bound(graph, node, 2, &params->b, &params->hi);
}

struct row {
    const char *type;
    ao_pointwise_fn fn;
    aosa_status (*params)(struct ao_graph *graph, struct ao_node *node,
                          struct ao_pointwise_params *params);
};

static const struct row rows[] = {
    { "Relu", relu, plain_params },
    { "Sigmoid", sigmoid, plain_params },
    { "Tanh", tanh_of, plain_params },
    { "Exp", exp_of, plain_params },
    { "Log", log_of, plain_params },
    { "Sqrt", sqrt_of, plain_params },
    { "Erf", erf_of, plain_params },
    { "Reciprocal", reciprocal, plain_params },
    { "Floor", floor_of, plain_params },
    { "Ceil", ceil_of, plain_params },
    { "Neg", negate, plain_params },
    { "Abs", absolute, plain_params },
    { "Softplus", softplus, plain_params },
    { "HardSigmoid", hard_sigmoid, hard_sigmoid_params },
    { "HardSwish", hard_swish, hard_swish_params },
    { "LeakyRelu", leaky_relu, leaky_params },
    { "Elu", elu, elu_params },
    { "Gelu", gelu, gelu_params },
    { "Clip", clip, clip_params },
};

static const struct row *row_of(const char *type)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].type, type) == 0)
            return &rows[i];
    return NULL;
}

ao_pointwise_fn ao_pointwise_find(const char *type)
{
    const struct row *row = row_of(type);
    return row ? row->fn : NULL;
}

/* Neg, Abs and Clip of integers, modulo the width of the type. */
static int64_t negate_int(int64_t x, params_ptr p)
{
    (void)p;
    return (int64_t)(0 - (uint64_t)x);
}

static int64_t absolute_int(int64_t x, params_ptr p)
{
    return x < 0 ? negate_int(x, p) : x;
}

static int64_t clip_int(int64_t x, params_ptr p)
{
    x = x < p->lo ? p->lo : x;
    return x > p->hi ? p->hi : x;
}

typedef int64_t (*exact_fn)(int64_t x, params_ptr p);

/* The integer form of an operator, or NULL. */
static exact_fn exact_of(const char *type)
{
    if (strcmp(type, "Neg") == 0)
        return negate_int;
    if (strcmp(type, "Abs") == 0)
        return absolute_int;
    return strcmp(type, "Clip") == 0 ? clip_int : NULL;
}

aosa_status ao_pointwise_read(struct ao_graph *graph, struct ao_node *node,
                              struct ao_pointwise_params *params)
{
    return row_of(node->type)->params(graph, node, params);
}

static aosa_status pointwise_infer(struct ao_graph *graph, struct ao_node *node)
{
    struct ao_pointwise_params *params = ao_op_params(graph, node, sizeof *params);
    if (!params)
        return AOSA_ERR_NOMEM;
    AO_TRY(ao_pointwise_read(graph, node, params));
    const enum ao_dtype dtype = ao_op_in(graph, node, 0)->dtype;
    if (!exact_of(node->type) || dtype == AO_BOOL)
        AO_TRY(ao_op_float(graph, node, 0));
    return ao_op_set_like(graph, node);
}

static void forward_int(const struct ao_op_call *call, struct ao_walk *walk)
{
    const exact_fn fn = exact_of(call->node->type);
    int64_t row[AO_ROW];
    while (ao_walk_next(walk)) {
        ao_row_load_int(row, &call->in[0], walk->offset[0], walk->stride[0], walk->n);
        for (int64_t i = 0; i < walk->n; i++)
            row[i] = fn(row[i], call->node->params);
        ao_row_store_int(&call->out[0], walk->offset[1], walk->stride[1], row, walk->n);
    }
}

static void pointwise_forward(const struct ao_op_call *call)
{
    const struct ao_view *x = &call->in[0], *y = &call->out[0];
    const ao_pointwise_fn fn = row_of(call->node->type)->fn;
    const int64_t *const strides[] = { x->strides, y->strides };
    struct ao_walk walk;
    ao_walk_init(&walk, &x->shape, 2, strides);
    if (!ao_dtype_is_float(x->dtype)) {
        forward_int(call, &walk);
        return;
    }
    double row[AO_ROW];
    while (ao_walk_next(&walk)) {
        ao_row_load(row, x, walk.offset[0], walk.stride[0], walk.n);
        for (int64_t i = 0; i < walk.n; i++)
            row[i] = fn(row[i], call->node->params);
        ao_row_store(y, walk.offset[1], walk.stride[1], row, walk.n);
    }
}

#define POINTWISE(name, vjp_fn)         \
    const struct ao_op ao_op_##name = { \
        .type = #name,                  \
        .infer = pointwise_infer,       \
        .forward = pointwise_forward,   \
        .vjp = vjp_fn,                  \
        .batch = AO_BATCH_KEEPS,        \
    };
POINTWISE(Relu, ao_vjp_relu)
POINTWISE(Sigmoid, ao_vjp_pointwise)
POINTWISE(Tanh, ao_vjp_pointwise)
POINTWISE(Exp, ao_vjp_pointwise)
POINTWISE(Log, ao_vjp_pointwise)
POINTWISE(Sqrt, ao_vjp_pointwise)
POINTWISE(Erf, ao_vjp_pointwise)
POINTWISE(Reciprocal, ao_vjp_pointwise)
POINTWISE(Floor, ao_vjp_zero)
POINTWISE(Ceil, ao_vjp_zero)
POINTWISE(Neg, ao_vjp_neg)
POINTWISE(Abs, ao_vjp_pointwise)
POINTWISE(Softplus, ao_vjp_pointwise)
POINTWISE(HardSigmoid, ao_vjp_pointwise)
POINTWISE(HardSwish, ao_vjp_pointwise)
POINTWISE(LeakyRelu, ao_vjp_pointwise)
POINTWISE(Elu, ao_vjp_pointwise)
POINTWISE(Gelu, ao_vjp_pointwise)
POINTWISE(Clip, ao_vjp_pointwise)
