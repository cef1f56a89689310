/* SPDX-License-Identifier: Apache-2.0 */
#include "core/alloc.h"
#include "engine/onednn/onednn.h"

/* Concat, Softmax, Reshape: operators that move values more than they compute. */

/* The inputs in their own layouts or all channels-last; false in *all if one has no layout. */
static aosa_status gather(struct ao_dnnl_build *build, const struct ao_node *node,
                          bool channels_last, struct ao_dnnl_arg *args, dnnl_memory_desc_t *mds,
                          bool *all)
{
    *all = true;
    for (int i = 0; i < node->n_in && *all; i++) {
        args[i].key = DNNL_ARG_MULTIPLE_SRC + i;
        const struct ao_shape shape = ao_dnnl_shape(build, node->in[i]);
        AO_TRY(ao_dnnl_native(build, node->in[i], &args[i].tensor));
        *all = build->program->tensors[args[i].tensor].has_md;
        if (*all && channels_last) {
            const struct ao_view view = ao_view_channels_last(NULL, AO_F32, &shape);
            const dnnl_memory_desc_t md = ao_dnnl_md(&view);
            AO_TRY(ao_dnnl_match(build, node->in[i], &md, &args[i].tensor));
        }
        mds[i] = build->program->tensors[args[i].tensor].md;
    }
    return AOSA_OK;
}

/*
 * Blocks of channels can be put one behind the other only where every input fills its blocks, and
 * inputs in different layouts have no common one: then *pd is NULL.
 */
static aosa_status describe_concat(struct ao_dnnl_build *build, const struct ao_node *node,
                                   int axis, const dnnl_memory_desc_t *mds,
                                   const dnnl_memory_desc_t *dst, dnnl_primitive_desc_t *pd)
{
    dnnl_primitive_attr_t attr;
    dnnl_status_t status = dnnl_primitive_attr_create(&attr);
    if (status != dnnl_success)
        return ao_dnnl_fail(status, "make attributes", node->name);
    *pd = NULL;
    status = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    if (status == dnnl_success)
        status = dnnl_concat_primitive_desc_create(pd, dst, node->n_in, axis, mds, attr,
                                                   build->program->engine);
    dnnl_primitive_attr_destroy(attr);
    if (status == dnnl_out_of_memory)
        return ao_dnnl_fail(status, "describe a concatenation", node->name);
    if (status != dnnl_success)
        *pd = NULL;
    return AOSA_OK;
}

static bool is_slow_concat(const dnnl_memory_desc_t *mds, int n, int axis)
{
    for (int i = 0; i < n; i++) {
        const dnnl_blocking_desc_t *blocking = &mds[i].format_desc.blocking;
        const bool differs = blocking->inner_nblks != mds[0].format_desc.blocking.inner_nblks;
        if (differs || mds[i].padded_dims[axis] != mds[i].dims[axis])
            return true;
    }
    return false;
}

static aosa_status concat(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                          struct ao_dnnl_arg *args, dnnl_memory_desc_t *mds, bool *done)
{
    const struct ao_node *node = job->node;
    const struct ao_shape shape = ao_dnnl_shape(build, node->out[0]);
    const int64_t given = ao_node_int(node, "axis", 0);
    const int axis = (int)(given < 0 ? given + shape.rank : given);
    bool all;
    AO_TRY(gather(build, node, false, args, mds, &all));
    if (!all)
        return AOSA_OK;
    dnnl_memory_desc_t dst_md = ao_dnnl_md_any(&shape);
    dnnl_primitive_desc_t pd = NULL;
    if (!is_slow_concat(mds, node->n_in, axis))
        AO_TRY(describe_concat(build, node, axis, mds, &dst_md, &pd));
    if (!pd) {
        const struct ao_view view = ao_view_channels_last(NULL, AO_F32, &shape);
        dst_md = ao_dnnl_md(&view);
        AO_TRY(gather(build, node, true, args, mds, &all));
        AO_TRY(describe_concat(build, node, axis, mds, &dst_md, &pd));
    }
    if (!pd)
        return AOSA_OK;
    dst_md = *dnnl_primitive_desc_query_md(pd, dnnl_query_dst_md, 0);
    args[node->n_in].key = DNNL_ARG_DST;
    const aosa_status status = ao_dnnl_tensor_add(build, &dst_md, &shape, &args[node->n_in].tensor);
    if (status != AOSA_OK) {
        dnnl_primitive_desc_destroy(pd);
        return status;
    }
    AO_TRY(ao_dnnl_step_add(build, node, pd, args, node->n_in + 1));
    ao_dnnl_bind(build, job->fusion.result, args[node->n_in].tensor);
    *done = true;
    return AOSA_OK;
}

aosa_status ao_dnnl_concat(struct ao_dnnl_build *build, const struct ao_dnnl_job *job, bool *done)
{
    const size_t n = (size_t)job->node->n_in;
    struct ao_dnnl_arg *args = ao_alloc(n + 1, sizeof *args);
    dnnl_memory_desc_t *mds = ao_alloc(n, sizeof *mds);
    const aosa_status status =
        args && mds
            ? concat(build, job, args, mds, done)
            : ao_fail(AOSA_ERR_NOMEM, "node '%s': no memory for %zu inputs", job->node->name, n);
    ao_free(args);
    ao_free(mds);
    return status;
}

aosa_status ao_dnnl_softmax(struct ao_dnnl_build *build, const struct ao_dnnl_job *job, bool *done)
{
    const struct ao_shape shape = ao_dnnl_shape(build, job->node->in[0]);
    const int64_t axis = ao_node_int(job->node, "axis", -1);
    int src, dst;
    AO_TRY(ao_dnnl_native(build, job->node->in[0], &src));
    if (!build->program->tensors[src].has_md || shape.rank == 0)
        return AOSA_OK;
    const dnnl_memory_desc_t md = build->program->tensors[src].md;
    dnnl_softmax_desc_t desc;
    if (dnnl_softmax_forward_desc_init(&desc, dnnl_forward_inference, &md,
                                       (int)(axis < 0 ? axis + shape.rank : axis)) != dnnl_success)
        return AOSA_OK;
    dnnl_primitive_desc_t pd;
    AO_TRY(ao_dnnl_describe(build, &desc, NULL, &pd));
    if (!pd)
        return AOSA_OK;
    const aosa_status status = ao_dnnl_tensor_add(build, &md, &shape, &dst);
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

/* No step: the result is the input's place, once that is in row-major order. */
aosa_status ao_dnnl_reshape(struct ao_dnnl_build *build, const struct ao_dnnl_job *job, bool *done)
{
    const int result = job->fusion.result;
    const struct ao_shape shape = ao_dnnl_shape(build, result);
    const struct ao_view view = ao_view_dense(NULL, AO_F32, &shape);
    int src, dst;
    AO_TRY(ao_dnnl_row_major(build, job->node->in[0], &src));
    if (!build->program->tensors[src].has_md || build->program->tensors[src].constant)
        return AOSA_OK;
    const dnnl_memory_desc_t md = ao_dnnl_md(&view);
    AO_TRY(ao_dnnl_tensor_alias(build, &md, &shape, src, &dst));
    ao_dnnl_bind(build, result, dst);
    *done = true;
    return AOSA_OK;
}
