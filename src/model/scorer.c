/* SPDX-License-Identifier: Apache-2.0 */
#include "model/scorer.h"

#include "core/alloc.h"
#include "core/parallel.h"

struct ao_scorer {
    const struct aosa_model *model;
    struct ao_program *program;
    struct ao_session **sessions; /* [threads] */
    int64_t *held;                /* [threads][batch] variant in each input slot, -1: none yet */
    struct ao_watcher *watchers;  /* [threads] */
    struct ao_poll *polls;        /* [threads], of the watchers */
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
    const size_t slots = (size_t)scorer->threads * (size_t)scorer->batch;
    scorer->sessions = ao_alloc((size_t)scorer->threads, sizeof *scorer->sessions);
    scorer->held = ao_alloc(slots, sizeof *scorer->held);
    scorer->watchers = ao_alloc((size_t)scorer->threads, sizeof *scorer->watchers);
    scorer->polls = ao_alloc((size_t)scorer->threads, sizeof *scorer->polls);
    if (!scorer->sessions || !scorer->held || !scorer->watchers || !scorer->polls)
        return ao_fail(AOSA_ERR_NOMEM, "scorer: no memory for %d threads", scorer->threads);
    for (int i = 0; i < scorer->threads; i++) {
        scorer->watchers[i].reports = i == 0;
        scorer->polls[i] =
            (struct ao_poll){ .go_on = ao_watcher_goes_on, .user = &scorer->watchers[i] };
        AO_TRY(ao_session_create(scorer->program, &scorer->sessions[i]));
        ao_session_set_poll(scorer->sessions[i], &scorer->polls[i]);
    }
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
    for (int i = 0; s->sessions && i < s->threads; i++)
        ao_session_destroy(&s->sessions[i]);
    ao_free(s->sessions);
    ao_free(s->held);
    ao_free(s->watchers);
    ao_free(s->polls);
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

/* View of one clip, [3][T][H][W], inside a session's batched input. */
static struct ao_view sample_view(const struct ao_view *input, int64_t sample)
{
    struct ao_view view = { .dtype = input->dtype, .shape.rank = input->shape.rank - 1 };
    view.data = (float *)input->data + sample * input->strides[0];
    for (int a = 1; a < input->shape.rank; a++) {
        view.shape.dims[a - 1] = input->shape.dims[a];
        view.strides[a - 1] = input->strides[a];
    }
    return view;
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
    struct ao_session *session = scorer->sessions[thread];
    int64_t *held = scorer->held + (size_t)thread * (size_t)scorer->batch;
    const struct ao_view input = ao_session_input(session, 0);
    const int64_t first = item * scorer->batch;
    const int count = run->n - first < scorer->batch ? (int)(run->n - first) : scorer->batch;

    /* Slots past the end hold the last variant: a batch is always whole, and so are its bits. */
    for (int b = 0; b < scorer->batch; b++) {
        const struct ao_view sample = sample_view(&input, b);
        const int64_t variant = first + (b < count ? b : count - 1);
        run->write(run->context, &sample, variant, held[b]);
        held[b] = variant;
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
        scorer->held[i] = -1;
    for (int i = 0; i < scorer->threads; i++)
        scorer->watchers[i].watch = &run.watch;
    const int64_t batches = (n + scorer->batch - 1) / scorer->batch;
    AO_TRY(ao_parallel_for(scorer->threads, batches, run_batch, &run));
    return ao_progress_report(progress, (size_t)n, (size_t)n);
}
