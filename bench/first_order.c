/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the method first_order adds to the one forward and one backward that it needs: both sides
 * prepare the network, run once and are thrown away, taking turns. They prepare alike, so the
 * median difference of a pair is what the method adds. In processor time, which holds on a busy
 * machine. One JSON line.
 *
 *     bench-first-order [--threads N] [--runs N] [--target CLASS] MODEL.onnx
 */
#define _GNU_SOURCE /* getopt_long */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "attribution/gradients.h"
#include "core/alloc.h"
#include "core/rng.h"
#include "mask/mask.h"

#include "bench_commit.h"

#define MAX_RUNS 1000

struct bench {
    const char *path, *target;
    int threads, runs;
    struct aosa_model *model;
    struct aosa_clip *clip;
    struct aosa_mask_set *masks;
    struct ao_method_options options;
};

/* Speed does not depend on what the clip shows; tracks wander by up to a pixel a frame. */
static aosa_status make_clip(struct bench *bench)
{
    const int T = bench->model->T, H = bench->model->H, W = bench->model->W;
    struct ao_rng rng;
    ao_rng_init(&rng, 1);
    AO_TRY(ao_clip_create(T, H, W, &bench->clip));
    for (size_t i = 0; i < 3 * ao_clip_voxels(bench->clip); i++)
        bench->clip->values[i] = (float)ao_rng_range(&rng, -2, 2);
    struct ao_flow_field *flow = NULL;
    struct ao_mask_options options = { .size = 0 };
    AO_TRY(ao_flow_field_create(T, H, W, &flow));
    for (size_t i = 0; i < 2 * ((size_t)T - 1) * (size_t)H * (size_t)W; i++)
        flow->d[i] = (float)ao_rng_range(&rng, -1, 1);
    AO_TRY(ao_options_init(ao_mask_option_table, &options));
    const struct ao_mask_source source = { .T = T, .H = H, .W = W, .flow = flow };
    const aosa_status status = ao_masks_generate(&source, &options, false, &bench->masks);
    ao_options_fini(ao_mask_option_table, &options);
    ao_flow_field_destroy(&flow);
    return status;
}

static struct ao_attribution attribution(const struct bench *bench, const struct ao_fill *fill)
{
    int n = 0;
    const struct ao_method *methods = ao_methods(&n);
    while (n > 1 && strcmp(methods[n - 1].name, "first_order") != 0)
        n--;
    return (struct ao_attribution){
        .method = &methods[n - 1],
        .model = bench->model,
        .clip = bench->clip,
        .masks = bench->masks,
        .fill = fill,
        .target = bench->target,
        .score = AO_SCORE_PROB,
        .options = &bench->options,
        .run = { .backend = AO_BACKEND_ONEDNN, .threads = bench->threads, .batch = 1 },
        .outputs = ao_alloc((size_t)bench->model->classes, sizeof(float)),
    };
}

static aosa_status touch(void *context, int64_t variant, struct ao_map_result *result,
                         const struct ao_backprop_result *answer)
{
    (void)context;
    (void)variant;
    (void)result;
    (void)answer;
    return AOSA_OK;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* *passed: what the passes took, without preparation. */
static aosa_status run_passes(struct ao_attribution *a, double *passed)
{
    const struct ao_backprop_options options = { .one_item = true, .clip = true };
    struct ao_gradients *gradients = NULL;
    AO_TRY(ao_gradients_open(a, &options, &gradients));
    const double start = seconds();
    const aosa_status status = ao_gradients_clip(gradients, NULL, touch, NULL);
    *passed = seconds() - start;
    ao_gradients_close(&gradients);
    return status;
}

/* One run of the whole method, or of the passes alone where `passed` is given. */
static aosa_status time_run(const struct bench *bench, double *passed, double *total)
{
    const struct ao_fill fill = { .volume = NULL };
    struct ao_attribution a = attribution(bench, &fill);
    if (!a.outputs)
        return ao_fail(AOSA_ERR_NOMEM, "no memory for outputs");
    const double start = seconds();
    const aosa_status status = passed ? run_passes(&a, passed) : a.method->run(&a);
    *total = seconds() - start;
    ao_attribution_fini(&a);
    return status;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, ascending);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static aosa_status measure(struct bench *bench)
{
    const struct ao_model_options options = { .labels = NULL };
    double passed[MAX_RUNS], added[MAX_RUNS];
    AO_TRY(ao_model_open(bench->path, &options, &bench->model));
    AO_TRY(ao_model_require_clip(bench->model));
    AO_TRY(make_clip(bench));
    AO_TRY(ao_options_init(ao_method_option_table, &bench->options));
    for (int i = 0; i < bench->runs; i++) {
        double alone, whole;
        AO_TRY(time_run(bench, &passed[i], &alone));
        AO_TRY(time_run(bench, NULL, &whole));
        added[i] = whole - alone;
    }
    const double passes = median(passed, bench->runs), more = median(added, bench->runs);
    printf("{\"bench\": \"first_order\", \"model\": \"%s\", \"commit\": \"%s\", \"isa\": \"%s\", "
           "\"threads\": %d, \"runs\": %d, \"masks\": %d, \"passes_ms\": %.2f, "
           "\"added_ms\": %.2f, \"ratio\": %.4f}\n",
           bench->path, BENCH_COMMIT, ao_backend_isa(AO_BACKEND_ONEDNN), bench->threads,
           bench->runs, bench->masks->M, 1e3 * passes, 1e3 * more, 1 + more / passes);
    return AOSA_OK;
}

static int usage(void)
{
    fprintf(stderr, "usage: bench-first-order [--threads N] [--runs N] [--target CLASS] "
                    "MODEL.onnx\n");
    return 2;
}

static int parse(struct bench *bench, int argc, char **argv)
{
    static const struct option options[] = {
        { "threads", required_argument, NULL, 't' },
        { "runs", required_argument, NULL, 'r' },
        { "target", required_argument, NULL, 'c' },
        { NULL, 0, NULL, 0 },
    };
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 't':
            bench->threads = atoi(optarg);
            break;
        case 'r':
            bench->runs = atoi(optarg);
            break;
        case 'c':
            bench->target = optarg;
            break;
        default:
            return usage();
        }
    }
    if (optind != argc - 1 || bench->threads < 1 || bench->runs < 1 || bench->runs > MAX_RUNS)
        return usage();
    bench->path = argv[optind];
    return 0;
}

int main(int argc, char **argv)
{
    struct bench bench = { .target = "top1", .threads = 1, .runs = 9 };
    const int wrong = parse(&bench, argc, argv);
    if (wrong)
        return wrong;
    const aosa_status status = measure(&bench);
    if (status != AOSA_OK)
        fprintf(stderr, "bench-first-order: %s\n", aosa_error_message());
    ao_options_fini(ao_method_option_table, &bench.options);
    ao_mask_set_destroy(&bench.masks);
    ao_clip_destroy(&bench.clip);
    ao_model_close(&bench.model);
    return status == AOSA_OK ? 0 : 1;
}
