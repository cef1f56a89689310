/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <cmocka.h>

#include "core/file.h"
#include "core/rng.h"
#include "engine/engine.h"
#include "onnx/onnx.h"
#include "ops/op.h"
#include "passes/passes.h"

/*
 * Damaged copies of real small models (tests/golden/random_graphs.bin): each must end as a model
 * or as a refusal with a text, in time and within its memory. Those that still are models are run
 * when they are small. AOSA_MUTANTS gives another count, AOSA_SEED another seed.
 */
#define MUTANTS 10000
#define MAX_SECONDS 5.0
#define MODEL_BYTES ((size_t)8 << 20)
#define MAX_RSS_KB 512 * 1024L /* the fuzzer's limit; a sanitizer's shadow included */
#define MAX_MACS 1e6

struct bytes {
    unsigned char *data;
    size_t size, capacity;
};

static void insert(struct bytes *bytes, size_t at, const void *what, size_t n)
{
    if (bytes->size + n > bytes->capacity)
        return;
    memmove(bytes->data + at + n, bytes->data + at, bytes->size - at);
    memcpy(bytes->data + at, what, n);
    bytes->size += n;
}

/* From `at` on, the next byte that looks like an axis, extent, count or type. */
static size_t small_number(const struct bytes *bytes, size_t at)
{
    while (at + 1 < bytes->size && bytes->data[at] >= 12)
        at++;
    return at;
}

/* One damage: what media, editors and attackers do to a file. */
static void damage(struct bytes *bytes, struct ao_rng *rng)
{
    static const unsigned char huge[][10] = {
        { 0xff, 0xff, 0xff, 0xff, 0x07 },                               /* INT32_MAX */
        { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },       /* INT64_MAX */
        { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01 }, /* INT64_MIN */
        { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01 }, /* -1 */
    };
    static const size_t sizes[] = { 5, 9, 10, 10 };
    if (bytes->size == 0)
        return;
    const uint64_t kind = ao_rng_below(rng, 18);
    const size_t any = ao_rng_below(rng, bytes->size);
    const size_t at = kind < 6 ? any : small_number(bytes, any), left = bytes->size - at;
    const size_t n = 1 + ao_rng_below(rng, left < 32 ? left : 32);
    unsigned char span[32];
    switch (kind) {
    case 0:
        bytes->data[at] ^= (unsigned char)(1U << ao_rng_below(rng, 8));
        break;
    case 1:
        bytes->data[at] = (unsigned char)ao_rng_below(rng, 256);
        break;
    case 2:
        bytes->size = at;
        break;
    case 3:
        memmove(bytes->data + at, bytes->data + at + n, left - n);
        bytes->size -= n;
        break;
    case 4:
        memcpy(span, bytes->data + at, n);
        insert(bytes, ao_rng_below(rng, bytes->size), span, n);
        break;
    case 5: {
        const size_t k = ao_rng_below(rng, 4);
        bytes->data[at] = huge[k][0];
        insert(bytes, at + 1, huge[k] + 1, sizes[k] - 1);
        break;
    }
    default: /* twice as often as all others, since most of those end in the reader */
        bytes->data[at] = (unsigned char)ao_rng_below(rng, 12);
        break;
    }
}

static aosa_status fill(void *user, const struct ao_onnx_model *model, const char *name,
                        const struct ao_shape *shape, float *values)
{
    (void)user;
    (void)model;
    (void)name;
    for (int64_t i = 0; i < ao_shape_count(shape); i++)
        values[i] = 0.5F;
    return AOSA_OK;
}

static bool is_small(const struct ao_graph *graph)
{
    double work = 0;
    for (size_t k = 0; k < graph->n_nodes; k++) {
        const struct ao_node *node = &graph->nodes[k];
        work += node->op->macs ? node->op->macs(graph, node) : 0;
        for (int i = 0; i < node->n_out; i++)
            if (node->out[i] >= 0)
                work += (double)ao_shape_count(&graph->values[node->out[i]].shape);
    }
    return work < MAX_MACS;
}

static aosa_status run_model(const struct ao_graph *graph)
{
    const struct ao_program_options options = { .backend = AO_BACKEND_REFERENCE,
                                                .batch = 1,
                                                .inner_threads = 1 };
    struct ao_program *program = NULL;
    struct ao_session *session = NULL;
    aosa_status status = ao_program_create(graph, &options, &program);
    if (status == AOSA_OK)
        status = ao_session_create(program, &session);
    for (int i = 0; status == AOSA_OK && i < graph->n_inputs; i++) {
        const struct ao_view in = ao_session_input(session, i);
        memset(in.data, 0, (size_t)ao_shape_count(&in.shape) * ao_dtype_size(in.dtype));
    }
    if (status == AOSA_OK)
        status = ao_session_run(session);
    ao_session_destroy(&session);
    ao_program_destroy(&program);
    return status;
}

/* Loads a damaged model, as a classifier or as it is, and runs it when it is small. */
static aosa_status try_model(const struct bytes *bytes, bool raw)
{
    const struct ao_onnx_options options = {
        .frames = 4,
        .height = 8,
        .width = 8,
        .raw = raw,
        .max_bytes = MODEL_BYTES,
        .fill = fill,
    };
    struct ao_onnx_model *model;
    AO_TRY(ao_onnx_read(bytes->data, bytes->size, "mutant", &options, &model));
    struct ao_passes_report report = { 0 };
    aosa_status status = ao_passes_run(&model->graph, &report);
    ao_passes_report_fini(&report);
    if (status == AOSA_OK && is_small(&model->graph))
        status = run_model(&model->graph);
    ao_onnx_close(&model);
    return status;
}

static uint64_t number_from(const char *variable, uint64_t initial)
{
    const char *text = getenv(variable);
    return text ? strtoull(text, NULL, 10) : initial;
}

/* Start of every model in the file of models, each behind its size. */
static size_t find_models(const struct ao_file *file, size_t *starts, size_t most)
{
    size_t n = 0;
    for (size_t at = 0; at + 4 <= file->size && n < most; n++) {
        uint32_t size;
        memcpy(&size, file->bytes + at, sizeof size);
        starts[n] = at;
        at += sizeof size + size;
    }
    return n;
}

static void check_mutant(const struct ao_file *file, size_t start, struct ao_rng *rng,
                         double *slowest, int *models)
{
    uint32_t size;
    memcpy(&size, file->bytes + start, sizeof size);
    struct bytes bytes = { .size = size, .capacity = (size_t)size + 1024 };
    bytes.data = malloc(bytes.capacity);
    assert_non_null(bytes.data);
    memcpy(bytes.data, file->bytes + start + sizeof size, size);
    for (uint64_t n = 1 + ao_rng_below(rng, 4); n > 0; n--)
        damage(&bytes, rng);
    /* No byte behind the end: a sanitizer then sees every one read too many. */
    unsigned char *exact = realloc(bytes.data, bytes.size ? bytes.size : 1);
    assert_non_null(exact);
    bytes.data = exact;
    const clock_t begin = clock();
    const aosa_status status = try_model(&bytes, ao_rng_below(rng, 2));
    const double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
    *slowest = seconds > *slowest ? seconds : *slowest;
    *models += status == AOSA_OK;
    if (status != AOSA_OK)
        assert_true(strlen(aosa_error_message()) > 0);
    free(bytes.data);
}

static void damaged_models_end_in_time_and_memory(void **state)
{
    (void)state;
    static size_t starts[4096];
    const uint64_t count = number_from("AOSA_MUTANTS", MUTANTS), seed = number_from("AOSA_SEED", 1);
    const char *root = getenv("AOSA_SOURCE_ROOT");
    struct ao_file file;
    char path[512];
    snprintf(path, sizeof path, "%s/tests/golden/random_graphs.bin", root ? root : ".");
    assert_int_equal(ao_file_open(&file, path), AOSA_OK);
    const size_t n = find_models(&file, starts, sizeof starts / sizeof *starts);
    assert_true(n > 0);
    double slowest = 0;
    int models = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct ao_rng rng;
        ao_rng_init(&rng, seed * 1000003 + i);
        check_mutant(&file, starts[ao_rng_below(&rng, n)], &rng, &slowest, &models);
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    print_message("%d of %d damaged models still are models; slowest %.3f s, peak %ld MiB\n",
                  models, (int)count, slowest, usage.ru_maxrss / 1024);
    ao_file_close(&file);
    assert_true(slowest <= MAX_SECONDS);
    assert_true(usage.ru_maxrss <= MAX_RSS_KB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_models_end_in_time_and_memory),
    };
    return cmocka_run_group_tests_name("mutants", tests, NULL, NULL);
}
