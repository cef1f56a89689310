/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "attribution/gradients.h"
#include "core/alloc.h"
#include "core/npy.h"
#include "core/rng.h"
#include "ops/element.h"

/*
 * Gradients g_i = dy/dx at x + sigma z_i of n noisy copies, z standard normal and
 * sigma = --noise (max x - min x):
 *
 *     smoothgrad     sum g_i / n                      Smilkov et al., arXiv 1706.03825
 *     smoothgrad_sq  sum g_i^2 / n                    Hooker et al., NeurIPS 2019
 *     vargrad        sum g_i^2 / n - (sum g_i / n)^2  Adebayo et al., ICLR workshop 2018
 *
 * each channel by itself. All targets see the same noise: copy i's is the sequence of seed + i.
 */
struct explanation {
    const struct ao_attribution *attribution;
    double sigma;
    struct ao_npy noise; /* the user's, [samples][3][T][H][W]; data NULL: from the seed */
    double *gradient, *sum, *squares; /* [3][T][H][W] */
};

static int samples_of(const struct ao_attribution *a)
{
    return ao_method_samples(a->options, 25);
}

aosa_status ao_passes_smoothgrad(const struct ao_attribution *a, int n_targets,
                                 struct ao_passes *passes)
{
    const int64_t n = 1 + (int64_t)n_targets * samples_of(a);
    *passes = (struct ao_passes){ .forwards = n, .backwards = n };
    return AOSA_OK;
}

static double noise_sigma(const struct ao_attribution *a)
{
    const size_t n = 3 * ao_clip_voxels(a->clip);
    double lowest = HUGE_VAL, highest = -HUGE_VAL;
    for (size_t i = 0; i < n; i++) {
        lowest = fmin(lowest, (double)a->clip->values[i]);
        highest = fmax(highest, (double)a->clip->values[i]);
    }
    return a->options->noise * (highest - lowest);
}

static aosa_status open_noise(const struct ao_attribution *a, struct ao_npy *noise)
{
    const char *path = a->options->noise_file;
    const struct aosa_clip *clip = a->clip;
    if (!path)
        return AOSA_OK;
    AO_TRY(ao_npy_open(noise, path));
    const int64_t *d = noise->dims;
    if (noise->type == AO_NPY_F32 && noise->rank == 5 && d[0] >= samples_of(a) && d[1] == 3 &&
        d[2] == clip->T && d[3] == clip->H && d[4] == clip->W)
        return AOSA_OK;
    struct ao_shape shape = { .rank = noise->rank };
    char text[AO_SHAPE_TEXT];
    memcpy(shape.dims, noise->dims, sizeof shape.dims);
    return ao_fail(AOSA_ERR_SHAPE, "%s: %s %s, the noise of %d copies is float32 [%d,3,%d,%d,%d]",
                   path, ao_npy_type_name(noise->type), ao_shape_text(&shape, text), samples_of(a),
                   samples_of(a), clip->T, clip->H, clip->W);
}

static double noise_next(const struct explanation *e, struct ao_rng *rng, size_t i)
{
    float value;
    if (!e->noise.data)
        return ao_rng_normal(rng);
    memcpy(&value, (const char *)e->noise.data + i * sizeof value, sizeof value);
    return (double)value;
}

static void write_copy(const void *context, const struct ao_view *input, int64_t copy,
                       int64_t previous)
{
    const struct explanation *e = context;
    const struct aosa_clip *clip = e->attribution->clip;
    const size_t first = (size_t)copy * 3 * ao_clip_voxels(clip);
    size_t i = 0;
    struct ao_rng rng;
    (void)previous;
    ao_rng_init(&rng, e->attribution->seed + (uint64_t)copy);
    for (int64_t row = 0; row < 3 * (int64_t)clip->T * clip->H; row++) {
        float *dst = ao_gradients_row(input, row);
        for (int x = 0; x < clip->W; x++, i++)
            dst[x * input->strides[3]] =
                (float)((double)clip->values[i] + e->sigma * noise_next(e, &rng, first + i));
    }
}

static aosa_status read_copy(void *context, int64_t copy, struct ao_map_result *result,
                             const struct ao_backprop_result *answer)
{
    const struct explanation *e = context;
    const size_t n = 3 * ao_clip_voxels(e->attribution->clip);
    const struct ao_view dense = ao_view_dense(e->gradient, AO_F64, &answer->clip.shape);
    (void)result;
    ao_view_convert(&dense, &answer->clip);
    for (size_t i = 0; i < n; i++) {
        const double g = e->gradient[i];
        e->sum[i] = g + (copy > 0 ? e->sum[i] : 0);
        e->squares[i] = g * g + (copy > 0 ? e->squares[i] : 0);
    }
    return AOSA_OK;
}

/* Into `sum`, what the method of that name makes of both sums. */
static void finish(const struct explanation *e)
{
    const char *name = e->attribution->method->name;
    const size_t n = 3 * ao_clip_voxels(e->attribution->clip);
    const double samples = samples_of(e->attribution);
    for (size_t i = 0; i < n; i++) {
        const double mean = e->sum[i] / samples, square = e->squares[i] / samples;
        if (!strcmp(name, "smoothgrad"))
            e->sum[i] = mean;
        else
            e->sum[i] = !strcmp(name, "vargrad") ? fmax(square - mean * mean, 0) : square;
    }
}

static aosa_status explain(struct ao_attribution *a, struct ao_gradients *gradients,
                           struct explanation *e)
{
    const size_t n = 3 * ao_clip_voxels(a->clip);
    e->gradient = ao_alloc_raw(n, sizeof *e->gradient);
    e->sum = ao_alloc_raw(n, sizeof *e->sum);
    e->squares = ao_alloc_raw(n, sizeof *e->squares);
    if (!e->gradient || !e->sum || !e->squares)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for %zu values", a->method->name, n);
    AO_TRY(open_noise(a, &e->noise));
    AO_TRY(ao_gradients_clip(gradients, NULL, NULL, NULL));
    for (int k = 0; k < a->n_results; k++) {
        AO_TRY(ao_gradients_variants(gradients, &a->results[k], samples_of(a), write_copy,
                                     read_copy, e));
        finish(e);
        ao_gradients_map(a, AO_REDUCE_ABS, e->sum, &a->results[k]);
    }
    return AOSA_OK;
}

aosa_status ao_run_smoothgrad(struct ao_attribution *a)
{
    const struct ao_backprop_options options = { .clip = true };
    struct explanation e = { .attribution = a, .sigma = noise_sigma(a) };
    struct ao_gradients *gradients;
    AO_TRY(ao_gradients_open(a, &options, &gradients));
    const aosa_status status = explain(a, gradients, &e);
    ao_npy_close(&e.noise);
    ao_free(e.gradient);
    ao_free(e.sum);
    ao_free(e.squares);
    ao_gradients_close(&gradients);
    return status;
}
