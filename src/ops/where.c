/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ops/backward.h"
#include "ops/check.h"
#include "ops/element.h"

/* y = condition ? a : b, all three broadcast; the elements are moved, never computed with. */
static aosa_status where_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, 3, 3, 1));
    const struct ao_value *condition = ao_op_in(graph, node, 0);
    const struct ao_value *a = ao_op_in(graph, node, 1), *b = ao_op_in(graph, node, 2);
    char text[3][AO_SHAPE_TEXT];
    if (condition->dtype != AO_BOOL)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "condition is %s, not bool",
                          ao_dtype_name(condition->dtype));
    if (a->dtype != b->dtype)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "chooses between %s and %s",
                          ao_dtype_name(a->dtype), ao_dtype_name(b->dtype));
    struct ao_shape shape;
    if (!ao_shape_broadcast(&condition->shape, &a->shape, &shape) ||
        !ao_shape_broadcast(&shape, &b->shape, &shape))
        return ao_op_fail(node, AOSA_ERR_FORMAT, "cannot broadcast %s, %s and %s",
                          ao_shape_text(&condition->shape, text[0]),
                          ao_shape_text(&a->shape, text[1]), ao_shape_text(&b->shape, text[2]));
    return ao_op_set(graph, node, 0, a->dtype, &shape);
}

static void where_forward(const struct ao_op_call *call)
{
    const struct ao_view *y = &call->out[0];
    struct ao_view in[3];
    for (int i = 0; i < 3; i++)
        in[i] = ao_view_broadcast(&call->in[i], &y->shape);
    const int64_t *const strides[] = { in[0].strides, in[1].strides, in[2].strides, y->strides };
    const size_t size = ao_dtype_size(y->dtype);
    struct ao_walk walk;
    ao_walk_init(&walk, &y->shape, 4, strides);
    while (ao_walk_next(&walk))
        for (int64_t i = 0; i < walk.n; i++) {
            const int64_t at = walk.offset[0] + i * walk.stride[0];
            const int chosen = ao_element_int(&in[0], at) ? 1 : 2;
            memcpy(ao_element_at(y, walk.offset[3] + i * walk.stride[3]),
                   ao_element_at(&in[chosen], walk.offset[chosen] + i * walk.stride[chosen]), size);
        }
}

const struct ao_op ao_op_Where = {
    .type = "Where",
    .infer = where_infer,
    .forward = where_forward,
    .vjp = ao_vjp_where,
    .batch = AO_BATCH_POINTWISE,
};
