/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/onednn/onednn.h"

#include <pthread.h>
#include <stdio.h>

#include "core/alloc.h"
#include "core/parallel.h"
#include "engine/backend.h"

static void program_destroy(void *opaque)
{
    struct ao_dnnl_program *program = opaque;
    for (size_t i = 0; i < program->n_steps; i++)
        dnnl_primitive_destroy(program->steps[i].primitive);
    for (size_t i = 0; i < program->n_tensors; i++)
        dnnl_memory_destroy(program->tensors[i].constant);
    dnnl_engine_destroy(program->engine);
    ao_arena_fini(&program->arena);
    ao_budget_give(program->graph->budget, program->weight_bytes);
    ao_free(program->tensors);
    ao_free(program->steps);
    ao_free(program->inputs);
    ao_free(program->outputs);
    ao_free(program);
}

static aosa_status fill(struct ao_dnnl_program *program)
{
    const dnnl_status_t status = dnnl_engine_create(&program->engine, dnnl_cpu, 0);
    if (status != dnnl_success)
        return ao_dnnl_fail(status, "make an engine", "program");
    /* A primitive divides its work for the number of threads that it finds now. */
    ao_set_inner_threads(program->inner_threads);
    return ao_dnnl_build_program(program);
}

static aosa_status program_create(const struct ao_graph *graph,
                                  const struct ao_program_options *options, void **result)
{
    struct ao_dnnl_program *program = ao_alloc(1, sizeof *program);
    if (!program)
        return ao_fail(AOSA_ERR_NOMEM, "oneDNN program: %zu bytes", sizeof *program);
    program->graph = graph;
    program->batch = options->batch;
    program->inner_threads = options->inner_threads;
    program->pause = options->pause;
    ao_arena_init(&program->arena, 0);
    const aosa_status status = fill(program);
    if (status != AOSA_OK) {
        program_destroy(program);
        return status;
    }
    *result = program;
    return AOSA_OK;
}

static struct ao_program_memory program_memory(const void *opaque)
{
    const struct ao_dnnl_program *program = opaque;
    return (struct ao_program_memory){ .weight_bytes = program->weight_bytes,
                                       .activation_bytes = program->block_bytes,
                                       .scratch_bytes = program->scratch_bytes };
}

static const char *isa(void)
{
    static const struct {
        dnnl_cpu_isa_t isa;
        const char *name;
    } rows[] = {
        { dnnl_cpu_isa_sse41, "sse4.1" },
        { dnnl_cpu_isa_avx, "avx" },
        { dnnl_cpu_isa_avx2, "avx2" },
        { dnnl_cpu_isa_avx2_vnni, "avx2-vnni" },
        { dnnl_cpu_isa_avx512_mic, "avx512-mic" },
        { dnnl_cpu_isa_avx512_mic_4ops, "avx512-mic-4ops" },
        { dnnl_cpu_isa_avx512_core, "avx512-core" },
        { dnnl_cpu_isa_avx512_core_vnni, "avx512-core-vnni" },
        { dnnl_cpu_isa_avx512_core_bf16, "avx512-core-bf16" },
        { dnnl_cpu_isa_avx512_core_amx, "avx512-core-amx" },
    };
    const dnnl_cpu_isa_t found = dnnl_get_effective_cpu_isa();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].isa == found)
            return rows[i].name;
    return "generic";
}

static char version_text[32];

static void write_version(void)
{
    const dnnl_version_t *v = dnnl_version();
    snprintf(version_text, sizeof version_text, "oneDNN %d.%d.%d", v->major, v->minor, v->patch);
}

static const char *version(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, write_version);
    return version_text;
}

const struct ao_backend_ops ao_backend_onednn = {
    .name = "onednn",
    .create = program_create,
    .destroy = program_destroy,
    .memory = program_memory,
    .session_create = ao_dnnl_session_create,
    .session_destroy = ao_dnnl_session_destroy,
    .input = ao_dnnl_session_input,
    .output = ao_dnnl_session_output,
    .run = ao_dnnl_session_run,
    .isa = isa,
    .version = version,
};
