/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/onednn/onednn.h"
#include "ops/reduce.h"

/* What oneDNN wants to know about a window, and the layout-free shape of what it makes. */
struct pooling {
    dnnl_alg_kind_t kind;
    struct ao_dnnl_window window;
    struct ao_shape dst; /* [N][C][spatial...] */
};

/* Pools in the layout that the input has; *dst is -1 when oneDNN has no form. */
static aosa_status pool(struct ao_dnnl_build *build, const struct ao_node *node,
                        const struct pooling *p, int *dst)
{
    int src;
    *dst = -1;
    AO_TRY(ao_dnnl_native(build, node->in[0], &src));
    if (!build->program->tensors[src].has_md)
        return AOSA_OK;
    const dnnl_memory_desc_t src_md = build->program->tensors[src].md;
    const dnnl_memory_desc_t any = ao_dnnl_md_any(&p->dst);
    dnnl_pooling_v2_desc_t desc;
    if (dnnl_pooling_v2_forward_desc_init(&desc, dnnl_forward_inference, p->kind, &src_md, &any,
                                          p->window.stride, p->window.kernel, p->window.dilation,
                                          p->window.pad_lo, p->window.pad_hi) != dnnl_success)
        return AOSA_OK;
    dnnl_primitive_desc_t pd;
    AO_TRY(ao_dnnl_describe(build, &desc, NULL, &pd));
    if (!pd)
        return AOSA_OK;
    const dnnl_memory_desc_t md = *dnnl_primitive_desc_query_md(pd, dnnl_query_dst_md, 0);
    const aosa_status status = ao_dnnl_tensor_add(build, &md, &p->dst, dst);
    if (status != AOSA_OK) {
        dnnl_primitive_desc_destroy(pd);
        return status;
    }
    const struct ao_dnnl_arg args[] = { { DNNL_ARG_SRC, src }, { DNNL_ARG_DST, *dst } };
    return ao_dnnl_step_add(build, node, pd, args, 2);
}

static aosa_status pool_result(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                               const struct pooling *p, bool *done)
{
    int dst;
    AO_TRY(pool(build, job->node, p, &dst));
    *done = dst >= 0;
    return *done ? ao_dnnl_bind_as(build, job->fusion.result, dst) : AOSA_OK;
}

/* The maximum over one element is that element: a window of extent 1 only picks. */
aosa_status ao_dnnl_subsample(struct ao_dnnl_build *build, const struct ao_node *node,
                              const struct ao_window *window, int *tensor)
{
    struct pooling p = { .kind = dnnl_pooling_max, .dst = ao_dnnl_shape(build, node->in[0]) };
    *tensor = -1;
    int src;
    AO_TRY(ao_dnnl_native(build, node->in[0], &src));
    if (build->program->tensors[src].plain) /* rows of one channel: the convolution reorders */
        return AOSA_OK;
    for (int i = 0; i < window->rank; i++) {
        p.window.kernel[i] = 1;
        p.window.stride[i] = window->stride[i];
        p.dst.dims[2 + i] = (p.dst.dims[2 + i] - 1) / window->stride[i] + 1;
    }
    return pool(build, node, &p, tensor);
}

bool ao_dnnl_pool_kind(const struct ao_pool_params *params, const struct ao_dnnl_window *window,
                       dnnl_alg_kind_t *kind)
{
    *kind = params->kind == AO_POOL_MAX ? dnnl_pooling_max
            : params->count_include_pad ? dnnl_pooling_avg_include_padding
                                        : dnnl_pooling_avg_exclude_padding;
    /* Taps that only ceil_mode adds count in oneDNN's average and not in ONNX's. */
    for (int i = 0; i < params->window.rank; i++)
        if (window->pad_hi[i] > params->window.pad_hi[i] &&
            *kind == dnnl_pooling_avg_include_padding)
            return false;
    return true;
}

aosa_status ao_dnnl_pool(struct ao_dnnl_build *build, const struct ao_dnnl_job *job, bool *done)
{
    const struct ao_pool_params *params = job->node->params;
    const struct ao_shape src = ao_dnnl_shape(build, job->node->in[0]);
    struct pooling p = { .dst = ao_dnnl_shape(build, job->node->out[0]) };
    if (job->node->n_out > 1 && job->node->out[1] >= 0) /* places of the maxima */
        return AOSA_OK;
    p.window = ao_dnnl_window(&params->window, &src, &p.dst);
    if (!ao_dnnl_pool_kind(params, &p.window, &p.kind))
        return AOSA_OK;
    return pool_result(build, job, &p, done);
}

/* The reduced axes are exactly those after the channels. */
static bool is_spatial(const struct ao_reduce_params *params, int rank)
{
    for (int i = 0; i < rank; i++)
        if (params->axes[i] != (i >= 2))
            return false;
    return rank > 2;
}

aosa_status ao_dnnl_mean(struct ao_dnnl_build *build, const struct ao_dnnl_job *job, bool *done)
{
    const struct ao_shape src = ao_dnnl_shape(build, job->node->in[0]);
    if (!is_spatial(job->node->params, src.rank))
        return AOSA_OK;
    struct pooling p = { .kind = dnnl_pooling_avg_exclude_padding, .dst = src };
    for (int i = 0; i < src.rank - 2; i++) {
        p.window.kernel[i] = src.dims[2 + i];
        p.window.stride[i] = 1;
        p.dst.dims[2 + i] = 1;
    }
    return pool_result(build, job, &p, done);
}
