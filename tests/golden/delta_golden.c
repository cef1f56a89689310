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
#include "onnx/onnx.h"
#include "passes/passes.h"
#include "support/zoo.h"
#include "support/shared.h"

/*
 * Whole networks: differences of outputs under occlusion from the delta walk, against the oracle
 * in double on the occluded clips. The error may be 1e-4 of the largest difference (issue 4), and
 * no more than that of two full runs in float on the dense engine, whose outputs carry the
 * rounding of the whole network where the delta walk carries that of the change.
 */
#define TOLERANCE 1e-4

enum { MASKS = 3, SIZE = 16 };

struct run {
    struct ao_onnx_model *model;
    int T, H, W;
    size_t classes;
    float *clip;
    struct ao_box *boxes;
    int32_t *first;
    struct ao_delta_mask masks[MASKS];
};

static void open_run(struct run *run, const char *name)
{
    struct ao_passes_report report = { 0 };
    char path[512];
    const char *shared = zoo_shared();
    if (!shared) {
        skip();
        return; /* gcc does not know that skip never comes back */
    }
    snprintf(path, sizeof path, "%s/data/models/%s.onnx", shared, name);
    aosa_status status = strchr(name, '.')
                             ? zoo_open(name, &run->model)
                             : ao_onnx_open(path, &(struct ao_onnx_options){ 0 }, &run->model);
    if (status == AOSA_OK)
        status = ao_passes_run(&run->model->graph, &report);
    ao_passes_report_fini(&report);
    if (status != AOSA_OK)
        fail_msg("%s: %s", name, aosa_error_message());
    const struct ao_graph *graph = &run->model->graph;
    const int64_t *dims = graph->values[graph->inputs[0]].shape.dims;
    run->T = (int)dims[2];
    run->H = (int)dims[3];
    run->W = (int)dims[4];
    run->classes = (size_t)ao_shape_count(&graph->values[graph->outputs[0]].shape);
}

/* Tubes that drift: one in a corner that leaves the frame, one inside, one of two squares. */
static void make_scene(struct run *run)
{
    const size_t n = 3 * (size_t)run->T * (size_t)run->H * (size_t)run->W;
    run->clip = malloc(n * sizeof *run->clip);
    run->boxes = calloc((size_t)(MASKS * run->T * 2), sizeof *run->boxes);
    run->first = calloc((size_t)(MASKS * (run->T + 1)), sizeof *run->first);
    assert_true(run->clip && run->boxes && run->first);
    zoo_input(0, "input", (int64_t)n, run->clip);
    for (int m = 0; m < MASKS; m++) {
        struct ao_box *boxes = run->boxes + m * run->T * 2;
        int32_t *first = run->first + m * (run->T + 1), n_boxes = 0;
        for (int t = 0; t < run->T; t++) {
            const int y = m == 0 ? -4 - t / 2 : run->H / 2 - 8 + t, x = 3 + 20 * m - t / 3;
            first[t] = n_boxes;
            if (y + SIZE > 0)
                boxes[n_boxes++] =
                    (struct ao_box){ y > 0 ? y : 0, x > 0 ? x : 0, y + SIZE, x + SIZE };
            if (m == 2)
                boxes[n_boxes++] = (struct ao_box){ 0, run->W - SIZE, SIZE, run->W };
        }
        first[run->T] = n_boxes;
        run->masks[m] = (struct ao_delta_mask){ boxes, first };
    }
}

static void close_run(struct run *run)
{
    ao_onnx_close(&run->model);
    free(run->clip);
    free(run->boxes);
    free(run->first);
}

static double input_at(const struct run *run, int m, int c, int t, int y, int x)
{
    for (int32_t b = m < 0 ? 0 : run->masks[m].first[t]; m >= 0 && b < run->masks[m].first[t + 1];
         b++) {
        const struct ao_box *box = &run->masks[m].boxes[b];
        if (y >= box->y0 && y < box->y1 && x >= box->x0 && x < box->x1)
            return 0;
    }
    return (double)run->clip[((c * run->T + t) * run->H + y) * run->W + x];
}

/* Full run of the clip under mask m (-1: none). */
static void run_dense(const struct run *run, struct ao_session *session, int m, double *row)
{
    const struct ao_view input = ao_session_input(session, 0);
    for (int c = 0; c < 3; c++)
        for (int t = 0; t < run->T; t++)
            for (int y = 0; y < run->H; y++)
                for (int x = 0; x < run->W; x++) {
                    const int64_t at = c * input.strides[1] + t * input.strides[2] +
                                       y * input.strides[3] + x * input.strides[4];
                    const double value = input_at(run, m, c, t, y, x);
                    if (input.dtype == AO_F64)
                        ((double *)input.data)[at] = value;
                    else
                        ((float *)input.data)[at] = (float)value;
                }
    assert_int_equal(ao_session_run(session), AOSA_OK);
    const struct ao_view output = ao_session_output(session, 0);
    for (size_t i = 0; i < run->classes; i++)
        row[i] = output.dtype == AO_F64 ? ((const double *)output.data)[i]
                                        : (double)((const float *)output.data)[i];
}

/* rows[0] is the clip's own, rows[1 + m] that of mask m. */
static double *run_backend(const struct run *run, enum ao_backend backend)
{
    const struct ao_program_options options = { .backend = backend,
                                                .batch = 1,
                                                .inner_threads = 1 };
    struct ao_program *program = NULL;
    struct ao_session *session = NULL;
    double *rows = malloc((1 + MASKS) * run->classes * sizeof *rows);
    assert_non_null(rows);
    assert_int_equal(ao_program_create(&run->model->graph, &options, &program), AOSA_OK);
    assert_int_equal(ao_session_create(program, &session), AOSA_OK);
    for (int m = -1; m < MASKS; m++)
        run_dense(run, session, m, rows + (size_t)(m + 1) * run->classes);
    ao_session_destroy(&session);
    ao_program_destroy(&program);
    return rows;
}

static double *run_delta(const struct run *run)
{
    struct ao_delta *delta = NULL;
    struct ao_delta_base *base = NULL;
    struct ao_delta_session *session = NULL;
    const struct ao_delta_fill fill = { .volume = NULL };
    float *outputs = malloc(MASKS * run->classes * sizeof *outputs);
    double *rows = malloc((1 + MASKS) * run->classes * sizeof *rows);
    assert_true(outputs && rows);
    if (ao_delta_create(&run->model->graph, 1, &delta) != AOSA_OK ||
        ao_delta_base_create(delta, run->clip, NULL, &base) != AOSA_OK ||
        ao_delta_session_create(delta, &session) != AOSA_OK ||
        ao_delta_run(delta, base, session, run->masks, MASKS, &fill, outputs) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    for (size_t i = 0; i < run->classes; i++)
        rows[i] = (double)ao_delta_base_output(base)[i];
    for (size_t i = 0; i < MASKS * run->classes; i++)
        rows[run->classes + i] = (double)outputs[i];
    ao_delta_session_destroy(&session);
    ao_delta_base_destroy(&base);
    ao_delta_destroy(&delta);
    free(outputs);
    return rows;
}

/* Largest error of a difference from rows[0], over the largest true one. */
static double error_of(const struct run *run, const double *rows, const double *truth)
{
    double worst = 0, largest = 0;
    for (size_t m = 1; m <= MASKS; m++)
        for (size_t i = 0; i < run->classes; i++) {
            const double want = truth[m * run->classes + i] - truth[i];
            worst = fmax(worst, fabs(rows[m * run->classes + i] - rows[i] - want));
            largest = fmax(largest, fabs(want));
        }
    assert_true(largest > 0);
    return worst / largest;
}

/* What rounding the outputs themselves to float costs, over the largest difference. */
static double rounding_of(const struct run *run, const double *truth)
{
    double *rounded = malloc((1 + MASKS) * run->classes * sizeof *rounded);
    assert_non_null(rounded);
    for (size_t i = 0; i < (1 + MASKS) * run->classes; i++)
        rounded[i] = (double)(float)truth[i];
    const double error = error_of(run, rounded, truth);
    free(rounded);
    return error;
}

static void check_network(const char *name)
{
    struct run run = { .model = NULL };
    open_run(&run, name);
    make_scene(&run);
    double *truth = run_backend(&run, AO_BACKEND_REFERENCE_F64);
    double *dense = run_backend(&run, AO_BACKEND_ONEDNN);
    double *delta = run_delta(&run);
    const double by_delta = error_of(&run, delta, truth), by_dense = error_of(&run, dense, truth);
    const double rounding = rounding_of(&run, truth);
    printf("%s: error of a difference %.3g of the largest by the delta walk, %.3g by full runs, "
           "%.2g by rounding outputs to float\n",
           name, by_delta, by_dense, rounding);
    free(truth);
    free(dense);
    free(delta);
    close_run(&run);
    assert_true(by_delta <= TOLERANCE);
    /* Where both are as good as the outputs' own rounding allows, luck decides between them. */
    assert_true(by_delta <= by_dense + 2 * rounding);
}

static void a_trained_residual_network_agrees(void **state)
{
    (void)state;
    check_network("r3d10_asl20");
}

static void a_wide_residual_network_agrees(void **state)
{
    (void)state;
    check_network("r3d10_w05_seed0");
}

static void an_inception_network_agrees(void **state)
{
    (void)state;
    check_network("i3d_w025_seed1_gap_16x112");
}

static void a_separable_network_with_gates_agrees(void **state)
{
    (void)state;
    check_network("x3d_s.ts18");
}

int main(void)
{
    if (shared_is_missing())
        return EXIT_SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trained_residual_network_agrees),
        cmocka_unit_test(a_wide_residual_network_agrees),
        cmocka_unit_test(an_inception_network_agrees),
        cmocka_unit_test(a_separable_network_with_gates_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
