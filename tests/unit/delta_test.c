/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/rng.h"
#include "engine/delta.h"
#include "engine/engine.h"
#include "kernels/kernels.h"
#include "onnx/onnx.h"
#include "passes/passes.h"
#include "support/onnx_writer.h"

/*
 * Small random networks that together use every delta rule, on odd sizes, with asymmetric pads,
 * strides, dilations and groups, under masks at corners, over everything, in one frame only and
 * empty. The oracle runs the occluded clip in double.
 *
 * A change d is pushed through in float, so its relative error grows by a few eps per layer and
 * with the root of the number of terms: some 1e-6 here. The issue allows 1e-4 of the largest
 * difference; a wrong index or rule changes the first digit.
 */
#define TOLERANCE 1e-4

enum { T = 5, H = 13, W = 11, P = T * H * W, MASKS = 19, MOST_BOXES = 3 };

struct net {
    struct wire graph;
    struct ao_rng rng;
    int n;       /* values so far: the last is v<n> */
    int C;       /* its channels */
    int dims[3]; /* its extents */
};

/* ---- writing networks ---- */

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

static int pick(struct net *net, int lo, int hi)
{
    return lo + (int)ao_rng_below(&net->rng, (uint64_t)(hi - lo + 1));
}

/* Appends a node that reads `inputs` and makes the next value. */
static void append(struct net *net, const char *type, const char *inputs, struct wire *attrs)
{
    char out[16], name[32];
    net->n++;
    snprintf(out, sizeof out, "v%d", net->n);
    snprintf(name, sizeof name, "%s_%d", type, net->n);
    graph_node(&net->graph, type, name, inputs, out, attrs);
}

static void append_unary(struct net *net, const char *type)
{
    char in[16];
    snprintf(in, sizeof in, "v%d", net->n);
    append(net, type, in, NULL);
}

static void append_binary(struct net *net, const char *type, int a, int b)
{
    char in[40];
    snprintf(in, sizeof in, "v%d v%d", a, b);
    append(net, type, in, NULL);
}

/* Window attributes, drawn so that the output is not empty; moves net->dims. */
static struct wire draw_window(struct net *net, int most_kernel, bool strided, bool dilated)
{
    int64_t kernel[3], stride[3], dilation[3], pads[6];
    struct wire attrs = { 0 };
    for (int d = 0; d < 3; d++) {
        const int in = net->dims[d];
        kernel[d] = pick(net, 1, most_kernel < in ? most_kernel : in);
        stride[d] = strided ? pick(net, 1, 2) : 1;
        dilation[d] = dilated && 2 * (kernel[d] - 1) < in ? pick(net, 1, 2) : 1;
        const int64_t reach = (kernel[d] - 1) * dilation[d];
        const int most_pad = (int)(kernel[d] > 1 ? kernel[d] - 1 : 0);
        pads[d] = pick(net, 0, most_pad);
        pads[3 + d] = pick(net, 0, most_pad);
        net->dims[d] = (int)((in + pads[d] + pads[3 + d] - reach - 1) / stride[d] + 1);
    }
    attr_ints(&attrs, "kernel_shape", 3, kernel);
    attr_ints(&attrs, "strides", 3, stride);
    attr_ints(&attrs, "pads", 6, pads);
    if (dilated)
        attr_ints(&attrs, "dilations", 3, dilation);
    return attrs;
}

static void finish_conv(struct net *net, int from, int out, int group, const int64_t *kernel,
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
    append(net, "Conv", in, attrs);
    net->C = out;
}

/* Kernel is drawn before the attributes so that the weights can have its shape. */
static void conv(struct net *net, int out, int group, bool strided, bool dilated)
{
    int64_t kernel[3], stride[3], dilation[3], pads[6];
    struct wire attrs = { 0 };
    for (int d = 0; d < 3; d++) {
        const int in = net->dims[d];
        kernel[d] = pick(net, 1, in < 3 ? in : 3);
        stride[d] = strided ? pick(net, 1, 2) : 1;
        dilation[d] = dilated && 2 * (kernel[d] - 1) < in ? pick(net, 1, 2) : 1;
        pads[d] = pick(net, 0, (int)kernel[d] - 1);
        pads[3 + d] = pick(net, 0, (int)kernel[d] - 1);
        const int64_t reach = (kernel[d] - 1) * dilation[d];
        net->dims[d] = (int)((in + pads[d] + pads[3 + d] - reach - 1) / stride[d] + 1);
    }
    attr_ints(&attrs, "strides", 3, stride);
    attr_ints(&attrs, "pads", 6, pads);
    attr_ints(&attrs, "dilations", 3, dilation);
    finish_conv(net, net->n, out, group, kernel, &attrs);
}

/* 3x3x3 with padding 1, the most common layer. */
static void conv_same(struct net *net, int out)
{
    const int64_t kernel[3] = { 3, 3, 3 }, pads[6] = { 1, 1, 1, 1, 1, 1 };
    struct wire attrs = { 0 };
    attr_ints(&attrs, "pads", 6, pads);
    finish_conv(net, net->n, out, 1, kernel, &attrs);
}

static void conv_point(struct net *net, int from, int out)
{
    const int64_t kernel[3] = { 1, 1, 1 };
    struct wire attrs = { 0 };
    finish_conv(net, from, out, 1, kernel, &attrs);
}

static void pool(struct net *net, bool max, bool strided)
{
    struct wire attrs = draw_window(net, 3, strided, max);
    char in[16];
    snprintf(in, sizeof in, "v%d", net->n);
    if (!max)
        attr_int(&attrs, "count_include_pad", pick(net, 0, 1));
    append(net, max ? "MaxPool" : "AveragePool", in, &attrs);
}

/* y = x + Conv(ReLU(Conv(x))), then ReLU. */
static void residual(struct net *net)
{
    const int from = net->n, C = net->C;
    conv_same(net, pick(net, 3, 20));
    append_unary(net, "Relu");
    conv_same(net, C);
    append_binary(net, "Add", from, net->n);
    if (pick(net, 0, 1))
        append_unary(net, "Relu");
}

static void skip_add(struct net *net)
{
    const int from = net->n, C = net->C;
    conv_same(net, C);
    append_binary(net, "Add", net->n, from);
    append_unary(net, "Relu");
}

static void inception(struct net *net)
{
    const int from = net->n, C = net->C;
    char in[48];
    conv_point(net, from, 5);
    const int a = net->n;
    net->C = C;
    conv_point(net, from, 4);
    append_unary(net, "Relu");
    conv_same(net, 7);
    const int b = net->n;
    struct wire attrs = { 0 };
    attr_int(&attrs, "axis", 1);
    snprintf(in, sizeof in, "v%d v%d v%d", a, b, from);
    append(net, "Concat", in, &attrs);
    net->C = 12 + C;
    append_unary(net, "Relu");
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
    append(net, "BatchNormalization", in, NULL);
}

/* x * Sigmoid(Conv(mean(x))): everything changes from here. */
static void squeeze_excite(struct net *net)
{
    const int from = net->n, C = net->C;
    append_unary(net, "GlobalAveragePool");
    conv_point(net, net->n, 3);
    append_unary(net, "Relu");
    conv_point(net, net->n, C);
    append_unary(net, "Sigmoid");
    append_binary(net, "Mul", from, net->n);
}

static void swish(struct net *net)
{
    const int from = net->n;
    append_unary(net, "Sigmoid");
    append_binary(net, "Mul", net->n, from);
}

enum { CLASSES = 6 };

/* The mean of everything, or everything flattened, then Gemm and perhaps Softmax. */
static void head(struct net *net, bool flatten, bool softmax)
{
    char in[48], w[16], b[16];
    int64_t dims[2] = { CLASSES, net->C }, bias = CLASSES;
    if (flatten)
        dims[1] *= net->dims[0] * net->dims[1] * net->dims[2];
    else
        append_unary(net, "GlobalAveragePool");
    append_unary(net, "Flatten");
    snprintf(w, sizeof w, "w%d", net->n);
    snprintf(b, sizeof b, "b%d", net->n);
    weights(net, w, 2, dims, sqrt(1 / (double)dims[1]));
    weights(net, b, 1, &bias, 0.2);
    struct wire attrs = { 0 };
    attr_int(&attrs, "transB", 1);
    snprintf(in, sizeof in, "v%d %s %s", net->n, w, b);
    append(net, "Gemm", in, &attrs);
    if (softmax)
        append_unary(net, "Softmax");
}

static void begin(struct net *net, uint64_t seed)
{
    const int64_t dims[5] = { 1, 3, T, H, W };
    *net = (struct net){ .C = 3, .dims = { T, H, W } };
    ao_rng_init(&net->rng, seed);
    graph_input(&net->graph, "v0", W_FLOAT, 5, dims);
}

static void draw_network(struct net *net, uint64_t seed)
{
    begin(net, seed);
    conv(net, pick(net, 4, 20), 1, true, pick(net, 0, 1) == 1);
    append_unary(net, "Relu");
    for (int block = 0; block < 5; block++)
        switch (pick(net, 0, 9)) {
        case 0:
            residual(net);
            break;
        case 1:
            inception(net);
            break;
        case 2:
            pool(net, true, true);
            break;
        case 3:
            pool(net, false, true);
            break;
        case 4:
            conv(net, pick(net, 1, 33), 1, true, true);
            append_unary(net, "Relu");
            break;
        case 5:
            conv(net, net->C, net->C, false, true); /* depthwise */
            break;
        case 6:
            net->C % 2 == 0 ? conv(net, 2 * pick(net, 1, 9), 2, true, false) : skip_add(net);
            break;
        case 7:
            append_unary(net, "Relu");
            batch_norm(net);
            swish(net);
            break;
        case 8:
            squeeze_excite(net);
            break;
        default:
            skip_add(net);
        }
    head(net, pick(net, 0, 1) == 1, pick(net, 0, 2) == 0);
}

static struct ao_onnx_model *load(struct net *net, struct wire *file)
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

/* ---- clips and masks ---- */

struct scene {
    float clip[3 * P];
    struct ao_box boxes[MASKS][T * MOST_BOXES];
    int32_t first[MASKS][T + 1];
    struct ao_delta_mask masks[MASKS];
};

/* Mask 0 is empty, 1 covers everything, 2 one voxel in a corner, 3 one frame; the rest are tubes
 * that move, some of them cut by the border, some of two boxes. */
static void draw_scene(struct scene *scene, struct ao_rng *rng)
{
    for (int i = 0; i < 3 * P; i++)
        scene->clip[i] = (float)ao_rng_normal(rng);
    for (int m = 0; m < MASKS; m++) {
        const int y0 = (int)ao_rng_below(rng, H), x0 = (int)ao_rng_below(rng, W);
        int32_t n = 0;
        for (int t = 0; t < T; t++) {
            struct ao_box box = { y0 - 3 + t, x0 - 2 + t % 2, y0 + 2 + t, x0 + 2 + t % 2 };
            bool alive = m > 4 || t != 2;
            scene->first[m][t] = n;
            if (m == 1)
                box = (struct ao_box){ 0, 0, H, W };
            if (m == 2)
                box = (struct ao_box){ H - 1, W - 1, H, W };
            if (m == 2 || m == 3)
                alive = t == T - 1;
            box.y0 = box.y0 < 0 ? 0 : box.y0;
            box.x0 = box.x0 < 0 ? 0 : box.x0;
            box.y1 = box.y1 > H ? H : box.y1;
            box.x1 = box.x1 > W ? W : box.x1;
            if (m > 0 && alive)
                scene->boxes[m][n++] = box;
            if (m % 3 == 2 && m > 4 && box.x1 + 2 < W)
                scene->boxes[m][n++] = (struct ao_box){ 0, W - 1, 2, W };
        }
        scene->first[m][T] = n;
        scene->masks[m] = (struct ao_delta_mask){ scene->boxes[m], scene->first[m] };
    }
}

static void occlude(const struct scene *scene, int m, const struct ao_delta_fill *fill,
                    double *clip)
{
    for (int i = 0; i < 3 * P; i++)
        clip[i] = (double)scene->clip[i];
    for (int t = 0; m >= 0 && t < T; t++)
        for (int32_t b = scene->first[m][t]; b < scene->first[m][t + 1]; b++) {
            const struct ao_box *box = &scene->boxes[m][b];
            for (int y = box->y0; y < box->y1; y++)
                for (int x = box->x0; x < box->x1; x++)
                    for (int c = 0; c < 3; c++) {
                        const int i = c * P + (t * H + y) * W + x;
                        clip[i] = (double)(fill->volume ? fill->volume[i] : fill->value[c]);
                    }
        }
}

/* ---- comparing ---- */

static void run_oracle(struct ao_session *session, const double *clip, double *row)
{
    const struct ao_view input = ao_session_input(session, 0);
    memcpy(input.data, clip, 3 * P * sizeof *clip);
    assert_int_equal(ao_session_run(session), AOSA_OK);
    const struct ao_view output = ao_session_output(session, 0);
    memcpy(row, output.data, CLASSES * sizeof *row);
}

/* Largest error of a score difference over the largest difference. */
static double compare(const struct ao_graph *graph, const struct scene *scene,
                      const struct ao_delta_fill *fill, const float *base, const float *outputs)
{
    const struct ao_program_options options = { .backend = AO_BACKEND_REFERENCE_F64,
                                                .batch = 1,
                                                .inner_threads = 1 };
    static double clip[3 * P];
    struct ao_program *program = NULL;
    struct ao_session *session = NULL;
    double plain[CLASSES], row[CLASSES], largest = 0, worst = 0;
    assert_int_equal(ao_program_create(graph, &options, &program), AOSA_OK);
    assert_int_equal(ao_session_create(program, &session), AOSA_OK);
    occlude(scene, -1, fill, clip);
    run_oracle(session, clip, plain);
    for (int m = 0; m < MASKS; m++) {
        occlude(scene, m, fill, clip);
        run_oracle(session, clip, row);
        for (int c = 0; c < CLASSES; c++) {
            const double truth = row[c] - plain[c];
            const double delta = (double)outputs[m * CLASSES + c] - (double)base[c];
            largest = fmax(largest, fabs(truth));
            worst = fmax(worst, fabs(delta - truth));
        }
    }
    ao_session_destroy(&session);
    ao_program_destroy(&program);
    return largest > 0 ? worst / largest : worst;
}

/* Batches in another order, in another session: the bits of a batch must not depend on it. */
static void expect_same_bits(const struct ao_delta *delta, const struct ao_delta_base *base,
                             const struct scene *scene, const struct ao_delta_fill *fill,
                             const float *outputs)
{
    struct ao_delta_session *session = NULL;
    float again[AO_DELTA_BATCH * CLASSES];
    assert_int_equal(ao_delta_session_create(delta, &session), AOSA_OK);
    for (int m = MASKS / AO_DELTA_BATCH * AO_DELTA_BATCH; m >= 0; m -= AO_DELTA_BATCH) {
        const int n = MASKS - m < AO_DELTA_BATCH ? MASKS - m : AO_DELTA_BATCH;
        assert_int_equal(ao_delta_run(delta, base, session, scene->masks + m, n, fill, again),
                         AOSA_OK);
        assert_memory_equal(again, outputs + m * CLASSES, (size_t)(n * CLASSES) * sizeof *again);
    }
    ao_delta_session_destroy(&session);
}

static double check_network(struct net *net, uint64_t seed)
{
    static struct scene scene;
    static float volume[3 * P];
    struct wire file;
    struct ao_delta *delta = NULL;
    struct ao_delta_base *base = NULL;
    struct ao_delta_session *session = NULL;
    float outputs[MASKS * CLASSES];
    struct ao_onnx_model *model = load(net, &file);
    draw_scene(&scene, &net->rng);
    for (int i = 0; i < 3 * P; i++)
        volume[i] = (float)ao_rng_normal(&net->rng);
    const struct ao_delta_fill fill = { { 0.1f, -0.2f, 0.3f }, seed % 2 ? volume : NULL };
    if (ao_delta_create(&model->graph, &delta) != AOSA_OK ||
        ao_delta_base_create(delta, scene.clip, 1, NULL, &base) != AOSA_OK ||
        ao_delta_session_create(delta, &session) != AOSA_OK ||
        ao_delta_run(delta, base, session, scene.masks, MASKS, &fill, outputs) != AOSA_OK)
        fail_msg("seed %d: %s", (int)seed, aosa_error_message());
    assert_int_equal(ao_delta_outputs(delta), CLASSES);
    const float *plain = ao_delta_base_output(base);
    const double error = compare(&model->graph, &scene, &fill, plain, outputs);
    if (!(error <= TOLERANCE))
        for (size_t k = 0; k < model->graph.n_nodes; k++)
            printf("  %s\n", model->graph.nodes[k].name);
    /* An empty mask changes nothing; what runs in double may round the base differently. */
    for (int c = 0; c < CLASSES; c++)
        assert_true(fabsf(outputs[c] - plain[c]) <= 1e-5f);
    expect_same_bits(delta, base, &scene, &fill, outputs);
    ao_delta_session_destroy(&session);
    ao_delta_base_destroy(&base);
    ao_delta_destroy(&delta);
    ao_onnx_close(&model);
    wire_free(&file);
    return error;
}

/* Enough channels and changed inputs that Winograd's tiles pay, on every axis and on some. */
static void winograd_networks_agree_too(void **state)
{
    static const int64_t kernels[][3] = { { 3, 3, 3 }, { 1, 3, 3 }, { 3, 1, 1 }, { 3, 1, 3 } };
    double worst = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct net net;
        begin(&net, seed);
        conv_same(&net, 40);
        append_unary(&net, "Relu");
        for (int layer = 0; layer < 3; layer++) {
            const int64_t *kernel = kernels[(seed + (uint64_t)layer) % 4];
            struct wire attrs = { 0 };
            int64_t pads[6];
            for (int d = 0; d < 3; d++) {
                pads[d] = kernel[d] == 3 ? pick(&net, 0, 2) : 0;
                pads[3 + d] = kernel[d] == 3 ? pick(&net, 1, 2) : 0;
                net.dims[d] += (int)(pads[d] + pads[3 + d] - kernel[d] + 1);
            }
            attr_ints(&attrs, "pads", 6, pads);
            finish_conv(&net, net.n, 33 + 7 * layer, 1, kernel, &attrs);
            append_unary(&net, "Relu");
        }
        skip_add(&net);
        head(&net, seed % 2 == 0, false);
        worst = fmax(worst, check_network(&net, seed));
        assert_true(worst <= TOLERANCE);
    }
    printf("12 networks of Winograd layers: worst error %.3g of the largest difference\n", worst);
}

static void random_networks_agree_with_dense_runs_in_double(void **state)
{
    double worst = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct net net;
        draw_network(&net, seed);
        const double error = check_network(&net, seed);
        worst = fmax(worst, error);
        if (!(error <= TOLERANCE))
            fail_msg("seed %d: error %.3g of the largest difference", (int)seed, error);
    }
    printf("60 random networks: worst error %.3g of the largest difference\n", worst);
}

static void the_plain_kernels_agree_too(void **state)
{
    const enum ao_isa best = ao_kernels_isa();
    (void)state;
    ao_kernels_limit(AO_ISA_C);
    for (uint64_t seed = 100; seed < 106; seed++) {
        struct net net;
        draw_network(&net, seed);
        assert_true(check_network(&net, seed) <= TOLERANCE);
    }
    ao_kernels_limit(best);
}

static void a_large_part_without_rules_is_refused_with_its_node(void **state)
{
    struct net net;
    struct wire file;
    struct ao_delta *delta = NULL;
    (void)state;
    begin(&net, 1);
    struct wire attrs = { 0 };
    const int64_t perm[] = { 0, 1, 2, 4, 3 };
    attr_ints(&attrs, "perm", 5, perm);
    append(&net, "Transpose", "v0", &attrs);
    net.dims[1] = W;
    net.dims[2] = H;
    conv_same(&net, 8);
    head(&net, false, false);
    struct ao_onnx_model *model = load(&net, &file);
    assert_int_equal(ao_delta_create(&model->graph, &delta), AOSA_ERR_UNSUPPORTED);
    assert_non_null(strstr(aosa_error_message(), "Transpose_1"));
    assert_null(delta);
    ao_onnx_close(&model);
    wire_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_networks_agree_with_dense_runs_in_double),
        cmocka_unit_test(winograd_networks_agree_too),
        cmocka_unit_test(the_plain_kernels_agree_too),
        cmocka_unit_test(a_large_part_without_rules_is_refused_with_its_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
