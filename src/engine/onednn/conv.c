/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/parallel.h"
#include "engine/onednn/onednn.h"
#include "ops/conv.h"

/* Weights [M][C][kernel], or with groups [G][M / G][C][kernel], as the file holds them. */
static struct ao_shape weight_shape(const struct ao_value *weights, int64_t group)
{
    if (group == 1)
        return weights->shape;
    struct ao_shape shape = { .rank = weights->shape.rank + 1 };
    shape.dims[0] = group;
    shape.dims[1] = weights->shape.dims[0] / group;
    for (int i = 1; i < weights->shape.rank; i++)
        shape.dims[i + 1] = weights->shape.dims[i];
    return shape;
}

/* What the primitive reads: the node's input, or a tensor that was made from it. */
struct source {
    struct ao_shape shape;
    struct ao_window window;
    int tensor; /* -1: the input, in the layout that the primitive chooses */
};

/*
 * A strided 1x1x1 convolution reads some of the input and leaves the rest: taken out first, the
 * fast kernels for stride 1 do the sum (21 against 39 GFLOP/s for 256 -> 512 channels with AVX2).
 */
static aosa_status find_source(struct ao_dnnl_build *build, const struct ao_node *node,
                               struct source *source)
{
    const struct ao_window *window = &((const struct ao_conv_params *)node->params)->window;
    source->shape = ao_dnnl_shape(build, node->in[0]);
    source->window = *window;
    source->tensor = -1;
    bool strided = false, single = true;
    for (int i = 0; i < window->rank; i++) {
        strided = strided || window->stride[i] > 1;
        single =
            single && window->kernel[i] == 1 && window->pad_lo[i] == 0 && window->pad_hi[i] == 0;
    }
    if (!strided || !single)
        return AOSA_OK;
    /* A residual that could not be fused brings the same node here again. */
    if (build->sampled_node != node) {
        AO_TRY(ao_dnnl_subsample(build, node, window, &build->sampled));
        build->sampled_node = node;
    }
    source->tensor = build->sampled;
    if (source->tensor < 0)
        return AOSA_OK;
    for (int i = 0; i < window->rank; i++) {
        source->shape.dims[2 + i] = (source->shape.dims[2 + i] - 1) / window->stride[i] + 1;
        source->window.stride[i] = 1;
    }
    return AOSA_OK;
}

/* *pd is NULL when oneDNN cannot do it. */
static aosa_status describe(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                            const struct source *source, dnnl_primitive_desc_t *pd)
{
    const struct ao_node *node = job->node;
    const struct ao_conv_params *params = node->params;
    const struct ao_value *weights = &build->graph->values[node->in[1]];
    const struct ao_shape dst = ao_dnnl_shape(build, node->out[0]);
    const struct ao_shape shape = weight_shape(weights, params->group);
    const struct ao_shape bias_shape = { .rank = 1, .dims = { weights->shape.dims[0] } };
    const dnnl_memory_desc_t src_md = source->tensor < 0
                                          ? ao_dnnl_md_any(&source->shape)
                                          : build->program->tensors[source->tensor].md;
    const dnnl_memory_desc_t dst_md = ao_dnnl_md_any(&dst);
    const dnnl_memory_desc_t weights_md = ao_dnnl_md_any(&shape);
    const dnnl_memory_desc_t bias_md = ao_dnnl_md_any(&bias_shape);
    const struct ao_dnnl_window window = ao_dnnl_window(&source->window, &source->shape, &dst);

    const bool has_bias = node->n_in > 2 && node->in[2] >= 0;
    dnnl_convolution_desc_t desc;
    *pd = NULL;
    if (dnnl_dilated_convolution_forward_desc_init(
            &desc, dnnl_forward_inference, dnnl_convolution_direct, &src_md, &weights_md,
            has_bias ? &bias_md : NULL, &dst_md, window.stride, window.dilation, window.pad_lo,
            window.pad_hi) != dnnl_success)
        return AOSA_OK;
    dnnl_post_ops_t post_ops = NULL;
    AO_TRY(ao_dnnl_post_ops(build, &job->fusion, job->fusion.add >= 0, &post_ops));
    const aosa_status status = ao_dnnl_describe(build, &desc, post_ops, pd);
    dnnl_post_ops_destroy(post_ops);
    return status;
}

/*
 * Where the result goes. A residual is added in place: the convolution adds to what lies in its
 * destination, so that has to be the residual itself, in the right layout and read by nobody else.
 */
static aosa_status destination(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                               const dnnl_memory_desc_t *md, int src, int *dst)
{
    const struct ao_shape shape = ao_dnnl_shape(build, job->fusion.result);
    *dst = -1;
    if (job->fusion.add < 0)
        return ao_dnnl_tensor_add(build, md, &shape, dst);
    int residual;
    AO_TRY(ao_dnnl_native(build, job->fusion.residual, &residual));
    const struct ao_dnnl_tensor *tensors = build->program->tensors;
    if (!tensors[residual].has_md || !dnnl_memory_desc_equal(&tensors[residual].md, md) ||
        !ao_dnnl_is_last_use(build, residual) || tensors[residual].root == tensors[src].root)
        return AOSA_OK;
    return ao_dnnl_tensor_alias(build, md, &shape, residual, dst);
}

/* Weights and bias in the layouts that the primitive wants, appended to the arguments. */
static aosa_status add_weights(struct ao_dnnl_build *build, const struct ao_node *node,
                               const_dnnl_primitive_desc_t pd, struct ao_dnnl_arg *args,
                               int *n_args)
{
    const struct ao_conv_params *params = node->params;
    const struct ao_value *weights = &build->graph->values[node->in[1]];
    const struct ao_shape shape = weight_shape(weights, params->group);
    const struct ao_view view = ao_view_dense(NULL, AO_F32, &shape);
    const dnnl_memory_desc_t from = ao_dnnl_md(&view);
    args[*n_args].key = DNNL_ARG_WEIGHTS;
    AO_TRY(ao_dnnl_weights(build, &from, weights->data,
                           dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0),
                           &args[(*n_args)++].tensor));
    if (node->n_in <= 2 || node->in[2] < 0)
        return AOSA_OK;
    args[*n_args].key = DNNL_ARG_BIAS;
    return ao_dnnl_native(build, node->in[2], &args[(*n_args)++].tensor);
}

static aosa_status add_conv(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                            const struct source *source, const_dnnl_primitive_desc_t pd,
                            struct ao_dnnl_arg args[4], int *n_args)
{
    const dnnl_memory_desc_t *src_md = dnnl_primitive_desc_query_md(pd, dnnl_query_src_md, 0);
    const dnnl_memory_desc_t *dst_md = dnnl_primitive_desc_query_md(pd, dnnl_query_dst_md, 0);
    *n_args = 0;
    args[0] = (struct ao_dnnl_arg){ DNNL_ARG_SRC, source->tensor };
    if (source->tensor < 0)
        AO_TRY(ao_dnnl_match(build, job->node->in[0], src_md, &args[0].tensor));
    args[1].key = DNNL_ARG_DST;
    AO_TRY(destination(build, job, dst_md, args[0].tensor, &args[1].tensor));
    if (args[1].tensor < 0)
        return AOSA_OK;
    *n_args = 2;
    return add_weights(build, job->node, pd, args, n_args);
}

static bool is_constant_floats(const struct ao_graph *graph, int value)
{
    return graph->values[value].data && graph->values[value].dtype == AO_F32;
}

/*
 * Groups for which oneDNN 2.6.3 has no kernel (any on three axes) are multiplied one after the
 * other. Dividing each small product among threads costs more than it saves (X3D-S on two busy
 * cores: 5.7 s of processor time a clip against 0.8 s), and could change its bits.
 */
static bool is_product_by_group(const struct ao_node *node, const_dnnl_primitive_desc_t pd)
{
    const char *name = NULL;
    return ((const struct ao_conv_params *)node->params)->group > 1 &&
           dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name) == dnnl_success &&
           name && strstr(name, "gemm");
}

/* Takes pd. */
static aosa_status emit(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                        const struct source *source, dnnl_primitive_desc_t pd, bool *done)
{
    struct ao_dnnl_arg args[4];
    int n_args;
    const bool serial = is_product_by_group(job->node, pd);
    const aosa_status status = add_conv(build, job, source, pd, args, &n_args);
    if (status != AOSA_OK || n_args == 0) {
        dnnl_primitive_desc_destroy(pd);
        return status;
    }
    AO_TRY(ao_dnnl_step_add(build, job->node, pd, args, n_args));
    build->program->steps[build->program->n_steps - 1].serial = serial;
    ao_dnnl_bind(build, job->fusion.result, args[1].tensor);
    *done = true;
    return AOSA_OK;
}

aosa_status ao_dnnl_conv(struct ao_dnnl_build *build, const struct ao_dnnl_job *job, bool *done)
{
    const struct ao_node *node = job->node;
    if (!is_constant_floats(build->graph, node->in[1]) ||
        (node->n_in > 2 && node->in[2] >= 0 && !is_constant_floats(build->graph, node->in[2])))
        return AOSA_OK;
    struct source source;
    dnnl_primitive_desc_t pd;
    AO_TRY(find_source(build, node, &source));
    AO_TRY(describe(build, job, &source, &pd));
    if (!pd)
        return AOSA_OK;
    if (!is_product_by_group(node, pd))
        return emit(build, job, &source, pd, done);
    dnnl_primitive_desc_destroy(pd);
    ao_set_inner_threads(1);
    aosa_status status = describe(build, job, &source, &pd);
    if (status == AOSA_OK && pd)
        status = emit(build, job, &source, pd, done);
    ao_set_inner_threads(build->program->inner_threads);
    return status;
}
