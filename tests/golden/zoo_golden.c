/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/npy.h"
#include "core/parallel.h"
#include "engine/engine.h"
#include "ops/op.h"
#include "passes/passes.h"
#include "support/zoo.h"
#include "support/shared.h"

/*
 * Whole networks against ONNX Runtime and PyTorch. The largest difference may be 1e-4 of the
 * largest output (issue 3): float sums of up to 14,000 terms in another order, through up to 120
 * layers, differ by some 1e-6, while a wrong pad, stride or axis changes the first digit.
 */
#define TOLERANCE 1e-4
#define MAX_INPUTS 2

struct loaded {
    struct ao_onnx_model *model;
    double gmacs;
};

static void finish_load(struct loaded *net, const char *name, aosa_status status)
{
    struct ao_passes_report report = { 0 };
    if (status == AOSA_OK)
        status = ao_passes_run(&net->model->graph, &report);
    ao_passes_report_fini(&report);
    if (status != AOSA_OK)
        fail_msg("%s: %s", name, aosa_error_message());
    const struct ao_graph *graph = &net->model->graph;
    net->gmacs = 0;
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (graph->nodes[i].op->macs)
            net->gmacs += graph->nodes[i].op->macs(graph, &graph->nodes[i]) * 1e-9;
}

/* Reads a float array whole; *n is its number of elements. */
static float *read_floats(const char *path, int64_t *n)
{
    struct ao_npy array;
    if (ao_npy_open(&array, path) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    assert_int_equal(array.type, AO_NPY_F32);
    *n = 1;
    for (int i = 0; i < array.rank; i++)
        *n *= array.dims[i];
    float *values = malloc((size_t)*n * sizeof *values + 1);
    assert_non_null(values);
    memcpy(values, array.data, (size_t)*n * sizeof *values);
    ao_npy_close(&array);
    return values;
}

/* Runs n clips in one batch, clips[i] for input i; result has n_out float32 values per clip. */
static void run_batch(const struct ao_graph *graph, enum ao_backend backend, int n,
                      float *const *clips, float *result)
{
    const struct ao_program_options options = { .backend = backend,
                                                .batch = n,
                                                .inner_threads = ao_default_threads() };
    struct ao_program *program = NULL;
    struct ao_session *session = NULL;
    ao_set_inner_threads(options.inner_threads);
    if (ao_program_create(graph, &options, &program) != AOSA_OK ||
        ao_session_create(program, &session) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    for (int i = 0; i < graph->n_inputs; i++) {
        const struct ao_view in = ao_session_input(session, i);
        const struct ao_view src = ao_view_dense(clips[i], AO_F32, &in.shape);
        ao_view_copy(&in, &src);
    }
    const struct ao_view out = ao_session_output(session, 0);
    const struct ao_view dst = ao_view_dense(result, AO_F32, &out.shape);
    if (ao_session_run(session) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    ao_view_copy(&dst, &out);
    ao_session_destroy(&session);
    ao_program_destroy(&program);
}

/* Largest difference as a fraction of the largest wanted value. */
static double relative_error(const float *got, const float *want, int64_t n)
{
    double worst = 0, largest = 0;
    for (int64_t i = 0; i < n; i++) {
        const double difference = fabs((double)got[i] - (double)want[i]);
        worst = difference <= worst ? worst : difference; /* a NaN is taken, and stays */
        largest = fmax(largest, fabs((double)want[i]));
    }
    return worst / largest;
}

/* Value sets [first, first + n) of the zoo for every input, each set behind the other. */
static void make_inputs(const struct ao_graph *graph, int first, int n, float *clips[MAX_INPUTS])
{
    assert_true(graph->n_inputs <= MAX_INPUTS);
    for (int i = 0; i < graph->n_inputs; i++) {
        const struct ao_value *x = &graph->values[graph->inputs[i]];
        const int64_t n_in = ao_shape_count(&x->shape);
        clips[i] = malloc((size_t)(n * n_in) * sizeof *clips[i]);
        assert_non_null(clips[i]);
        for (int k = 0; k < n; k++)
            zoo_input(first + k, x->name, n_in, clips[i] + k * n_in);
    }
}

static void run_sets(const struct ao_graph *graph, enum ao_backend backend, int first, int n,
                     float *result)
{
    float *clips[MAX_INPUTS];
    make_inputs(graph, first, n, clips);
    run_batch(graph, backend, n, clips, result);
    for (int i = 0; i < graph->n_inputs; i++)
        free(clips[i]);
}

/* Both value sets of the zoo, in one batch where the model can be batched. */
static double check_zoo_inputs(const char *name, const struct ao_graph *graph,
                               enum ao_backend backend)
{
    const struct ao_value *y = &graph->values[graph->outputs[0]];
    const int64_t n_out = ao_shape_count(&y->shape);
    float *result = malloc(2 * (size_t)n_out * sizeof *result);
    assert_non_null(result);
    if (graph->batchable)
        run_sets(graph, backend, 0, 2, result);
    for (int k = 0; k < 2 && !graph->batchable; k++)
        run_sets(graph, backend, k, 1, result + k * n_out);
    double worst = 0;
    for (int k = 0; k < 2; k++) {
        char path[1024];
        int64_t n_want;
        snprintf(path, sizeof path, "%s/zoo/%s.expected.input%d.output0.npy", zoo_shared(), name,
                 k);
        float *want = read_floats(path, &n_want);
        assert_int_equal(n_want, n_out);
        const double error = relative_error(result + k * n_out, want, n_out);
        worst = error <= worst ? worst : error;
        free(want);
    }
    free(result);
    return worst;
}

/*
 * All networks of the zoo with the multiply-accumulates of one clip: known beforehand, so that a
 * network too large for a backend is not even loaded.
 */
struct zoo_case {
    const char *name;
    double gmacs;
};

static const struct zoo_case zoo[] = {
    { "r3d_18.ts18", 40.697 },
    { "r3d_18.dydyn18", 40.697 },
    { "mc3_18.dy18", 43.343 },
    { "r2plus1d_18.ts18", 40.519 },
    { "r2plus1d_18.dy18", 40.519 },
    { "s3d.tsdyn17", 17.979 },
    { "s3d.dy18", 17.979 },
    { "c3d.tsdyn17", 38.547 },
    { "i3d_112.tsdyn17", 6.983 },
    { "i3d_inception.ts18", 27.788 },
    { "k3d_resnet18_A.ts18", 8.296 },
    { "k3d_resnet50_B.ts18", 10.069 },
    { "k3d_resnet50_B.dydyn18", 10.069 },
    { "slow_r50.dy18", 41.741 },
    { "r3d_18_224.tsdyn17", 162.786 },
    { "r3d_50_224.tsdyn17", 39.846 },
    { "c2d_r50.ts18", 19.493 },
    { "i3d_r50.dydyn18", 28.408 },
    { "k3d_densenet121.dy18", 10.404 },
    { "p3d63.ts18", 8.442 },
    { "movinet_a0_base3d.dy18", 0.354 },
    { "x3d_s.ts18", 2.727 },
    { "x3d_s.dy18", 2.727 },
    { "slowfast_r50.ts18", 50.309 },
    { "slowfast_r50.dy18", 50.309 },
    { "tsm_r50.dy18", 32.704 },
    { "swin3d_t.ts18", 43.882 },
    { "mvit_base_16x4.dy18", 70.599 },
};

static bool check_zoo_case(const struct zoo_case *item, enum ao_backend backend)
{
    struct loaded net = { 0 };
    const clock_t start = clock();
    finish_load(&net, item->name, zoo_open(item->name, &net.model));
    const double worst = check_zoo_inputs(item->name, &net.model->graph, backend);
    print_message("%-24s %8.3f GMAC  worst %.2e of the largest output  %.1f s%s\n", item->name,
                  net.gmacs, worst, (double)(clock() - start) / CLOCKS_PER_SEC,
                  net.model->graph.batchable ? "" : "  (not batchable)");
    /* The table has three decimals. */
    const bool counted = fabs(net.gmacs - item->gmacs) <= 0.0005;
    ao_onnx_close(&net.model);
    return counted && worst <= TOLERANCE;
}

/* Checks every network of at most max_gmacs; prints one line each. */
static void check_zoo(enum ao_backend backend, double max_gmacs)
{
    int checked = 0, wrong = 0;
    for (size_t i = 0; i < sizeof zoo / sizeof zoo[0]; i++) {
        if (zoo[i].gmacs > max_gmacs)
            continue;
        checked++;
        wrong += !check_zoo_case(&zoo[i], backend);
    }
    print_message("%d networks up to %g GMAC\n", checked, max_gmacs);
    assert_true(checked > 0);
    assert_int_equal(wrong, 0);
}

static void the_reference_backend_gives_what_onnx_runtime_gives(void **state)
{
    (void)state;
    if (!zoo_shared())
        skip();
    /* The issue asks for 3; up to 9 are three networks more, 15 s of one core. */
    check_zoo(AO_BACKEND_REFERENCE, 9);
}

static void the_onednn_backend_gives_what_onnx_runtime_gives(void **state)
{
    (void)state;
    if (!zoo_shared())
        skip();
    check_zoo(AO_BACKEND_ONEDNN, HUGE_VAL);
}

/* A clip as the authors' code fed it to a trained network, and the logits PyTorch gave. */
struct clip_golden {
    const char *folder, *model;
};

static const struct clip_golden clip_goldens[] = {
    { "cliff37_r3d10_real12", "r3d10_real12" },
    { "asl_milk_r3d10", "r3d10_asl20" },
    { "cliff_r3d10rnd", "r3d10_w05_seed0" },
};

/* [3][T][H][W] of (rgb / 255 - mean) / std from uint8 [T][H][W][3]; the kenshohara numbers. */
static float *normalised_clip(const char *path, int64_t *n)
{
    static const double mean[] = { 0.4345, 0.4051, 0.3775 }, std[] = { 0.2768, 0.2713, 0.2737 };
    struct ao_npy array;
    if (ao_npy_open(&array, path) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    assert_true(array.type == AO_NPY_U8 && array.rank == 4 && array.dims[3] == 3);
    const int64_t voxels = array.dims[0] * array.dims[1] * array.dims[2];
    const unsigned char *rgb = array.data;
    float *values = malloc(3 * (size_t)voxels * sizeof *values);
    assert_non_null(values);
    for (int64_t c = 0; c < 3; c++)
        for (int64_t i = 0; i < voxels; i++)
            values[c * voxels + i] = (float)(((double)rgb[3 * i + c] / 255 - mean[c]) / std[c]);
    *n = 3 * voxels;
    ao_npy_close(&array);
    return values;
}

static double check_clip(const struct clip_golden *golden, enum ao_backend backend)
{
    const char *shared = zoo_shared();
    char path[1024];
    struct loaded net = { 0 };
    int64_t n_clip, n_logits;
    snprintf(path, sizeof path, "%s/data/models/%s.onnx", shared, golden->model);
    finish_load(&net, path, ao_onnx_open(path, &(struct ao_onnx_options){ 0 }, &net.model));
    const struct ao_graph *graph = &net.model->graph;
    snprintf(path, sizeof path, "%s/data/goldens/%s/clip/clip_u8.npy", shared, golden->folder);
    float *clip = normalised_clip(path, &n_clip);
    snprintf(path, sizeof path, "%s/data/goldens/%s/clip/logits.npy", shared, golden->folder);
    float *want = read_floats(path, &n_logits);
    assert_int_equal(n_clip, ao_shape_count(&graph->values[graph->inputs[0]].shape));
    assert_int_equal(n_logits, ao_shape_count(&graph->values[graph->outputs[0]].shape));
    float *got = malloc((size_t)n_logits * sizeof *got);
    assert_non_null(got);
    run_batch(graph, backend, 1, &clip, got);
    const double worst = relative_error(got, want, n_logits);
    print_message("%-24s %8.3f GMAC  worst %.2e of the largest logit\n", golden->folder, net.gmacs,
                  worst);
    free(clip);
    free(want);
    free(got);
    ao_onnx_close(&net.model);
    return worst;
}

static void check_clips(enum ao_backend backend)
{
    for (size_t i = 0; i < sizeof clip_goldens / sizeof clip_goldens[0]; i++)
        assert_true(check_clip(&clip_goldens[i], backend) <= TOLERANCE);
}

static void real_clips_on_the_reference_backend(void **state)
{
    (void)state;
    if (!zoo_shared())
        skip();
    check_clips(AO_BACKEND_REFERENCE);
}

static void real_clips_on_the_onednn_backend(void **state)
{
    (void)state;
    if (!zoo_shared())
        skip();
    check_clips(AO_BACKEND_ONEDNN);
}

int main(void)
{
    if (shared_is_missing())
        return EXIT_SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_backend_gives_what_onnx_runtime_gives),
        cmocka_unit_test(real_clips_on_the_reference_backend),
        cmocka_unit_test(the_onednn_backend_gives_what_onnx_runtime_gives),
        cmocka_unit_test(real_clips_on_the_onednn_backend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
