/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/backward.h"
#include "ops/check.h"
#include "ops/element.h"

/* Running sums along one axis, each with (or, exclusive, without) its own element. */
struct cumsum_params {
    int axis;
    bool exclusive, reverse;
};

static aosa_status cumsum_infer(struct ao_graph *graph, struct ao_node *node)
{
    const int64_t *axis;
    int64_t n;
    AO_TRY(ao_op_arity(node, 2, 2, 1));
    AO_TRY(ao_op_ints(graph, node, 1, "axis", &axis, &n));
    if (n != 1)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "axis (input 1) has %d entries, one is needed",
                          (int)n);
    struct cumsum_params *params = ao_op_params(graph, node, sizeof *params);
    if (!params)
        return AOSA_ERR_NOMEM;
    params->exclusive = ao_node_int(node, "exclusive", 0) != 0;
    params->reverse = ao_node_int(node, "reverse", 0) != 0;
    const struct ao_value *x = ao_op_in(graph, node, 0);
    AO_TRY(ao_op_axis(node, axis[0], x->shape.rank, &params->axis));
    if (x->dtype == AO_BOOL)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "does not take bool");
    return ao_op_set_like(graph, node);
}

/* One line of n elements; floats sum in double, integers exactly. */
static void sum_line(const struct cumsum_params *params, const struct ao_view *x, int64_t src,
                     const struct ao_view *y, int64_t dst)
{
    const int64_t n = x->shape.dims[params->axis];
    double real = 0;
    uint64_t exact = 0;
    for (int64_t i = 0; i < n; i++) {
        const int64_t at = params->reverse ? n - 1 - i : i;
        const int64_t from = src + at * x->strides[params->axis];
        const int64_t to = dst + at * y->strides[params->axis];
        if (ao_dtype_is_float(x->dtype)) {
            const double next = real + ao_element(x, from);
            ao_row_store(y, to, 1, params->exclusive ? &real : &next, 1);
            real = next;
        } else {
            const uint64_t next = exact + (uint64_t)ao_element_int(x, from);
            const int64_t value = (int64_t)(params->exclusive ? exact : next);
            ao_row_store_int(y, to, 1, &value, 1);
            exact = next;
        }
    }
}

static void cumsum_forward(const struct ao_op_call *call)
{
    const struct cumsum_params *params = call->node->params;
    const struct ao_view *x = &call->in[0], *y = &call->out[0];
    struct ao_view src = *x, dst = *y; /* where each line starts */
    src.shape.dims[params->axis] = dst.shape.dims[params->axis] = 1;
    const int64_t count = ao_shape_count(&src.shape);
    for (int64_t i = 0; i < count; i++)
        sum_line(params, x, ao_view_offset(&src, i), y, ao_view_offset(&dst, i));
}

static bool cumsum_keeps_batch(const struct ao_graph *graph, const struct ao_node *node)
{
    (void)graph;
    return ((const struct cumsum_params *)node->params)->axis != 0;
}

const struct ao_op ao_op_CumSum = {
    .type = "CumSum",
    .infer = cumsum_infer,
    .forward = cumsum_forward,
    .vjp = ao_vjp_cumsum,
    .batch = AO_BATCH_ASKS,
    .keeps_batch = cumsum_keeps_batch,
};
