/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/gradients.h"

#include <math.h>
#include <stdio.h>

#include "core/alloc.h"
#include "core/clock.h"

struct ao_gradients {
    struct ao_attribution *attribution;
    struct ao_backprop *backprop;
    ao_variant_fn baseline;
    ao_gradients_seed_fn seed;   /* of variants; NULL: the score's */
    struct ao_progress progress; /* of the whole method, in passes; `user` is this struct */
    size_t total;                /* passes the method announced */
};

/* One run of the backprop: variants of one result, or results of the clip itself. */
struct pass {
    struct ao_gradients *gradients;
    int first; /* result of item 0 */
    bool of_clip;
    ao_variant_fn write; /* NULL: the clip */
    ao_gradients_fn read;
    void *context;
};

static bool report(void *user, const char *stage, size_t done, size_t total)
{
    const struct ao_gradients *g = user;
    const struct ao_progress *outer = g->attribution->progress;
    const size_t before = (size_t)g->attribution->passes.backwards;
    return outer->fn(outer->user, stage, before + done,
                     g->total > before + total ? g->total : before + total);
}

/* Passes of the whole method, for its progress. */
static aosa_status count_passes(struct ao_gradients *g)
{
    const struct ao_attribution *a = g->attribution;
    struct ao_target targets[AO_MAX_TARGETS];
    struct ao_passes passes;
    int n;
    AO_TRY(ao_targets_resolve(a->model, a->target, NULL, targets, &n));
    AO_TRY(a->method->passes(a, n, &passes));
    g->total = (size_t)passes.backwards;
    return AOSA_OK;
}

aosa_status ao_gradients_open(struct ao_attribution *attribution,
                              const struct ao_backprop_options *options,
                              struct ao_gradients **gradients)
{
    double since = ao_now();
    struct ao_backprop_options own = *options;
    own.backend = attribution->run.backend;
    own.threads = attribution->run.threads;
    struct ao_gradients *g = ao_alloc(1, sizeof *g);
    if (!g)
        return ao_fail(AOSA_ERR_NOMEM, "gradients: no memory");
    g->attribution = attribution;
    if (attribution->progress && attribution->progress->fn)
        g->progress = (struct ao_progress){ report, g, attribution->progress->stage };
    aosa_status status = count_passes(g);
    if (status == AOSA_OK)
        status = ao_backprop_create(attribution->model, &own, &g->backprop);
    if (status != AOSA_OK) {
        ao_gradients_close(&g);
        return status;
    }
    attribution->memory = ao_backprop_memory(g->backprop);
    ao_lap(&attribution->seconds_prepare, &since);
    *gradients = g;
    return AOSA_OK;
}

void ao_gradients_close(struct ao_gradients **gradients)
{
    struct ao_gradients *g = *gradients;
    if (!g)
        return;
    ao_backprop_destroy(&g->backprop);
    ao_free(g);
    *gradients = NULL;
}

void ao_gradients_set_seed(struct ao_gradients *gradients, ao_gradients_seed_fn seed)
{
    gradients->seed = seed;
}

float *ao_gradients_row(const struct ao_view *input, int64_t row)
{
    const int64_t T = input->shape.dims[1], H = input->shape.dims[2];
    const int64_t *s = input->strides;
    return (float *)input->data + row / H / T * s[0] + row / H % T * s[1] + row % H * s[2];
}

void ao_gradients_write(const float *values, const struct ao_view *input)
{
    const int64_t *dims = input->shape.dims;
    for (int64_t row = 0; row < 3 * dims[1] * dims[2]; row++) {
        float *dst = ao_gradients_row(input, row);
        for (int64_t x = 0; x < dims[3]; x++)
            dst[x * input->strides[3]] = *values++;
    }
}

static void write_item(const void *context, const struct ao_view *input, int64_t item,
                       int64_t previous)
{
    const struct pass *pass = context;
    const struct aosa_clip *clip = pass->gradients->attribution->clip;
    if (pass->write)
        pass->write(pass->context, input, pass->of_clip ? 0 : item, previous);
    else if (previous < 0)
        ao_gradients_write(clip->values, input);
}

static void write_baseline(const void *context, const struct ao_view *input, int64_t item,
                           int64_t previous)
{
    const struct pass *pass = context;
    if (previous < 0)
        pass->gradients->baseline(pass->context, input, item, previous);
}

/* The first item of a method is the clip, alone in its run: its outputs tell the targets. */
static aosa_status seed_item(void *context, int64_t item, const float *outputs, float *seed)
{
    const struct pass *pass = context;
    struct ao_attribution *a = pass->gradients->attribution;
    if (!a->results) {
        for (int k = 0; k < a->model->classes; k++)
            a->outputs[k] = outputs[k];
        AO_TRY(ao_attribution_begin(a));
    }
    const struct ao_map_result *result = &a->results[pass->first + (pass->of_clip ? item : 0)];
    if (pass->gradients->seed && !pass->of_clip)
        pass->gradients->seed(pass->context, item, result, outputs, seed);
    else
        ao_score_gradient(a->score, outputs, a->model->classes, a->model->probabilities,
                          result->target, seed);
    return AOSA_OK;
}

static aosa_status read_item(void *context, int64_t item, const struct ao_backprop_result *answer)
{
    const struct pass *pass = context;
    struct ao_attribution *a = pass->gradients->attribution;
    struct ao_map_result *result = &a->results[pass->first + (pass->of_clip ? item : 0)];
    return pass->read ? pass->read(pass->context, pass->of_clip ? 0 : item, result, answer)
                      : AOSA_OK;
}

static aosa_status run(struct pass *pass, int64_t n)
{
    struct ao_gradients *g = pass->gradients;
    struct ao_attribution *a = g->attribution;
    double since = ao_now();
    const struct ao_backprop_job job = {
        .n = n,
        .write = write_item,
        .baseline = g->baseline ? write_baseline : NULL,
        .seed = seed_item,
        .read = read_item,
        .context = pass,
    };
    AO_TRY(ao_backprop_run(g->backprop, &job, &g->progress));
    a->passes.forwards += g->baseline ? 2 * n : n;
    a->passes.backwards += n;
    ao_lap(&a->seconds_run, &since);
    return AOSA_OK;
}

/* Warns of the first result whose score hardly answers to the network's outputs. */
static aosa_status check_flat(struct ao_attribution *a)
{
    const struct aosa_model *model = a->model;
    float *seed = ao_alloc((size_t)model->classes, sizeof *seed);
    if (!seed)
        return ao_fail(AOSA_ERR_NOMEM, "gradients: no memory for %d classes", model->classes);
    for (int k = 0; k < a->n_results && !a->warning[0]; k++) {
        double largest = 0;
        ao_score_gradient(a->score, a->outputs, model->classes, model->probabilities,
                          a->results[k].target, seed);
        for (int c = 0; c < model->classes; c++)
            largest = fmax(largest, fabs((double)seed[c]));
        if (largest < AO_GRADIENTS_FLAT)
            snprintf(
                a->warning, sizeof a->warning,
                "the softmax is flat at p = %.7g: its largest derivative is %.1g, so gradients "
                "say little; try --score logit",
                a->results[k].probability, largest);
    }
    ao_free(seed);
    return AOSA_OK;
}

aosa_status ao_gradients_clip(struct ao_gradients *g, ao_variant_fn baseline, ao_gradients_fn read,
                              void *context)
{
    struct pass pass = { .gradients = g, .of_clip = true, .read = read, .context = context };
    g->baseline = baseline;
    AO_TRY(run(&pass, 1));
    if (!g->seed)
        AO_TRY(check_flat(g->attribution));
    pass.first = 1;
    return read && g->attribution->n_results > 1 ? run(&pass, g->attribution->n_results - 1)
                                                 : AOSA_OK;
}

aosa_status ao_gradients_variants(struct ao_gradients *g, struct ao_map_result *result, int64_t n,
                                  ao_variant_fn write, ao_gradients_fn read, void *context)
{
    struct pass pass = {
        .gradients = g,
        .first = (int)(result - g->attribution->results),
        .write = write,
        .read = read,
        .context = context,
    };
    return run(&pass, n);
}

static double reduce(enum ao_reduce_kind kind, const double *value, size_t channel)
{
    const double r = value[0], g = value[channel], b = value[2 * channel];
    switch (kind) {
    case AO_REDUCE_AUTO:
    case AO_REDUCE_SUM:
        return r + g + b;
    case AO_REDUCE_ABS:
        return fabs(r) + fabs(g) + fabs(b);
    case AO_REDUCE_POSITIVE:
        return fmax(r, 0) + fmax(g, 0) + fmax(b, 0);
    case AO_REDUCE_MEAN_ABS:
        return (fabs(r) + fabs(g) + fabs(b)) / 3;
    }
    return 0;
}

void ao_gradients_map(const struct ao_attribution *a, enum ao_reduce_kind automatic,
                      const double *values, struct ao_map_result *result)
{
    const enum ao_reduce_kind given = (enum ao_reduce_kind)a->options->reduce;
    const enum ao_reduce_kind kind = given == AO_REDUCE_AUTO ? automatic : given;
    const size_t n = ao_clip_voxels(a->clip);
    for (size_t i = 0; i < n; i++)
        result->map[i] = (float)reduce(kind, values + i, n);
    ao_attribution_normalise(a, result);
}
