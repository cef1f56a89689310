/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "engine/onednn/conv.h"
#include "engine/onednn/loops.h"

/* Convolutions that our own loops do (loops.h): which, and how they are told. */

/* What our own loops are told; false where they have no form for the activation or for groups. */
static bool describe_loop(const struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                          const struct ao_dnnl_conv_form *conv, struct ao_dnnl_loop_conv *loop)
{
    const struct ao_dnnl_fusion *fusion = &job->fusion;
    const struct ao_node *act = fusion->act >= 0 ? &build->graph->nodes[fusion->act] : NULL;
    if (conv->source >= 0 || ((const struct ao_conv_params *)conv->node->params)->group > 1 ||
        (act && strcmp(act->type, "Relu") != 0))
        return false;
    *loop = (struct ao_dnnl_loop_conv){
        .weights = build->graph->values[conv->node->in[1]].data,
        .out_step = conv->weights.strides[0],
        .in_step = conv->weights.strides[1],
        .flipped = conv->flipped,
        .bias = conv->bias >= 0 ? build->graph->values[conv->bias].data : NULL,
        .window = conv->window,
        .src = conv->src,
        .dst = conv->dst,
        .relu = act != NULL,
    };
    return true;
}

/* The residual is read as it is written, so it may lie in its place if nobody reads it later. */
static aosa_status emit_loop(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                             const struct ao_dnnl_loop_conv *conv, const struct ao_dnnl_loop *loop)
{
    const struct ao_dnnl_fusion *fusion = &job->fusion;
    const struct ao_shape shape = ao_dnnl_shape(build, fusion->result);
    const bool adds = fusion->add >= 0;
    struct ao_dnnl_arg args[3] = { { .tensor = -1 } };
    AO_TRY(ao_dnnl_match(build, job->node->in[0], &conv->src_md, &args[0].tensor));
    if (adds)
        AO_TRY(ao_dnnl_match(build, fusion->residual, &conv->dst_md, &args[2].tensor));
    if (adds && ao_dnnl_is_last_use(build, args[2].tensor))
        AO_TRY(ao_dnnl_tensor_alias(build, &conv->dst_md, &shape, args[2].tensor, &args[1].tensor));
    else
        AO_TRY(ao_dnnl_tensor_add(build, &conv->dst_md, &shape, &args[1].tensor));
    AO_TRY(ao_dnnl_loop_add(build, job->node, loop, args, adds ? 3 : 2));
    ao_dnnl_bind(build, fusion->result, args[1].tensor);
    return AOSA_OK;
}

/* In the layouts of the primitive. */
aosa_status ao_dnnl_try_winograd(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                                 const struct ao_dnnl_conv_form *conv,
                                 const_dnnl_primitive_desc_t pd, bool *done)
{
    struct ao_dnnl_loop_conv form;
    struct ao_dnnl_loop loop;
    if (conv->spreads || !describe_loop(build, job, conv, &form))
        return AOSA_OK;
    form.src_md = *dnnl_primitive_desc_query_md(pd, dnnl_query_src_md, 0);
    form.dst_md = *dnnl_primitive_desc_query_md(pd, dnnl_query_dst_md, 0);
    AO_TRY(ao_dnnl_winograd_create(build->program, &form, &loop));
    *done = loop.form != NULL;
    return *done ? emit_loop(build, job, &form, &loop) : AOSA_OK;
}

/* A gradient of few channels, such as that of the clip, row-major. */
aosa_status ao_dnnl_try_lines(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                              const struct ao_dnnl_conv_form *conv, bool *done)
{
    const struct ao_view src = ao_view_dense(NULL, AO_F32, &conv->src);
    const struct ao_view dst = ao_view_dense(NULL, AO_F32, &conv->dst);
    struct ao_dnnl_loop_conv form;
    struct ao_dnnl_loop loop;
    int gy;
    if (!describe_loop(build, job, conv, &form) || form.relu || job->fusion.add >= 0)
        return AOSA_OK;
    AO_TRY(ao_dnnl_native(build, job->node->in[0], &gy));
    if (!build->program->tensors[gy].has_md)
        return AOSA_OK;
    /* The window is that of the convolution, and its taps in their order. */
    form.window = ((const struct ao_conv_params *)job->node->params)->window;
    form.flipped = false;
    form.src_md = ao_dnnl_md(&src);
    form.dst_md = ao_dnnl_md(&dst);
    AO_TRY(ao_dnnl_lines_create(build->program, &form, &loop));
    *done = loop.form != NULL;
    return *done ? emit_loop(build, job, &form, &loop) : AOSA_OK;
}

/* The gradient of a strided convolution, in the layout that dL/dy has. */
aosa_status ao_dnnl_try_spread(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                               const struct ao_dnnl_conv_form *conv, bool *done)
{
    struct ao_dnnl_loop_conv form;
    struct ao_dnnl_loop loop;
    int gy;
    if (!conv->spreads || !describe_loop(build, job, conv, &form))
        return AOSA_OK;
    AO_TRY(ao_dnnl_native(build, job->node->in[0], &gy));
    if (!build->program->tensors[gy].has_md)
        return AOSA_OK;
    form.src_md = ao_dnnl_md_chunks(&build->program->tensors[gy].md, &conv->src);
    form.dst_md = ao_dnnl_md_chunks(&build->program->tensors[gy].md, &conv->dst);
    AO_TRY(ao_dnnl_spread_create(build->program, &form, &loop));
    *done = loop.form != NULL;
    return *done ? emit_loop(build, job, &form, &loop) : AOSA_OK;
}
