/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_TESTS_VJP_FIXTURE_H
#define AO_TESTS_VJP_FIXTURE_H

#include "ops/check.h"
#include "support/double_run.h"
#include "support/one_node.h"
#include "support/random_net.h"

/*
 * Every operator's gradient against central differences, both in double. For a random u and
 * s(x) = <u, y(x)>,
 *
 *     |ds/dx_i - (s(x + h e_i) - s(x - h e_i)) / 2h|  <=  h^2/6 max|d3s/dx_i3|  +  eps S / h
 *
 * with S = sum |u_j y_j| (each y_j is right to an eps or so of itself and of what it is a sum of).
 * The two are alike near h = eps^(1/3); with H = 2^-17 the first is 1e-11 d3s, the second 3e-11 S.
 * Functions and ranges here are chosen so that d3s stays below 100 times S, or 1 where S is less:
 * together 1e-9. A wrong sign, factor or place is off by a fraction of a gradient near 1.
 */
#define H 0x1p-17
#define TOLERANCE 1e-9

#define MAX_TYPES 256
static bool covered[MAX_TYPES]; /* rows of ops.def that some case has differentiated */

/* Builds a network of one input; answers its output. */
typedef int (*build_fn)(struct net *net);

static int append(struct net *net, const char *type, const int32_t *in, int n_in,
                  const struct ao_attr *attrs, int n_attrs)
{
    int32_t value;
    if (ao_vjp_node(&net->graph, type, in, n_in, attrs, n_attrs, &value) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    return value;
}
#define IN(...) (const int32_t[]){ __VA_ARGS__ }, (int)(sizeof(int32_t[]){ __VA_ARGS__ } / 4)
#define NO_ATTRS NULL, 0
#define ATTRS(...)                           \
    (const struct ao_attr[]){ __VA_ARGS__ }, \
        (int)(sizeof(struct ao_attr[]){ __VA_ARGS__ } / sizeof(struct ao_attr))
#define INT(key, number)                                  \
    {                                                     \
        .name = (key), .type = AO_ATTR_INT, .i = (number) \
    }
#define FLOAT(key, number)                                  \
    {                                                       \
        .name = (key), .type = AO_ATTR_FLOAT, .f = (number) \
    }
#define TEXT(key, words)                                     \
    {                                                        \
        .name = (key), .type = AO_ATTR_TEXT, .text = (words) \
    }
#define INTS(key, ...)                                                                  \
    {                                                                                   \
        .name = (key), .type = AO_ATTR_INTS, .n = sizeof(int64_t[]){ __VA_ARGS__ } / 8, \
        .ints = (const int64_t[])                                                       \
        {                                                                               \
            __VA_ARGS__                                                                 \
        }                                                                               \
    }
#define K(net, ...) \
    net_integers((net), sizeof(int64_t[]){ __VA_ARGS__ } / 8, (const int64_t[]){ __VA_ARGS__ })

static int input(struct net *net, uint64_t seed, struct ao_shape shape)
{
    net_init(net, seed, shape);
    return net->graph.inputs[0];
}

/* Another operand of that shape, each element of which changes with all of x. */
static int operand(struct net *net, int x, struct ao_shape shape)
{
    const struct ao_shape from = net_shape(net, x);
    const int flat = append(net, "Reshape", IN(x, K(net, 1, -1)), NO_ATTRS);
    const int w = net_constant(net, SHAPE(ao_shape_count(&from), ao_shape_count(&shape)), -1, 1);
    const int mixed = append(net, "Gemm", IN(flat, w), NO_ATTRS);
    return append(net, "Reshape", IN(mixed, net_integers(net, shape.rank, shape.dims)), NO_ATTRS);
}

static double *backward(const struct ao_graph *network, const double *x, const double *u)
{
    struct ao_gradient *gradient =
        gradient_of(network, &(struct ao_gradient_options){ .clip = true });
    assert_int_equal(gradient->graph.batchable, network->batchable);
    struct pass pass = gradient_run(gradient, AO_BACKEND_REFERENCE_F64, x, NULL, u);
    int64_t n;
    double *result = take(&pass, gradient->clip_output, &n);
    pass_close(&pass);
    ao_gradient_destroy(&gradient);
    return result;
}

/* Largest difference between gradient and central differences, as a fraction of S. */
static double check_network(struct net *net)
{
    const struct ao_shape shape = net_shape(net, net->graph.inputs[0]);
    const struct ao_shape y_shape = net_shape(net, net->graph.outputs[0]);
    const int64_t n = ao_shape_count(&shape);
    double *x = random_values(&net->rng, n);
    double *u = random_values(&net->rng, ao_shape_count(&y_shape));
    double *got = backward(&net->graph, x, u);
    struct pass forward = pass_open(&net->graph, AO_BACKEND_REFERENCE_F64, 1);
    double worst = 0, largest = 0, size;
    for (int64_t i = 0; i < n; i++) {
        const double at = x[i];
        x[i] = at + H;
        const double above = score_of(&forward, x, u, &size);
        x[i] = at - H;
        const double below = score_of(&forward, x, u, &size);
        x[i] = at;
        const double want = (above - below) / (2 * H);
        const double error = fabs(got[i] - want) / fmax(size, 1);
        worst = error <= worst ? worst : error; /* a NaN is taken, and stays */
        largest = fmax(largest, fabs(want));
    }
    assert_true(largest > 0);
    pass_close(&forward);
    free(got);
    free(x);
    free(u);
    return worst;
}

static void release(void **memory, int n)
{
    for (int i = 0; i < n; i++)
        free(memory[i]);
}

/* Output 0 of a node on copies of the inputs in that layout and type, as dense doubles. */
static double *run_node(const struct ao_graph *graph, const struct ao_node *node,
                        struct ao_view *const dense, enum rig_layout layout, enum ao_dtype real)
{
    struct ao_view in[RIG_SLOTS] = { 0 };
    void *memory[RIG_SLOTS + 2] = { 0 };
    size_t bytes;
    assert_true(node->n_in <= RIG_SLOTS && node->n_out == 1);
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] >= 0) {
            const bool is_real = ao_dtype_is_float(dense[i].dtype);
            in[i] = rig_buffer(is_real ? real : dense[i].dtype, &dense[i].shape, layout, &memory[i],
                               &bytes);
            ao_view_convert(&in[i], &dense[i]);
        }
    const struct ao_value *y = &graph->values[node->out[0]];
    const enum ao_dtype type = ao_dtype_is_float(y->dtype) ? real : y->dtype;
    const struct ao_view out = rig_buffer(type, &y->shape, layout, &memory[RIG_SLOTS], &bytes);
    const size_t scratch = node->op->scratch ? node->op->scratch(graph, node, 1) : 0;
    memory[RIG_SLOTS + 1] = aligned_alloc(64, scratch / 64 * 64 + 64);
    assert_non_null(memory[RIG_SLOTS + 1]);
    const struct ao_op_call call = {
        .node = node, .in = in, .out = &out, .scratch = memory[RIG_SLOTS + 1]
    };
    node->op->forward(&call);
    rig_check_gaps(&out, bytes);
    double *values = doubles(ao_shape_count(&y->shape));
    const struct ao_view dst = ao_view_dense(values, AO_F64, &y->shape);
    ao_view_convert(&dst, &out);
    release(memory, RIG_SLOTS + 2);
    return values;
}

/* Inputs of a node: constants, and random numbers that float32 holds exactly. False if it reads
 * computed integers. */
static bool draw_inputs(const struct ao_graph *graph, const struct ao_node *node,
                        struct ao_rng *rng, struct ao_view *dense, void **memory)
{
    for (int i = 0; i < node->n_in; i++) {
        if (node->in[i] < 0)
            continue;
        const struct ao_value *value = &graph->values[node->in[i]];
        dense[i] = ao_view_dense((void *)(uintptr_t)value->data, value->dtype, &value->shape);
        if (value->data)
            continue;
        if (!ao_dtype_is_float(value->dtype))
            return false;
        double *numbers = memory[i] = random_values(rng, ao_shape_count(&value->shape));
        for (int64_t k = 0; k < ao_shape_count(&value->shape); k++)
            numbers[k] = (double)(float)numbers[k];
        dense[i] = ao_view_dense(numbers, AO_F64, &value->shape);
    }
    return true;
}

/*
 * Every node of a backward pass in every layout: the same doubles as when dense, and in float the
 * same numbers rounded once, 2^-24 of each, or of 1 next to 0.
 */
static void check_layouts(const struct ao_graph *network)
{
    struct ao_gradient *gradient =
        gradient_of(network, &(struct ao_gradient_options){ .clip = true });
    const struct ao_graph *graph = &gradient->graph;
    struct ao_rng rng;
    ao_rng_init(&rng, 77);
    for (size_t k = gradient->n_forward; k < graph->n_nodes; k++) {
        const struct ao_node *node = &graph->nodes[k];
        struct ao_view dense[RIG_SLOTS] = { 0 };
        void *memory[RIG_SLOTS] = { 0 };
        const int64_t n = count_of(graph, node->out[0]);
        for (int layout = 0; draw_inputs(graph, node, &rng, dense, memory) && layout < RIG_LAYOUTS;
             layout++) {
            double *want = run_node(graph, node, dense, RIG_DENSE, AO_F64);
            double *wide = run_node(graph, node, dense, (enum rig_layout)layout, AO_F64);
            double *narrow = run_node(graph, node, dense, (enum rig_layout)layout, AO_F32);
            for (int64_t i = 0; i < n; i++)
                if ((wide[i] != want[i] && !(isnan(wide[i]) && isnan(want[i]))) ||
                    fabs(narrow[i] - want[i]) > 0x1p-24 * fmax(fabs(want[i]), 1))
                    fail_msg("%s: element %d is %.17g and %.9g, not %.17g", node->name, (int)i,
                             wide[i], narrow[i], want[i]);
            free(want);
            free(wide);
            free(narrow);
            release(memory, RIG_SLOTS);
            memset(memory, 0, sizeof memory);
        }
        release(memory, RIG_SLOTS);
    }
    ao_gradient_destroy(&gradient);
}

static void mark_covered(const struct ao_graph *graph)
{
    const struct ao_op *const *rows = ao_op_list();
    for (size_t k = 0; k < graph->n_nodes; k++)
        for (int i = 0; rows[i]; i++)
            covered[i] |= rows[i] == graph->nodes[k].op;
}

static double check_case(const char *name, struct net *net, int y)
{
    net_output(net, y);
    net_finish(net);
    const double worst = check_network(net);
    if (!(worst <= TOLERANCE))
        print_message("%s: off by %.2e\n", name, worst);
    check_layouts(&net->graph);
    mark_covered(&net->graph);
    ao_graph_fini(&net->graph);
    return worst;
}

#endif
