/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The delta walk against dense runs, on one network, one clip and its masks. One JSON line for the
 * whole and one per stage. Times are processor time of one thread, so they hold on a busy machine.
 *
 *     bench-delta [--clip VIDEO] [--masks N] [--check N] [--dense N] [--stages] MODEL.onnx
 *
 * --check N compares N masks with the oracle in double precision, --dense N times N clips on the
 * dense engine, alternating with batches of the delta walk.
 */
#define _GNU_SOURCE /* getopt_long */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/alloc.h"
#include "core/rng.h"
#include "engine/delta.h"
#include "engine/engine.h"
#include "flow/flow.h"
#include "kernels/kernels.h"
#include "mask/mask.h"
#include "onnx/onnx.h"
#include "passes/passes.h"
#include "video/video.h"

#include "bench_commit.h"

struct settings {
    const char *model, *clip, *masks;
    int limit, check, dense, stack;
    bool stages;
};

struct bench {
    struct settings settings;
    struct ao_onnx_model *model;
    struct aosa_clip *clip;
    struct aosa_mask_set *set;
    struct ao_box *boxes;        /* of all masks */
    int32_t *first;              /* [M][T+1] */
    struct ao_delta_mask *masks; /* [M] */
    int n_masks;
    struct ao_delta *delta;
    struct ao_delta_base *base;
    struct ao_delta_session *session;
    struct ao_program *program; /* dense, batch 1 */
    struct ao_session *dense;
    float *outputs; /* [M][row] */
    double seconds_delta, seconds_dense, seconds_base, peak;
};

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static aosa_status open_model(struct bench *bench)
{
    struct ao_passes_report report = { 0 };
    AO_TRY(ao_onnx_open(bench->settings.model, &(struct ao_onnx_options){ 0 }, &bench->model));
    const aosa_status status = ao_passes_run(&bench->model->graph, &report);
    ao_passes_report_fini(&report);
    return status;
}

static aosa_status open_clip(struct bench *bench)
{
    const struct ao_graph *graph = &bench->model->graph;
    const int64_t *dims = graph->values[graph->inputs[0]].shape.dims;
    struct ao_preprocess pre;
    struct ao_video_options options = { 0 };
    ao_preprocess_init(&pre, (int)dims[2], (int)dims[3], (int)dims[4]);
    AO_TRY(ao_options_init(ao_video_option_table, &options));
    const aosa_status status = ao_clip_read(bench->settings.clip, &pre, &options, 0, &bench->clip);
    ao_options_fini(ao_video_option_table, &options);
    return status;
}

static aosa_status make_masks(struct bench *bench)
{
    const struct aosa_clip *clip = bench->clip;
    struct ao_flow_field *flow = NULL;
    struct ao_flow_options flow_options = { .source = NULL };
    struct ao_mask_options options = { .size = 0 };
    AO_TRY(ao_options_init(ao_flow_option_table, &flow_options));
    AO_TRY(ao_options_init(ao_mask_option_table, &options));
    options.size = 16;
    options.stride = clip->W >= 224 ? 16 : 8;
    options.stack = bench->settings.stack ? AO_STACK_AUTO : AO_STACK_NONE;
    options.partners = bench->settings.stack;
    const aosa_status computed =
        ao_flow_compute(clip->rgb, clip->T, clip->H, clip->W, &flow_options, false, &flow);
    ao_options_fini(ao_flow_option_table, &flow_options);
    AO_TRY(computed);
    const struct ao_mask_source source = {
        .T = clip->T, .H = clip->H, .W = clip->W, .flow = flow, .rgb = clip->rgb
    };
    const aosa_status status = ao_masks_generate(&source, &options, false, &bench->set);
    ao_flow_field_destroy(&flow);
    return status;
}

static aosa_status list_boxes(struct bench *bench)
{
    const struct aosa_mask_set *set = bench->set;
    const size_t T = (size_t)set->T, most = (size_t)ao_mask_set_max_boxes(set);
    const int limit = bench->settings.limit;
    const size_t M = (size_t)(limit > 0 && limit < set->M ? limit : set->M);
    bench->boxes = ao_alloc(M * T * most, sizeof *bench->boxes);
    bench->first = ao_alloc(M * (T + 1), sizeof *bench->first);
    bench->masks = ao_alloc(M, sizeof *bench->masks);
    if (!bench->boxes || !bench->first || !bench->masks)
        return ao_fail(AOSA_ERR_NOMEM, "no memory for the boxes of %zu masks", M);
    bench->n_masks = (int)M;
    for (size_t m = 0; m < M; m++) {
        struct ao_box *boxes = bench->boxes + m * T * most;
        int32_t *first = bench->first + m * (T + 1);
        for (size_t t = 0; t < T; t++)
            first[t + 1] = first[t] + ao_mask_boxes(set, (int)m, (int)t, boxes + first[t]);
        bench->masks[m] = (struct ao_delta_mask){ boxes, first };
    }
    return AOSA_OK;
}

/* What the best kernel reaches on data in the first-level cache: the roof of the roofline. */
static double measure_peak(void)
{
    enum { DEPTH = 128, TAPS = 1, ROUNDS = 200000 };
    static float src[AO_IGEMM_ROWS * DEPTH], w[DEPTH * AO_IGEMM_COLS];
    static float dst[AO_IGEMM_ROWS * AO_IGEMM_COLS];
    const uint32_t rows[] = { 0, 1, 2, 3, 4, 5 }, tap = 0;
    const struct ao_igemm tile = { .src = src,
                                   .src_pitch = DEPTH,
                                   .at = rows,
                                   .tap = &tap,
                                   .n_taps = TAPS,
                                   .depth = DEPTH,
                                   .w = w,
                                   .dst = dst,
                                   .dst_pitch = AO_IGEMM_COLS,
                                   .row = rows };
    const double start = seconds();
    for (int i = 0; i < ROUNDS; i++)
        ao_kernels()->igemm(&tile);
    return 2.0 * AO_IGEMM_ROWS * AO_IGEMM_COLS * DEPTH * ROUNDS / (seconds() - start);
}

static aosa_status open_engines(struct bench *bench)
{
    const struct ao_graph *graph = &bench->model->graph;
    const struct ao_program_options options = { .backend = AO_BACKEND_ONEDNN,
                                                .batch = 1,
                                                .inner_threads = 1 };
    AO_TRY(ao_delta_create(graph, 1, &bench->delta));
    const double start = seconds();
    AO_TRY(ao_delta_base_create(bench->delta, bench->clip->values, NULL, &bench->base));
    bench->seconds_base = seconds() - start;
    AO_TRY(ao_delta_session_create(bench->delta, &bench->session));
    AO_TRY(ao_program_create(graph, &options, &bench->program));
    AO_TRY(ao_session_create(bench->program, &bench->dense));
    bench->outputs = ao_alloc((size_t)bench->n_masks * (size_t)ao_delta_outputs(bench->delta),
                              sizeof *bench->outputs);
    if (!bench->outputs)
        return ao_fail(AOSA_ERR_NOMEM, "no memory for outputs");
    return AOSA_OK;
}

/* The clip under mask m (-1: none) into a session. */
static void feed(const struct bench *bench, struct ao_session *session, int m)
{
    const struct aosa_clip *clip = bench->clip;
    struct ao_view input = ao_session_input(session, 0);
    const struct ao_view src = ao_view_dense(clip->values, AO_F32, &input.shape);
    const size_t plane = (size_t)clip->H * (size_t)clip->W, P = (size_t)clip->T * plane;
    float *copy = ao_alloc_raw(3 * P, sizeof *copy);
    if (!copy)
        exit(1);
    memcpy(copy, src.data, 3 * P * sizeof *copy);
    for (int t = 0; m >= 0 && t < clip->T; t++)
        for (int32_t b = bench->masks[m].first[t]; b < bench->masks[m].first[t + 1]; b++) {
            const struct ao_box *box = &bench->masks[m].boxes[b];
            for (int y = box->y0; y < box->y1; y++)
                for (int x = box->x0; x < box->x1; x++)
                    for (size_t c = 0; c < 3; c++)
                        copy[c * P + (size_t)t * plane + (size_t)(y * clip->W + x)] = 0;
        }
    const struct ao_shape shape = input.shape;
    if (input.dtype == AO_F32) {
        const struct ao_view view = ao_view_dense(copy, AO_F32, &shape);
        ao_view_copy(&input, &view);
    } else {
        for (size_t i = 0; i < 3 * P; i++)
            ((double *)input.data)[i] = (double)copy[i];
    }
    ao_free(copy);
}

static aosa_status run_dense(struct bench *bench, struct ao_session *session, int m, double *row)
{
    feed(bench, session, m);
    const double start = seconds();
    AO_TRY(ao_session_run(session));
    bench->seconds_dense += seconds() - start;
    const struct ao_view output = ao_session_output(session, 0);
    for (int64_t i = 0; i < ao_shape_count(&output.shape); i++)
        row[i] = output.dtype == AO_F32 ? (double)((const float *)output.data)[i]
                                        : ((const double *)output.data)[i];
    return AOSA_OK;
}

static aosa_status run_delta(struct bench *bench)
{
    const struct ao_delta_fill fill = { .volume = NULL };
    const int64_t row = ao_delta_outputs(bench->delta);
    double *scratch = ao_alloc((size_t)row, sizeof *scratch);
    int dense = 0;
    if (!scratch)
        return ao_fail(AOSA_ERR_NOMEM, "no memory for outputs");
    aosa_status status = AOSA_OK;
    for (int m = 0; status == AOSA_OK && m < bench->n_masks; m += AO_DELTA_BATCH) {
        const int n = bench->n_masks - m < AO_DELTA_BATCH ? bench->n_masks - m : AO_DELTA_BATCH;
        const double start = seconds();
        status = ao_delta_run(bench->delta, bench->base, bench->session, bench->masks + m, n, &fill,
                              bench->outputs + m * row);
        bench->seconds_delta += seconds() - start;
        if (status == AOSA_OK && dense < bench->settings.dense) {
            status = run_dense(bench, bench->dense, m, scratch);
            dense++;
        }
    }
    bench->settings.dense = dense;
    ao_free(scratch);
    return status;
}

/* Largest errors of score differences against the oracle, over the largest difference. */
static aosa_status check(struct bench *bench)
{
    const struct ao_program_options options = { .backend = AO_BACKEND_REFERENCE_F64,
                                                .batch = 1,
                                                .inner_threads = 1 };
    const size_t row = (size_t)ao_delta_outputs(bench->delta);
    struct ao_program *program = NULL;
    struct ao_session *oracle = NULL;
    double *rows = ao_alloc(4 * row, sizeof *rows), worst[2] = { 0, 0 }, largest = 0;
    AO_TRY(ao_program_create(&bench->model->graph, &options, &program));
    AO_TRY(ao_session_create(program, &oracle));
    AO_TRY(run_dense(bench, oracle, -1, rows));
    AO_TRY(run_dense(bench, bench->dense, -1, rows + row));
    for (int i = 0; i < bench->settings.check; i++) {
        const int m = (int)((int64_t)i * bench->n_masks / bench->settings.check);
        AO_TRY(run_dense(bench, oracle, m, rows + 2 * row));
        AO_TRY(run_dense(bench, bench->dense, m, rows + 3 * row));
        for (size_t c = 0; c < row; c++) {
            const double truth = rows[2 * row + c] - rows[c];
            const double delta = (double)bench->outputs[(size_t)m * row + c] -
                                 (double)ao_delta_base_output(bench->base)[c];
            largest = fmax(largest, fabs(truth));
            worst[0] = fmax(worst[0], fabs(delta - truth));
            worst[1] = fmax(worst[1], fabs(rows[3 * row + c] - rows[row + c] - truth));
        }
    }
    printf("{\"bench\": \"delta-error\", \"masks\": %d, \"largest_difference\": %.4g, "
           "\"delta_error\": %.3g, \"dense_f32_error\": %.3g}\n",
           bench->settings.check, largest, worst[0] / largest, worst[1] / largest);
    ao_session_destroy(&oracle);
    ao_program_destroy(&program);
    ao_free(rows);
    return AOSA_OK;
}

static void print_results(const struct bench *bench)
{
    double dense = 0, done = 0, reached = 0;
    const double M = bench->n_masks;
    for (int i = 0; i < ao_delta_stages(bench->delta); i++) {
        const struct ao_delta_stage s = ao_delta_stage(bench->delta, bench->session, i);
        dense += s.macs_dense;
        done += s.macs_done / M;
        reached += s.macs_reached / M;
        if (bench->settings.stages)
            printf("{\"bench\": \"delta-stage\", \"node\": \"%s\", \"what\": \"%s\", "
                   "\"gmacs_dense\": %.4f, \"gmacs_reached\": %.4f, \"gmacs_done\": %.4f, "
                   "\"rows\": %.0f, \"ms\": %.3f, \"gflops\": %.1f}\n",
                   s.node, s.what, 1e-9 * s.macs_dense, 1e-9 * s.macs_reached / M,
                   1e-9 * s.macs_done / M, s.rows / M, 1e3 * s.seconds / M,
                   s.seconds > 0 ? 2e-9 * s.macs_done / s.seconds : 0);
    }
    const double per_mask = bench->seconds_delta / M;
    const double per_clip =
        bench->settings.dense ? bench->seconds_dense / bench->settings.dense : 0;
    printf("{\"bench\": \"delta\", \"model\": \"%s\", \"commit\": \"%s\", \"isa\": \"%s\", "
           "\"masks\": %d, \"gmacs_dense\": %.3f, \"gmacs_reached\": %.3f, \"gmacs_done\": %.3f, "
           "\"mac_ratio_reached\": %.3f, \"mac_ratio_done\": %.3f, \"cpu_ms_per_mask\": %.2f, "
           "\"cpu_ms_dense\": %.2f, \"speedup\": %.3f, \"base_ms\": %.1f, \"gflops\": %.1f, "
           "\"peak_gflops\": %.1f, \"weight_mb\": %.1f, \"base_mb\": %.1f, \"session_mb\": %.1f}\n",
           bench->settings.model, BENCH_COMMIT, ao_isa_name(ao_kernels_isa()), bench->n_masks,
           1e-9 * dense, 1e-9 * reached, 1e-9 * done, dense / reached, dense / done, 1e3 * per_mask,
           1e3 * per_clip, per_clip / per_mask, 1e3 * bench->seconds_base, 2e-9 * done / per_mask,
           1e-9 * bench->peak, 1e-6 * (double)ao_delta_weight_bytes(bench->delta),
           1e-6 * (double)ao_delta_base_bytes(bench->base),
           1e-6 * (double)ao_delta_session_bytes(bench->session));
}

static aosa_status measure(struct bench *bench)
{
    AO_TRY(open_model(bench));
    AO_TRY(open_clip(bench));
    AO_TRY(make_masks(bench));
    AO_TRY(list_boxes(bench));
    bench->peak = measure_peak();
    AO_TRY(open_engines(bench));
    AO_TRY(run_delta(bench));
    print_results(bench);
    fflush(stdout);
    return bench->settings.check > 0 ? check(bench) : AOSA_OK;
}

static void close_all(struct bench *bench)
{
    ao_session_destroy(&bench->dense);
    ao_program_destroy(&bench->program);
    ao_delta_session_destroy(&bench->session);
    ao_delta_base_destroy(&bench->base);
    ao_delta_destroy(&bench->delta);
    ao_mask_set_destroy(&bench->set);
    ao_clip_destroy(&bench->clip);
    ao_onnx_close(&bench->model);
    ao_free(bench->boxes);
    ao_free(bench->first);
    ao_free(bench->masks);
    ao_free(bench->outputs);
}

static int usage(void)
{
    fprintf(stderr, "usage: bench-delta [--masks N] [--stack N] [--check N] [--dense N] [--stages] "
                    "--clip VIDEO MODEL.onnx\n");
    return 2;
}

static int parse(struct settings *settings, int argc, char **argv)
{
    static const struct option options[] = {
        { "clip", required_argument, NULL, 'v' },
        { "masks", required_argument, NULL, 'm' },
        { "stack", required_argument, NULL, 'k' },
        { "check", required_argument, NULL, 'c' },
        { "dense", required_argument, NULL, 'd' },
        { "stages", no_argument, NULL, 's' },
        { NULL, 0, NULL, 0 },
    };
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'v':
            settings->clip = optarg;
            break;
        case 'm':
            settings->limit = atoi(optarg);
            break;
        case 'k':
            settings->stack = atoi(optarg);
            break;
        case 'c':
            settings->check = atoi(optarg);
            break;
        case 'd':
            settings->dense = atoi(optarg);
            break;
        case 's':
            settings->stages = true;
            break;
        default:
            return usage();
        }
    }
    if (optind != argc - 1 || !settings->clip)
        return usage();
    settings->model = argv[optind];
    return 0;
}

int main(int argc, char **argv)
{
    struct bench bench = { .n_masks = 0 };
    const int wrong = parse(&bench.settings, argc, argv);
    if (wrong)
        return wrong;
    const aosa_status status = measure(&bench);
    if (status != AOSA_OK)
        fprintf(stderr, "bench-delta: %s\n", aosa_error_message());
    close_all(&bench);
    return status == AOSA_OK ? 0 : 1;
}
