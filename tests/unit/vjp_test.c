/* SPDX-License-Identifier: Apache-2.0 */
#include "vjp_fixture.h"
#include "vjp_layers.h"

struct unary {
    const char *type;
    double shift; /* inputs are in [-1, 1) + shift */
    int n_attrs;
    struct ao_attr attrs[2];
};

static const struct unary unaries[] = {
    { "Relu", 0, 0, { { 0 } } },
    { "Sigmoid", 0, 0, { { 0 } } },
    { "Tanh", 0, 0, { { 0 } } },
    { "Exp", 0, 0, { { 0 } } },
    { "Log", 2, 0, { { 0 } } },
    { "Sqrt", 2, 0, { { 0 } } },
    { "Erf", 0, 0, { { 0 } } },
    { "Reciprocal", 2, 0, { { 0 } } },
    { "Reciprocal", -2, 0, { { 0 } } },
    { "Neg", 0, 0, { { 0 } } },
    { "Abs", 0, 0, { { 0 } } },
    { "Softplus", 0, 0, { { 0 } } },
    { "HardSigmoid", 0, 2, { FLOAT("alpha", 0.9f), FLOAT("beta", 0.4f) } },
    { "HardSwish", -2.5, 0, { { 0 } } },
    { "HardSwish", 2.5, 0, { { 0 } } },
    { "LeakyRelu", 0, 1, { FLOAT("alpha", 0.3f) } },
    { "Elu", 0, 1, { FLOAT("alpha", 1.7f) } },
    { "Gelu", 0, 0, { { 0 } } },
    { "Gelu", 0, 1, { TEXT("approximate", "tanh") } },
    { "Identity", 0, 0, { { 0 } } },
    { "Dropout", 0, 0, { { 0 } } },
    { "Softmax", 0, 1, { INT("axis", 1) } },
    { "Softmax", 0, 0, { { 0 } } },
    { "LogSoftmax", 0, 1, { INT("axis", 1) } },
    { "Flatten", 0, 0, { { 0 } } },
    { "Flatten", 0, 1, { INT("axis", 2) } },
    { "Transpose", 0, 1, { INTS("perm", 0, 2, 3, 1) } },
    { "Transpose", 0, 0, { { 0 } } },
    { "GlobalMaxPool", 0, 0, { { 0 } } },
    { "GlobalAveragePool", 0, 0, { { 0 } } },
};

static void operators_of_one_input(void **state)
{
    (void)state;
    double worst = 0;
    int wrong = 0;
    for (size_t i = 0; i < sizeof unaries / sizeof unaries[0]; i++) {
        const struct unary *item = &unaries[i];
        struct net net;
        int x = input(&net, 100 + i, SHAPE(1, 3, 4, 5));
        if (item->shift != 0)
            x = net_binary(&net, "Add", x, net_constant(&net, SHAPE(1), item->shift, item->shift));
        const int y = append(&net, item->type, IN(x), item->attrs, item->n_attrs);
        const double error = check_case(item->type, &net, y);
        wrong += !(error <= TOLERANCE);
        worst = fmax(worst, error);
    }
    print_message("worst %.2e of S\n", worst);
    assert_int_equal(wrong, 0);
}

static int reshape(struct net *net)
{
    const int x = input(net, 25, SHAPE(1, 6, 2));
    const int a = append(net, "Reshape", IN(x, K(net, 0, 2, -1)), NO_ATTRS);
    const int b = append(net, "Unsqueeze", IN(a, K(net, 1, 4)), NO_ATTRS);
    return append(net, "Squeeze", IN(b, K(net, 1)), NO_ATTRS);
}

static int concat(struct net *net)
{
    const int x = input(net, 26, SHAPE(1, 2, 3));
    const int a = net_unary(net, "Tanh", x);
    const int b = append(net, "Concat", IN(x, a, x), ATTRS(INT("axis", 1)));
    return append(net, "Concat", IN(b, net_constant(net, SHAPE(1, 6, 2), -1, 1)),
                  ATTRS(INT("axis", 2)));
}

static int reduce(struct net *net, const char *type, uint64_t seed)
{
    const int x = input(net, seed, SHAPE(1, 3, 2, 4));
    const int a = append(net, type, IN(x, K(net, 1, 2)), NO_ATTRS);
    const int b = append(net, type, IN(x, K(net, -2)), ATTRS(INT("keepdims", 0)));
    const int c = append(net, type, IN(x), NO_ATTRS);
    return net_binary(net, "Add", net_binary(net, "Mul", a, b), c);
}

static int reduce_sum(struct net *net)
{
    return reduce(net, "ReduceSum", 27);
}

static int reduce_mean(struct net *net)
{
    return reduce(net, "ReduceMean", 28);
}

static int clip(struct net *net)
{
    const int x = input(net, 29, SHAPE(1, 3, 2, 4));
    return append(
        net, "Clip",
        IN(x, net_constant(net, SHAPE(1), -0.4, -0.4), net_constant(net, SHAPE(1), 0.6, 0.6)),
        NO_ATTRS);
}

static int reduce_prod(struct net *net) /* also through one and two zeros */
{
    const int x = input(net, 30, SHAPE(1, 3, 2, 4));
    static const float factors[] = { 1, 0, 2, -1, 0, 1, 3, 1, 0.5f, 1, 0, 1 };
    int value;
    assert_int_equal(
        ao_graph_add_constant(&net->graph, "w", AO_F32, &SHAPE(3, 1, 4), factors, &value), AOSA_OK);
    const int scaled = net_binary(net, "Mul", x, value);
    const int a = append(net, "ReduceProd", IN(scaled, K(net, 1)), NO_ATTRS);
    const int b = append(net, "ReduceProd", IN(x, K(net, 2, 3)), ATTRS(INT("keepdims", 0)));
    return net_binary(net, "Add", a, append(net, "Reshape", IN(b, K(net, 1, 3, 1, 1)), NO_ATTRS));
}

static int reduce_max(struct net *net)
{
    return reduce(net, "ReduceMax", 31);
}

static int reduce_min(struct net *net)
{
    return reduce(net, "ReduceMin", 32);
}

static int reduce_sum_square(struct net *net)
{
    return reduce(net, "ReduceSumSquare", 33);
}

static int reduce_l1(struct net *net)
{
    return reduce(net, "ReduceL1", 34);
}

static int reduce_l2(struct net *net)
{
    return reduce(net, "ReduceL2", 35);
}

static int cumsum(struct net *net)
{
    const int x = input(net, 36, SHAPE(1, 3, 4));
    const int a = append(net, "CumSum", IN(x, K(net, 1)), ATTRS(INT("exclusive", 1)));
    const int b = append(net, "CumSum", IN(a, K(net, 2)), ATTRS(INT("reverse", 1)));
    return append(net, "CumSum", IN(b, K(net, 2)), NO_ATTRS);
}

static int cast(struct net *net)
{
    const int x = input(net, 37, SHAPE(1, 3, 4));
    const int wide = append(net, "Cast", IN(x), ATTRS(INT("to", 11)));
    const int y = append(net, "ReduceMax", IN(net_unary(net, "Tanh", wide), K(net, 2)), NO_ATTRS);
    return append(net, "Cast", IN(net_binary(net, "Div", y, net_unary(net, "Exp", wide))),
                  ATTRS(INT("to", 1)));
}

static int where(struct net *net)
{
    const int x = input(net, 38, SHAPE(1, 3, 4));
    const int above = net_binary(net, "Greater", x, net_constant(net, SHAPE(2, 1, 1, 1), -1, 1));
    return append(net, "Where", IN(above, x, operand(net, x, SHAPE(3, 1))), NO_ATTRS);
}

static int expand(struct net *net)
{
    const int x = input(net, 39, SHAPE(1, 3, 1));
    return append(net, "Expand", IN(x, K(net, 2, 1, 1, 4)), NO_ATTRS);
}

static int tile(struct net *net)
{
    const int x = input(net, 40, SHAPE(1, 3, 2));
    return append(net, "Tile", IN(x, K(net, 1, 2, 3)), NO_ATTRS);
}

static int split(struct net *net) /* the middle piece is not used */
{
    const int x = input(net, 41, SHAPE(1, 6, 2));
    int32_t pieces[3];
    int index;
    for (int i = 0; i < 3; i++)
        assert_int_equal(ao_graph_add_value(&net->graph, "piece", &pieces[i]), AOSA_OK);
    int32_t in[] = { x, K(net, 2, 3, 1) };
    const struct ao_attr axis = INT("axis", 1);
    const struct ao_node node = { .type = "Split",
                                  .op = ao_op_find("Split"),
                                  .n_in = 2,
                                  .n_out = 3,
                                  .n_attrs = 1,
                                  .in = ao_arena_copy(&net->graph.arena, in, sizeof in),
                                  .out = ao_arena_copy(&net->graph.arena, pieces, sizeof pieces),
                                  .attrs = ao_arena_copy(&net->graph.arena, &axis, sizeof axis) };
    assert_int_equal(ao_graph_add_node(&net->graph, &node, &index), AOSA_OK);
    assert_int_equal(node.op->infer(&net->graph, &net->graph.nodes[index]), AOSA_OK);
    return net_binary(net, "Mul", pieces[0], pieces[2]);
}

static int slice(struct net *net)
{
    const int x = input(net, 42, SHAPE(1, 7, 6, 4));
    const int a = append(
        net, "Slice", IN(x, K(net, -2, 1), K(net, -100, 6), K(net, 1, 2), K(net, -2, 3)), NO_ATTRS);
    return append(net, "Slice", IN(a, K(net, 1), K(net, 3), K(net, 3)), NO_ATTRS);
}

static int gather(struct net *net)
{
    const int x = input(net, 43, SHAPE(1, 5, 3));
    const int pairs = append(net, "Reshape", IN(K(net, 0, -1, 3, 0), K(net, 2, 2)), NO_ATTRS);
    const int a = append(net, "Gather", IN(x, pairs), ATTRS(INT("axis", 1)));
    return append(net, "Gather", IN(a, K(net, 2, 2, 0)), ATTRS(INT("axis", 3)));
}

static int gather_elements(struct net *net)
{
    const int x = input(net, 50, SHAPE(1, 3, 4));
    const int at = append(net, "Reshape", IN(K(net, 0, -1, 1, 1, 2, 2), K(net, 1, 3, 2)), NO_ATTRS);
    return append(net, "GatherElements", IN(x, at), ATTRS(INT("axis", 2)));
}

static int pad(struct net *net)
{
    const int x = input(net, 44, SHAPE(1, 3, 4));
    return append(net, "Pad", IN(x, K(net, 0, 2, -1, 0, -1, 3), net_constant(net, SHAPE(1), 7, 7)),
                  NO_ATTRS);
}

static int pad_with(struct net *net, const char *mode, uint64_t seed)
{
    const int x = input(net, seed, SHAPE(1, 3, 4));
    return append(net, "Pad", IN(x, K(net, 0, 2, -1, 0, -1, 3)), ATTRS(TEXT("mode", mode)));
}

static int pad_reflect(struct net *net)
{
    return pad_with(net, "reflect", 45);
}

static int pad_edge(struct net *net)
{
    return pad_with(net, "edge", 46);
}

static int pad_wrap(struct net *net)
{
    return pad_with(net, "wrap", 47);
}

static int gather_nd(struct net *net)
{
    const int x = input(net, 48, SHAPE(1, 3, 4));
    const int a = append(net, "Reshape", IN(K(net, 0, 2, 0, -1, 0, 2), K(net, 3, 2)), NO_ATTRS);
    const int b = append(net, "Reshape", IN(K(net, 1, -3), K(net, 1, 2, 1)), NO_ATTRS);
    const int rows = append(net, "GatherND", IN(x, a), NO_ATTRS);
    const int first = append(net, "GatherND", IN(x, b), ATTRS(INT("batch_dims", 1)));
    return net_binary(net, "Add", append(net, "ReduceSum", IN(rows), NO_ATTRS), first);
}

static int scatter_nd(struct net *net)
{
    const int x = input(net, 49, SHAPE(1, 3, 4));
    const int at = append(net, "Reshape", IN(K(net, 0, 2, 0, 1), K(net, 2, 2)), NO_ATTRS);
    const int updates = operand(net, x, SHAPE(2, 4));
    const int a = append(net, "ScatterND", IN(x, at, updates), NO_ATTRS);
    return append(net, "ScatterND", IN(a, at, updates), ATTRS(TEXT("reduction", "add")));
}

static const struct {
    const char *name;
    build_fn build;
} cases[] = {
    { "Conv 3x3x3", conv_1 },
    { "Conv in groups, asymmetric", conv_2 },
    { "Conv depthwise, dilated", conv_3 },
    { "Conv 1-D", conv_4 },
    { "Conv 1x1, stride 2", conv_5 },
    { "MaxPool, overlapping, ceil", max_pool },
    { "MaxPool, dilated", max_pool_dilated },
    { "AveragePool, ceil", average_pool },
    { "AveragePool, padding counted", average_pool_counting },
    { "BatchNormalization", batch_norm },
    { "Add", add },
    { "Sub", sub },
    { "Mul", mul },
    { "Div", divide },
    { "Gemm", gemm_plain },
    { "Gemm A'B'", gemm_turned },
    { "Gemm AB'", gemm_right },
    { "Gemm A'B", gemm_left },
    { "MatMul", matmul_plain },
    { "MatMul, broadcast", matmul_broadcast },
    { "MatMul, row", matmul_row },
    { "MatMul, column", matmul_column },
    { "MatMul, dot product", matmul_dot },
    { "MatMul, weights", matmul_weights },
    { "Reshape", reshape },
    { "Concat", concat },
    { "ReduceSum", reduce_sum },
    { "ReduceMean", reduce_mean },
    { "Clip", clip },
    { "GroupNormalization", group_norm },
    { "InstanceNormalization", instance_norm },
    { "LayerNormalization", layer_norm },
    { "Pow", power },
    { "Max", maximum },
    { "Min", minimum },
    { "Mod", modulo },
    { "PRelu", prelu },
    { "Einsum", einsum },
    { "Resize, linear", resize_linear },
    { "Resize, nearest", resize_nearest },
    { "Resize of opset 10", resize_simple },
    { "GatherElements", gather_elements },
    { "ReduceProd", reduce_prod },
    { "ReduceMax", reduce_max },
    { "ReduceMin", reduce_min },
    { "ReduceSumSquare", reduce_sum_square },
    { "ReduceL1", reduce_l1 },
    { "ReduceL2", reduce_l2 },
    { "CumSum", cumsum },
    { "Cast", cast },
    { "Where", where },
    { "Expand", expand },
    { "Tile", tile },
    { "Split", split },
    { "Slice", slice },
    { "Gather", gather },
    { "Pad", pad },
    { "Pad, reflected", pad_reflect },
    { "Pad, edge", pad_edge },
    { "Pad, wrapped", pad_wrap },
    { "GatherND", gather_nd },
    { "ScatterND", scatter_nd },
};

static void every_other_operator(void **state)
{
    (void)state;
    double worst = 0;
    int wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct net net;
        const int y = cases[i].build(&net);
        const double error = check_case(cases[i].name, &net, y);
        wrong += !(error <= TOLERANCE);
        worst = fmax(worst, error);
    }
    print_message("worst %.2e of S\n", worst);
    assert_int_equal(wrong, 0);
}

/* Operators whose outputs are integers or bool, or that read no floats; and the backward's own. */
static const char *const never_asked[] = {
    "Not",       "Equal",        "Less",          "LessOrEqual",     "Greater",
    "And",       "Or",           "Xor",           "GreaterOrEqual",  "ArgMax",
    "ArgMin",    "Shape",        "Size",          "Constant",        "ConstantOfShape",
    "Range",     "ConvGradData", "MaxPoolGrad",   "AveragePoolGrad", "ReluGrad",
    "MoveGrad",  "BinaryGrad",   "PointwiseGrad", "RescaleQuotient", "ReduceProdGrad",
    "SliceGrad", "ResizeGrad",   "LayerNormGrad", "GroupNormGrad",
};

static bool is_listed(const char *type)
{
    for (size_t i = 0; i < sizeof never_asked / sizeof never_asked[0]; i++)
        if (strcmp(never_asked[i], type) == 0)
            return true;
    return false;
}

/* Runs after the two above: a new operator needs a backward and a case, or a place in the list. */
static void no_differentiable_operator_is_left_out(void **state)
{
    (void)state;
    const struct ao_op *const *rows = ao_op_list();
    int missing = 0, n = 0;
    for (int i = 0; rows[i]; i++) {
        assert_true(i < MAX_TYPES);
        const bool asked = rows[i]->vjp && rows[i]->vjp != ao_vjp_zero;
        const bool forgotten = asked ? !covered[i] : !rows[i]->vjp && !is_listed(rows[i]->type);
        n += asked;
        missing += forgotten;
        if (forgotten)
            print_message("%s %s\n", rows[i]->type,
                          asked ? "has a backward and no case" : "has no backward");
    }
    print_message("%d operators with a backward\n", n);
    assert_int_equal(missing, 0);
}

/* A file may name the backward's operators too: shapes that do not fit are refused, not run. */
static void operators_of_the_backward_check_their_inputs(void **state)
{
    (void)state;
    struct net net;
    const int x = input(&net, 1, SHAPE(1, 3, 4, 5));
    const int w = net_constant(&net, SHAPE(2, 3, 3, 3), -1, 1);
    const int v = net_constant(&net, SHAPE(4), -1, 1), k = K(&net, 0, 1, 2, 3);
    const struct {
        const char *type;
        int32_t in[3];
        int n_in, n_attrs;
        struct ao_attr attrs[3];
    } wrong[] = {
        { "ConvGradData", { x, w }, 2, 0, { { 0 } } },
        { "ConvGradData", { v, w }, 2, 0, { { 0 } } },
        { "MaxPoolGrad", { x, x }, 2, 1, { INTS("kernel_shape", 2, 2) } },
        { "MaxPoolGrad", { x, v }, 2, 1, { INTS("kernel_shape", 2, 2) } },
        { "AveragePoolGrad", { x }, 1, 2, { INTS("kernel_shape", 2, 2), INTS("extent", 9, 9) } },
        { "ReluGrad", { x, v }, 2, 0, { { 0 } } },
        { "PointwiseGrad", { x, x }, 2, 1, { TEXT("function", "Floor") } },
        { "PointwiseGrad", { x, v }, 2, 1, { TEXT("function", "Exp") } },
        { "RescaleQuotient", { x, x, v }, 3, 0, { { 0 } } },
        { "BinaryGrad", { x, x, v }, 3, 1, { TEXT("function", "Max") } },
        { "BinaryGrad", { x, x, x }, 3, 1, { TEXT("function", "Add") } },
        { "SliceGrad", { x }, 1, 1, { INTS("extent", 1, 3, 4, 4) } },
        { "SliceGrad", { x }, 1, 2, { INTS("extent", 1, 3, 4, 9), INTS("step", 1, 1, 1, 3) } },
        { "MoveGrad", { x, k }, 2, 1, { INTS("extent", 9) } },
        { "MoveGrad", { v, k }, 2, 1, { INTS("extent", 3) } },
        { "ReduceProdGrad", { v, x }, 2, 0, { { 0 } } },
        { "ResizeGrad", { x, -1, -1 }, 3, 1, { INTS("extent", 1, 3, 4, 5) } },
        { "LayerNormGrad", { x, x, v }, 3, 0, { { 0 } } },
        { "GroupNormGrad", { v, x, v }, 3, 0, { { 0 } } },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        int32_t value;
        const aosa_status status =
            ao_vjp_node(&net.graph, wrong[i].type, wrong[i].in, wrong[i].n_in, wrong[i].attrs,
                        wrong[i].n_attrs, &value);
        if (status != AOSA_ERR_FORMAT && status != AOSA_ERR_UNSUPPORTED)
            fail_msg("case %d, %s: status %d", (int)i, wrong[i].type, (int)status);
    }
    ao_graph_fini(&net.graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_of_one_input),
        cmocka_unit_test(every_other_operator),
        cmocka_unit_test(no_differentiable_operator_is_left_out),
        cmocka_unit_test(operators_of_the_backward_check_their_inputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
