/* SPDX-License-Identifier: Apache-2.0 */
#include "support/odd_net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "core/file.h"
#include "core/npy.h"
#include "core/rng.h"
#include "support/onnx_writer.h"

static void put_weights(struct wire *graph, struct ao_rng *rng, const char *name, double scale,
                        int rank, const int64_t *dims)
{
    float values[4096];
    size_t n = 1, inputs = 1;
    for (int a = 0; a < rank; a++)
        n *= (size_t)dims[a];
    for (int a = 1; a < rank; a++)
        inputs *= (size_t)dims[a];
    assert_true(n <= sizeof values / sizeof values[0]);
    for (size_t i = 0; i < n; i++) /* He's scale keeps the features' size from layer to layer */
        values[i] = (float)(scale * ao_rng_normal(rng) * sqrt(2.0 / (double)inputs));
    graph_floats(graph, name, rank, dims, values);
}

static const char *put_modulo(struct wire *graph)
{
    static const float one = 1;
    struct wire attrs = { 0 };
    graph_floats(graph, "one", 1, (const int64_t[]){ 1 }, &one);
    graph_node(graph, "Abs", "size", "clip", "s", NULL);
    graph_node(graph, "Add", "divisor", "s one", "d", NULL);
    attr_int(&attrs, "fmod", 1);
    graph_node(graph, "Mod", "wrap", "clip d", "m", &attrs);
    return "m w1";
}

static void put_conv(struct wire *graph, const char *name, const char *inputs, const char *output)
{
    static const int64_t same[] = { 1, 1, 1, 1, 1, 1 };
    struct wire attrs = { 0 };
    attr_ints(&attrs, "pads", 6, same);
    graph_node(graph, "Conv", name, inputs, output, &attrs);
}

void odd_net_write(const char *path, struct odd_net kind)
{
    static const int64_t input[] = { -1, 3, ODD_T, ODD_H, ODD_W }, two[] = { 2, 2, 2 };
    struct wire graph = { 0 }, attrs = { 0 };
    struct ao_rng rng;
    const double sharpness = kind.sharpness > 0 ? kind.sharpness : 1;
    ao_rng_init(&rng, 5);
    graph_input(&graph, "clip", W_FLOAT, 5, input);
    put_weights(&graph, &rng, "w1", 1, 5, (const int64_t[]){ 6, 3, 3, 3, 3 });
    put_weights(&graph, &rng, "w2", 1, 5, (const int64_t[]){ 9, 6, 3, 3, 3 });
    put_weights(&graph, &rng, "w3", sharpness, 2, (const int64_t[]){ ODD_CLASSES, 9 });
    put_weights(&graph, &rng, "b3", sharpness, 1, (const int64_t[]){ ODD_CLASSES });
    put_conv(&graph, "conv1", kind.modulo ? put_modulo(&graph) : "clip w1", "c1");
    graph_node(&graph, "Relu", "relu1", "c1", "r1", NULL);
    attr_ints(&attrs, "kernel_shape", 3, two);
    attr_ints(&attrs, "strides", 3, two);
    graph_node(&graph, "MaxPool", "pool", "r1", "p1", &attrs);
    put_conv(&graph, "conv2", "p1 w2", "c2");
    graph_node(&graph, "Relu", "relu2", "c2", "r2", NULL);
    graph_node(&graph, "GlobalAveragePool", "gap", "r2", "g", NULL);
    graph_node(&graph, "Flatten", "flat", "g", "f", NULL);
    attr_int(&attrs, "transB", 1);
    graph_node(&graph, "Gemm", "fc", "f w3 b3", "y", &attrs);
    graph_output(&graph, "y");
    struct wire model = model_of(&graph, 18);
    assert_int_equal(ao_file_write(path, model.bytes, model.n), AOSA_OK);
    wire_free(&model);
}

void odd_clip_write(const char *path)
{
    static uint8_t rgb[ODD_T][ODD_H][ODD_W][3];
    static const int64_t dims[] = { ODD_T, ODD_H, ODD_W, 3 };
    struct ao_rng rng;
    ao_rng_init(&rng, 6);
    for (int t = 0; t < ODD_T; t++)
        for (int y = 0; y < ODD_H; y++)
            for (int x = 0; x < ODD_W; x++)
                for (int c = 0; c < 3; c++) {
                    const int dx = x - 8 - 3 * t, dy = y - 12 - 2 * t;
                    const bool square = dx * dx < 30 && dy * dy < 30;
                    const int noise = (int)ao_rng_below(&rng, 60);
                    rgb[t][y][x][c] = (uint8_t)((square ? 150 : 40) + noise);
                }
    assert_int_equal(ao_npy_write(path, AO_NPY_U8, 4, dims, rgb), AOSA_OK);
}
