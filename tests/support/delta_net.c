/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "passes/passes.h"
#include "support/delta_net.h"

static void weights(struct net *net, const char *name, int rank, const int64_t *dims, double scale)
{
    int64_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= dims[i];
    float *values = malloc((size_t)count * sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < count; i++)
        values[i] = (float)(scale * ao_rng_normal(&net->rng));
    graph_floats(&net->graph, name, rank, dims, values);
    free(values);
}

int net_pick(struct net *net, int lo, int hi)
{
    return lo + (int)ao_rng_below(&net->rng, (uint64_t)(hi - lo + 1));
}

/* Appends a node that reads `inputs` and makes the next value. */
void net_append(struct net *net, const char *type, const char *inputs, struct wire *attrs)
{
    char out[16], name[32];
    net->n++;
    snprintf(out, sizeof out, "v%d", net->n);
    snprintf(name, sizeof name, "%s_%d", type, net->n);
    graph_node(&net->graph, type, name, inputs, out, attrs);
}

void net_append_unary(struct net *net, const char *type)
{
    char in[16];
    snprintf(in, sizeof in, "v%d", net->n);
    net_append(net, type, in, NULL);
}

static void append_binary(struct net *net, const char *type, int a, int b)
{
    char in[40];
    snprintf(in, sizeof in, "v%d v%d", a, b);
    net_append(net, type, in, NULL);
}

/* Window attributes, drawn so that the output is not empty; moves net->dims. */
static struct wire draw_window(struct net *net, int most_kernel, bool strided, bool dilated)
{
    int64_t kernel[3], stride[3], dilation[3], pads[6];
    struct wire attrs = { 0 };
    for (int d = 0; d < 3; d++) {
        const int in = net->dims[d];
        kernel[d] = net_pick(net, 1, most_kernel < in ? most_kernel : in);
        stride[d] = strided ? net_pick(net, 1, 2) : 1;
        dilation[d] = dilated && 2 * (kernel[d] - 1) < in ? net_pick(net, 1, 2) : 1;
        const int64_t reach = (kernel[d] - 1) * dilation[d];
        const int most_pad = (int)(kernel[d] > 1 ? kernel[d] - 1 : 0);
        pads[d] = net_pick(net, 0, most_pad);
        pads[3 + d] = net_pick(net, 0, most_pad);
        net->dims[d] = (int)((in + pads[d] + pads[3 + d] - reach - 1) / stride[d] + 1);
    }
    attr_ints(&attrs, "kernel_shape", 3, kernel);
    attr_ints(&attrs, "strides", 3, stride);
    attr_ints(&attrs, "pads", 6, pads);
    if (dilated)
        attr_ints(&attrs, "dilations", 3, dilation);
    return attrs;
}

void net_finish_conv(struct net *net, int from, int out, int group, const int64_t *kernel,
                     struct wire *attrs)
{
    char w[16], b[16], in[64];
    const int64_t dims[5] = { out, net->C / group, kernel[0], kernel[1], kernel[2] }, bias = out;
    snprintf(w, sizeof w, "w%d", net->n);
    snprintf(b, sizeof b, "b%d", net->n);
    snprintf(in, sizeof in, "v%d %s %s", from, w, b);
    const double terms = (double)(dims[1] * kernel[0] * kernel[1] * kernel[2]);
    weights(net, w, 5, dims, sqrt(2 / terms));
    weights(net, b, 1, &bias, 0.2);
    attr_int(attrs, "group", group);
    net_append(net, "Conv", in, attrs);
    net->C = out;
}

/* Kernel is drawn before the attributes so that the weights can have its shape. */
static void conv(struct net *net, int out, int group, bool strided, bool dilated)
{
    int64_t kernel[3], stride[3], dilation[3], pads[6];
    struct wire attrs = { 0 };
    for (int d = 0; d < 3; d++) {
        const int in = net->dims[d];
        kernel[d] = net_pick(net, 1, in < 3 ? in : 3);
        stride[d] = strided ? net_pick(net, 1, 2) : 1;
        dilation[d] = dilated && 2 * (kernel[d] - 1) < in ? net_pick(net, 1, 2) : 1;
        pads[d] = net_pick(net, 0, (int)kernel[d] - 1);
        pads[3 + d] = net_pick(net, 0, (int)kernel[d] - 1);
        const int64_t reach = (kernel[d] - 1) * dilation[d];
        net->dims[d] = (int)((in + pads[d] + pads[3 + d] - reach - 1) / stride[d] + 1);
    }
    attr_ints(&attrs, "strides", 3, stride);
    attr_ints(&attrs, "pads", 6, pads);
    attr_ints(&attrs, "dilations", 3, dilation);
    net_finish_conv(net, net->n, out, group, kernel, &attrs);
}

/* 3x3x3 with padding 1, the most common layer. */
void net_conv_same(struct net *net, int out)
{
    const int64_t kernel[3] = { 3, 3, 3 }, pads[6] = { 1, 1, 1, 1, 1, 1 };
    struct wire attrs = { 0 };
    attr_ints(&attrs, "pads", 6, pads);
    net_finish_conv(net, net->n, out, 1, kernel, &attrs);
}

static void conv_point(struct net *net, int from, int out)
{
    const int64_t kernel[3] = { 1, 1, 1 };
    struct wire attrs = { 0 };
    net_finish_conv(net, from, out, 1, kernel, &attrs);
}

void net_pool(struct net *net, bool max, bool strided)
{
    struct wire attrs = draw_window(net, 3, strided, max);
    char in[16];
    snprintf(in, sizeof in, "v%d", net->n);
    if (!max)
        attr_int(&attrs, "count_include_pad", net_pick(net, 0, 1));
    net_append(net, max ? "MaxPool" : "AveragePool", in, &attrs);
}

/* y = x + Conv(ReLU(Conv(x))), then ReLU. */
void net_residual(struct net *net)
{
    const int from = net->n, C = net->C;
    net_conv_same(net, net_pick(net, 3, 20));
    net_append_unary(net, "Relu");
    net_conv_same(net, C);
    append_binary(net, "Add", from, net->n);
    if (net_pick(net, 0, 1))
        net_append_unary(net, "Relu");
}

void net_skip_add(struct net *net)
{
    const int from = net->n, C = net->C;
    net_conv_same(net, C);
    append_binary(net, "Add", net->n, from);
    net_append_unary(net, "Relu");
}

void net_inception(struct net *net)
{
    const int from = net->n, C = net->C;
    char in[48];
    conv_point(net, from, 5);
    const int a = net->n;
    net->C = C;
    conv_point(net, from, 4);
    net_append_unary(net, "Relu");
    net_conv_same(net, 7);
    const int b = net->n;
    struct wire attrs = { 0 };
    attr_int(&attrs, "axis", 1);
    snprintf(in, sizeof in, "v%d v%d v%d", a, b, from);
    net_append(net, "Concat", in, &attrs);
    net->C = 12 + C;
    net_append_unary(net, "Relu");
}

static void batch_norm(struct net *net)
{
    static const char *const parts[] = { "s", "t", "m", "q" };
    const int64_t C = net->C;
    char in[96], name[16];
    int used = snprintf(in, sizeof in, "v%d", net->n);
    for (int i = 0; i < 4; i++) {
        float values[64];
        for (int64_t c = 0; c < C; c++)
            values[c] = (float)ao_rng_range(&net->rng, 0.5, 1.5);
        snprintf(name, sizeof name, "%s%d", parts[i], net->n);
        graph_floats(&net->graph, name, 1, &C, values);
        used += snprintf(in + used, sizeof in - (size_t)used, " %s", name);
    }
    net_append(net, "BatchNormalization", in, NULL);
}

/* x * Sigmoid(Conv(mean(x))): everything changes from here. */
void net_squeeze_excite(struct net *net)
{
    const int from = net->n, C = net->C;
    net_append_unary(net, "GlobalAveragePool");
    conv_point(net, net->n, 3);
    net_append_unary(net, "Relu");
    conv_point(net, net->n, C);
    net_append_unary(net, "Sigmoid");
    append_binary(net, "Mul", from, net->n);
}

void net_swish(struct net *net)
{
    const int from = net->n;
    net_append_unary(net, "Sigmoid");
    append_binary(net, "Mul", net->n, from);
}

/* Elements start, start + step, ... of one axis, which is 1 to 4. */
void net_slice(struct net *net, int axis)
{
    char in[96];
    int *size = axis == 1 ? &net->C : &net->dims[axis - 2];
    const bool back = net_pick(net, 0, 3) == 0;
    const int step = net_pick(net, 1, 2), skip = *size > 2 ? net_pick(net, 0, 1) : 0;
    const int64_t starts[] = { back ? *size - 1 - skip : skip }, ends[] = { back ? -100 : 100 };
    const int64_t axes[] = { axis }, steps[] = { back ? -step : step };
    snprintf(in, sizeof in, "v%d ss%d se%d sa%d st%d", net->n, net->n, net->n, net->n, net->n);
    static const char *const names[] = { "ss", "se", "sa", "st" };
    const int64_t *const values[] = { starts, ends, axes, steps };
    for (int i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "%s%d", names[i], net->n);
        graph_ints(&net->graph, name, 1, values[i]);
    }
    net_append(net, "Slice", in, NULL);
    *size = (*size - skip + step - 1) / step;
}

/* A list of elements of one axis, some of them twice, some counted from the end. */
void net_gather(struct net *net, int axis)
{
    char in[40], name[16];
    int64_t indices[64];
    int *size = axis == 1 ? &net->C : &net->dims[axis - 2];
    const int n = net_pick(net, 1, *size < 20 ? *size + 1 : 20);
    for (int i = 0; i < n; i++)
        indices[i] = net_pick(net, -*size, *size - 1);
    snprintf(name, sizeof name, "gi%d", net->n);
    graph_ints(&net->graph, name, n, indices);
    struct wire attrs = { 0 };
    attr_int(&attrs, "axis", axis);
    snprintf(in, sizeof in, "v%d %s", net->n, name);
    net_append(net, "Gather", in, &attrs);
    *size = n;
}

/* Split along the channels in two, of which one is negated, and joined the other way round. */
void net_split(struct net *net)
{
    char in[40], out[48], name[24];
    const int first = (net->C + 1) / 2, at = net->n;
    const int64_t sizes[] = { first, net->C - first };
    if (net->C < 2)
        return;
    struct wire attrs = { 0 };
    attr_int(&attrs, "axis", 1);
    snprintf(name, sizeof name, "sp%d", at);
    graph_ints(&net->graph, name, 2, sizes);
    snprintf(in, sizeof in, "v%d %s", at, name);
    snprintf(out, sizeof out, "v%d v%d", at + 1, at + 2);
    snprintf(name, sizeof name, "Split_%d", at + 1);
    graph_node(&net->graph, "Split", name, in, out, &attrs);
    net->n += 2;
    net_append_unary(net, "Relu");
    struct wire join = { 0 };
    attr_int(&join, "axis", 1);
    snprintf(in, sizeof in, "v%d v%d", net->n, at + 1);
    net_append(net, "Concat", in, &join);
}

static void transpose(struct net *net, const int64_t *perm)
{
    char in[16];
    struct wire attrs = { 0 };
    attr_ints(&attrs, "perm", 5, perm);
    snprintf(in, sizeof in, "v%d", net->n);
    net_append(net, "Transpose", in, &attrs);
}

/* x + MatMul(Tanh(MatMul(LayerNorm(x)))) with the channels last, as in ConvNeXt. */
void net_layer_norm(struct net *net)
{
    static const int64_t last[] = { 0, 2, 3, 4, 1 }, back[] = { 0, 4, 1, 2, 3 };
    char in[48], w[16], b[16];
    const int64_t C = net->C, wide[] = { C, 9 }, narrow[] = { 9, C };
    transpose(net, last);
    const int from = net->n;
    snprintf(w, sizeof w, "w%d", net->n);
    snprintf(b, sizeof b, "b%d", net->n);
    weights(net, w, 1, &C, 1);
    weights(net, b, 1, &C, 1);
    snprintf(in, sizeof in, "v%d %s %s", net->n, w, b);
    net_append(net, "LayerNormalization", in, NULL);
    for (int i = 0; i < 2; i++) {
        snprintf(w, sizeof w, "w%d", net->n);
        weights(net, w, 2, i ? narrow : wide, sqrt(1 / (double)(i ? 9 : C)));
        snprintf(in, sizeof in, "v%d %s", net->n, w);
        net_append(net, "MatMul", in, NULL);
        if (i == 0)
            net_append_unary(net, "Tanh");
    }
    append_binary(net, "Add", from, net->n);
    transpose(net, back);
}

/* The mean of everything, or everything flattened, then Gemm and perhaps Softmax. */
void net_head(struct net *net, bool flatten, bool softmax)
{
    char in[48], w[16], b[16];
    int64_t dims[2] = { NET_CLASSES, net->C }, bias = NET_CLASSES;
    if (flatten)
        dims[1] *= net->dims[0] * net->dims[1] * net->dims[2];
    else
        net_append_unary(net, "GlobalAveragePool");
    net_append_unary(net, "Flatten");
    snprintf(w, sizeof w, "w%d", net->n);
    snprintf(b, sizeof b, "b%d", net->n);
    weights(net, w, 2, dims, sqrt(1 / (double)dims[1]));
    weights(net, b, 1, &bias, 0.2);
    struct wire attrs = { 0 };
    attr_int(&attrs, "transB", 1);
    snprintf(in, sizeof in, "v%d %s %s", net->n, w, b);
    net_append(net, "Gemm", in, &attrs);
    if (softmax)
        net_append_unary(net, "Softmax");
}

void net_begin(struct net *net, uint64_t seed)
{
    const int64_t dims[5] = { 1, 3, NET_T, NET_H, NET_W };
    *net = (struct net){ .C = 3, .dims = { NET_T, NET_H, NET_W } };
    ao_rng_init(&net->rng, seed);
    graph_input(&net->graph, "v0", W_FLOAT, 5, dims);
}

void net_draw(struct net *net, uint64_t seed)
{
    net_begin(net, seed);
    conv(net, net_pick(net, 4, 20), 1, true, net_pick(net, 0, 1) == 1);
    net_append_unary(net, "Relu");
    for (int block = 0; block < 5; block++)
        switch (net_pick(net, 0, 13)) {
        case 0:
            net_residual(net);
            break;
        case 1:
            net_inception(net);
            break;
        case 2:
            net_pool(net, true, true);
            break;
        case 3:
            net_pool(net, false, true);
            break;
        case 4:
            conv(net, net_pick(net, 1, 33), 1, true, true);
            net_append_unary(net, "Relu");
            break;
        case 5:
            conv(net, net->C, net->C, false, true); /* depthwise */
            break;
        case 6:
            net->C % 2 == 0 ? conv(net, 2 * net_pick(net, 1, 9), 2, true, false)
                            : net_skip_add(net);
            break;
        case 7:
            net_append_unary(net, "Relu");
            batch_norm(net);
            net_swish(net);
            break;
        case 8:
            net_squeeze_excite(net);
            break;
        case 9:
            net_slice(net, net_pick(net, 1, 4));
            break;
        case 10:
            net_gather(net, net_pick(net, 1, 4));
            break;
        case 11:
            net_split(net);
            break;
        case 12:
            net_layer_norm(net);
            break;
        default:
            net_skip_add(net);
        }
    net_head(net, net_pick(net, 0, 1) == 1, net_pick(net, 0, 2) == 0);
}

struct ao_onnx_model *net_load(struct net *net, struct wire *file)
{
    char out[16];
    struct ao_onnx_model *model = NULL;
    struct ao_passes_report report = { 0 };
    snprintf(out, sizeof out, "v%d", net->n);
    graph_output(&net->graph, out);
    *file = model_of(&net->graph, 17);
    if (ao_onnx_read(file->bytes, file->n, "random", &(struct ao_onnx_options){ 0 }, &model) !=
            AOSA_OK ||
        ao_passes_run(&model->graph, &report) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    ao_passes_report_fini(&report);
    return model;
}
