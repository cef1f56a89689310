/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "attribution/cells.h"
#include "attribution/upsample.h"
#include "attribution/veil.h"
#include "core/alloc.h"
#include "core/clock.h"
#include "core/parallel.h"
#include "core/rng.h"

/*
 * RISE (Petsiuk et al., BMVC 2018) in space and time: the mean of random soft masks M_i, each
 * weighed by the score of the clip seen through it,
 *     S(v) = 1 / (N p) sum_i f(x M_i + fill (1 - M_i)) M_i(v).
 * A mask is a grid of c_t x c_y x c_x cells, each 1 with probability p, upsampled trilinearly to
 * (c + 1) ceil(L / c) voxels an axis, of which a window of the clip's size is cut at a uniformly
 * random shift in [0, ceil(L / c)). So M_i(v) has mean p everywhere, and S of a voxel that does not
 * matter is E f in expectation: `zero` is the mean score.
 *
 * N + 1 forwards for all targets together. No mask is kept: every draw is a function of seed, mask
 * and position in it, so that a row of any mask can be made at any time, by any thread.
 */

enum { SAMPLES = 2000 }; /* the paper takes 4000 to 8000 for images */
static const int usual_cells[3] = { 4, 7, 7 };

struct rise {
    struct ao_attribution *attribution;
    int64_t N;
    int cells[3], size[3];  /* t, y, x: cells, voxels of one */
    double keep;            /* p */
    uint64_t key;           /* of the seed */
    struct ao_tap *columns; /* [(c_x + 1) size_x] */
    float *outputs;         /* [N][classes] */
    double *scores;         /* [targets][N] */
    float *masks;           /* [threads][W] */
    double *sums;           /* [threads][targets][W] */
};

/* First number of the sequence of a seed; seeds side by side have unrelated ones (rng.h). */
static struct ao_rng sequence(uint64_t seed)
{
    struct ao_rng rng;
    ao_rng_init(&rng, seed);
    return rng;
}

static uint64_t mask_key(const struct rise *r, int64_t i)
{
    struct ao_rng rng = sequence(r->key + (uint64_t)i);
    return ao_rng_next(&rng);
}

/* Draw number `position` of a mask, uniform in [0, 1): 0 to 2 are its shift, then come its cells.
 */
static double draw(uint64_t key, int64_t position)
{
    struct ao_rng rng = sequence(key + (uint64_t)position);
    return ao_rng_uniform(&rng);
}

static int64_t shift(const struct rise *r, uint64_t key, int axis)
{
    return (int64_t)(draw(key, axis) * r->size[axis]);
}

static struct ao_tap tap(const struct rise *r, uint64_t key, int axis, int64_t at)
{
    const int64_t cells = r->cells[axis];
    return ao_tap_at(at + shift(r, key, axis), cells, (cells + 1) * r->size[axis]);
}

static double cell(const struct rise *r, uint64_t key, int64_t t, int64_t y, int64_t x)
{
    return draw(key, 3 + (t * r->cells[1] + y) * r->cells[2] + x) < r->keep ? 1 : 0;
}

/* Column x of the grid between its frames and rows. */
static double column_at(const struct rise *r, uint64_t key, const struct ao_tap *frame,
                        const struct ao_tap *line, int64_t x)
{
    const double before = (1 - line->weight) * cell(r, key, frame->lo, line->lo, x) +
                          line->weight * cell(r, key, frame->lo, line->hi, x);
    const double after = (1 - line->weight) * cell(r, key, frame->hi, line->lo, x) +
                         line->weight * cell(r, key, frame->hi, line->hi, x);
    return (1 - frame->weight) * before + frame->weight * after;
}

static void mask_row(const void *context, int64_t i, int64_t t, int64_t y, float *mask,
                     int64_t stride)
{
    const struct rise *r = context;
    const uint64_t key = mask_key(r, i);
    const struct ao_tap frame = tap(r, key, 0, t), line = tap(r, key, 1, y);
    const struct ao_tap *column = r->columns + shift(r, key, 2);
    const int64_t W = r->attribution->clip->W;
    int64_t held = -1;
    double left = 0, right = 0;
    for (int64_t x = 0; x < W; x++, column++) {
        if (column->lo != held) {
            left = column->lo == held + 1 && held >= 0
                       ? right
                       : column_at(r, key, &frame, &line, column->lo);
            right = column_at(r, key, &frame, &line, column->hi);
            held = column->lo;
        }
        mask[x * stride] = (float)((1 - column->weight) * left + column->weight * right);
    }
}

/* One row of every target's map: the sum over masks in their order, whatever the thread. */
static aosa_status add_row(void *context, int64_t row, int thread)
{
    struct rise *r = context;
    const struct ao_attribution *a = r->attribution;
    const size_t W = (size_t)a->clip->W, K = (size_t)a->n_results;
    float *mask = r->masks + (size_t)thread * W;
    double *sums = r->sums + (size_t)thread * K * W;
    if (thread == 0)
        AO_TRY(ao_progress_report(a->progress, (size_t)r->N, (size_t)r->N));
    for (size_t i = 0; i < K * W; i++)
        sums[i] = 0;
    for (int64_t i = 0; i < r->N; i++) {
        mask_row(r, i, row / a->clip->H, row % a->clip->H, mask, 1);
        for (size_t k = 0; k < K; k++) {
            const double score = r->scores[k * (size_t)r->N + (size_t)i];
            for (size_t x = 0; x < W; x++)
                sums[k * W + x] += score * (double)mask[x];
        }
    }
    for (size_t k = 0; k < K; k++)
        for (size_t x = 0; x < W; x++)
            a->results[k].map[(size_t)row * W + x] =
                (float)(sums[k * W + x] / ((double)r->N * r->keep));
    return AOSA_OK;
}

static aosa_status allocate(struct rise *r)
{
    const struct ao_attribution *a = r->attribution;
    const size_t N = (size_t)r->N, K = (size_t)a->n_results, W = (size_t)a->clip->W;
    const size_t threads = (size_t)a->run.threads;
    const int64_t columns = ((int64_t)r->cells[2] + 1) * r->size[2];
    r->columns = ao_alloc((size_t)columns, sizeof *r->columns);
    r->outputs = ao_alloc(N, (size_t)a->model->classes * sizeof *r->outputs);
    r->scores = ao_alloc(N, K * sizeof *r->scores);
    r->masks = ao_alloc(threads, W * sizeof *r->masks);
    r->sums = ao_alloc(threads, K * W * sizeof *r->sums);
    if (!r->columns || !r->outputs || !r->scores || !r->masks || !r->sums)
        return ao_fail(AOSA_ERR_NOMEM, "rise: no memory for %zu masks", N);
    for (int64_t x = 0; x < columns; x++)
        r->columns[x] = ao_tap_at(x, r->cells[2], columns);
    return AOSA_OK;
}

static aosa_status finish(const struct rise *r, size_t target)
{
    struct ao_map_result *result = &r->attribution->results[target];
    for (int64_t i = 0; i < r->N; i++)
        result->zero += r->scores[target * (size_t)r->N + (size_t)i] / (double)r->N;
    result->extra = json_pack("{s:I, s:[i,i,i]}", "samples", (json_int_t)r->N, "cells", r->cells[0],
                              r->cells[1], r->cells[2]);
    if (!result->extra)
        return ao_fail(AOSA_ERR_NOMEM, "rise: no memory for its report");
    ao_attribution_normalise(r->attribution, result);
    return AOSA_OK;
}

static aosa_status explain(struct rise *r)
{
    struct ao_attribution *a = r->attribution;
    AO_TRY(allocate(r));
    AO_TRY(ao_veil_outputs(a, r->N, mask_row, r, r->outputs));
    double since = ao_now();
    for (size_t k = 0; k < (size_t)a->n_results; k++)
        AO_TRY(ao_veil_scores(a, a->results[k].target, r->N, r->outputs,
                              r->scores + k * (size_t)r->N));
    AO_TRY(ao_parallel_for(a->run.threads, (int64_t)a->clip->T * a->clip->H, add_row, r));
    for (size_t k = 0; k < (size_t)a->n_results; k++)
        AO_TRY(finish(r, k));
    ao_lap(&a->seconds_map, &since);
    return AOSA_OK;
}

aosa_status ao_run_rise(struct ao_attribution *a)
{
    struct rise r = {
        .attribution = a,
        .N = ao_method_samples(a->options, SAMPLES),
        .keep = a->options->keep,
    };
    const int length[3] = { a->clip->T, a->clip->H, a->clip->W };
    struct ao_rng rng = sequence(a->seed);
    AO_TRY(ao_cells_parse(a, usual_cells, r.cells));
    for (int d = 0; d < 3; d++)
        r.size[d] = (length[d] + r.cells[d] - 1) / r.cells[d];
    r.key = ao_rng_next(&rng);
    AO_TRY(ao_attribution_forward(a));
    const aosa_status status = explain(&r);
    ao_free(r.columns);
    ao_free(r.outputs);
    ao_free(r.scores);
    ao_free(r.masks);
    ao_free(r.sums);
    return status;
}

aosa_status ao_passes_rise(const struct ao_attribution *a, int n_targets, struct ao_passes *passes)
{
    int cells[3];
    (void)n_targets;
    AO_TRY(ao_cells_parse(a, usual_cells, cells));
    *passes = (struct ao_passes){ .forwards = 1 + ao_method_samples(a->options, SAMPLES) };
    return AOSA_OK;
}
