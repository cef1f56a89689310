/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deletion and insertion of one map against their forward passes alone: one JSON line per run, the
 * two sides taking turns. The map is noise, so that all voxels are sorted and change one by one.
 *
 *     bench-metrics MODEL.onnx [RUNS [THREADS [OPTION=VALUE ...]]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/alloc.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "metric/metric.h"

#include "bench_commit.h"

struct bench {
    struct aosa_model *model;
    struct aosa_clip *clip;
    struct ao_scorer *scorer;
    struct ao_metric_options options;
    float *map, *outputs;
    int threads;
};

struct times {
    double wall, cpu;
};

static struct times now(void)
{
    struct timespec wall, cpu;
    clock_gettime(CLOCK_MONOTONIC, &wall);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    return (struct times){ (double)wall.tv_sec + 1e-9 * (double)wall.tv_nsec,
                           (double)cpu.tv_sec + 1e-9 * (double)cpu.tv_nsec };
}

static struct times since(struct times start)
{
    const struct times end = now();
    return (struct times){ end.wall - start.wall, end.cpu - start.cpu };
}

static void write_clip(const void *context, const struct ao_view *input, int64_t item,
                       int64_t previous)
{
    const struct aosa_clip *clip = context;
    (void)item;
    struct ao_view values =
        ao_view_dense(clip->values, AO_F32,
                      &(struct ao_shape){ .rank = 4, .dims = { 3, clip->T, clip->H, clip->W } });
    if (previous < 0)
        ao_view_copy(input, &values);
}

static aosa_status measure(struct bench *b, int run)
{
    const struct ao_metric *metrics[] = { ao_metric_find("deletion"), ao_metric_find("insertion") };
    struct ao_metric_answer answer = { 0 };
    struct ao_metric_call call = {
        .model = b->model,
        .scorer = b->scorer,
        .clip = b->clip,
        .map = b->map,
        .target = { .a = 0, .b = -1 },
        .options = &b->options,
        .progress = &(struct ao_progress){ 0 },
        .answer = &answer,
    };
    const int64_t n = 2 * ((int64_t)b->options.cuts + 1);
    struct times start = now();
    AO_TRY(ao_scorer_run(b->scorer, n, write_clip, b->clip, call.progress, b->outputs));
    const struct times forwards = since(start);
    start = now();
    AO_TRY(ao_metrics_run(&call, metrics, 2));
    const struct times all = since(start);
    printf("{\"bench\": \"metrics\", \"commit\": \"%s\", \"run\": %d, \"threads\": %d, "
           "\"forwards\": %lld, \"forwards_cpu_s\": %.4f, \"metrics_cpu_s\": %.4f, "
           "\"cpu_ratio\": %.3f, \"wall_ratio\": %.3f}\n",
           BENCH_COMMIT, run, b->threads, (long long)answer.forwards, forwards.cpu, all.cpu,
           all.cpu / forwards.cpu, all.wall / forwards.wall);
    fflush(stdout);
    ao_metric_answer_fini(&answer);
    return AOSA_OK;
}

static aosa_status make_clip(struct bench *b)
{
    struct ao_rng rng;
    ao_rng_init(&rng, 1);
    AO_TRY(ao_clip_create(b->model->T, b->model->H, b->model->W, &b->clip));
    const size_t n = ao_clip_voxels(b->clip);
    b->map = ao_alloc(n, sizeof *b->map);
    b->outputs =
        ao_alloc(2 * ((size_t)b->options.cuts + 1), (size_t)b->model->classes * sizeof *b->outputs);
    if (!b->map || !b->outputs)
        return ao_fail(AOSA_ERR_NOMEM, "no memory for %zu voxels", n);
    for (size_t i = 0; i < n; i++)
        b->map[i] = (float)ao_rng_uniform(&rng);
    for (size_t i = 0; i < 3 * n; i++) {
        b->clip->values[i] = (float)ao_rng_range(&rng, -2, 2);
        b->clip->rgb[i] = (uint8_t)ao_rng_below(&rng, 256);
    }
    return AOSA_OK;
}

static aosa_status set_options(struct bench *b, int n, char **words)
{
    AO_TRY(ao_options_init(ao_metric_option_table, &b->options));
    for (int i = 0; i < n; i++) {
        char *value = strchr(words[i], '=');
        if (value)
            *value++ = '\0';
        const struct ao_option *row = ao_options_find(ao_metric_option_table, words[i]);
        if (!row)
            return ao_fail(AOSA_ERR_ARGUMENT, "'%s' is no option of metrics", words[i]);
        AO_TRY(ao_option_set(row, &b->options, value));
    }
    return AOSA_OK;
}

static aosa_status run_all(struct bench *b, const char *path, int runs)
{
    const struct ao_model_options model = { .frames = 16 };
    AO_TRY(ao_model_open(path, &model, &b->model));
    AO_TRY(make_clip(b));
    const struct ao_scorer_options scorer = {
        .backend = AO_BACKEND_ONEDNN,
        .threads = b->threads,
        .batch = 1,
    };
    AO_TRY(ao_scorer_create(b->model, &scorer, &b->scorer));
    for (int i = 0; i < runs; i++)
        AO_TRY(measure(b, i)); /* the first touches memory and starts threads */
    return AOSA_OK;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench-metrics MODEL.onnx [RUNS [THREADS [OPTION=VALUE ...]]]\n");
        return 2;
    }
    struct bench b = { .threads = argc > 3 ? atoi(argv[3]) : ao_default_threads() };
    b.threads = b.threads > 0 ? b.threads : 1;
    aosa_status status = set_options(&b, argc > 4 ? argc - 4 : 0, argv + 4);
    if (status == AOSA_OK)
        status = run_all(&b, argv[1], argc > 2 ? atoi(argv[2]) : 5);
    if (status != AOSA_OK)
        fprintf(stderr, "bench-metrics: %s\n", aosa_error_message());
    ao_scorer_destroy(&b.scorer);
    ao_clip_destroy(&b.clip);
    ao_free(b.map);
    ao_free(b.outputs);
    ao_options_fini(ao_metric_option_table, &b.options);
    ao_model_close(&b.model);
    return status == AOSA_OK ? 0 : 1;
}
