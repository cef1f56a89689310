/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/pointwise.h"

#include <string.h>

#include "engine/onednn/onednn.h"

/* Which of the operator's two parameters are oneDNN's alpha and beta. */
struct activation {
    const char *type;
    dnnl_alg_kind_t kind;
    bool a_is_alpha, b_is_beta;
};

/* Functions that oneDNN computes as ONNX defines them; HardSigmoid and Erf it lacks. */
static const struct activation activations[] = {
    { "Relu", dnnl_eltwise_relu, false, false },
    { "LeakyRelu", dnnl_eltwise_relu, true, false },
    { "Elu", dnnl_eltwise_elu, true, false },
    { "Sigmoid", dnnl_eltwise_logistic, false, false },
    { "Tanh", dnnl_eltwise_tanh, false, false },
    { "Clip", dnnl_eltwise_clip_v2, true, true },
    { "HardSwish", dnnl_eltwise_hardswish, false, false },
    { "Abs", dnnl_eltwise_abs, false, false },
    { "Sqrt", dnnl_eltwise_sqrt, false, false },
    { "Exp", dnnl_eltwise_exp, false, false },
};

bool ao_dnnl_activation(const struct ao_node *node, dnnl_alg_kind_t *kind, float *alpha,
                        float *beta)
{
    const struct ao_pointwise_params *params = node->params;
    for (size_t i = 0; i < sizeof activations / sizeof activations[0]; i++) {
        const struct activation *row = &activations[i];
        if (strcmp(row->type, node->type) != 0)
            continue;
        *kind = row->kind;
        *alpha = row->a_is_alpha ? (float)params->a : 0;
        *beta = row->b_is_beta ? (float)params->b : 0;
        /* Bounds of Clip that cross, which oneDNN refuses, answer the upper one everywhere. */
        if (row->b_is_beta && *alpha > *beta)
            *alpha = *beta;
        return true;
    }
    if (strcmp(node->type, "Gelu") != 0)
        return false;
    *kind = params->a != 0 ? dnnl_eltwise_gelu_tanh : dnnl_eltwise_gelu_erf;
    *alpha = *beta = 0;
    return true;
}

static dnnl_status_t append_activation(const struct ao_dnnl_build *build,
                                       const struct ao_dnnl_fusion *fusion,
                                       dnnl_post_ops_t post_ops)
{
    dnnl_alg_kind_t kind = dnnl_eltwise_swish;
    float alpha = 1, beta = 0;
    if (fusion->act < 0)
        return dnnl_success;
    if (fusion->gate < 0 &&
        !ao_dnnl_activation(&build->graph->nodes[fusion->act], &kind, &alpha, &beta))
        return dnnl_invalid_arguments;
    return dnnl_post_ops_append_eltwise(post_ops, 1.0F, kind, alpha, beta);
}

aosa_status ao_dnnl_post_ops(const struct ao_dnnl_build *build, const struct ao_dnnl_fusion *fusion,
                             bool sum, dnnl_post_ops_t *post_ops)
{
    *post_ops = NULL;
    if (!sum && fusion->act < 0)
        return AOSA_OK;
    dnnl_status_t status = dnnl_post_ops_create(post_ops);
    if (status == dnnl_success && sum)
        status = dnnl_post_ops_append_sum(*post_ops, 1.0F);
    if (status == dnnl_success)
        status = append_activation(build, fusion, *post_ops);
    if (status == dnnl_success)
        return AOSA_OK;
    dnnl_post_ops_destroy(*post_ops);
    return ao_dnnl_fail(status, "fuse operators", "post-ops");
}

/* In the place of `src` if this step reads it last, else in a new one. */
static aosa_status result_like(struct ao_dnnl_build *build, int result, int src, int *dst)
{
    const struct ao_shape shape = ao_dnnl_shape(build, result);
    const dnnl_memory_desc_t md = build->program->tensors[src].md;
    return ao_dnnl_is_last_use(build, src) ? ao_dnnl_tensor_alias(build, &md, &shape, src, dst)
                                           : ao_dnnl_tensor_add(build, &md, &shape, dst);
}

aosa_status ao_dnnl_eltwise(struct ao_dnnl_build *build, const struct ao_dnnl_job *job, bool *done)
{
    dnnl_alg_kind_t kind;
    float alpha, beta;
    int src, dst;
    AO_TRY(ao_dnnl_native(build, job->node->in[0], &src));
    if (!build->program->tensors[src].has_md ||
        !ao_dnnl_activation(job->node, &kind, &alpha, &beta))
        return AOSA_OK;
    dnnl_eltwise_desc_t desc;
    const dnnl_memory_desc_t md = build->program->tensors[src].md;
    if (dnnl_eltwise_forward_desc_init(&desc, dnnl_forward_inference, kind, &md, alpha, beta) !=
        dnnl_success)
        return AOSA_OK;
    dnnl_primitive_desc_t pd;
    AO_TRY(ao_dnnl_describe(build, &desc, NULL, &pd));
    if (!pd)
        return AOSA_OK;
    const aosa_status status = result_like(build, job->fusion.result, src, &dst);
    if (status != AOSA_OK) {
        dnnl_primitive_desc_destroy(pd);
        return status;
    }
    const struct ao_dnnl_arg args[] = { { DNNL_ARG_SRC, src }, { DNNL_ARG_DST, dst } };
    AO_TRY(ao_dnnl_step_add(build, job->node, pd, args, 2));
    ao_dnnl_bind(build, job->fusion.result, dst);
    *done = true;
    return AOSA_OK;
}

static bool binary_kind(const char *type, dnnl_alg_kind_t *kind, bool *commutes)
{
    static const struct {
        const char *type;
        dnnl_alg_kind_t kind;
        bool commutes;
    } rows[] = {
        { "Add", dnnl_binary_add, true },
        { "Mul", dnnl_binary_mul, true },
        { "Sub", dnnl_binary_sub, false },
        { "Div", dnnl_binary_div, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].type, type) == 0) {
            *kind = rows[i].kind;
            *commutes = rows[i].commutes;
            return true;
        }
    return false;
}

/* The second operand with the rank of the first: in its layout, or row-major with axes before. */
static aosa_status second_operand(struct ao_dnnl_build *build, int value,
                                  const struct ao_shape *full, int src0, int *src1)
{
    const struct ao_shape shape = ao_dnnl_shape(build, value);
    if (ao_shape_equal(&shape, full)) {
        const dnnl_memory_desc_t md = build->program->tensors[src0].md;
        return ao_dnnl_match(build, value, &md, src1);
    }
    struct ao_shape lifted = { .rank = full->rank };
    for (int i = 0; i < full->rank; i++) {
        const int from = i - (full->rank - shape.rank);
        lifted.dims[i] = from >= 0 ? shape.dims[from] : 1;
    }
    int tensor;
    AO_TRY(ao_dnnl_row_major(build, value, &tensor));
    const struct ao_view view = ao_view_dense(NULL, AO_F32, &lifted);
    const dnnl_memory_desc_t md = ao_dnnl_md(&view);
    if (build->graph->values[value].data)
        return ao_dnnl_tensor_constant(build, &md, build->graph->values[value].data, src1);
    return ao_dnnl_tensor_alias(build, &md, &lifted, tensor, src1);
}

static bool is_padded(const dnnl_memory_desc_t *md)
{
    for (int i = 0; i < md->ndims; i++)
        if (md->padded_dims[i] != md->dims[i])
            return true;
    return false;
}

/*
 * No activation goes with it where the channels do not fill their blocks: there oneDNN 2.6.3
 * computes wrong sums (Add and Relu over 2 or 4 channels in blocks of 8, AVX and AVX2;
 * random_networks_agree_with_the_oracle covers it).
 */
static aosa_status describe_binary(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                                   dnnl_alg_kind_t kind, int src0, int src1,
                                   dnnl_primitive_desc_t *pd)
{
    const dnnl_memory_desc_t md0 = build->program->tensors[src0].md;
    const dnnl_memory_desc_t md1 = build->program->tensors[src1].md;
    dnnl_binary_desc_t desc;
    dnnl_post_ops_t post_ops;
    *pd = NULL;
    if ((job->fusion.act >= 0 && is_padded(&md0)) ||
        dnnl_binary_desc_init(&desc, kind, &md0, &md1, &md0) != dnnl_success)
        return AOSA_OK;
    AO_TRY(ao_dnnl_post_ops(build, &job->fusion, false, &post_ops));
    const aosa_status status = ao_dnnl_describe(build, &desc, post_ops, pd);
    dnnl_post_ops_destroy(post_ops);
    return status;
}

aosa_status ao_dnnl_binary(struct ao_dnnl_build *build, const struct ao_dnnl_job *job, bool *done)
{
    const struct ao_node *node = job->node;
    const struct ao_shape full = ao_dnnl_shape(build, node->out[0]);
    dnnl_alg_kind_t kind;
    bool commutes;
    int src0, src1, dst;
    if (!binary_kind(node->type, &kind, &commutes))
        return AOSA_OK;
    /* oneDNN broadcasts the second operand only, and a constant is better there. */
    struct ao_shape shape = ao_dnnl_shape(build, node->in[0]);
    const bool swap =
        commutes && (!ao_shape_equal(&shape, &full) || build->graph->values[node->in[0]].data);
    const int a = node->in[swap ? 1 : 0], b = node->in[swap ? 0 : 1];
    shape = ao_dnnl_shape(build, a);
    AO_TRY(ao_dnnl_native(build, a, &src0));
    if (!ao_shape_equal(&shape, &full) || !build->program->tensors[src0].has_md)
        return AOSA_OK;
    AO_TRY(second_operand(build, b, &full, src0, &src1));
    dnnl_primitive_desc_t pd;
    AO_TRY(describe_binary(build, job, kind, src0, src1, &pd));
    if (!pd)
        return AOSA_OK;
    const aosa_status status = result_like(build, job->fusion.result, src0, &dst);
    if (status != AOSA_OK) {
        dnnl_primitive_desc_destroy(pd);
        return status;
    }
    const struct ao_dnnl_arg args[] = { { DNNL_ARG_SRC_0, src0 },
                                        { DNNL_ARG_SRC_1, src1 },
                                        { DNNL_ARG_DST, dst } };
    AO_TRY(ao_dnnl_step_add(build, node, pd, args, 3));
    ao_dnnl_bind(build, job->fusion.result, dst);
    *done = true;
    return AOSA_OK;
}
