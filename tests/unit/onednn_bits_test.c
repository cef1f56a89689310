/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/alloc.h"
#include "core/parallel.h"
#include "support/random_net.h"

/* The oneDNN backend: bits, failures, names. What it computes is checked in onednn_test.c. */

struct shared_run {
    const struct ao_program *program;
    struct ao_session *sessions[2];
    const float *clips;
    float *results;
    int64_t n_in, n_out;
};

static aosa_status run_clip(void *context, int64_t item, int thread)
{
    const struct shared_run *shared = context;
    struct ao_session *session = shared->sessions[thread];
    const struct ao_view in = ao_session_input(session, 0);
    const struct ao_view src =
        ao_view_dense((void *)(uintptr_t)(shared->clips + item * shared->n_in), AO_F32, &in.shape);
    ao_view_copy(&in, &src);
    AO_TRY(ao_session_run(session));
    const struct ao_view out = ao_session_output(session, 0);
    const struct ao_view dst =
        ao_view_dense(shared->results + item * shared->n_out, AO_F32, &out.shape);
    ao_view_copy(&dst, &out);
    return AOSA_OK;
}

/* Scores of n clips, one per run, on sessions that share one program. */
static void run_shared(const struct net *net, int threads, int inner, const float *clips, int n,
                       float *results)
{
    const struct ao_program_options options = { .backend = AO_BACKEND_ONEDNN,
                                                .batch = 1,
                                                .inner_threads = inner };
    const struct ao_graph *graph = &net->graph;
    struct ao_program *program = NULL;
    struct shared_run shared = { .clips = clips, .results = results };
    shared.n_in = ao_shape_count(&graph->values[graph->inputs[0]].shape);
    shared.n_out = ao_shape_count(&graph->values[graph->outputs[0]].shape);
    assert_int_equal(ao_program_create(graph, &options, &program), AOSA_OK);
    for (int i = 0; i < threads; i++)
        assert_int_equal(ao_session_create(program, &shared.sessions[i]), AOSA_OK);
    assert_int_equal(ao_parallel_for(threads, n, run_clip, &shared), AOSA_OK);
    for (int i = 0; i < threads; i++)
        ao_session_destroy(&shared.sessions[i]);
    ao_program_destroy(&program);
}

/* A stem, two residual blocks and a head, large enough that oneDNN divides the work. */
static void build_resnet(struct net *net)
{
    const struct net_window stem = { .rank = 3,
                                     .kernel = { 3, 7, 7 },
                                     .stride = { 1, 2, 2 },
                                     .dilation = { 1, 1, 1 },
                                     .pads = { 1, 3, 3, 1, 3, 3 } };
    net_init(net, 21, SHAPE(1, 3, 8, 40, 40));
    int x = net_unary(net, "Relu", net_conv(net, net->graph.inputs[0], 32, 1, &stem));
    for (int i = 0; i < 2; i++) {
        const int inner = net_unary(net, "Relu", net_same_conv(net, x, 32));
        x = net_unary(net, "Relu", net_binary(net, "Add", net_same_conv(net, inner, 32), x));
    }
    net_output(net, net_head(net, x));
    net_finish(net);
}

static void threads_do_not_change_a_bit(void **state)
{
    enum { CLIPS = 4, CLASSES = 7 };
    float one[CLIPS * CLASSES], two[CLIPS * CLASSES], inside[CLIPS * CLASSES];
    struct net net;
    (void)state;
    build_resnet(&net);
    float *clips = net_random_input(&net, CLIPS);
    run_shared(&net, 1, 1, clips, CLIPS, one);
    run_shared(&net, 2, 1, clips, CLIPS, two);
    run_shared(&net, 1, 2, clips, CLIPS, inside);
    assert_memory_equal(one, two, sizeof one);
    assert_memory_equal(one, inside, sizeof one);
    free(clips);
    ao_graph_fini(&net.graph);
}

/* A clip's scores are the same in every place of a batch, and in batches of every size. */
static void batches_do_not_change_a_bit(void **state)
{
    enum { CLIPS = 5, CLASSES = 7 };
    struct net net;
    int64_t n;
    (void)state;
    build_resnet(&net);
    float *clips = net_random_input(&net, CLIPS);
    double *all = net_run(&net, (struct net_setting){ AO_BACKEND_ONEDNN, CLIPS, 1 }, clips, 0, &n);
    assert_int_equal(n, CLIPS * CLASSES);
    const int64_t n_in = 3 * 8 * 40 * 40;
    for (int c = 0; c < CLIPS; c++) {
        double *alone =
            net_run(&net, (struct net_setting){ AO_BACKEND_ONEDNN, 1, 1 }, clips + c * n_in, 0, &n);
        assert_memory_equal(alone, all + c * CLASSES, CLASSES * sizeof *alone);
        free(alone);
    }
    free(all);
    free(clips);
    ao_graph_fini(&net.graph);
}

/* Every allocation of ours fails once; whatever was built is taken down again (ASan sees leaks). */
static void every_failed_allocation_is_reported(void **state)
{
    const struct ao_program_options options = { .backend = AO_BACKEND_ONEDNN,
                                                .batch = 1,
                                                .inner_threads = 1 };
    struct net net;
    int failures = 0;
    (void)state;
    net_random(&net, 7);
    net_finish(&net);
    for (long k = 1;; k++) {
        struct ao_program *program = NULL;
        struct ao_session *session = NULL;
        ao_alloc_fail_at(k);
        aosa_status status = ao_program_create(&net.graph, &options, &program);
        if (status == AOSA_OK)
            status = ao_session_create(program, &session);
        const bool failed = ao_alloc_has_failed();
        ao_alloc_fail_at(0);
        assert_int_equal(status, failed ? AOSA_ERR_NOMEM : AOSA_OK);
        ao_session_destroy(&session);
        ao_program_destroy(&program);
        if (!failed)
            break;
        failures++;
    }
    print_message("%d allocations failed in turn\n", failures);
    assert_true(failures > 5);
    ao_graph_fini(&net.graph);
}

static void the_backend_names_itself(void **state)
{
    (void)state;
    assert_true(strlen(ao_backend_isa(AO_BACKEND_ONEDNN)) > 2);
    assert_int_equal(strncmp(ao_backend_version(AO_BACKEND_ONEDNN), "oneDNN ", 7), 0);
    print_message("%s, %s\n", ao_backend_version(AO_BACKEND_ONEDNN),
                  ao_backend_isa(AO_BACKEND_ONEDNN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(batches_do_not_change_a_bit),
        cmocka_unit_test(every_failed_allocation_is_reported),
        cmocka_unit_test(the_backend_names_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
