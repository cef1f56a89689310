/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/alloc.h"
#include "engine/onednn/onednn.h"

static const struct {
    const char *type;
    ao_dnnl_rule rule;
} rules[] = {
    { "Conv", ao_dnnl_conv },
    { "ConvGradData", ao_dnnl_conv_grad },
    { "Gemm", ao_dnnl_dense },
    { "MatMul", ao_dnnl_matmul },
    { "MaxPool", ao_dnnl_pool },
    { "AveragePool", ao_dnnl_pool },
    { "GlobalMaxPool", ao_dnnl_pool },
    { "GlobalAveragePool", ao_dnnl_pool },
    { "MaxPoolGrad", ao_dnnl_max_pool_grad },
    { "AveragePoolGrad", ao_dnnl_average_pool_grad },
    { "ReduceMean", ao_dnnl_mean },
    { "Relu", ao_dnnl_eltwise },
    { "LeakyRelu", ao_dnnl_eltwise },
    { "Elu", ao_dnnl_eltwise },
    { "Sigmoid", ao_dnnl_eltwise },
    { "Tanh", ao_dnnl_eltwise },
    { "Clip", ao_dnnl_eltwise },
    { "HardSwish", ao_dnnl_eltwise },
    { "Gelu", ao_dnnl_eltwise },
    { "Abs", ao_dnnl_eltwise },
    { "Sqrt", ao_dnnl_eltwise },
    { "Exp", ao_dnnl_eltwise },
    { "ReluGrad", ao_dnnl_relu_grad },
    { "Add", ao_dnnl_binary },
    { "Sub", ao_dnnl_binary },
    { "Mul", ao_dnnl_binary },
    { "Div", ao_dnnl_binary },
    { "Concat", ao_dnnl_concat },
    { "Softmax", ao_dnnl_softmax },
    { "Reshape", ao_dnnl_reshape },
    { "Flatten", ao_dnnl_reshape },
    { "Squeeze", ao_dnnl_reshape },
    { "Unsqueeze", ao_dnnl_reshape },
    { "Identity", ao_dnnl_reshape },
};

static struct ao_dnnl_fusion no_fusion(int result)
{
    return (struct ao_dnnl_fusion){
        .add = -1, .residual = -1, .act = -1, .gate = -1, .result = result
    };
}

static aosa_status try_rule(struct ao_dnnl_build *build, const struct ao_dnnl_job *job, bool *done)
{
    const struct ao_node *node = job->node;
    *done = false;
    if (node->n_out < 1 || node->out[0] < 0 || build->graph->values[node->out[0]].dtype != AO_F32 ||
        ao_shape_count(&build->graph->values[node->out[0]].shape) == 0)
        return AOSA_OK;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (strcmp(rules[i].type, node->type) == 0)
            return rules[i].rule(build, job, done);
    return AOSA_OK;
}

/* One node as it stands. */
static aosa_status emit_alone(struct ao_dnnl_build *build, const struct ao_node *node)
{
    const int result = node->n_out > 0 ? node->out[0] : -1;
    const struct ao_dnnl_job job = { .node = node, .fusion = no_fusion(result) };
    bool done;
    AO_TRY(try_rule(build, &job, &done));
    if (!done)
        AO_TRY(ao_dnnl_forward(build, node));
    ao_dnnl_consume(build, node);
    return AOSA_OK;
}

/*
 * A node and those it takes over; where that cannot be fused, the node alone and then the rest,
 * with the activation on the Add if there is one.
 */
static aosa_status emit(struct ao_dnnl_build *build, const struct ao_dnnl_job *job)
{
    const struct ao_node *nodes = build->graph->nodes;
    const struct ao_dnnl_fusion *fusion = &job->fusion;
    bool done;
    if (fusion->add < 0 && fusion->act < 0)
        return emit_alone(build, job->node);
    AO_TRY(try_rule(build, job, &done));
    if (done) {
        ao_dnnl_consume(build, job->node);
        if (fusion->add >= 0)
            ao_dnnl_consume(build, &nodes[fusion->add]);
        return AOSA_OK;
    }
    AO_TRY(emit_alone(build, job->node));
    if (fusion->add >= 0) {
        struct ao_dnnl_job rest = { .node = &nodes[fusion->add], .fusion = *fusion };
        rest.fusion.add = rest.fusion.residual = -1;
        return emit(build, &rest);
    }
    AO_TRY(emit_alone(build, &nodes[fusion->act]));
    return fusion->gate >= 0 ? emit_alone(build, &nodes[fusion->gate]) : AOSA_OK;
}

static aosa_status emit_nodes(struct ao_dnnl_build *build, size_t from, size_t end)
{
    const struct ao_graph *graph = build->graph;
    for (int k = (int)from; k < (int)end; k++) {
        const int owner = build->owner[k] >= 0 ? build->owner[k] : k;
        /* A convolution with a residual runs where the Add stood. */
        const int place = build->fusions[owner].add >= 0 ? build->fusions[owner].add : owner;
        if (k != place)
            continue;
        const struct ao_dnnl_job job = { .node = &graph->nodes[owner],
                                         .fusion = build->fusions[owner] };
        AO_TRY(emit(build, &job));
        for (int i = 0; i < job.node->n_in; i++)
            if (job.node->in[i] >= 0)
                ao_graph_release(graph, job.node->in[i]);
    }
    return AOSA_OK;
}

static void count_uses(struct ao_dnnl_build *build)
{
    const struct ao_graph *graph = build->graph;
    for (size_t v = 0; v < graph->n_values; v++)
        build->first[v] = -1;
    for (size_t k = 0; k < graph->n_nodes; k++)
        for (int i = 0; i < graph->nodes[k].n_in; i++)
            if (graph->nodes[k].in[i] >= 0)
                build->uses[graph->nodes[k].in[i]]++;
    for (int i = 0; i < graph->n_outputs; i++)
        build->uses[graph->outputs[i]]++;
    /* Nobody may write over an input: it keeps its contents across runs. */
    for (int i = 0; i < graph->n_inputs; i++)
        build->uses[graph->inputs[i]]++;
}

/* Alive from before the first step until after the last. */
static void keep(struct ao_dnnl_program *program, int tensor)
{
    struct ao_dnnl_tensor *root = &program->tensors[program->tensors[tensor].root];
    root->first = 0;
    root->last = INT64_MAX - 1;
}

static aosa_status add_inputs(struct ao_dnnl_build *build)
{
    struct ao_dnnl_program *program = build->program;
    for (int i = 0; i < build->graph->n_inputs; i++) {
        const int value = build->graph->inputs[i];
        const struct ao_shape shape = ao_dnnl_shape(build, value);
        const struct ao_view view = ao_view_dense(NULL, build->graph->values[value].dtype, &shape);
        AO_TRY(ao_dnnl_tensor_view(build, &view, &program->inputs[i]));
        ao_dnnl_bind(build, value, program->inputs[i]);
        keep(program, program->inputs[i]);
    }
    return AOSA_OK;
}

/* Outputs that one part of a run made: those before the pause are read during it. */
static aosa_status add_outputs(struct ao_dnnl_build *build, enum ao_run_part part)
{
    struct ao_dnnl_program *program = build->program;
    const int pause = (int)program->pause;
    for (int i = 0; i < build->graph->n_outputs; i++) {
        const int value = build->graph->outputs[i];
        const bool is_early = build->graph->values[value].producer < pause;
        if (is_early != (part == AO_RUN_BEFORE_PAUSE))
            continue;
        AO_TRY(ao_dnnl_plain(build, value, &program->outputs[i]));
        keep(program, program->outputs[i]);
    }
    return AOSA_OK;
}

static aosa_status place(struct ao_dnnl_program *program)
{
    const size_t n = program->n_tensors;
    struct ao_span *spans = ao_alloc(n, sizeof *spans);
    if (!spans)
        return ao_fail(AOSA_ERR_NOMEM, "oneDNN program: no memory for %zu places", n);
    for (size_t i = 0; i < n; i++)
        spans[i] = (struct ao_span){ .bytes = program->tensors[i].bytes,
                                     .first = program->tensors[i].first,
                                     .last = program->tensors[i].last };
    const aosa_status status = ao_plan_pack(spans, n, &program->block_bytes);
    for (size_t i = 0; i < n && status == AOSA_OK; i++)
        program->tensors[i].offset = spans[program->tensors[i].root].offset;
    ao_free(spans);
    return status;
}

static aosa_status run_build(struct ao_dnnl_build *build, int *reader)
{
    count_uses(build);
    ao_dnnl_fuse(build, reader);
    AO_TRY(add_inputs(build));
    struct ao_dnnl_program *program = build->program;
    AO_TRY(emit_nodes(build, 0, program->pause));
    AO_TRY(add_outputs(build, AO_RUN_BEFORE_PAUSE));
    program->pause_steps = program->n_steps;
    AO_TRY(emit_nodes(build, program->pause, build->graph->n_nodes));
    AO_TRY(add_outputs(build, AO_RUN_FROM_PAUSE));
    return place(build->program);
}

aosa_status ao_dnnl_build_program(struct ao_dnnl_program *program)
{
    const struct ao_graph *graph = program->graph;
    struct ao_dnnl_build build = { .program = program, .graph = graph };
    build.fusions = ao_alloc(graph->n_nodes, sizeof *build.fusions);
    build.owner = ao_alloc(graph->n_nodes, sizeof *build.owner);
    build.first = ao_alloc(graph->n_values, sizeof *build.first);
    build.uses = ao_alloc(graph->n_values, sizeof *build.uses);
    int *reader = ao_alloc(graph->n_values, sizeof *reader);
    program->inputs = ao_alloc((size_t)graph->n_inputs, sizeof *program->inputs);
    program->outputs = ao_alloc((size_t)graph->n_outputs, sizeof *program->outputs);
    const bool enough = build.fusions && build.owner && build.first && build.uses && reader &&
                        program->inputs && program->outputs;
    const aosa_status status =
        enough
            ? run_build(&build, reader)
            : ao_fail(AOSA_ERR_NOMEM, "oneDNN program: no memory for %zu values", graph->n_values);
    ao_free(build.fusions);
    ao_free(build.owner);
    ao_free(build.first);
    ao_free(build.uses);
    ao_free(reader);
    return status;
}
