/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/backward.h"
#include "ops/check.h"
#include "ops/element.h"

static aosa_status identity_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, 1, 1, 1));
    return ao_op_set_like(graph, node);
}

static void identity_forward(const struct ao_op_call *call)
{
    ao_view_copy(&call->out[0], &call->in[0]);
}

static bool drops_nothing(const struct ao_value *ratio)
{
    return ratio && ratio->data && ratio->dtype == AO_F32 && ao_shape_count(&ratio->shape) == 1 &&
           *(const float *)ratio->data == 0;
}

/* Inference: the input itself, and a mask of ones for whoever asks. */
static aosa_status dropout_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, 1, 3, 2));
    const struct ao_value *training = ao_op_in(graph, node, 2);
    if (training && !drops_nothing(ao_op_in(graph, node, 1)) &&
        (!training->data || training->dtype != AO_BOOL || ao_shape_count(&training->shape) != 1 ||
         *(const uint8_t *)training->data))
        return ao_op_fail(node, AOSA_ERR_UNSUPPORTED, "in training mode is not supported");
    AO_TRY(ao_op_set(graph, node, 1, AO_BOOL, &ao_op_in(graph, node, 0)->shape));
    return ao_op_set_like(graph, node);
}

static void fill_true(const struct ao_view *mask)
{
    const int64_t *const strides[] = { mask->strides };
    int64_t ones[AO_ROW];
    for (int i = 0; i < AO_ROW; i++)
        ones[i] = 1;
    struct ao_walk walk;
    ao_walk_init(&walk, &mask->shape, 1, strides);
    while (ao_walk_next(&walk))
        ao_row_store_int(mask, walk.offset[0], walk.stride[0], ones, walk.n);
}

static void dropout_forward(const struct ao_op_call *call)
{
    if (call->out[0].data)
        ao_view_copy(&call->out[0], &call->in[0]);
    if (call->node->n_out > 1 && call->out[1].data)
        fill_true(&call->out[1]);
}

static aosa_status not_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, 1, 1, 1));
    if (ao_op_in(graph, node, 0)->dtype != AO_BOOL)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "takes bool, input 0 is %s",
                          ao_dtype_name(ao_op_in(graph, node, 0)->dtype));
    return ao_op_set_like(graph, node);
}

static void not_forward(const struct ao_op_call *call)
{
    const struct ao_view *x = &call->in[0], *y = &call->out[0];
    const int64_t *const strides[] = { x->strides, y->strides };
    int64_t row[AO_ROW];
    struct ao_walk walk;
    ao_walk_init(&walk, &x->shape, 2, strides);
    while (ao_walk_next(&walk)) {
        ao_row_load_int(row, x, walk.offset[0], walk.stride[0], walk.n);
        for (int64_t i = 0; i < walk.n; i++)
            row[i] = !row[i];
        ao_row_store_int(y, walk.offset[1], walk.stride[1], row, walk.n);
    }
}

/* Element types of an ONNX file (TensorProto.DataType) that the engine has. */
static bool onnx_type(int64_t code, enum ao_dtype *dtype)
{
    switch (code) {
    case 1:
        *dtype = AO_F32;
        return true;
    case 6:
        *dtype = AO_I32;
        return true;
    case 7:
        *dtype = AO_I64;
        return true;
    case 9:
        *dtype = AO_BOOL;
        return true;
    case 11:
        *dtype = AO_F64;
        return true;
    default:
        return false;
    }
}

static aosa_status cast_infer(struct ao_graph *graph, struct ao_node *node)
{
    enum ao_dtype dtype;
    AO_TRY(ao_op_arity(node, 1, 1, 1));
    const int64_t code = ao_node_int(node, "to", 0);
    if (!onnx_type(code, &dtype))
        return ao_op_fail(node, AOSA_ERR_UNSUPPORTED,
                          "to ONNX element type %d is not supported (1, 6, 7, 9, 11 are)",
                          (int)code);
    return ao_op_set(graph, node, 0, dtype, &ao_op_in(graph, node, 0)->shape);
}

static void cast_forward(const struct ao_op_call *call)
{
    ao_view_convert(&call->out[0], &call->in[0]);
}

const struct ao_op ao_op_Identity = {
    .type = "Identity",
    .infer = identity_infer,
    .forward = identity_forward,
    .vjp = ao_vjp_same,
    .batch = AO_BATCH_KEEPS,
};
const struct ao_op ao_op_Dropout = {
    .type = "Dropout",
    .infer = dropout_infer,
    .forward = dropout_forward,
    .vjp = ao_vjp_same,
    .batch = AO_BATCH_KEEPS,
};
const struct ao_op ao_op_Not = {
    .type = "Not",
    .infer = not_infer,
    .forward = not_forward,
    .batch = AO_BATCH_KEEPS,
};
const struct ao_op ao_op_Cast = {
    .type = "Cast",
    .infer = cast_infer,
    .forward = cast_forward,
    .vjp = ao_vjp_cast,
    .batch = AO_BATCH_KEEPS,
};
