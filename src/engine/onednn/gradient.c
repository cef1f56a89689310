/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/onednn/onednn.h"

/* Gradients of ReLU and of pooling; that of a convolution is one itself (conv.c). */

/* A primitive, its description and what describes the primitive that it is the gradient of. */
struct gradient {
    dnnl_primitive_desc_t forward, backward; /* NULL where oneDNN has none */
    dnnl_memory_desc_t x;                    /* layout of the input */
};

static void gradient_fini(struct gradient *gradient)
{
    dnnl_primitive_desc_destroy(gradient->forward);
    dnnl_primitive_desc_destroy(gradient->backward);
}

static aosa_status describe_relu(struct ao_dnnl_build *build, struct gradient *gradient)
{
    const dnnl_alg_kind_t kind = dnnl_eltwise_relu_use_dst_for_bwd;
    dnnl_eltwise_desc_t forward, backward;
    if (dnnl_eltwise_forward_desc_init(&forward, dnnl_forward_training, kind, &gradient->x, 0, 0) !=
            dnnl_success ||
        dnnl_eltwise_backward_desc_init(&backward, kind, &gradient->x, &gradient->x, 0, 0) !=
            dnnl_success)
        return AOSA_OK;
    AO_TRY(ao_dnnl_describe(build, &forward, NULL, &gradient->forward));
    return gradient->forward
               ? ao_dnnl_describe_backward(build, &backward, gradient->forward, &gradient->backward)
               : AOSA_OK;
}

/* dL/dx in the place of dL/dy if this step reads it last. */
static aosa_status add_relu(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                            struct gradient *gradient, int y)
{
    const struct ao_shape shape = ao_dnnl_shape(build, job->fusion.result);
    int gy, gx;
    AO_TRY(ao_dnnl_match(build, job->node->in[0], &gradient->x, &gy));
    if (ao_dnnl_is_last_use(build, gy))
        AO_TRY(ao_dnnl_tensor_alias(build, &gradient->x, &shape, gy, &gx));
    else
        AO_TRY(ao_dnnl_tensor_add(build, &gradient->x, &shape, &gx));
    const struct ao_dnnl_arg args[] = { { DNNL_ARG_DST, y },
                                        { DNNL_ARG_DIFF_DST, gy },
                                        { DNNL_ARG_DIFF_SRC, gx } };
    const dnnl_primitive_desc_t pd = gradient->backward;
    gradient->backward = NULL;
    AO_TRY(ao_dnnl_step_add(build, job->node, pd, args, 3));
    ao_dnnl_bind(build, job->fusion.result, gx);
    return AOSA_OK;
}

/* In the layout of y, which the convolutions around it chose. */
aosa_status ao_dnnl_relu_grad(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                              bool *done)
{
    struct gradient gradient = { .forward = NULL };
    int y;
    AO_TRY(ao_dnnl_native(build, job->node->in[1], &y));
    if (!build->program->tensors[y].has_md || build->program->tensors[y].constant)
        return AOSA_OK;
    gradient.x = build->program->tensors[y].md;
    aosa_status status = describe_relu(build, &gradient);
    *done = gradient.backward != NULL;
    if (status == AOSA_OK && gradient.backward)
        status = add_relu(build, job, &gradient, y);
    gradient_fini(&gradient);
    return status;
}

/* The window slides over `x`, the extents of dL/dx, and gives those of dL/dy. */
static aosa_status describe_pool(struct ao_dnnl_build *build, const struct ao_node *node,
                                 struct gradient *gradient)
{
    const struct ao_pool_params *params = node->params;
    const struct ao_shape gx = ao_dnnl_shape(build, node->out[0]);
    const struct ao_shape gy = ao_dnnl_shape(build, node->in[0]);
    const struct ao_dnnl_window w = ao_dnnl_window(&params->window, &gx, &gy);
    const dnnl_memory_desc_t y = ao_dnnl_md_any(&gy);
    dnnl_pooling_v2_desc_t forward, backward;
    dnnl_alg_kind_t kind;
    if (!ao_dnnl_pool_kind(params, &w, &kind) ||
        dnnl_pooling_v2_forward_desc_init(&forward, dnnl_forward_training, kind, &gradient->x, &y,
                                          w.stride, w.kernel, w.dilation, w.pad_lo,
                                          w.pad_hi) != dnnl_success)
        return AOSA_OK;
    AO_TRY(ao_dnnl_describe(build, &forward, NULL, &gradient->forward));
    if (!gradient->forward)
        return AOSA_OK;
    const dnnl_memory_desc_t *dst =
        dnnl_primitive_desc_query_md(gradient->forward, dnnl_query_dst_md, 0);
    if (dnnl_pooling_v2_backward_desc_init(&backward, kind, &gradient->x, dst, w.stride, w.kernel,
                                           w.dilation, w.pad_lo, w.pad_hi) != dnnl_success)
        return AOSA_OK;
    return ao_dnnl_describe_backward(build, &backward, gradient->forward, &gradient->backward);
}

/*
 * Places of the maxima, which the inference form of the forward does not tell: the window is
 * slid over x once more.
 */
static aosa_status add_places(struct ao_dnnl_build *build, const struct ao_node *node,
                              struct gradient *gradient, const dnnl_memory_desc_t *y, int *places)
{
    const struct ao_shape shape = ao_dnnl_shape(build, node->in[0]);
    const dnnl_memory_desc_t md =
        *dnnl_primitive_desc_query_md(gradient->forward, dnnl_query_workspace_md, 0);
    struct ao_dnnl_arg args[] = { { .key = DNNL_ARG_SRC },
                                  { .key = DNNL_ARG_DST },
                                  { .key = DNNL_ARG_WORKSPACE } };
    AO_TRY(ao_dnnl_match(build, node->in[1], &gradient->x, &args[0].tensor));
    AO_TRY(ao_dnnl_tensor_add(build, y, &shape, &args[1].tensor));
    AO_TRY(ao_dnnl_tensor_add(build, &md, &shape, &args[2].tensor));
    const dnnl_primitive_desc_t pd = gradient->forward;
    gradient->forward = NULL;
    *places = args[2].tensor;
    return ao_dnnl_step_add(build, node, pd, args, 3);
}

static aosa_status add_pool(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                            struct gradient *gradient)
{
    const struct ao_shape shape = ao_dnnl_shape(build, job->fusion.result);
    const dnnl_memory_desc_t y =
        *dnnl_primitive_desc_query_md(gradient->forward, dnnl_query_dst_md, 0);
    struct ao_dnnl_arg args[] = { { .key = DNNL_ARG_DIFF_DST },
                                  { .key = DNNL_ARG_DIFF_SRC },
                                  { .key = DNNL_ARG_WORKSPACE } };
    const bool is_max = job->node->n_in > 1;
    AO_TRY(ao_dnnl_match(build, job->node->in[0], &y, &args[0].tensor));
    if (is_max)
        AO_TRY(add_places(build, job->node, gradient, &y, &args[2].tensor));
    AO_TRY(ao_dnnl_tensor_add(build, &gradient->x, &shape, &args[1].tensor));
    const dnnl_primitive_desc_t pd = gradient->backward;
    gradient->backward = NULL;
    AO_TRY(ao_dnnl_step_add(build, job->node, pd, args, is_max ? 3 : 2));
    ao_dnnl_bind(build, job->fusion.result, args[1].tensor);
    return AOSA_OK;
}

static aosa_status pool_grad(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                             struct gradient *gradient, bool *done)
{
    aosa_status status = describe_pool(build, job->node, gradient);
    *done = gradient->backward != NULL;
    if (status == AOSA_OK && gradient->backward)
        status = add_pool(build, job, gradient);
    gradient_fini(gradient);
    return status;
}

/* In the layout of x. */
aosa_status ao_dnnl_max_pool_grad(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                                  bool *done)
{
    struct gradient gradient = { .forward = NULL };
    int x;
    AO_TRY(ao_dnnl_native(build, job->node->in[1], &x));
    if (!build->program->tensors[x].has_md || build->program->tensors[x].constant)
        return AOSA_OK;
    gradient.x = build->program->tensors[x].md;
    return pool_grad(build, job, &gradient, done);
}

/* Channels-last: what comes before an average is mostly a join of branches in that order. */
aosa_status ao_dnnl_average_pool_grad(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                                      bool *done)
{
    const struct ao_shape shape = ao_dnnl_shape(build, job->node->out[0]);
    const struct ao_view view = ao_view_channels_last(NULL, AO_F32, &shape);
    struct gradient gradient = { .x = ao_dnnl_md(&view) };
    return pool_grad(build, job, &gradient, done);
}
