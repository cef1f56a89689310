/* SPDX-License-Identifier: Apache-2.0 */
#include "model/scorer.h"

#include "core/alloc.h"
#include "core/parallel.h"
#include "model/sessions.h"
#include "model/slot.h"

struct ao_scorer {
    const struct aosa_model *model;
    struct ao_program *program;
    struct ao_sessions sessions;
    struct ao_slot *slots; /* [threads][batch] */
    int threads, batch;
};

/* One ao_scorer_run. */
struct run {
    struct ao_scorer *scorer;
    int64_t n;
    ao_variant_fn write;
    const void *context;
    float *outputs;
    struct ao_watch watch;
};

static aosa_status create_sessions(struct ao_scorer *scorer)
{
    const int n = scorer->threads * scorer->batch;
    scorer->slots = ao_alloc((size_t)n, sizeof *scorer->slots);
    if (!scorer->slots)
        return ao_fail(AOSA_ERR_NOMEM, "scorer: no memory for %d clips", n);
    AO_TRY(ao_sessions_init(&scorer->sessions, scorer->program, scorer->threads));
    const struct ao_view input = ao_session_input(scorer->sessions.of[0], 0);
    for (int i = 0; i < n; i++)
        AO_TRY(ao_slot_init(&scorer->slots[i], &input));
    return AOSA_OK;
}

aosa_status ao_scorer_create(const struct aosa_model *model,
                             const struct ao_scorer_options *options, struct ao_scorer **scorer)
{
    AO_TRY(ao_model_require_clip(model));
    struct ao_scorer *s = ao_alloc(1, sizeof *s);
    if (!s)
        return ao_fail(AOSA_ERR_NOMEM, "scorer: no memory");
    s->model = model;
    s->threads = options->threads;
    s->batch = ao_model_graph(model)->batchable ? options->batch : 1;
    const struct ao_program_options program = {
        .backend = options->backend,
        .batch = s->batch,
        .inner_threads = 1,
    };
    aosa_status status = ao_program_create(ao_model_graph(model), &program, &s->program);
    ao_onnx_release(model->onnx); /* the backend has its own weights now */
    if (status == AOSA_OK)
        status = create_sessions(s);
    if (status != AOSA_OK) {
        ao_scorer_destroy(&s);
        return status;
    }
    *scorer = s;
    return AOSA_OK;
}

void ao_scorer_destroy(struct ao_scorer **scorer)
{
    struct ao_scorer *s = *scorer;
    if (!s)
        return;
    ao_sessions_fini(&s->sessions);
    for (int i = 0; s->slots && i < s->threads * s->batch; i++)
        ao_slot_fini(&s->slots[i]);
    ao_free(s->slots);
    ao_program_destroy(&s->program);
    ao_free(s);
    *scorer = NULL;
}

int ao_scorer_batch(const struct ao_scorer *scorer)
{
    return scorer->batch;
}

struct ao_program_memory ao_scorer_memory(const struct ao_scorer *scorer)
{
    return ao_program_memory(scorer->program);
}

static aosa_status read_batch(const struct run *run, const struct ao_session *session,
                              int64_t first, int count)
{
    const struct aosa_model *model = run->scorer->model;
    const struct ao_view output = ao_session_output(session, 0);
    for (int b = 0; b < count; b++) {
        float *row = run->outputs + (size_t)(first + b) * (size_t)model->classes;
        AO_TRY(ao_model_read_outputs(model, &output, b, first + b, row));
    }
    return AOSA_OK;
}

static aosa_status run_batch(void *context, int64_t item, int thread)
{
    struct run *run = context;
    struct ao_scorer *scorer = run->scorer;
    struct ao_session *session = scorer->sessions.of[thread];
    struct ao_slot *slots = scorer->slots + (size_t)thread * (size_t)scorer->batch;
    const struct ao_view input = ao_session_input(session, 0);
    const int64_t first = item * scorer->batch;
    const int count = run->n - first < scorer->batch ? (int)(run->n - first) : scorer->batch;

    /* Slots past the end hold the last variant: a batch is always whole, and so are its bits. */
    for (int b = 0; b < scorer->batch; b++) {
        const int64_t variant = first + (b < count ? b : count - 1);
        ao_slot_write(&slots[b], &input, b, run->write, run->context, variant);
    }
    AO_TRY(ao_session_run(session));
    AO_TRY(read_batch(run, session, first, count));
    atomic_fetch_add(&run->watch.done, (size_t)count);
    return AOSA_OK;
}

aosa_status ao_scorer_run(struct ao_scorer *scorer, int64_t n, ao_variant_fn write,
                          const void *context, const struct ao_progress *progress, float *outputs)
{
    struct run run = {
        .scorer = scorer,
        .n = n,
        .write = write,
        .context = context,
        .outputs = outputs,
        .watch = { .progress = progress, .total = (size_t)n },
    };
    for (size_t i = 0; i < (size_t)scorer->threads * (size_t)scorer->batch; i++)
        scorer->slots[i].held = -1;
    ao_sessions_watch(&scorer->sessions, &run.watch);
    const int64_t batches = (n + scorer->batch - 1) / scorer->batch;
    AO_TRY(ao_parallel_for(scorer->threads, batches, run_batch, &run));
    return ao_progress_report(progress, (size_t)n, (size_t)n);
}
