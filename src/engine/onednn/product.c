/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/onednn/onednn.h"
#include "ops/linear.h"

/*
 * y [rows][M] = x [rows][K] W + b with constant W is a 1x1 convolution over an image one row high
 * and `rows` wide, channels last: its kernels add up in one fixed order for any number of threads,
 * which oneDNN's matrix product does not promise.
 */
struct dense {
    int64_t rows, depth, cols;    /* K is depth, M is cols */
    int64_t depth_step, col_step; /* strides of W along k and m */
    const void *weights;
    int bias; /* value or -1 */
};

static dnnl_memory_desc_t image(int64_t channels, int64_t rows)
{
    const struct ao_shape shape = { .rank = 4, .dims = { 1, channels, 1, rows } };
    const struct ao_view view = ao_view_channels_last(NULL, AO_F32, &shape);
    return ao_dnnl_md(&view);
}

static aosa_status describe(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                            const struct dense *d, dnnl_primitive_desc_t *pd)
{
    const struct ao_shape shape = { .rank = 4, .dims = { d->cols, d->depth, 1, 1 } };
    const struct ao_shape bias_shape = { .rank = 1, .dims = { d->cols } };
    const dnnl_memory_desc_t src = image(d->depth, d->rows), dst = image(d->cols, d->rows);
    const dnnl_memory_desc_t weights = ao_dnnl_md_any(&shape), bias = ao_dnnl_md_any(&bias_shape);
    const dnnl_dims_t stride = { 1, 1 }, none = { 0, 0 };
    dnnl_convolution_desc_t desc;
    dnnl_post_ops_t post_ops;
    *pd = NULL;
    if (dnnl_convolution_forward_desc_init(&desc, dnnl_forward_inference, dnnl_convolution_direct,
                                           &src, &weights, d->bias >= 0 ? &bias : NULL, &dst,
                                           stride, none, none) != dnnl_success)
        return AOSA_OK;
    AO_TRY(ao_dnnl_post_ops(build, &job->fusion, false, &post_ops));
    const aosa_status status = ao_dnnl_describe(build, &desc, post_ops, pd);
    dnnl_post_ops_destroy(post_ops);
    return status;
}

static aosa_status gather(struct ao_dnnl_build *build, const struct ao_node *node,
                          const struct dense *d, const_dnnl_primitive_desc_t pd,
                          struct ao_dnnl_arg args[4], int *n_args)
{
    const struct ao_view view = {
        .shape = { .rank = 4, .dims = { d->cols, d->depth, 1, 1 } },
        .strides = { d->col_step, d->depth_step, 1, 1 },
    };
    const dnnl_memory_desc_t from = ao_dnnl_md(&view), src_md = image(d->depth, d->rows);
    const dnnl_memory_desc_t *to = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    const struct ao_shape src_shape = { .rank = 4, .dims = { 1, d->depth, 1, d->rows } };
    const struct ao_shape dst_shape = { .rank = 4, .dims = { 1, d->cols, 1, d->rows } };
    const dnnl_memory_desc_t dst_md = image(d->cols, d->rows);
    int src;
    AO_TRY(ao_dnnl_row_major(build, node->in[0], &src));
    args[0].key = DNNL_ARG_SRC;
    AO_TRY(ao_dnnl_tensor_alias(build, &src_md, &src_shape, src, &args[0].tensor));
    args[1].key = DNNL_ARG_WEIGHTS;
    AO_TRY(ao_dnnl_weights(build, &from, d->weights, to, false, &args[1].tensor));
    args[2].key = DNNL_ARG_DST;
    AO_TRY(ao_dnnl_tensor_add(build, &dst_md, &dst_shape, &args[2].tensor));
    *n_args = 3;
    if (d->bias < 0)
        return AOSA_OK;
    const struct ao_shape bias_shape = { .rank = 1, .dims = { d->cols } };
    const struct ao_view bias_view = ao_view_dense(NULL, AO_F32, &bias_shape);
    const dnnl_memory_desc_t bias = ao_dnnl_md(&bias_view);
    args[3].key = DNNL_ARG_BIAS;
    *n_args = 4;
    return ao_dnnl_tensor_constant(build, &bias, build->graph->values[d->bias].data,
                                   &args[3].tensor);
}

static aosa_status add_dense(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                             const struct dense *d, bool *done)
{
    int tensor, n_args;
    AO_TRY(ao_dnnl_native(build, job->node->in[0], &tensor));
    if (!build->program->tensors[tensor].has_md || build->program->tensors[tensor].constant)
        return AOSA_OK;
    dnnl_primitive_desc_t pd;
    AO_TRY(describe(build, job, d, &pd));
    if (!pd)
        return AOSA_OK;
    struct ao_dnnl_arg args[4];
    const aosa_status status = gather(build, job->node, d, pd, args, &n_args);
    if (status != AOSA_OK) {
        dnnl_primitive_desc_destroy(pd);
        return status;
    }
    AO_TRY(ao_dnnl_step_add(build, job->node, pd, args, n_args));
    const struct ao_shape shape = ao_dnnl_shape(build, job->fusion.result);
    const struct ao_view view = ao_view_dense(NULL, AO_F32, &shape);
    const dnnl_memory_desc_t md = ao_dnnl_md(&view);
    AO_TRY(ao_dnnl_tensor_alias(build, &md, &shape, args[2].tensor, &tensor));
    ao_dnnl_bind(build, job->fusion.result, tensor);
    *done = true;
    return AOSA_OK;
}

static bool is_constant_floats(const struct ao_graph *graph, int value)
{
    return graph->values[value].data && graph->values[value].dtype == AO_F32;
}

/* A constant bias of one value per column. */
static bool is_row(const struct ao_graph *graph, int value, int64_t cols)
{
    const struct ao_shape *shape = &graph->values[value].shape;
    return is_constant_floats(graph, value) && ao_shape_count(shape) == cols && shape->rank > 0 &&
           shape->dims[shape->rank - 1] == cols;
}

aosa_status ao_dnnl_dense(struct ao_dnnl_build *build, const struct ao_dnnl_job *job, bool *done)
{
    const struct ao_node *node = job->node;
    const struct ao_gemm_params *params = node->params;
    const struct ao_graph *graph = build->graph;
    struct dense d = { .bias = node->n_in > 2 ? node->in[2] : -1 };
    if (!is_constant_floats(graph, node->in[1]) || params->trans_a || params->alpha != 1)
        return AOSA_OK;
    const struct ao_shape src = ao_dnnl_shape(build, node->in[0]);
    const struct ao_shape *weights = &graph->values[node->in[1]].shape;
    d.rows = src.dims[0];
    d.depth = src.dims[1];
    d.cols = weights->dims[params->trans_b ? 0 : 1];
    d.depth_step = params->trans_b ? 1 : d.cols;
    d.col_step = params->trans_b ? d.depth : 1;
    d.weights = graph->values[node->in[1]].data;
    if (d.bias >= 0 && (params->beta != 1 || !is_row(graph, d.bias, d.cols)))
        return AOSA_OK;
    return add_dense(build, job, &d, done);
}

/* Both operands vary: oneDNN's own product, leading axes broadcast. */
static aosa_status product_of_two(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                                  bool *done)
{
    const struct ao_node *node = job->node;
    const struct ao_shape shape = ao_dnnl_shape(build, node->out[0]);
    struct ao_dnnl_arg args[3] = { { .key = DNNL_ARG_SRC },
                                   { .key = DNNL_ARG_WEIGHTS },
                                   { .key = DNNL_ARG_DST } };
    for (int i = 0; i < 2; i++) {
        const struct ao_shape operand = ao_dnnl_shape(build, node->in[i]);
        AO_TRY(ao_dnnl_row_major(build, node->in[i], &args[i].tensor));
        if (operand.rank != shape.rank || !build->program->tensors[args[i].tensor].has_md)
            return AOSA_OK;
    }
    const struct ao_view view = ao_view_dense(NULL, AO_F32, &shape);
    const dnnl_memory_desc_t dst = ao_dnnl_md(&view);
    const struct ao_dnnl_tensor *tensors = build->program->tensors;
    dnnl_matmul_desc_t desc;
    if (dnnl_matmul_desc_init(&desc, &tensors[args[0].tensor].md, &tensors[args[1].tensor].md, NULL,
                              &dst) != dnnl_success)
        return AOSA_OK;
    dnnl_primitive_desc_t pd;
    AO_TRY(ao_dnnl_describe(build, &desc, NULL, &pd));
    if (!pd)
        return AOSA_OK;
    const aosa_status status = ao_dnnl_tensor_add(build, &dst, &shape, &args[2].tensor);
    if (status != AOSA_OK) {
        dnnl_primitive_desc_destroy(pd);
        return status;
    }
    AO_TRY(ao_dnnl_step_add(build, node, pd, args, 3));
    ao_dnnl_bind(build, job->fusion.result, args[2].tensor);
    *done = true;
    return AOSA_OK;
}

aosa_status ao_dnnl_matmul(struct ao_dnnl_build *build, const struct ao_dnnl_job *job, bool *done)
{
    const struct ao_node *node = job->node;
    const struct ao_value *weights = &build->graph->values[node->in[1]];
    const struct ao_shape src = ao_dnnl_shape(build, node->in[0]);
    if (!is_constant_floats(build->graph, node->in[1]) || weights->shape.rank != 2 || src.rank < 2)
        return src.rank < 2 ? AOSA_OK : product_of_two(build, job, done);
    const struct dense d = {
        .rows = ao_shape_count(&src) / src.dims[src.rank - 1],
        .depth = weights->shape.dims[0],
        .cols = weights->shape.dims[1],
        .depth_step = weights->shape.dims[1],
        .col_step = 1,
        .weights = weights->data,
        .bias = -1,
    };
    return add_dense(build, job, &d, done);
}
