/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/alloc.h"
#include "core/parallel.h"
#include "engine/onednn/conv.h"
#include "ops/conv.h"

/* Weights [G M][C][kernel] as the file holds them; transposed: [C][M] in each group. */
static struct ao_view weight_view(const struct ao_value *weights, int64_t group, bool transposed)
{
    const struct ao_shape *shape = &weights->shape;
    struct ao_shape split = { .rank = shape->rank + 1, .dims = { group, shape->dims[0] / group } };
    for (int i = 1; i < shape->rank; i++)
        split.dims[i + 1] = shape->dims[i];
    struct ao_view view = ao_view_dense((void *)(uintptr_t)weights->data, AO_F32, &split);
    if (transposed) {
        const int64_t rows = view.shape.dims[1], step = view.strides[1];
        view.shape.dims[1] = view.shape.dims[2];
        view.strides[1] = view.strides[2];
        view.shape.dims[2] = rows;
        view.strides[2] = step;
    }
    return group > 1 ? view : ao_view_item(&view, 0);
}

/*
 * A strided 1x1x1 convolution reads some of the input and leaves the rest: taken out first, the
 * fast kernels for stride 1 do the sum (21 against 39 GFLOP/s for 256 -> 512 channels with AVX2).
 */
static aosa_status find_source(struct ao_dnnl_build *build, struct ao_dnnl_conv_form *conv)
{
    struct ao_window *window = &conv->window;
    bool strided = false, single = true;
    for (int i = 0; i < window->rank; i++) {
        strided = strided || window->stride[i] > 1;
        single =
            single && window->kernel[i] == 1 && window->pad_lo[i] == 0 && window->pad_hi[i] == 0;
    }
    if (!strided || !single)
        return AOSA_OK;
    /* A residual that could not be fused brings the same node here again. */
    if (build->sampled_node != conv->node) {
        AO_TRY(ao_dnnl_subsample(build, conv->node, window, &build->sampled));
        build->sampled_node = conv->node;
    }
    conv->source = build->sampled;
    for (int i = 0; i < window->rank && conv->source >= 0; i++) {
        conv->src.dims[2 + i] = (conv->src.dims[2 + i] - 1) / window->stride[i] + 1;
        window->stride[i] = 1;
    }
    return AOSA_OK;
}

/* As the node has it. */
static aosa_status read_conv(struct ao_dnnl_build *build, const struct ao_node *node,
                             struct ao_dnnl_conv_form *conv)
{
    const struct ao_conv_params *params = node->params;
    *conv = (struct ao_dnnl_conv_form){
        .node = node,
        .src = ao_dnnl_shape(build, node->in[0]),
        .dst = ao_dnnl_shape(build, node->out[0]),
        .window = params->window,
        .weights = weight_view(&build->graph->values[node->in[1]], params->group, false),
        .bias = node->n_in > 2 ? node->in[2] : -1,
        .source = -1,
    };
    return find_source(build, conv);
}

/*
 * dL/dx of a convolution. With stride 1 it is the convolution of dL/dy with the taps in reverse
 * order and the channels exchanged, padded by what reaches beyond: oneDNN's forward kernels do it
 * as fast as its backward ones, and take post-ops. Other strides are its deconvolution.
 */
static void read_gradient(const struct ao_dnnl_build *build, const struct ao_node *node,
                          struct ao_dnnl_conv_form *conv)
{
    const struct ao_conv_params *params = node->params;
    *conv = (struct ao_dnnl_conv_form){
        .node = node,
        .src = ao_dnnl_shape(build, node->in[0]),
        .dst = ao_dnnl_shape(build, node->out[0]),
        .window = params->window,
        .weights = weight_view(&build->graph->values[node->in[1]], params->group, true),
        .bias = -1,
        .source = -1,
    };
    for (int i = 0; i < params->window.rank; i++)
        conv->spreads = conv->spreads || params->window.stride[i] > 1;
    conv->flipped = !conv->spreads;
    for (int i = 0; i < params->window.rank && conv->flipped; i++)
        conv->window.pad_lo[i] =
            (params->window.kernel[i] - 1) * params->window.dilation[i] - params->window.pad_lo[i];
}

/* The primitive as asked for, with all layouts left open; false when oneDNN refuses. */
union conv_desc {
    dnnl_convolution_desc_t conv;
    dnnl_deconvolution_desc_t deconv;
};

static bool init_desc(const struct ao_dnnl_build *build, const struct ao_dnnl_conv_form *conv,
                      union conv_desc *desc)
{
    const struct ao_shape bias_shape = { .rank = 1, .dims = { conv->dst.dims[1] } };
    const dnnl_memory_desc_t src =
        conv->source < 0 ? ao_dnnl_md_any(&conv->src) : build->program->tensors[conv->source].md;
    const dnnl_memory_desc_t dst = ao_dnnl_md_any(&conv->dst);
    const dnnl_memory_desc_t weights = ao_dnnl_md_any(&conv->weights.shape);
    const dnnl_memory_desc_t bias = ao_dnnl_md_any(&bias_shape);
    /* A deconvolution's window slides over what it makes. */
    const struct ao_dnnl_window w = conv->spreads
                                        ? ao_dnnl_window(&conv->window, &conv->dst, &conv->src)
                                        : ao_dnnl_window(&conv->window, &conv->src, &conv->dst);
    const dnnl_status_t status =
        conv->spreads
            ? dnnl_dilated_deconvolution_forward_desc_init(
                  &desc->deconv, dnnl_forward_inference, dnnl_deconvolution_direct, &src, &weights,
                  NULL, &dst, w.stride, w.dilation, w.pad_lo, w.pad_hi)
            : dnnl_dilated_convolution_forward_desc_init(
                  &desc->conv, dnnl_forward_inference, dnnl_convolution_direct, &src, &weights,
                  conv->bias >= 0 ? &bias : NULL, &dst, w.stride, w.dilation, w.pad_lo, w.pad_hi);
    return status == dnnl_success;
}

/* *pd is NULL when oneDNN cannot do it. */
static aosa_status describe(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                            const struct ao_dnnl_conv_form *conv, dnnl_primitive_desc_t *pd)
{
    union conv_desc desc;
    *pd = NULL;
    if (!init_desc(build, conv, &desc))
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

/* A copy of the weights with the taps of each filter turned round, for ao_free; NULL: no memory. */
static float *flip(const struct ao_value *weights)
{
    const int64_t n = ao_shape_count(&weights->shape);
    const int64_t taps = n / (weights->shape.dims[0] * weights->shape.dims[1]);
    float *copy = ao_alloc_raw((size_t)n, sizeof *copy);
    for (int64_t i = 0; copy && i < n; i += taps)
        for (int64_t k = 0; k < taps; k++)
            copy[i + k] = ao_weight(weights->data, i + taps - 1 - k);
    return copy;
}

/* Weights and bias in the layouts that the primitive wants, appended to the arguments. */
static aosa_status add_weights(struct ao_dnnl_build *build, const struct ao_dnnl_conv_form *conv,
                               const_dnnl_primitive_desc_t pd, struct ao_dnnl_arg *args,
                               int *n_args)
{
    const dnnl_memory_desc_t from = ao_dnnl_md(&conv->weights);
    const dnnl_memory_desc_t *to = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    struct ao_dnnl_arg *weights = &args[(*n_args)++];
    weights->key = DNNL_ARG_WEIGHTS;
    const struct ao_value *value = &build->graph->values[conv->node->in[1]];
    float *flipped = conv->flipped ? flip(value) : NULL;
    if (conv->flipped && !flipped)
        return ao_fail(AOSA_ERR_NOMEM, "node '%s': no memory for its weights", conv->node->name);
    const aosa_status status = ao_dnnl_weights(build, &from, flipped ? flipped : value->data, to,
                                               conv->flipped, &weights->tensor);
    ao_free(flipped);
    AO_TRY(status);
    if (conv->bias < 0)
        return AOSA_OK;
    args[*n_args].key = DNNL_ARG_BIAS;
    return ao_dnnl_native(build, conv->bias, &args[(*n_args)++].tensor);
}

static aosa_status add_conv(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                            const struct ao_dnnl_conv_form *conv, const_dnnl_primitive_desc_t pd,
                            struct ao_dnnl_arg args[4], int *n_args)
{
    const dnnl_memory_desc_t *src_md = dnnl_primitive_desc_query_md(pd, dnnl_query_src_md, 0);
    const dnnl_memory_desc_t *dst_md = dnnl_primitive_desc_query_md(pd, dnnl_query_dst_md, 0);
    *n_args = 0;
    args[0] = (struct ao_dnnl_arg){ DNNL_ARG_SRC, conv->source };
    if (conv->source < 0)
        AO_TRY(ao_dnnl_match(build, job->node->in[0], src_md, &args[0].tensor));
    args[1].key = DNNL_ARG_DST;
    AO_TRY(destination(build, job, dst_md, args[0].tensor, &args[1].tensor));
    if (args[1].tensor < 0)
        return AOSA_OK;
    *n_args = 2;
    return add_weights(build, conv, pd, args, n_args);
}

static bool is_constant_floats(const struct ao_graph *graph, int value)
{
    return graph->values[value].data && graph->values[value].dtype == AO_F32;
}

/*
 * Groups for which oneDNN 2.6.3 has no kernel (any on three axes) are multiplied one after the
 * other. Dividing each small product among threads costs more than it saves (X3D-S on two busy
 * cores: 5.7 s of processor time a clip against 0.8 s), and could change its bits; so does
 * dividing the product of a deconvolution.
 */
static bool is_product(const struct ao_dnnl_conv_form *conv, const_dnnl_primitive_desc_t pd)
{
    const char *name = NULL;
    const bool grouped = ((const struct ao_conv_params *)conv->node->params)->group > 1;
    return (grouped || conv->spreads) &&
           dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name) == dnnl_success &&
           name && strstr(name, "gemm");
}

/* Takes pd. */
static aosa_status emit(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                        const struct ao_dnnl_conv_form *conv, dnnl_primitive_desc_t pd, bool *done)
{
    struct ao_dnnl_arg args[4];
    int n_args;
    const bool serial = is_product(conv, pd);
    const aosa_status status = add_conv(build, job, conv, pd, args, &n_args);
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

static aosa_status try_conv(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                            const struct ao_dnnl_conv_form *conv, bool *done)
{
    dnnl_primitive_desc_t pd;
    AO_TRY(describe(build, job, conv, &pd));
    if (!pd)
        return AOSA_OK;
    const aosa_status tried = ao_dnnl_try_winograd(build, job, conv, pd, done);
    if (tried != AOSA_OK || *done) {
        dnnl_primitive_desc_destroy(pd);
        return tried;
    }
    if (!is_product(conv, pd))
        return emit(build, job, conv, pd, done);
    dnnl_primitive_desc_destroy(pd);
    ao_set_inner_threads(1);
    aosa_status status = describe(build, job, conv, &pd);
    if (status == AOSA_OK && pd)
        status = emit(build, job, conv, pd, done);
    ao_set_inner_threads(build->program->inner_threads);
    return status;
}

aosa_status ao_dnnl_conv(struct ao_dnnl_build *build, const struct ao_dnnl_job *job, bool *done)
{
    const struct ao_node *node = job->node;
    struct ao_dnnl_conv_form conv;
    if (!is_constant_floats(build->graph, node->in[1]) ||
        (node->n_in > 2 && node->in[2] >= 0 && !is_constant_floats(build->graph, node->in[2])))
        return AOSA_OK;
    AO_TRY(read_conv(build, node, &conv));
    return try_conv(build, job, &conv, done);
}

aosa_status ao_dnnl_conv_grad(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                              bool *done)
{
    struct ao_dnnl_conv_form conv;
    if (!is_constant_floats(build->graph, job->node->in[1]))
        return AOSA_OK;
    read_gradient(build, job->node, &conv);
    AO_TRY(ao_dnnl_try_lines(build, job, &conv, done));
    if (!*done)
        AO_TRY(ao_dnnl_try_spread(build, job, &conv, done));
    return *done ? AOSA_OK : try_conv(build, job, &conv, done);
}
