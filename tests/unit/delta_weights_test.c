/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "passes/gradient.h"
#include "passes/passes.h"
#include "support/delta_scene.h"

/* Weights that stay in the file (graph.h), and what every engine makes of them there. */

static const struct ao_onnx_options plain = { 0 };

/* The file with `shift` bytes of documentation in front, so that everything lies elsewhere. */
static struct wire moved(const struct wire *file, int shift)
{
    struct wire longer = { 0 };
    wire_bytes(&longer, 6, "abcd", (size_t)shift);
    wire_raw(&longer, file->bytes, file->n);
    return longer;
}

static struct wire one_node_file(const char *type, int64_t rows)
{
    static float values[64 * 64];
    const int64_t dims[] = { rows, 64 }, in[] = { 1, rows };
    struct wire graph = { 0 };
    for (int i = 0; i < 64 * 64; i++)
        values[i] = (float)i;
    graph_input(&graph, "x", W_FLOAT, 2, in);
    graph_tensor(&graph, "w", W_FLOAT, 2, dims, values, (size_t)rows * 64 * sizeof(float));
    graph_node(&graph, type, "node", "x w", "y", NULL);
    graph_output(&graph, "y");
    return model_of(&graph, 17);
}

/* At how many of four addresses "w" stays in the file. */
static int borrowed(const char *type, int64_t rows)
{
    struct wire file = one_node_file(type, rows);
    int n = 0;
    for (int shift = 0; shift < 4; shift++) {
        struct wire bytes = moved(&file, shift);
        struct ao_onnx_model *model = NULL;
        if (ao_onnx_read(bytes.bytes, bytes.n, "m", &plain, &model) != AOSA_OK)
            fail_msg("%s", aosa_error_message());
        const struct ao_value *w = &model->graph.values[model->graph.nodes[0].in[1]];
        const unsigned char *data = w->data;
        const bool stays = data >= bytes.bytes && data < bytes.bytes + bytes.n;
        assert_true(ao_weight(data, 63) == 63);
        assert_true(ao_value_is_aligned(w) || (stays && strcmp(type, "MatMul") == 0));
        n += stays;
        ao_onnx_close(&model);
        wire_free(&bytes);
    }
    wire_free(&file);
    return n;
}

static void only_large_weights_stay_in_the_file_at_any_address(void **state)
{
    (void)state;
    assert_int_equal(borrowed("MatMul", 64), 4);
    assert_int_equal(borrowed("Add", 64), 1); /* at the one that is aligned */
    assert_int_equal(borrowed("MatMul", 63), 0);
}

enum { OUTPUTS = 3 * NET_P };

static void run(const struct ao_graph *graph, enum ao_backend backend, size_t pause,
                const float *clip, float *outputs)
{
    const struct ao_program_options options = { backend, 1, 1, pause };
    struct ao_program *program = NULL;
    struct ao_session *session = NULL;
    if (ao_program_create(graph, &options, &program) != AOSA_OK ||
        ao_session_create(program, &session) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    for (int i = 0; i < graph->n_inputs; i++) {
        const struct ao_view in = ao_session_input(session, i);
        const struct ao_view src = ao_view_dense((void *)(uintptr_t)clip, AO_F32, &in.shape);
        if (in.dtype == AO_F32)
            ao_view_copy(&in, &src);
        else
            for (int64_t k = 0; k < ao_shape_count(&in.shape); k++)
                ((double *)in.data)[k] = (double)clip[k];
    }
    assert_int_equal(ao_session_run(session), AOSA_OK);
    const struct ao_view out = ao_session_output(session, graph->n_outputs - 1);
    for (int64_t k = 0; k < ao_shape_count(&out.shape) && k < OUTPUTS; k++)
        outputs[k] = out.dtype == AO_F32 ? ((const float *)out.data)[k]
                                         : (float)((const double *)out.data)[k];
    ao_session_destroy(&session);
    ao_program_destroy(&program);
}

static void run_backward(const struct ao_graph *graph, const float *clip, float *outputs)
{
    const struct ao_gradient_options options = { .clip = true };
    struct ao_gradient *gradient = NULL;
    if (ao_gradient_create(graph, &options, &gradient) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    run(&gradient->graph, AO_BACKEND_ONEDNN, gradient->n_forward, clip, outputs);
    ao_gradient_destroy(&gradient);
}

static void run_delta(const struct ao_graph *graph, const struct scene *scene, float *outputs)
{
    static const struct ao_delta_fill fill = { .value = { 0.1f, -0.2f, 0.3f } };
    struct ao_delta *delta = NULL;
    struct ao_delta_base *base = NULL;
    struct ao_delta_session *session = NULL;
    assert_int_equal(ao_delta_create(graph, 1, &delta), AOSA_OK);
    assert_int_equal(ao_delta_base_create(delta, scene->clip, NULL, &base), AOSA_OK);
    assert_int_equal(ao_delta_session_create(delta, &session), AOSA_OK);
    assert_int_equal(ao_delta_run(delta, base, session, scene->masks, SCENE_MASKS, &fill, outputs),
                     AOSA_OK);
    ao_delta_session_destroy(&session);
    ao_delta_base_destroy(&base);
    ao_delta_destroy(&delta);
}

/* Three layers of over 16 KiB of weights: Winograd's, a strided and a pointwise one. */
static void draw(struct net *net)
{
    const int64_t kernel[] = { 3, 3, 3 }, single[] = { 1, 1, 1 };
    struct wire none[2] = { { 0 } }, attrs = { 0 };
    net_begin(net, 5);
    net_finish_conv(net, net->n, 64, 1, single, &none[0]);
    net_append_unary(net, "Relu");
    net_conv_same(net, 64);
    net_append_unary(net, "Relu");
    attr_ints(&attrs, "strides", 3, (const int64_t[]){ 1, 2, 2 });
    attr_ints(&attrs, "pads", 6, (const int64_t[]){ 1, 1, 1, 1, 1, 1 });
    net->dims[1] = (net->dims[1] + 1) / 2;
    net->dims[2] = (net->dims[2] + 1) / 2;
    net_finish_conv(net, net->n, 72, 1, kernel, &attrs);
    net_append_unary(net, "Relu");
    net_finish_conv(net, net->n, 80, 1, single, &none[1]);
    net_append_unary(net, "Relu");
    net_layer_norm(net);
    net_head(net, false, false);
}

struct results {
    float reference[OUTPUTS], wide[OUTPUTS], onednn[OUTPUTS], backward[OUTPUTS];
    float delta[SCENE_MASKS * NET_CLASSES];
};

static int unaligned(const struct ao_graph *graph)
{
    int n = 0;
    for (size_t v = 0; v < graph->n_values; v++)
        n += graph->values[v].data && !ao_value_is_aligned(&graph->values[v]);
    return n;
}

static void every_engine_reads_weights_at_any_address(void **state)
{
    static struct results first, other;
    static struct scene scene;
    (void)state;
    struct net net;
    struct wire file;
    draw(&net);
    struct ao_onnx_model *model = net_load(&net, &file);
    scene_draw(&scene, &net.rng);
    ao_onnx_close(&model);
    int n_unaligned = 0;
    for (int shift = 0; shift < 4; shift++) {
        struct wire bytes = moved(&file, shift);
        struct ao_passes_report report = { 0 };
        assert_int_equal(ao_onnx_read(bytes.bytes, bytes.n, "m", &plain, &model), AOSA_OK);
        assert_int_equal(ao_passes_run(&model->graph, &report), AOSA_OK);
        n_unaligned += unaligned(&model->graph);
        struct results *results = shift == 0 ? &first : &other;
        run(&model->graph, AO_BACKEND_REFERENCE, 0, scene.clip, results->reference);
        run(&model->graph, AO_BACKEND_REFERENCE_F64, 0, scene.clip, results->wide);
        run(&model->graph, AO_BACKEND_ONEDNN, 0, scene.clip, results->onednn);
        run_backward(&model->graph, scene.clip, results->backward);
        run_delta(&model->graph, &scene, results->delta);
        if (shift > 0)
            assert_memory_equal(&first, &other, sizeof first);
        ao_passes_report_fini(&report);
        ao_onnx_close(&model);
        wire_free(&bytes);
    }
    printf("%d weights at odd addresses\n", n_unaligned);
    assert_int_equal(n_unaligned, 9); /* three, each aligned at one of four addresses */
    wire_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_large_weights_stay_in_the_file_at_any_address),
        cmocka_unit_test(every_engine_reads_weights_at_any_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
