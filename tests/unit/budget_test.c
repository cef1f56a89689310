/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/file.h"
#include "engine/delta.h"
#include "engine/engine.h"
#include "model/model.h"
#include "support/onnx_writer.h"

/* What --max-memory allows, and what is said when it is not enough. */

static void what_is_given_back_can_be_taken_again(void **state)
{
    (void)state;
    struct ao_budget budget;
    ao_budget_init(&budget, 1000000);
    assert_int_equal(ao_budget_take(&budget, 600000, "a"), AOSA_OK);
    assert_int_equal(ao_budget_take(&budget, 400001, "b"), AOSA_ERR_NOMEM);
    assert_int_equal(ao_budget_take(&budget, SIZE_MAX, "c"), AOSA_ERR_NOMEM);
    assert_int_equal(ao_budget_take(&budget, 400000, "d"), AOSA_OK);
    ao_budget_give(&budget, 600000);
    assert_int_equal(ao_budget_take(&budget, 600000, "e"), AOSA_OK);
    assert_int_equal(ao_budget_take(NULL, SIZE_MAX, "f"), AOSA_OK);
}

static void without_a_limit_it_is_three_quarters_of_the_machine(void **state)
{
    (void)state;
    struct ao_budget budget;
    ao_budget_init(&budget, 0);
    assert_true(budget.limit == ao_memory_size() / 4 * 3);
    assert_true(budget.limit > 0);
}

static char path[] = "/tmp/aosa-budget-XXXXXX";

/* A clip of 3 x 8 x 40 x 40, two layers of 96 channels, the mean, ten classes. */
static void write_model(void)
{
    static float small[96 * 3 * 27], large[96 * 96 * 27], classes[10 * 96];
    struct wire graph = { 0 }, attrs[2] = { { 0 } };
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    graph_input(&graph, "x", W_FLOAT, 5, (const int64_t[]){ 1, 3, 8, 40, 40 });
    graph_floats(&graph, "w0", 5, (const int64_t[]){ 96, 3, 3, 3, 3 }, small);
    graph_floats(&graph, "w1", 5, (const int64_t[]){ 96, 96, 3, 3, 3 }, large);
    graph_floats(&graph, "w2", 2, (const int64_t[]){ 96, 10 }, classes);
    for (int i = 0; i < 2; i++)
        attr_ints(&attrs[i], "pads", 6, (const int64_t[]){ 1, 1, 1, 1, 1, 1 });
    graph_node(&graph, "Conv", "c0", "x w0", "a", &attrs[0]);
    graph_node(&graph, "Relu", "r0", "a", "b", NULL);
    graph_node(&graph, "Conv", "c1", "b w1", "c", &attrs[1]);
    graph_node(&graph, "Relu", "r1", "c", "d", NULL);
    graph_node(&graph, "GlobalAveragePool", "mean", "d", "e", NULL);
    graph_node(&graph, "Flatten", "flat", "e", "f", NULL);
    graph_node(&graph, "MatMul", "classes", "f w2", "y", NULL);
    graph_output(&graph, "y");
    struct wire file = model_of(&graph, 17);
    assert_int_equal(ao_file_write(path, file.bytes, file.n), AOSA_OK);
    wire_free(&file);
}

/* Everything that runs the network: returns the first status that is not OK. */
static aosa_status run(const struct ao_graph *graph, enum ao_backend backend)
{
    const struct ao_program_options options = { backend, 1, 1, 0 };
    struct ao_program *program = NULL;
    struct ao_session *session = NULL;
    aosa_status status = ao_program_create(graph, &options, &program);
    if (status == AOSA_OK)
        status = ao_session_create(program, &session);
    ao_session_destroy(&session);
    if (program)
        ao_program_destroy(&program);
    return status;
}

static aosa_status run_delta(const struct ao_graph *graph, int threads)
{
    static float clip[3 * 8 * 40 * 40], outputs[10];
    static const struct ao_delta_fill fill = { .value = { 1, 1, 1 } };
    const struct ao_box whole = { 0, 0, 40, 40 };
    struct ao_box boxes[8];
    int32_t first[9];
    struct ao_delta *delta = NULL;
    struct ao_delta_base *base = NULL;
    struct ao_delta_session *session = NULL;
    for (int t = 0; t < 9; t++)
        first[t] = t;
    for (int t = 0; t < 8; t++)
        boxes[t] = whole;
    const struct ao_delta_mask mask = { boxes, first };
    aosa_status status = ao_delta_create(graph, threads, &delta);
    if (status == AOSA_OK)
        status = ao_delta_base_create(delta, clip, NULL, &base);
    if (status == AOSA_OK)
        status = ao_delta_session_create(delta, &session);
    if (status == AOSA_OK)
        status = ao_delta_run(delta, base, session, &mask, 1, &fill, outputs);
    ao_delta_session_destroy(&session);
    ao_delta_base_destroy(&base);
    ao_delta_destroy(&delta);
    return status;
}

enum { ENGINES = 4 };

static aosa_status run_engine(const struct ao_graph *graph, int engine)
{
    return engine < 3 ? run(graph, (enum ao_backend)engine) : run_delta(graph, 1);
}

static struct aosa_model *open_model(size_t max_memory)
{
    struct aosa_model *model = NULL;
    if (ao_model_open(path, &(struct ao_model_options){ .max_memory = max_memory }, &model) !=
        AOSA_OK)
        fail_msg("%s", aosa_error_message());
    return model;
}

/* The least budget with which an engine runs is found by halving. Below it, the line says what is
 * missing; nothing stays booked, whether it ran or not. */
static void an_engine_that_needs_more_says_so(void **state)
{
    (void)state;
    for (int engine = 0; engine < ENGINES; engine++) {
        struct aosa_model *model = open_model(1000000000);
        const size_t open = atomic_load(&model->budget.taken);
        size_t lo = open, hi = 1000000000;
        assert_int_equal(run_engine(ao_model_graph(model), engine), AOSA_OK);
        while (hi - lo > 1000) {
            model->budget.limit = lo + (hi - lo) / 2;
            const aosa_status status = run_engine(ao_model_graph(model), engine);
            assert_int_equal(atomic_load(&model->budget.taken), open);
            if (status != AOSA_OK) {
                assert_int_equal(status, AOSA_ERR_NOMEM);
                assert_non_null(strstr(aosa_error_message(), "MB more are needed"));
                assert_non_null(strstr(aosa_error_message(), "--max-memory"));
                lo = model->budget.limit;
            } else {
                hi = model->budget.limit;
            }
        }
        printf("engine %d runs with %.1f MB\n", engine, 1e-6 * (double)hi);
        /* One layer's values are 4.9 MB, the weights 1 MB, in double twice that. */
        assert_in_range(hi, 5900000, 200000000);
        ao_model_close(&model);
    }
}

static void a_model_larger_than_its_budget_does_not_open(void **state)
{
    (void)state;
    struct aosa_model *model = NULL;
    const struct ao_model_options options = { .max_memory = 4000 };
    assert_int_equal(ao_model_open(path, &options, &model), AOSA_ERR_NOMEM);
    assert_non_null(strstr(aosa_error_message(), "--max-memory"));
    assert_null(model);
}

static int set_up(void **state)
{
    (void)state;
    write_model();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_given_back_can_be_taken_again),
        cmocka_unit_test(without_a_limit_it_is_three_quarters_of_the_machine),
        cmocka_unit_test(an_engine_that_needs_more_says_so),
        cmocka_unit_test(a_model_larger_than_its_budget_does_not_open),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
