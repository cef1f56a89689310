/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time of a forward pass and a backward pass to the clip on the oneDNN backend, per clip. One JSON
 * line with what is held in memory, then one per run.
 *
 * With --paced a run starts when a line arrives on standard input, so that
 * tools/bench_backward_peer.py can alternate runs with another program on the same cores. Runs are
 * of one clip, the threads inside the layers, unless --clips gives each thread clips of its own.
 */
#define _GNU_SOURCE /* getopt_long */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/parallel.h"
#include "core/rng.h"
#include "model/backprop.h"

#include "bench_commit.h"

struct settings {
    const char *model;
    int threads, runs, clips;
    bool paced;
};

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Speed does not depend on the values, unless they are denormal. */
static void write_clip(const void *context, const struct ao_view *clip, int64_t item,
                       int64_t previous)
{
    struct ao_rng rng;
    float *values = clip->data;
    (void)context;
    (void)item;
    if (previous >= 0)
        return;
    ao_rng_init(&rng, 1);
    for (int64_t i = 0; i < ao_shape_count(&clip->shape); i++)
        values[i] = (float)ao_rng_range(&rng, -2, 2);
}

static aosa_status seed_first(void *context, int64_t item, const float *outputs, float *seed)
{
    (void)context, (void)item, (void)outputs;
    seed[0] = 1;
    return AOSA_OK;
}

static aosa_status take(void *context, int64_t item, const struct ao_backprop_result *result)
{
    (void)context, (void)item, (void)result;
    return AOSA_OK;
}

static aosa_status run_once(struct ao_backprop *backprop, const struct settings *settings, int i)
{
    const struct ao_backprop_job job = {
        .n = settings->clips, .write = write_clip, .seed = seed_first, .read = take
    };
    const double n = (double)job.n;
    const double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    AO_TRY(ao_backprop_run(backprop, &job, NULL));
    if (i >= 0)
        printf("{\"run\": %d, \"wall_s_per_clip\": %.6f, \"cpu_s_per_clip\": %.6f}\n", i,
               (seconds(CLOCK_MONOTONIC) - wall) / n,
               (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) / n);
    fflush(stdout);
    return AOSA_OK;
}

static aosa_status run_all(struct ao_backprop *backprop, const struct settings *settings)
{
    const struct ao_program_memory memory = ao_backprop_memory(backprop);
    AO_TRY(run_once(backprop, settings, -1)); /* touches memory, starts threads */
    printf("{\"bench\": \"backward\", \"model\": \"%s\", \"isa\": \"%s\", \"commit\": \"%s\", "
           "\"threads\": %d, \"clips\": %d, \"weight_bytes\": %zu, \"session_bytes\": %zu, "
           "\"scratch_bytes\": %zu}\n",
           settings->model, ao_backend_isa(AO_BACKEND_ONEDNN), BENCH_COMMIT, settings->threads,
           settings->clips, memory.weight_bytes, memory.activation_bytes, memory.scratch_bytes);
    fflush(stdout);
    for (int i = 0; i < settings->runs; i++) {
        int c = '\n';
        while (settings->paced && (c = getchar()) != '\n' && c != EOF)
            continue;
        if (c == EOF)
            return AOSA_OK;
        AO_TRY(run_once(backprop, settings, i));
    }
    return AOSA_OK;
}

static aosa_status measure(const struct settings *settings)
{
    const struct ao_model_options options = { .frames = 16 };
    struct aosa_model *model = NULL;
    struct ao_backprop *backprop = NULL;
    AO_TRY(ao_model_open(settings->model, &options, &model));
    const struct ao_backprop_options walk = { .backend = AO_BACKEND_ONEDNN,
                                              .threads = settings->threads,
                                              .one_item = settings->clips == 1,
                                              .clip = true };
    aosa_status status = ao_backprop_create(model, &walk, &backprop);
    if (status == AOSA_OK)
        status = run_all(backprop, settings);
    ao_backprop_destroy(&backprop);
    ao_model_close(&model);
    return status;
}

static int usage(void)
{
    fprintf(stderr, "usage: bench-backward [--threads N] [--runs N] [--clips N] [--paced] "
                    "MODEL.onnx\n");
    return 2;
}

static int parse(struct settings *settings, int argc, char **argv)
{
    static const struct option options[] = {
        { "threads", required_argument, NULL, 't' },
        { "runs", required_argument, NULL, 'r' },
        { "clips", required_argument, NULL, 'c' },
        { "paced", no_argument, NULL, 'p' },
        { NULL, 0, NULL, 0 },
    };
    *settings = (struct settings){ .threads = ao_default_threads(), .runs = 5, .clips = 1 };
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        const int number = optarg ? atoi(optarg) : 1;
        if (number < 1 || number > 1000 || c == '?')
            return usage();
        if (c == 'p')
            settings->paced = true;
        else
            *(c == 't'   ? &settings->threads
              : c == 'r' ? &settings->runs
                         : &settings->clips) = number;
    }
    if (optind != argc - 1)
        return usage();
    settings->model = argv[optind];
    return 0;
}

int main(int argc, char **argv)
{
    struct settings settings;
    const int wrong = parse(&settings, argc, argv);
    if (wrong)
        return wrong;
    const aosa_status status = measure(&settings);
    if (status != AOSA_OK)
        fprintf(stderr, "bench-backward: %s\n", aosa_error_message());
    return status == AOSA_OK ? 0 : 1;
}
