/* SPDX-License-Identifier: Apache-2.0 */
#include "support/random_net.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ops/element.h"
#include "ops/op.h"
#include "passes/passes.h"

void net_init(struct net *net, uint64_t seed, struct ao_shape shape)
{
    int x;
    memset(net, 0, sizeof *net);
    ao_graph_init(&net->graph, 0);
    ao_rng_init(&net->rng, seed);
    assert_int_equal(ao_graph_add_value(&net->graph, "x", &x), AOSA_OK);
    net->graph.values[x].shape = shape;
    net->graph.inputs = ao_arena_alloc(&net->graph.arena, 1, sizeof(int32_t));
    net->graph.outputs = ao_arena_alloc(&net->graph.arena, NET_MAX_OUTPUTS, sizeof(int32_t));
    net->graph.inputs[0] = x;
    net->graph.n_inputs = 1;
}

struct ao_shape net_shape(const struct net *net, int value)
{
    return net->graph.values[value].shape;
}

int net_constant(struct net *net, struct ao_shape shape, double lo, double hi)
{
    int value;
    float *data = ao_arena_alloc(&net->graph.arena, (size_t)ao_shape_count(&shape), sizeof *data);
    assert_non_null(data);
    for (int64_t i = 0; i < ao_shape_count(&shape); i++)
        data[i] = (float)ao_rng_range(&net->rng, lo, hi);
    assert_int_equal(ao_graph_add_constant(&net->graph, "w", AO_F32, &shape, data, &value),
                     AOSA_OK);
    return value;
}

int net_integers(struct net *net, int64_t n, const int64_t *items)
{
    int value;
    const struct ao_shape shape = SHAPE(n);
    void *data = ao_arena_copy(&net->graph.arena, items, (size_t)n * sizeof *items);
    assert_int_equal(ao_graph_add_constant(&net->graph, "k", AO_I64, &shape, data, &value),
                     AOSA_OK);
    return value;
}

/* Appends a node; in[] ends at the first -1. Attribute arrays are copied. */
int net_node(struct net *net, const char *type, const int32_t in[3], const struct ao_attr *attrs,
             int n_attrs)
{
    struct ao_arena *arena = &net->graph.arena;
    int value, index;
    assert_int_equal(ao_graph_add_value(&net->graph, type, &value), AOSA_OK);
    const int32_t out = value;
    struct ao_node made = { .type = type, .op = ao_op_find(type), .n_out = 1, .n_attrs = n_attrs };
    while (made.n_in < 3 && in[made.n_in] >= 0)
        made.n_in++;
    made.in = ao_arena_copy(arena, in, 3 * sizeof *in);
    made.out = ao_arena_copy(arena, &out, sizeof out);
    made.attrs = ao_arena_copy(arena, attrs, (size_t)n_attrs * sizeof *attrs);
    for (int i = 0; i < n_attrs; i++)
        if (attrs[i].type == AO_ATTR_INTS)
            made.attrs[i].ints =
                ao_arena_copy(arena, attrs[i].ints, (size_t)attrs[i].n * sizeof(int64_t));
    assert_non_null(made.op);
    assert_int_equal(ao_graph_add_node(&net->graph, &made, &index), AOSA_OK);
    if (made.op->infer(&net->graph, &net->graph.nodes[index]) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    net->terms += 1;
    return value;
}

int net_unary(struct net *net, const char *type, int x)
{
    return net_node(net, type, (const int32_t[]){ x, -1, -1 }, NULL, 0);
}

int net_binary(struct net *net, const char *type, int a, int b)
{
    return net_node(net, type, (const int32_t[]){ a, b, -1 }, NULL, 0);
}

void net_output(struct net *net, int value)
{
    net->graph.outputs[net->graph.n_outputs++] = value;
}

void net_finish(struct net *net)
{
    struct ao_passes_report report = { 0 };
    assert_int_equal(ao_pass_batch(&net->graph, &report), AOSA_OK);
}

/* Output `index` in row-major order as doubles, freed by the caller. x is one batch of inputs. */
double *net_run(const struct net *net, struct net_setting setting, const float *x, int index,
                int64_t *n)
{
    const struct ao_program_options options = { .backend = setting.backend,
                                                .batch = setting.batch,
                                                .inner_threads = setting.inner };
    struct ao_program *program = NULL;
    struct ao_session *session = NULL;
    if (ao_program_create(&net->graph, &options, &program) != AOSA_OK ||
        ao_session_create(program, &session) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    const struct ao_view in = ao_session_input(session, 0);
    const struct ao_view src = ao_view_dense((void *)(uintptr_t)x, AO_F32, &in.shape);
    ao_view_convert(&in, &src);
    /* Twice: what one run leaves behind must not reach the next. */
    for (int i = 0; i < 2; i++)
        if (ao_session_run(session) != AOSA_OK)
            fail_msg("%s", aosa_error_message());
    const struct ao_view out = ao_session_output(session, index);
    *n = ao_shape_count(&out.shape);
    double *result = malloc((size_t)*n * sizeof *result + 1);
    assert_non_null(result);
    const struct ao_view dst = ao_view_dense(result, AO_F64, &out.shape);
    ao_view_convert(&dst, &out);
    ao_session_destroy(&session);
    ao_program_destroy(&program);
    return result;
}

float *net_random_input(struct net *net, int batch)
{
    const struct ao_shape shape = net_shape(net, net->graph.inputs[0]);
    const int64_t n = batch * ao_shape_count(&shape);
    float *x = malloc((size_t)n * sizeof *x);
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)ao_rng_range(&net->rng, -1, 1);
    return x;
}

/* Whole numbers in [lo, hi]. */
int64_t net_pick(struct net *net, int64_t lo, int64_t hi)
{
    return lo + (int64_t)ao_rng_below(&net->rng, (uint64_t)(hi - lo + 1));
}

/* A window that fits the value, with at most half a kernel of padding. */
static struct net_window random_window(struct net *net, int x, bool pooling)
{
    const struct ao_shape shape = net_shape(net, x);
    struct net_window w = { .rank = shape.rank - 2 };
    for (int i = 0; i < w.rank; i++) {
        const int64_t extent = shape.dims[2 + i];
        w.kernel[i] = net_pick(net, 1, extent < 3 ? extent : 3);
        w.stride[i] = net_pick(net, 1, 2);
        w.dilation[i] = !pooling && w.kernel[i] > 1 && extent > 4 ? net_pick(net, 1, 2) : 1;
        w.pads[i] = net_pick(net, 0, w.kernel[i] / 2);
        w.pads[w.rank + i] = net_pick(net, 0, w.kernel[i] / 2);
    }
    return w;
}

int net_conv(struct net *net, int x, int64_t channels, int64_t group, const struct net_window *w)
{
    const struct ao_shape shape = net_shape(net, x);
    struct ao_shape weights = { .rank = shape.rank, .dims = { channels, shape.dims[1] / group } };
    const struct ao_attr attrs[] = {
        { .name = "strides", .type = AO_ATTR_INTS, .n = w->rank, .ints = w->stride },
        { .name = "dilations", .type = AO_ATTR_INTS, .n = w->rank, .ints = w->dilation },
        { .name = "pads", .type = AO_ATTR_INTS, .n = 2 * (int64_t)w->rank, .ints = w->pads },
        { .name = "group", .type = AO_ATTR_INT, .i = group },
    };
    for (int i = 0; i < w->rank; i++)
        weights.dims[2 + i] = w->kernel[i];
    const int weight = net_constant(net, weights, -0.5, 0.5);
    const int bias = net_pick(net, 0, 3) ? net_constant(net, SHAPE(channels), -0.5, 0.5) : -1;
    net->terms += (double)ao_shape_count(&weights) / (double)channels;
    return net_node(net, "Conv", (const int32_t[]){ x, weight, bias }, attrs, 4);
}

int net_same_conv(struct net *net, int x, int64_t channels)
{
    struct net_window w = { .rank = net_shape(net, x).rank - 2 };
    for (int i = 0; i < w.rank; i++) {
        w.kernel[i] = 3;
        w.stride[i] = w.dilation[i] = w.pads[i] = w.pads[w.rank + i] = 1;
    }
    return net_conv(net, x, channels, 1, &w);
}

int net_random_pool(struct net *net, int x)
{
    const struct net_window w = random_window(net, x, true);
    const bool is_max = net_pick(net, 0, 1);
    const struct ao_attr attrs[] = {
        { .name = "kernel_shape", .type = AO_ATTR_INTS, .n = w.rank, .ints = w.kernel },
        { .name = "strides", .type = AO_ATTR_INTS, .n = w.rank, .ints = w.stride },
        { .name = "pads", .type = AO_ATTR_INTS, .n = 2 * (int64_t)w.rank, .ints = w.pads },
        { .name = "ceil_mode", .type = AO_ATTR_INT, .i = net_pick(net, 0, 1) },
        { .name = "count_include_pad", .type = AO_ATTR_INT, .i = net_pick(net, 0, 1) },
    };
    net->terms += 27;
    return net_node(net, is_max ? "MaxPool" : "AveragePool", (const int32_t[]){ x, -1, -1 }, attrs,
                    is_max ? 4 : 5);
}

/* A block of two convolutions around a shortcut, as in residual networks. */
static int residual_block(struct net *net, int x)
{
    const int64_t channels = net_shape(net, x).dims[1];
    const int inner = net_unary(net, "Relu", net_same_conv(net, x, net_pick(net, 1, 12)));
    const int branch = net_same_conv(net, inner, channels);
    const int sum =
        net_pick(net, 0, 1) ? net_binary(net, "Add", branch, x) : net_binary(net, "Add", x, branch);
    return net_pick(net, 0, 1) ? net_unary(net, "Relu", sum) : sum;
}

static int concat_block(struct net *net, int x)
{
    const struct ao_attr axis = { .name = "axis", .type = AO_ATTR_INT, .i = 1 };
    const int a = net_unary(net, "Relu",
                            net_same_conv(net, x, net_pick(net, 0, 1) ? 8 : net_pick(net, 1, 9)));
    const int b = net_same_conv(net, x, net_pick(net, 0, 1) ? 16 : net_pick(net, 1, 9));
    return net_node(net, "Concat", (const int32_t[]){ a, b, net_pick(net, 0, 1) ? x : -1 }, &axis,
                    1);
}

/* Operators without a form in oneDNN, or not for these views: they run through op->forward. */
static int odd_layer(struct net *net, int x)
{
    const struct ao_shape shape = net_shape(net, x);
    const int64_t last = shape.rank - 1;
    int64_t perm[AO_MAX_RANK];
    for (int i = 0; i < shape.rank; i++)
        perm[i] = i;
    perm[2] = last;
    perm[last] = 2;
    const struct ao_attr attr = {
        .name = "perm", .type = AO_ATTR_INTS, .n = shape.rank, .ints = perm
    };
    return net_node(net, "Transpose", (const int32_t[]){ x, -1, -1 }, &attr, 1);
}

static int random_layer(struct net *net, int x)
{
    const int64_t channels = net_shape(net, x).dims[1];
    switch (net_pick(net, 0, 8)) {
    case 0:
        return net_unary(net, "Relu", x);
    case 1:
        return net_random_pool(net, x);
    case 2:
        return residual_block(net, x);
    case 3:
        return concat_block(net, x);
    case 4:
        return odd_layer(net, x);
    case 5: {
        struct ao_shape scale = { .rank = net_shape(net, x).rank - 1,
                                  .dims = { channels, 1, 1, 1 } };
        return net_binary(net, net_pick(net, 0, 1) ? "Mul" : "Add", x,
                          net_constant(net, scale, -1, 1));
    }
    default: {
        const struct net_window w = random_window(net, x, false);
        const int64_t group = channels % 2 == 0 && net_pick(net, 0, 3) == 0 ? 2 : 1;
        return net_conv(net, x, group * net_pick(net, 1, 20), group, &w);
    }
    }
}

/* Spatial mean, then one fully connected layer. */
int net_head(struct net *net, int x)
{
    const struct ao_shape shape = net_shape(net, x);
    net->terms += (double)ao_shape_count(&shape);
    const int mean = net_unary(net, "GlobalAveragePool", x);
    const int flat = net_unary(net, "Flatten", mean);
    const struct ao_attr trans = { .name = "transB", .type = AO_ATTR_INT, .i = 1 };
    const int weights = net_constant(net, SHAPE(7, shape.dims[1]), -1, 1);
    const int bias = net_constant(net, SHAPE(7), -1, 1);
    return net_node(net, "Gemm", (const int32_t[]){ flat, weights, bias }, &trans, 1);
}

static int random_layers(struct net *net, int x)
{
    const int64_t n = net_pick(net, 1, 6);
    for (int64_t i = 0; i < n; i++)
        x = random_layer(net, x);
    return x;
}

/* Rank 3 to 5, extents that do not fill blocks of 8, all layouts that convolutions choose. */
void net_random(struct net *net, uint64_t seed)
{
    struct ao_rng rng;
    ao_rng_init(&rng, seed);
    struct ao_shape shape = { .rank = 4 + (int)ao_rng_below(&rng, 2) };
    shape.dims[0] = 1;
    shape.dims[1] = 1 + (int64_t)ao_rng_below(&rng, 17);
    for (int i = 2; i < shape.rank; i++)
        shape.dims[i] = 5 + (int64_t)ao_rng_below(&rng, 5);
    net_init(net, seed, shape);
    const int x = random_layers(net, net->graph.inputs[0]);
    net_output(net, x);
    net_output(net, net_head(net, x));
}
