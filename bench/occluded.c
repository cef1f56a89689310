/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time per occluded clip on the oneDNN backend: batches of clips through the whole network, one
 * session per thread. One JSON line per run and one with the median of all at the end.
 *
 * With --paced a run starts when a line arrives on standard input, so that tools/bench_peer.py can
 * alternate runs with another program on the same cores.
 */
#define _GNU_SOURCE /* getopt_long */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/alloc.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "engine/engine.h"
#include "onnx/onnx.h"
#include "passes/passes.h"

#include "bench_commit.h"

struct settings {
    const char *model;
    int threads, batch, runs;
    int rounds; /* batches per thread in one run */
    bool inner; /* all threads inside the layers of one session */
    bool paced;
};

struct bench {
    struct settings settings;
    int n_sessions;
    struct ao_onnx_model *model;
    struct ao_program *program;
    struct ao_session **sessions;
};

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Speed does not depend on the values, unless they are denormal. */
static void fill_input(const struct ao_view *view)
{
    struct ao_rng rng;
    ao_rng_init(&rng, 1);
    float *values = view->data;
    for (int64_t i = 0; i < ao_shape_count(&view->shape); i++)
        values[i] = (float)ao_rng_range(&rng, -2, 2);
}

static aosa_status open_program(struct bench *bench)
{
    struct ao_passes_report report = { 0 };
    AO_TRY(ao_onnx_open(bench->settings.model, &(struct ao_onnx_options){ 0 }, &bench->model));
    const aosa_status status = ao_passes_run(&bench->model->graph, &report);
    ao_passes_report_fini(&report);
    AO_TRY(status);
    const struct ao_program_options options = {
        .backend = AO_BACKEND_ONEDNN,
        .batch = bench->settings.batch,
        .inner_threads = bench->settings.inner ? bench->settings.threads : 1,
    };
    return ao_program_create(&bench->model->graph, &options, &bench->program);
}

static aosa_status open_sessions(struct bench *bench)
{
    bench->n_sessions = bench->settings.inner ? 1 : bench->settings.threads;
    bench->sessions = ao_alloc((size_t)bench->n_sessions, sizeof(struct ao_session *));
    if (!bench->sessions)
        return ao_fail(AOSA_ERR_NOMEM, "no memory for %d sessions", bench->n_sessions);
    for (int i = 0; i < bench->n_sessions; i++) {
        AO_TRY(ao_session_create(bench->program, &bench->sessions[i]));
        for (int k = 0; k < bench->model->graph.n_inputs; k++) {
            const struct ao_view view = ao_session_input(bench->sessions[i], k);
            fill_input(&view);
        }
    }
    return AOSA_OK;
}

static void close_all(struct bench *bench)
{
    for (int i = 0; bench->sessions && i < bench->n_sessions; i++)
        ao_session_destroy(&bench->sessions[i]);
    ao_free(bench->sessions);
    ao_program_destroy(&bench->program);
    ao_onnx_close(&bench->model);
}

static aosa_status run_session(void *context, int64_t item, int thread)
{
    struct bench *bench = context;
    (void)item;
    return ao_session_run(bench->sessions[thread]);
}

static aosa_status run_once(struct bench *bench, double *wall, double *cpu)
{
    const struct settings *s = &bench->settings;
    const int64_t items = (int64_t)s->rounds * bench->n_sessions;
    const double clips = (double)items * s->batch;
    const double wall0 = seconds(CLOCK_MONOTONIC), cpu0 = seconds(CLOCK_PROCESS_CPUTIME_ID);
    AO_TRY(ao_parallel_for(bench->n_sessions, items, run_session, bench));
    *wall = (seconds(CLOCK_MONOTONIC) - wall0) / clips;
    *cpu = (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu0) / clips;
    return AOSA_OK;
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

static double deviation(double *values, int n, double centre)
{
    for (int i = 0; i < n; i++)
        values[i] = fabs(values[i] - centre);
    return median(values, n);
}

static void read_cpu(char *name, size_t bytes)
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "r");
    snprintf(name, bytes, "unknown");
    while (file && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon)
            continue;
        snprintf(name, bytes, "%.*s", (int)strcspn(colon + 2, "\"\\\n"), colon + 2);
        break;
    }
    if (file)
        fclose(file);
}

/* Peak resident memory of this program; getrusage would count its parent's, before exec, too. */
static double read_peak_mb(void)
{
    char line[256];
    long peak_kb = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "VmHWM:", 6) == 0)
            peak_kb = strtol(line + 6, NULL, 10);
    if (file)
        fclose(file);
    return (double)peak_kb * 1024 / 1e6;
}

static void print_summary(const struct bench *bench, double *wall, double *cpu)
{
    const struct settings *s = &bench->settings;
    char name[128];
    read_cpu(name, sizeof name);
    const struct ao_program_memory memory = ao_program_memory(bench->program);
    const double middle = median(wall, s->runs), cpu_middle = median(cpu, s->runs);
    printf("{\"bench\": \"occluded\", \"model\": \"%s\", \"cpu\": \"%s\", \"isa\": \"%s\", "
           "\"backend\": \"%s\", \"commit\": \"%s\", \"threads\": %d, \"inner\": %s, "
           "\"batch\": %d, \"runs\": %d, \"clips_per_run\": %d, \"wall_s_per_clip\": %.6f, "
           "\"wall_mad_s\": %.6f, \"cpu_s_per_clip\": %.6f, \"cpu_mad_s\": %.6f, "
           "\"weight_mb\": %.1f, \"session_mb\": %.1f, \"scratch_mb\": %.1f, \"peak_mb\": %.1f}\n",
           s->model, name, ao_backend_isa(AO_BACKEND_ONEDNN), ao_backend_version(AO_BACKEND_ONEDNN),
           BENCH_COMMIT, s->threads, s->inner ? "true" : "false", s->batch, s->runs,
           s->rounds * bench->n_sessions * s->batch, middle, deviation(wall, s->runs, middle),
           cpu_middle, deviation(cpu, s->runs, cpu_middle), (double)memory.weight_bytes / 1e6,
           (double)memory.activation_bytes / 1e6, (double)memory.scratch_bytes / 1e6,
           read_peak_mb());
}

static aosa_status measure(struct bench *bench)
{
    const struct settings *s = &bench->settings;
    double wall[1000], cpu[1000], ignored[2];
    AO_TRY(open_program(bench));
    AO_TRY(open_sessions(bench));
    AO_TRY(run_once(bench, &ignored[0], &ignored[1])); /* touches memory, starts threads */
    for (int i = 0; i < s->runs; i++) {
        int c = '\n';
        while (s->paced && (c = getchar()) != '\n' && c != EOF)
            continue;
        if (c == EOF)
            return AOSA_OK;
        AO_TRY(run_once(bench, &wall[i], &cpu[i]));
        printf("{\"run\": %d, \"wall_s_per_clip\": %.6f, \"cpu_s_per_clip\": %.6f}\n", i, wall[i],
               cpu[i]);
        fflush(stdout);
    }
    print_summary(bench, wall, cpu);
    return AOSA_OK;
}

static int usage(void)
{
    fprintf(stderr, "usage: bench-occluded [--threads N] [--batch N] [--runs N] [--rounds N] "
                    "[--inner] [--paced] MODEL.onnx\n");
    return 2;
}

static int parse(struct settings *settings, int argc, char **argv)
{
    static const struct option options[] = {
        { "threads", required_argument, NULL, 't' },
        { "batch", required_argument, NULL, 'b' },
        { "runs", required_argument, NULL, 'r' },
        { "rounds", required_argument, NULL, 'k' },
        { "inner", no_argument, NULL, 'i' },
        { "paced", no_argument, NULL, 'p' },
        { NULL, 0, NULL, 0 },
    };
    *settings =
        (struct settings){ .threads = ao_default_threads(), .batch = 1, .runs = 5, .rounds = 1 };
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        const int number = optarg ? atoi(optarg) : 1;
        if (number < 1 || number > 1000)
            return usage();
        switch (c) {
        case 't':
            settings->threads = number;
            break;
        case 'b':
            settings->batch = number;
            break;
        case 'r':
            settings->runs = number;
            break;
        case 'k':
            settings->rounds = number;
            break;
        case 'i':
            settings->inner = true;
            break;
        case 'p':
            settings->paced = true;
            break;
        default:
            return usage();
        }
    }
    if (optind != argc - 1)
        return usage();
    settings->model = argv[optind];
    return 0;
}

int main(int argc, char **argv)
{
    struct bench bench = { .n_sessions = 0 };
    const int wrong = parse(&bench.settings, argc, argv);
    if (wrong)
        return wrong;
    const aosa_status status = measure(&bench);
    if (status != AOSA_OK)
        fprintf(stderr, "bench-occluded: %s\n", aosa_error_message());
    close_all(&bench);
    return status == AOSA_OK ? 0 : 1;
}
