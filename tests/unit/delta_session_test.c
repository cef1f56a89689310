/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/alloc.h"
#include "core/parallel.h"
#include "support/delta_scene.h"

/* What the delta engine promises beside its numbers: threads, memory, what it says and refuses. */

struct crew {
    const struct ao_delta *delta;
    const struct ao_delta_base *base;
    struct ao_delta_session *sessions[3];
    const struct scene *scene;
    float outputs[SCENE_MASKS * NET_CLASSES];
};

static aosa_status run_item(void *context, int64_t item, int thread)
{
    static const struct ao_delta_fill fill = { .value = { 0.1f, -0.2f, 0.3f } };
    struct crew *crew = context;
    const int m = (int)item * AO_DELTA_BATCH;
    return ao_delta_run(crew->delta, crew->base, crew->sessions[thread], crew->scene->masks + m,
                        SCENE_MASKS - m < AO_DELTA_BATCH ? SCENE_MASKS - m : AO_DELTA_BATCH, &fill,
                        crew->outputs + m * NET_CLASSES);
}

static void run_crew(const struct ao_graph *graph, const struct scene *scene, int threads,
                     float *outputs)
{
    struct crew crew = { .scene = scene };
    struct ao_delta *delta = NULL;
    struct ao_delta_base *base = NULL;
    assert_int_equal(ao_delta_create(graph, threads, &delta), AOSA_OK);
    assert_int_equal(ao_delta_base_create(delta, scene->clip, NULL, &base), AOSA_OK);
    crew.delta = delta;
    crew.base = base;
    for (int i = 0; i < threads; i++)
        assert_int_equal(ao_delta_session_create(delta, &crew.sessions[i]), AOSA_OK);
    assert_int_equal(ao_parallel_for(threads, (SCENE_MASKS + AO_DELTA_BATCH - 1) / AO_DELTA_BATCH,
                                     run_item, &crew),
                     AOSA_OK);
    memcpy(outputs, crew.outputs, sizeof crew.outputs);
    for (int i = 0; i < threads; i++)
        ao_delta_session_destroy(&crew.sessions[i]);
    ao_delta_base_destroy(&base);
    ao_delta_destroy(&delta);
}

static void any_number_of_threads_gives_the_same_bits(void **state)
{
    static struct scene scene;
    (void)state;
    for (uint64_t seed = 200; seed < 206; seed++) {
        struct net net;
        struct wire file;
        float one[SCENE_MASKS * NET_CLASSES], more[SCENE_MASKS * NET_CLASSES];
        net_draw(&net, seed);
        struct ao_onnx_model *model = net_load(&net, &file);
        scene_draw(&scene, &net.rng);
        run_crew(&model->graph, &scene, 1, one);
        for (int threads = 2; threads <= 3; threads++) {
            run_crew(&model->graph, &scene, threads, more);
            assert_memory_equal(one, more, sizeof one);
        }
        ao_onnx_close(&model);
        wire_free(&file);
    }
}

/* Layers of every kind, Winograd's among them. */
static void draw_all_layers(struct net *net)
{
    net_begin(net, 1);
    net_conv_same(net, 24);
    net_append_unary(net, "Relu");
    net_residual(net);
    net_inception(net);
    net_swish(net);
    net_pool(net, true, true);
    net_pool(net, false, false);
    net_squeeze_excite(net);
    net_head(net, true, true);
}

static void a_session_that_reserved_allocates_nothing_in_a_run(void **state)
{
    static struct scene scene;
    static const struct ao_delta_fill fill = { .value = { 0 } };
    struct net net;
    struct wire file;
    struct ao_delta *delta = NULL;
    struct ao_delta_base *base = NULL;
    struct ao_delta_session *sessions[2] = { NULL };
    struct ao_delta_need need = { 0 };
    float outputs[SCENE_MASKS * NET_CLASSES];
    (void)state;
    draw_all_layers(&net);
    struct ao_onnx_model *model = net_load(&net, &file);
    scene_draw(&scene, &net.rng);
    assert_int_equal(ao_delta_create(&model->graph, 1, &delta), AOSA_OK);
    assert_int_equal(ao_delta_base_create(delta, scene.clip, NULL, &base), AOSA_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(ao_delta_session_create(delta, &sessions[i]), AOSA_OK);
    assert_int_equal(ao_delta_session_measure(sessions[0], scene.masks, SCENE_MASKS, &need),
                     AOSA_OK);

    /* The next allocation would fail: there is none, but in a session that did not reserve. */
    assert_int_equal(ao_delta_session_reserve(sessions[1], &need), AOSA_OK);
    ao_alloc_fail_at(1);
    const aosa_status status =
        ao_delta_run(delta, base, sessions[1], scene.masks, SCENE_MASKS, &fill, outputs);
    const bool allocated = ao_alloc_has_failed();
    ao_alloc_fail_at(1);
    const aosa_status unreserved =
        ao_delta_run(delta, base, sessions[0], scene.masks, SCENE_MASKS, &fill, outputs);
    ao_alloc_fail_at(0);
    assert_int_equal(status, AOSA_OK);
    assert_false(allocated);
    assert_int_equal(unreserved, AOSA_ERR_NOMEM);
    for (int i = 0; i < 2; i++)
        ao_delta_session_destroy(&sessions[i]);
    ao_delta_base_destroy(&base);
    ao_delta_destroy(&delta);
    ao_onnx_close(&model);
    wire_free(&file);
}

static void a_large_part_without_rules_is_refused_with_its_node(void **state)
{
    struct net net;
    struct wire file;
    struct ao_delta *delta = NULL;
    (void)state;
    net_begin(&net, 1);
    struct wire attrs = { 0 };
    const int64_t perm[] = { 0, 1, 2, 4, 3 };
    attr_ints(&attrs, "perm", 5, perm);
    net_append(&net, "Transpose", "v0", &attrs);
    net.dims[1] = NET_W;
    net.dims[2] = NET_H;
    net_conv_same(&net, 8);
    net_head(&net, false, false);
    struct ao_onnx_model *model = net_load(&net, &file);
    assert_int_equal(ao_delta_create(&model->graph, 1, &delta), AOSA_ERR_UNSUPPORTED);
    assert_non_null(strstr(aosa_error_message(), "Transpose_1"));
    assert_null(delta);
    ao_onnx_close(&model);
    wire_free(&file);
}

static const char *dense_from(struct net *net, const char **reason)
{
    static char name[64];
    struct wire file;
    struct ao_delta *delta = NULL;
    struct ao_onnx_model *model = net_load(net, &file);
    assert_int_equal(ao_delta_create(&model->graph, 1, &delta), AOSA_OK);
    strncpy(name, ao_delta_dense_from(delta, reason), sizeof name - 1);
    ao_delta_destroy(&delta);
    ao_onnx_close(&model);
    wire_free(&file);
    return name;
}

static void the_node_is_named_from_which_everything_changes(void **state)
{
    struct net net;
    const char *reason = "";
    (void)state;
    net_begin(&net, 1);
    net_conv_same(&net, 8);
    for (int axis = 1; axis <= 4; axis++) {
        net_slice(&net, axis);
        net_gather(&net, axis);
    }
    net_conv_same(&net, 8);
    net_split(&net);
    net_layer_norm(&net);
    net_head(&net, false, false);
    assert_string_equal(dense_from(&net, &reason), "");
    assert_string_equal(reason, "");

    net_begin(&net, 1);
    net_conv_same(&net, 8);
    net_squeeze_excite(&net);
    net_head(&net, false, false);
    assert_int_equal(strncmp(dense_from(&net, &reason), "Mul_", 4), 0);
    assert_non_null(strstr(reason, "gate"));

    net_begin(&net, 1);
    net_conv_same(&net, 8);
    net_head(&net, false, true);
    assert_int_equal(strncmp(dense_from(&net, &reason), "Softmax_", 8), 0);
    assert_string_equal(reason, "has no delta rule");
}

static void an_unknown_instruction_set_is_refused(void **state)
{
    struct net net;
    struct wire file;
    struct ao_delta *delta = NULL;
    (void)state;
    net_begin(&net, 1);
    net_conv_same(&net, 8);
    net_head(&net, false, false);
    struct ao_onnx_model *model = net_load(&net, &file);
    assert_int_equal(setenv("AOSA_ISA", "sse9", 1), 0);
    const aosa_status status = ao_delta_create(&model->graph, 1, &delta);
    assert_int_equal(unsetenv("AOSA_ISA"), 0);
    assert_int_equal(status, AOSA_ERR_ARGUMENT);
    assert_non_null(strstr(aosa_error_message(), "sse9"));
    ao_onnx_close(&model);
    wire_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_threads_gives_the_same_bits),
        cmocka_unit_test(a_session_that_reserved_allocates_nothing_in_a_run),
        cmocka_unit_test(a_large_part_without_rules_is_refused_with_its_node),
        cmocka_unit_test(the_node_is_named_from_which_everything_changes),
        cmocka_unit_test(an_unknown_instruction_set_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
