/* SPDX-License-Identifier: Apache-2.0 */
#include "model/backprop.h"

#include <math.h>

#include "core/alloc.h"
#include "core/parallel.h"
#include "model/sessions.h"
#include "model/slot.h"
#include "model/turnstile.h"
#include "ops/element.h"
#include "passes/gradient.h"

/* What a thread needs beside its session. */
struct worker {
    float *outputs, *seed; /* [classes] */
    float *spread;         /* [classes][per_class] the seed of every output value */
    struct ao_view *taps;  /* [2 n_taps] */
    struct ao_slot clip, baseline;
};

struct ao_backprop {
    const struct aosa_model *model;
    struct ao_gradient *gradient;
    struct ao_program *program;
    struct ao_sessions sessions;
    struct worker *workers; /* [sessions.threads] */
    int n_taps;
};

/* One ao_backprop_run. */
struct run {
    struct ao_backprop *backprop;
    const struct ao_backprop_job *job;
    struct ao_watch watch;
    struct ao_turnstile turnstile;
};

static aosa_status create_slots(struct ao_backprop *backprop)
{
    const struct ao_gradient *gradient = backprop->gradient;
    for (int i = 0; i < backprop->sessions.threads; i++) {
        const struct ao_view clip =
            ao_session_input(backprop->sessions.of[i], gradient->clip_input);
        AO_TRY(ao_slot_init(&backprop->workers[i].clip, &clip));
        if (gradient->baseline_input >= 0)
            AO_TRY(ao_slot_init(&backprop->workers[i].baseline, &clip));
    }
    return AOSA_OK;
}

static aosa_status create_workers(struct ao_backprop *backprop)
{
    const int threads = backprop->sessions.threads;
    const size_t classes = (size_t)backprop->model->classes, n_taps = (size_t)backprop->n_taps;
    backprop->workers = ao_alloc((size_t)threads, sizeof *backprop->workers);
    for (int i = 0; backprop->workers && i < threads; i++) {
        struct worker *worker = &backprop->workers[i];
        worker->outputs = ao_alloc(classes, sizeof *worker->outputs);
        worker->seed = ao_alloc(classes, sizeof *worker->seed);
        worker->spread =
            ao_alloc(classes * (size_t)backprop->model->per_class, sizeof *worker->spread);
        worker->taps = ao_alloc(2 * n_taps + 1, sizeof *worker->taps);
        if (!worker->outputs || !worker->seed || !worker->spread || !worker->taps)
            return ao_fail(AOSA_ERR_NOMEM, "backward pass: no memory for %zu classes", classes);
    }
    return backprop->workers
               ? AOSA_OK
               : ao_fail(AOSA_ERR_NOMEM, "backward pass: no memory for %d threads", threads);
}

static aosa_status fill(struct ao_backprop *backprop, const struct ao_backprop_options *options)
{
    const struct ao_gradient_options walk = { .relu = options->relu,
                                              .rescale = options->rescale,
                                              .clip = options->clip,
                                              .taps = options->taps,
                                              .n_taps = options->n_taps };
    AO_TRY(ao_gradient_create(ao_model_graph(backprop->model), &walk, &backprop->gradient));
    const struct ao_program_options program = {
        .backend = options->backend,
        .batch = 1,
        .inner_threads = options->one_item ? options->threads : 1,
        .pause = backprop->gradient->n_forward,
    };
    AO_TRY(ao_program_create(&backprop->gradient->graph, &program, &backprop->program));
    AO_TRY(ao_sessions_init(&backprop->sessions, backprop->program,
                            options->one_item ? 1 : options->threads));
    AO_TRY(create_workers(backprop));
    return create_slots(backprop);
}

aosa_status ao_backprop_create(const struct aosa_model *model,
                               const struct ao_backprop_options *options,
                               struct ao_backprop **backprop)
{
    AO_TRY(ao_model_require_clip(model));
    struct ao_backprop *made = ao_alloc(1, sizeof *made);
    if (!made)
        return ao_fail(AOSA_ERR_NOMEM, "backward pass: no memory");
    made->model = model;
    made->n_taps = options->n_taps;
    const aosa_status status = fill(made, options);
    ao_onnx_release(model->onnx); /* the backend has its own weights now */
    if (status != AOSA_OK) {
        ao_backprop_destroy(&made);
        return status;
    }
    *backprop = made;
    return AOSA_OK;
}

void ao_backprop_destroy(struct ao_backprop **backprop)
{
    struct ao_backprop *b = *backprop;
    if (!b)
        return;
    for (int i = 0; b->workers && i < b->sessions.threads; i++) {
        ao_free(b->workers[i].outputs);
        ao_free(b->workers[i].seed);
        ao_free(b->workers[i].spread);
        ao_free(b->workers[i].taps);
        ao_slot_fini(&b->workers[i].clip);
        ao_slot_fini(&b->workers[i].baseline);
    }
    ao_free(b->workers);
    ao_sessions_fini(&b->sessions);
    ao_program_destroy(&b->program);
    ao_gradient_destroy(&b->gradient);
    ao_free(b);
    *backprop = NULL;
}

struct ao_program_memory ao_backprop_memory(const struct ao_backprop *backprop)
{
    return ao_program_memory(backprop->program);
}

/* A class output is the mean of per_class values, and so is each value's share of its seed. */
static aosa_status write_seed(const struct run *run, struct ao_session *session, int64_t item,
                              struct worker *worker)
{
    const struct aosa_model *model = run->backprop->model;
    const int n = model->per_class;
    for (int c = 0; c < model->classes; c++)
        worker->seed[c] = 0;
    AO_TRY(run->job->seed(run->job->context, item, worker->outputs, worker->seed));
    for (int c = 0; c < model->classes; c++)
        for (int i = 0; i < n; i++)
            worker->spread[(int64_t)c * n + i] = worker->seed[c] / (float)n;
    const struct ao_view seed = ao_session_input(session, run->backprop->gradient->seed_input);
    const struct ao_view spread = ao_view_dense(worker->spread, AO_F32, &seed.shape);
    ao_view_convert(&seed, &spread);
    return AOSA_OK;
}

static aosa_status check_finite(const struct run *run, const struct ao_view *view, int64_t item,
                                const char *what)
{
    const int64_t *strides = view->strides;
    double row[AO_ROW];
    struct ao_walk walk;
    ao_walk_init(&walk, &view->shape, 1, &strides);
    while (ao_walk_next(&walk)) {
        ao_row_load(row, view, walk.offset[0], walk.stride[0], walk.n);
        for (int64_t i = 0; i < walk.n; i++)
            if (!isfinite(row[i]))
                return ao_fail(AOSA_ERR_NUMERIC,
                               "%s: the %s of variant %lld of the clip has a %g, not a finite "
                               "number; check the model's weights or score another quantity",
                               run->backprop->model->path, what, (long long)item, row[i]);
    }
    return AOSA_OK;
}

/* A value's block of this one clip; an axis of extent 1 in front is the batch axis. */
static struct ao_view without_batch(const struct ao_view *view)
{
    return view->shape.rank > 0 && view->shape.dims[0] == 1 ? ao_view_item(view, 0) : *view;
}

static aosa_status collect(const struct run *run, struct ao_session *session, int64_t item,
                           struct worker *worker, struct ao_backprop_result *result)
{
    const struct ao_gradient *gradient = run->backprop->gradient;
    *result = (struct ao_backprop_result){ .outputs = worker->outputs, .taps = worker->taps };
    if (gradient->clip_output >= 0) {
        const struct ao_view clip = ao_session_output(session, gradient->clip_output);
        result->clip = ao_view_item(&clip, 0);
        AO_TRY(check_finite(run, &result->clip, item, "gradient"));
    }
    for (int i = 0; i < 2 * run->backprop->n_taps; i++) {
        const struct ao_view tap = ao_session_output(session, gradient->first_tap + i);
        worker->taps[i] = without_batch(&tap);
        AO_TRY(check_finite(run, &worker->taps[i], item,
                            i % 2 ? "gradient of a layer" : "value of a layer"));
    }
    return AOSA_OK;
}

static aosa_status compute(struct run *run, int64_t item, int thread,
                           struct ao_backprop_result *result)
{
    const struct ao_backprop *backprop = run->backprop;
    const struct ao_gradient *gradient = backprop->gradient;
    struct ao_session *session = backprop->sessions.of[thread];
    struct worker *worker = &backprop->workers[thread];
    const struct ao_view clip = ao_session_input(session, gradient->clip_input);
    ao_slot_write(&worker->clip, &clip, 0, run->job->write, run->job->context, item);
    if (gradient->baseline_input >= 0) {
        const struct ao_view baseline = ao_session_input(session, gradient->baseline_input);
        ao_slot_write(&worker->baseline, &baseline, 0, run->job->baseline, run->job->context, item);
    }
    AO_TRY(ao_session_run_part(session, AO_RUN_BEFORE_PAUSE));
    const struct ao_view output = ao_session_output(session, 0);
    AO_TRY(ao_model_read_outputs(backprop->model, &output, 0, item, worker->outputs));
    AO_TRY(write_seed(run, session, item, worker));
    AO_TRY(ao_session_run_part(session, AO_RUN_FROM_PAUSE));
    return collect(run, session, item, worker, result);
}

static aosa_status hand_over(struct run *run, int64_t item, int thread,
                             const struct ao_backprop_result *result)
{
    bool mine;
    AO_TRY(
        ao_turnstile_wait(&run->turnstile, item, &run->backprop->sessions.watchers[thread], &mine));
    if (!mine) /* the item that failed says why */
        return AOSA_OK;
    AO_TRY(run->job->read(run->job->context, item, result));
    atomic_fetch_add(&run->watch.done, 1);
    ao_turnstile_pass(&run->turnstile);
    return AOSA_OK;
}

static aosa_status run_item(void *context, int64_t item, int thread)
{
    struct run *run = context;
    struct ao_backprop_result result;
    aosa_status status = compute(run, item, thread, &result);
    if (status == AOSA_OK)
        status = hand_over(run, item, thread, &result);
    if (status != AOSA_OK)
        ao_turnstile_break(&run->turnstile);
    return status;
}

aosa_status ao_backprop_run(struct ao_backprop *backprop, const struct ao_backprop_job *job,
                            const struct ao_progress *progress)
{
    struct run run = {
        .backprop = backprop,
        .job = job,
        .watch = { .progress = progress, .total = (size_t)job->n },
        .turnstile = AO_TURNSTILE,
    };
    for (int i = 0; i < backprop->sessions.threads; i++)
        backprop->workers[i].clip.held = backprop->workers[i].baseline.held = -1;
    ao_sessions_watch(&backprop->sessions, &run.watch);
    AO_TRY(ao_parallel_for(backprop->sessions.threads, job->n, run_item, &run));
    return ao_progress_report(progress, (size_t)job->n, (size_t)job->n);
}
