/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "core/alloc.h"
#include "core/rng.h"
#include "metric/stretch.h"
#include "metric/variant.h"

/*
 * Infidelity (Yeh et al., NeurIPS 2019): how far the map A is from telling what n seeded changes I
 * do to the score,
 *     raw    = mean_i (I_i . A - d_i)^2,           d_i = f(x) - f(x changed by I_i),
 *     scaled = mean_i (b I_i . A - d_i)^2,         b = sum_i (I_i . A) d_i / sum_i (I_i . A)^2,
 * b being the scale of the map that serves it best (their section 2.2), since most maps are not in
 * units of the score; 0 where I . A is 0 always. I is one number for each voxel, for all channels:
 *     gauss   x - I with I normal, sigma = --perturbation-sigma (max x - min x); I . A = sum_v I A
 *     cuboid  a box at a random place, --perturbation-size of each axis, becomes --deletion-base;
 *             I is 1 inside, 0 outside
 */
struct infidelity {
    const struct ao_metric_call *call;
    struct ao_fill base;
    bool gauss;      /* else cuboid */
    double sigma;    /* of the noise */
    int extent[3];   /* T H W of the cuboid */
    int (*start)[3]; /* [n] */
    double *said;    /* [n] I . A */
    double *scores;  /* [1 + n] of the clip, and of the clip changed by each I */
};

/* The noise of change i is the sequence of seed + i, so it need not be kept. */
static void add_noise(const struct infidelity *f, const struct ao_view *input, size_t i)
{
    const struct aosa_clip *clip = f->call->clip;
    const int64_t *s = input->strides;
    const float *values = clip->values;
    const size_t n = ao_clip_voxels(clip);
    struct ao_rng rng;
    ao_rng_init(&rng, f->call->seed + i);
    for (int t = 0; t < clip->T; t++)
        for (int y = 0; y < clip->H; y++)
            for (int x = 0; x < clip->W; x++, values++) {
                float *dst = (float *)input->data + t * s[1] + y * s[2] + x * s[3];
                const double noise = f->sigma * ao_rng_normal(&rng);
                for (int c = 0; c < 3; c++)
                    dst[c * s[0]] = (float)((double)values[(size_t)c * n] - noise);
            }
}

static double weigh_noise(const struct infidelity *f, size_t i)
{
    struct ao_rng rng;
    double sum = 0;
    ao_rng_init(&rng, f->call->seed + i);
    for (size_t v = 0; v < ao_clip_voxels(f->call->clip); v++)
        sum += f->sigma * ao_rng_normal(&rng) * (double)f->call->map[v];
    return sum;
}

/* Voxel at row y of frame t of the cuboid, both from its start, first column. */
static size_t row_of(const struct infidelity *f, size_t i, int t, int y)
{
    const struct aosa_clip *clip = f->call->clip;
    const int *start = f->start[i];
    return ((size_t)(start[0] + t) * (size_t)clip->H + (size_t)(start[1] + y)) * (size_t)clip->W +
           (size_t)start[2];
}

static void put_cuboid(const struct infidelity *f, const struct ao_view *input,
                       const struct ao_fill *base, size_t i)
{
    for (int t = 0; t < f->extent[0]; t++)
        for (int y = 0; y < f->extent[1]; y++)
            for (int x = 0; x < f->extent[2]; x++)
                ao_variant_put(input, f->call->clip, base, row_of(f, i, t, y) + (size_t)x);
}

static double weigh_cuboid(const struct infidelity *f, size_t i)
{
    double sum = 0;
    for (int t = 0; t < f->extent[0]; t++)
        for (int y = 0; y < f->extent[1]; y++)
            for (int x = 0; x < f->extent[2]; x++)
                sum += (double)f->call->map[row_of(f, i, t, y) + (size_t)x];
    return sum;
}

/* Variant 0 is the clip, variant i + 1 is changed by I_i. */
static void write_variant(const void *context, const struct ao_view *input, int64_t item,
                          int64_t previous)
{
    const struct infidelity *f = context;
    if (f->gauss && item > 0) {
        add_noise(f, input, (size_t)item - 1);
        return;
    }
    if (previous < 0 || f->gauss)
        ao_variant_put_all(input, f->call->clip, NULL);
    else if (previous > 0)
        put_cuboid(f, input, NULL, (size_t)previous - 1);
    if (item > 0)
        put_cuboid(f, input, &f->base, (size_t)item - 1);
}

static void draw_cuboids(struct infidelity *f, size_t n)
{
    const struct aosa_clip *clip = f->call->clip;
    const int length[3] = { clip->T, clip->H, clip->W };
    struct ao_rng rng;
    ao_rng_init(&rng, f->call->seed);
    for (int axis = 0; axis < 3; axis++)
        f->extent[axis] =
            (int)fmax(1, floor(f->call->options->perturbation_size * length[axis] + 0.5));
    for (size_t i = 0; i < n; i++)
        for (int axis = 0; axis < 3; axis++)
            f->start[i][axis] =
                (int)ao_rng_below(&rng, (uint64_t)(length[axis] - f->extent[axis] + 1));
}

static aosa_status report(const struct infidelity *f, size_t n)
{
    double both = 0, squares = 0, raw = 0, scaled = 0;
    for (size_t i = 0; i < n; i++) {
        both += f->said[i] * (f->scores[0] - f->scores[i + 1]);
        squares += f->said[i] * f->said[i];
    }
    const double scale = squares > 0 ? both / squares : 0;
    for (size_t i = 0; i < n; i++) {
        const double drop = f->scores[0] - f->scores[i + 1];
        raw += pow(f->said[i] - drop, 2) / (double)n;
        scaled += pow(scale * f->said[i] - drop, 2) / (double)n;
    }
    AO_TRY(ao_metric_add_value(f->call->answer, "infidelity", "raw", raw));
    return ao_metric_add_value(f->call->answer, "infidelity", "scaled", scaled);
}

static aosa_status measure(struct infidelity *f, struct ao_metric_call *call)
{
    const struct ao_metric_options *options = call->options;
    const size_t n = (size_t)options->perturbations;
    f->start = ao_alloc(n, sizeof *f->start);
    f->said = ao_alloc(n, sizeof *f->said);
    f->scores = ao_alloc(n + 1, sizeof *f->scores);
    if (!f->start || !f->said || !f->scores)
        return ao_fail(AOSA_ERR_NOMEM, "infidelity: no memory for %zu changes", n);
    double lowest, highest;
    ao_value_range(call->clip->values, 3 * ao_clip_voxels(call->clip), &lowest, &highest);
    f->gauss = options->perturbation == AO_PERTURBATION_GAUSS;
    f->sigma = options->perturbation_sigma * (highest - lowest);
    AO_TRY(ao_variant_base(call, false, &f->base));
    draw_cuboids(f, n);
    for (size_t i = 0; i < n; i++)
        f->said[i] = f->gauss ? weigh_noise(f, i) : weigh_cuboid(f, i);
    AO_TRY(ao_variant_scores(call, n + 1, write_variant, f, f->scores));
    return report(f, n);
}

aosa_status ao_metric_infidelity(struct ao_metric_call *call)
{
    struct infidelity f = { .call = call };
    const aosa_status status = measure(&f, call);
    ao_fill_fini(&f.base);
    ao_free(f.start);
    ao_free(f.said);
    ao_free(f.scores);
    return status;
}
