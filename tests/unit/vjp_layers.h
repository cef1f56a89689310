/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_TESTS_VJP_LAYERS_H
#define AO_TESTS_VJP_LAYERS_H

#include "vjp_fixture.h"

/* Cases of vjp_test.c: convolution, pooling, normalisation, matrix products, arithmetic. */

static int conv_case(struct net *net, uint64_t seed, struct ao_shape shape, int64_t channels,
                     int64_t group, const struct net_window *w)
{
    return net_conv(net, input(net, seed, shape), channels, group, w);
}

static int conv_1(struct net *net)
{
    return conv_case(
        net, 1, SHAPE(1, 2, 3, 5, 4), 3, 1,
        &(struct net_window){ 3, { 3, 3, 3 }, { 1, 1, 1 }, { 1, 1, 1 }, { 1, 1, 1, 1, 1, 1 } });
}

static int conv_2(struct net *net)
{
    return conv_case(
        net, 2, SHAPE(1, 4, 3, 7, 6), 6, 2,
        &(struct net_window){ 3, { 1, 3, 2 }, { 1, 2, 3 }, { 1, 1, 2 }, { 0, 1, 2, 0, 0, 1 } });
}

static int conv_3(struct net *net) /* depthwise, dilated, stride beyond the kernel */
{
    return conv_case(net, 3, SHAPE(1, 3, 9, 8), 3, 3,
                     &(struct net_window){ 2, { 2, 3 }, { 3, 1 }, { 1, 2 }, { 0, 2, 1, 0 } });
}

static int conv_4(struct net *net)
{
    return conv_case(net, 4, SHAPE(2, 3, 11), 2, 1,
                     &(struct net_window){ 1, { 4 }, { 2 }, { 2 }, { 3, 1 } });
}

static int conv_5(struct net *net) /* 1 x 1 with stride: most inputs are never read */
{
    return conv_case(net, 5, SHAPE(1, 3, 5, 5), 4, 1,
                     &(struct net_window){ 2, { 1, 1 }, { 2, 2 }, { 1, 1 }, { 0 } });
}

static int max_pool(struct net *net)
{
    return append(net, "MaxPool", IN(input(net, 6, SHAPE(1, 2, 4, 7, 5))),
                  ATTRS(INTS("kernel_shape", 2, 3, 3), INTS("strides", 2, 2, 1),
                        INTS("pads", 0, 1, 1, 1, 1, 0), INT("ceil_mode", 1)));
}

static int max_pool_dilated(struct net *net)
{
    return append(
        net, "MaxPool", IN(input(net, 7, SHAPE(1, 2, 8, 9))),
        ATTRS(INTS("kernel_shape", 3, 2), INTS("dilations", 2, 3), TEXT("auto_pad", "SAME_UPPER")));
}

static int average_pool(struct net *net)
{
    return append(net, "AveragePool", IN(input(net, 8, SHAPE(1, 2, 4, 7, 5))),
                  ATTRS(INTS("kernel_shape", 2, 3, 3), INTS("strides", 2, 2, 1),
                        INTS("pads", 0, 1, 1, 1, 1, 0), INT("ceil_mode", 1)));
}

static int average_pool_counting(struct net *net)
{
    return append(net, "AveragePool", IN(input(net, 9, SHAPE(1, 2, 8, 9))),
                  ATTRS(INTS("kernel_shape", 3, 2), INTS("strides", 2, 2), INTS("pads", 1, 1, 2, 0),
                        INT("ceil_mode", 1), INT("count_include_pad", 1)));
}

static int batch_norm(struct net *net)
{
    const int x = input(net, 10, SHAPE(1, 3, 4, 2));
    const struct ao_shape n = SHAPE(3);
    return append(net, "BatchNormalization",
                  IN(x, net_constant(net, n, -1, 1), net_constant(net, n, -1, 1),
                     net_constant(net, n, -1, 1), net_constant(net, n, 0.5, 2)),
                  NO_ATTRS);
}

/* y = op(x, constant), op(constant, x) and op(x, another) with all kinds of broadcasting. */
static int binary(struct net *net, const char *type, uint64_t seed)
{
    const int x = input(net, seed, SHAPE(1, 3, 1, 4));
    const int far = net_binary(net, "Add", x, net_constant(net, SHAPE(1), 3, 3));
    const int row =
        net_binary(net, "Add", operand(net, x, SHAPE(4)), net_constant(net, SHAPE(1), 14, 14));
    const int wide = net_binary(net, "Add", operand(net, x, SHAPE(1, 1, 5, 4)),
                                net_constant(net, SHAPE(1), 14, 14));
    int y = append(net, type, IN(far, net_constant(net, SHAPE(3, 2, 1), 1, 2)), NO_ATTRS);
    y = net_binary(net, "Mul", y, append(net, type, IN(far, row), NO_ATTRS));
    y = net_binary(net, "Mul", append(net, type, IN(wide, far), NO_ATTRS),
                   append(net, "ReduceSum", IN(y, K(net, 2)), NO_ATTRS));
    y = net_binary(
        net, "Add", y,
        append(net, type, IN(net_constant(net, SHAPE(2, 1, 1, 1), 1, 2), far), NO_ATTRS));
    return net_binary(net, "Add", y, append(net, type, IN(far, far), NO_ATTRS));
}

static int add(struct net *net)
{
    return binary(net, "Add", 11);
}

static int sub(struct net *net)
{
    return binary(net, "Sub", 12);
}

static int mul(struct net *net)
{
    return binary(net, "Mul", 13);
}

static int divide(struct net *net)
{
    return binary(net, "Div", 14);
}

/* Both operands from x, transposed or not. */
static int gemm(struct net *net, uint64_t seed, bool ta, bool tb)
{
    const int x = input(net, seed, SHAPE(1, 4));
    const int a = operand(net, x, ta ? SHAPE(3, 2) : SHAPE(2, 3));
    const int b = operand(net, x, tb ? SHAPE(5, 3) : SHAPE(3, 5));
    const int c = operand(net, x, SHAPE(5));
    return append(
        net, "Gemm", IN(a, b, c),
        ATTRS(INT("transA", ta), INT("transB", tb), FLOAT("alpha", 0.7f), FLOAT("beta", 1.3f)));
}

static int gemm_plain(struct net *net)
{
    return gemm(net, 15, false, false);
}

static int gemm_turned(struct net *net)
{
    return gemm(net, 16, true, true);
}

static int gemm_right(struct net *net)
{
    return gemm(net, 17, false, true);
}

static int gemm_left(struct net *net)
{
    return gemm(net, 18, true, false);
}

static int matmul(struct net *net, uint64_t seed, struct ao_shape a, struct ao_shape b)
{
    const int x = input(net, seed, SHAPE(1, 4));
    const int left = operand(net, x, a), right = operand(net, x, b);
    return append(net, "MatMul", IN(left, right), NO_ATTRS);
}

static int matmul_plain(struct net *net)
{
    return matmul(net, 19, SHAPE(2, 3), SHAPE(3, 4));
}

static int matmul_broadcast(struct net *net)
{
    return matmul(net, 20, SHAPE(2, 1, 2, 3), SHAPE(5, 3, 2));
}

static int matmul_row(struct net *net)
{
    return matmul(net, 21, SHAPE(3), SHAPE(2, 3, 2));
}

static int matmul_column(struct net *net)
{
    return matmul(net, 22, SHAPE(2, 2, 3), SHAPE(3));
}

static int matmul_dot(struct net *net)
{
    return matmul(net, 23, SHAPE(3), SHAPE(3));
}

static int matmul_weights(struct net *net) /* as in a transformer: [1][tokens][C] by [C][C'] */
{
    const int x = input(net, 24, SHAPE(1, 5, 3));
    return append(net, "MatMul", IN(x, net_constant(net, SHAPE(3, 4), -1, 1)), NO_ATTRS);
}

static int group_norm(struct net *net)
{
    const int x = input(net, 60, SHAPE(2, 6, 3, 2));
    return append(net, "GroupNormalization",
                  IN(x, net_constant(net, SHAPE(6), -1, 1), net_constant(net, SHAPE(6), -1, 1)),
                  ATTRS(INT("num_groups", 3), FLOAT("epsilon", 1e-3f)));
}

static int instance_norm(struct net *net)
{
    const int x = input(net, 61, SHAPE(1, 3, 2, 5));
    return append(net, "InstanceNormalization",
                  IN(x, net_constant(net, SHAPE(3), -1, 1), net_constant(net, SHAPE(3), -1, 1)),
                  NO_ATTRS);
}

static int layer_norm(struct net *net)
{
    const int x = input(net, 62, SHAPE(1, 4, 3, 5));
    const int a = append(
        net, "LayerNormalization",
        IN(x, net_constant(net, SHAPE(5), -1, 1), net_constant(net, SHAPE(5), -1, 1)), NO_ATTRS);
    return append(net, "LayerNormalization", IN(a, net_constant(net, SHAPE(3, 1), -1, 1)),
                  ATTRS(INT("axis", 2)));
}

/* x in [2, 4) to constant powers, whole ones too, constants to the power x, x to its own. */
static int power(struct net *net)
{
    const int x = input(net, 63, SHAPE(1, 3, 1, 4));
    const int far = net_binary(net, "Add", x, net_constant(net, SHAPE(1), 3, 3));
    const int a = net_binary(net, "Pow", far, net_constant(net, SHAPE(3, 2, 1), -1, 2));
    const int b = net_binary(net, "Pow", net_constant(net, SHAPE(2, 1), 1, 2), far);
    const int c = net_binary(net, "Pow", x, K(net, 3));
    const int d = net_binary(net, "Pow", far, net_unary(net, "Tanh", x));
    return net_binary(net, "Add", net_binary(net, "Add", a, b), net_binary(net, "Add", c, d));
}

static int extreme(struct net *net, const char *type, uint64_t seed)
{
    const int x = input(net, seed, SHAPE(1, 3, 1, 4));
    const int other = operand(net, x, SHAPE(1, 1, 5, 1));
    const int bound = net_constant(net, SHAPE(4), -1, 1);
    const int a = append(net, type, IN(x, other, bound, net_unary(net, "Neg", x)), NO_ATTRS);
    const int b = append(net, type, IN(x), NO_ATTRS);
    return net_binary(net, "Add", net_binary(net, "Mul", a, b), net_binary(net, type, bound, x));
}

static int maximum(struct net *net)
{
    return extreme(net, "Max", 64);
}

static int minimum(struct net *net)
{
    return extreme(net, "Min", 65);
}

static int modulo(struct net *net)
{
    const int x = input(net, 66, SHAPE(1, 3, 4));
    return append(net, "Mod", IN(x, net_constant(net, SHAPE(4), 0.2, 0.5)), ATTRS(INT("fmod", 1)));
}

static int prelu(struct net *net)
{
    const int x = input(net, 67, SHAPE(1, 3, 2, 4));
    const int a = net_binary(net, "PRelu", x, net_constant(net, SHAPE(3, 1, 1), -1, 1));
    return net_binary(net, "PRelu", a, operand(net, x, SHAPE(2, 1)));
}

/* Sums, a product, a letter that only one input has, and no arrow. */
static int einsum(struct net *net)
{
    const int x = input(net, 68, SHAPE(2, 3, 4));
    const int other = operand(net, x, SHAPE(4, 5, 3));
    const int a = append(net, "Einsum", IN(x, other), ATTRS(TEXT("equation", "bij, jki -> bk")));
    const int b = append(net, "Einsum", IN(x, net_constant(net, SHAPE(3), -1, 1)),
                         ATTRS(TEXT("equation", "bij,i->b")));
    const int c = append(net, "Einsum", IN(x), ATTRS(TEXT("equation", "bij->j")));
    const int d = append(net, "Einsum", IN(a, b), ATTRS(TEXT("equation", "bk,b")));
    return append(net, "Einsum", IN(c, d), ATTRS(TEXT("equation", "j,k->kj")));
}

static int resize_linear(struct net *net)
{
    const int x = input(net, 69, SHAPE(1, 2, 3, 5));
    const int32_t in[] = { x, -1, -1, K(net, 5, 4) };
    return append(net, "Resize", in, 4, ATTRS(TEXT("mode", "linear"), INTS("axes", 2, 3)));
}

static int resize_nearest(struct net *net)
{
    const int x = input(net, 70, SHAPE(1, 2, 3, 5));
    const int32_t in[] = { x, -1, -1, K(net, 1, 2, 6, 4) };
    return append(net, "Resize", in, 4, NO_ATTRS);
}

/* As in opset 10: one axis becomes shorter, one longer. */
static int resize_simple(struct net *net)
{
    const int x = input(net, 70, SHAPE(1, 2, 3, 5));
    const int32_t in[] = { x, -1, -1, K(net, 1, 2, 6, 4) };
    return append(net, "Resize", in, 4,
                  ATTRS(TEXT("nearest_mode", "simple"),
                        TEXT("coordinate_transformation_mode", "asymmetric")));
}

#endif
