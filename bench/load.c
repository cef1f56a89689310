/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include "core/parallel.h"
#include "engine/engine.h"
#include "model/model.h"

/*
 * From a model file to a network that is ready to run with oneDNN, one thread: one JSON line.
 *
 *     bench-load MODEL.onnx
 */

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int failure(void)
{
    fprintf(stderr, "%s\n", aosa_error_message());
    return 1;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "bench-load MODEL.onnx\n");
        return 2;
    }
    const struct ao_model_options options = { .labels = NULL };
    const struct ao_program_options program_options = {
        .backend = AO_BACKEND_ONEDNN,
        .batch = 1,
        .inner_threads = 1,
    };
    struct aosa_model *model;
    struct ao_program *program;
    struct ao_session *session;
    ao_set_inner_threads(1);
    const double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    if (ao_model_open(argv[1], &options, &model) != AOSA_OK)
        return failure();
    const double open_cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    if (ao_program_create(ao_model_graph(model), &program_options, &program) != AOSA_OK ||
        ao_session_create(program, &session) != AOSA_OK)
        return failure();
    ao_onnx_release(model->onnx);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    size_t file_bytes = model->onnx->file.size;
    for (size_t i = 0; i < model->onnx->n_externals; i++)
        file_bytes += model->onnx->externals[i].file.size;
    printf("{\"model\": \"%s\", \"wall_s\": %.4f, \"cpu_s\": %.4f, \"open_cpu_s\": %.4f, "
           "\"file_bytes\": %zu, \"weight_bytes\": %zu, \"peak_bytes\": %ld}\n",
           argv[1], seconds(CLOCK_MONOTONIC) - wall, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu,
           open_cpu, file_bytes, ao_program_memory(program).weight_bytes, usage.ru_maxrss * 1024);
    ao_session_destroy(&session);
    ao_program_destroy(&program);
    ao_model_close(&model);
    return 0;
}
