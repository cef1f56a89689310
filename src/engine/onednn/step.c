/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/alloc.h"
#include "engine/onednn/onednn.h"
#include "ops/op.h"

static aosa_status scratchpad_attr(dnnl_post_ops_t post_ops, dnnl_primitive_attr_t *attr)
{
    dnnl_status_t status = dnnl_primitive_attr_create(attr);
    if (status != dnnl_success)
        return ao_dnnl_fail(status, "make attributes", "primitive");
    status = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    if (status == dnnl_success && post_ops)
        status = dnnl_primitive_attr_set_post_ops(*attr, post_ops);
    if (status == dnnl_success)
        return AOSA_OK;
    dnnl_primitive_attr_destroy(*attr);
    return ao_dnnl_fail(status, "set attributes", "primitive");
}

/* oneDNN's "ref" loops are slower than op->forward, so they count as no implementation. */
static bool is_slow(const_dnnl_primitive_desc_t pd)
{
    const char *name = NULL;
    return dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name) == dnnl_success &&
           name && strncmp(name, "ref", 3) == 0;
}

static aosa_status describe(struct ao_dnnl_build *build, const void *op_desc,
                            dnnl_post_ops_t post_ops, const_dnnl_primitive_desc_t hint,
                            dnnl_primitive_desc_t *pd)
{
    dnnl_primitive_attr_t attr;
    *pd = NULL;
    AO_TRY(scratchpad_attr(post_ops, &attr));
    const dnnl_status_t status =
        dnnl_primitive_desc_create(pd, op_desc, attr, build->program->engine, hint);
    dnnl_primitive_attr_destroy(attr);
    if (status == dnnl_out_of_memory)
        return ao_dnnl_fail(status, "describe a primitive", "primitive");
    if (status != dnnl_success) {
        *pd = NULL;
        return AOSA_OK;
    }
    if (is_slow(*pd)) {
        dnnl_primitive_desc_destroy(*pd);
        *pd = NULL;
    }
    return AOSA_OK;
}

aosa_status ao_dnnl_describe(struct ao_dnnl_build *build, const void *op_desc,
                             dnnl_post_ops_t post_ops, dnnl_primitive_desc_t *pd)
{
    return describe(build, op_desc, post_ops, NULL, pd);
}

aosa_status ao_dnnl_describe_backward(struct ao_dnnl_build *build, const void *op_desc,
                                      const_dnnl_primitive_desc_t forward,
                                      dnnl_primitive_desc_t *pd)
{
    return describe(build, op_desc, NULL, forward, pd);
}

static aosa_status append(struct ao_dnnl_build *build, const struct ao_node *node,
                          const struct ao_dnnl_arg *args, int n_args, struct ao_dnnl_step **step)
{
    struct ao_dnnl_program *program = build->program;
    if (!ao_grow((void **)&program->steps, &program->cap_steps, program->n_steps,
                 sizeof *program->steps))
        return ao_fail(AOSA_ERR_NOMEM, "oneDNN program: no memory for %zu steps",
                       program->n_steps + 1);
    struct ao_dnnl_arg *copy = ao_arena_copy(&program->arena, args, (size_t)n_args * sizeof *args);
    if (!copy)
        return ao_fail(AOSA_ERR_NOMEM, "oneDNN program: no memory for %d arguments", n_args);
    const int64_t now = (int64_t)program->n_steps;
    *step = &program->steps[program->n_steps++];
    **step = (struct ao_dnnl_step){ .node = node, .args = copy, .n_args = n_args };
    for (int i = 0; i < n_args; i++) {
        if (args[i].tensor < 0)
            continue;
        struct ao_dnnl_tensor *root = &program->tensors[program->tensors[args[i].tensor].root];
        root->first = root->first < now ? root->first : now;
        root->last = root->last > now ? root->last : now;
    }
    return AOSA_OK;
}

static void need_scratch(struct ao_dnnl_program *program, struct ao_dnnl_step *step, size_t bytes)
{
    step->scratch_bytes = bytes;
    if (bytes > program->scratch_bytes)
        program->scratch_bytes = bytes;
}

static const char *node_name(const struct ao_node *node)
{
    return node ? node->name : "reorder";
}

aosa_status ao_dnnl_step_add(struct ao_dnnl_build *build, const struct ao_node *node,
                             dnnl_primitive_desc_t pd, const struct ao_dnnl_arg *args, int n_args)
{
    struct ao_dnnl_step *step;
    const aosa_status added = append(build, node, args, n_args, &step);
    if (added != AOSA_OK) {
        dnnl_primitive_desc_destroy(pd);
        return added;
    }
    step->scratch_md = *dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    need_scratch(build->program, step, dnnl_memory_desc_get_size(&step->scratch_md));
    const dnnl_status_t status = dnnl_primitive_create(&step->primitive, pd);
    dnnl_primitive_desc_destroy(pd);
    if (status != dnnl_success) {
        build->program->n_steps--;
        return ao_dnnl_fail(status, "build a primitive", node_name(node));
    }
    return AOSA_OK;
}

aosa_status ao_dnnl_loop_add(struct ao_dnnl_build *build, const struct ao_node *node,
                             const struct ao_dnnl_loop *loop, const struct ao_dnnl_arg *args,
                             int n_args)
{
    struct ao_dnnl_step *step;
    AO_TRY(append(build, node, args, n_args, &step));
    step->loop = *loop;
    need_scratch(build->program, step, loop->scratch_bytes);
    return AOSA_OK;
}

aosa_status ao_dnnl_describe_reorder(struct ao_dnnl_build *build, const dnnl_memory_desc_t *from,
                                     const dnnl_memory_desc_t *to, dnnl_primitive_desc_t *pd)
{
    dnnl_primitive_attr_t attr;
    AO_TRY(scratchpad_attr(NULL, &attr));
    const dnnl_engine_t engine = build->program->engine;
    const dnnl_status_t status =
        dnnl_reorder_primitive_desc_create(pd, from, engine, to, engine, attr);
    dnnl_primitive_attr_destroy(attr);
    if (status != dnnl_success)
        return ao_dnnl_fail(status, "describe a change of layout", "reorder");
    return AOSA_OK;
}

aosa_status ao_dnnl_reorder(struct ao_dnnl_build *build, int src, int dst)
{
    const struct ao_dnnl_tensor *tensors = build->program->tensors;
    dnnl_primitive_desc_t pd;
    AO_TRY(ao_dnnl_describe_reorder(build, &tensors[src].md, &tensors[dst].md, &pd));
    const struct ao_dnnl_arg args[] = { { DNNL_ARG_FROM, src }, { DNNL_ARG_TO, dst } };
    return ao_dnnl_step_add(build, NULL, pd, args, 2);
}

/* Tensor of one output of forward: channels-last, as most readers want it. */
static aosa_status forward_output(struct ao_dnnl_build *build, int value, int *tensor)
{
    const struct ao_shape shape = ao_dnnl_shape(build, value);
    const enum ao_dtype dtype = build->graph->values[value].dtype;
    const struct ao_view view = dtype == AO_F32 ? ao_view_channels_last(NULL, dtype, &shape)
                                                : ao_view_dense(NULL, dtype, &shape);
    return ao_dnnl_tensor_view(build, &view, tensor);
}

aosa_status ao_dnnl_forward(struct ao_dnnl_build *build, const struct ao_node *node)
{
    const int n_args = node->n_in + node->n_out;
    struct ao_dnnl_arg *args = ao_alloc((size_t)n_args, sizeof *args);
    if (!args)
        return ao_fail(AOSA_ERR_NOMEM, "node '%s': no memory for %d arguments", node->name, n_args);
    aosa_status status = AOSA_OK;
    for (int i = 0; i < n_args && status == AOSA_OK; i++) {
        const bool is_input = i < node->n_in;
        const int value = is_input ? node->in[i] : node->out[i - node->n_in];
        args[i] = (struct ao_dnnl_arg){ .tensor = -1 };
        if (value >= 0)
            status = is_input ? ao_dnnl_plain(build, value, &args[i].tensor)
                              : forward_output(build, value, &args[i].tensor);
    }
    struct ao_dnnl_step *step = NULL;
    if (status == AOSA_OK)
        status = append(build, node, args, n_args, &step);
    if (status == AOSA_OK && node->op->scratch)
        need_scratch(build->program, step,
                     node->op->scratch(build->graph, node, build->program->batch));
    for (int i = 0; i < node->n_out && status == AOSA_OK; i++)
        if (node->out[i] >= 0)
            ao_dnnl_bind(build, node->out[i], args[node->n_in + i].tensor);
    ao_free(args);
    return status;
}
