/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "core/alloc.h"
#include "core/rng.h"
#include "metric/again.h"

/*
 * Max-sensitivity: max over |d|_inf <= r of |phi(x + d) - phi(x)| / |phi(x)|, with Euclidean norms
 * of whole maps (Yeh et al., NeurIPS 2019), over --sensitivity-samples draws of d, each of its
 * values uniform; and the mean over these draws. r is --sensitivity-radius, where 0 is black and 1
 * white, so it is r / std in what the network sees. Optical flow sees x + d too. Not defined for a
 * map of zeros, or where a changed clip has no finite map.
 */

/* d of one draw: channel by channel, voxel by voxel. */
static void shake(const struct aosa_clip *clip, double radius, uint64_t seed,
                  struct aosa_clip *shaken)
{
    const size_t n = ao_clip_voxels(clip);
    struct ao_rng rng;
    ao_rng_init(&rng, seed);
    for (size_t c = 0; c < 3; c++) {
        const double most = radius / clip->std[c];
        for (size_t i = c * n; i < (c + 1) * n; i++)
            shaken->values[i] = (float)((double)clip->values[i] + ao_rng_range(&rng, -most, most));
    }
    ao_clip_denormalise(shaken);
}

static double norm(const float *map, const float *less, size_t n)
{
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
        const double d = (double)map[i] - (less ? (double)less[i] : 0);
        squares += d * d;
    }
    return sqrt(squares);
}

static aosa_status measure(struct ao_metric_call *call, struct aosa_clip *shaken, float *map,
                           double *most, double *mean)
{
    const size_t n = ao_clip_voxels(call->clip);
    const int samples = call->options->sensitivity_samples;
    const double size = norm(call->map, NULL, n);
    bool defined = size > 0;
    double sum = 0, largest = 0;
    for (int k = 0; k < samples && defined; k++) {
        shake(call->clip, call->options->sensitivity_radius, call->seed + (uint64_t)k, shaken);
        AO_TRY(ao_explain_again(call, call->model, shaken, map, &defined));
        const double change = defined ? norm(map, call->map, n) / size : 0;
        sum += change;
        largest = fmax(largest, change);
    }
    if (defined) {
        *most = largest;
        *mean = sum / samples;
    }
    return AOSA_OK;
}

aosa_status ao_metric_max_sensitivity(struct ao_metric_call *call)
{
    double most = (double)NAN, mean = (double)NAN;
    struct aosa_clip *shaken = NULL;
    AO_TRY(ao_clip_copy(call->clip, &shaken));
    float *map = ao_alloc_raw(ao_clip_voxels(call->clip), sizeof *map);
    aosa_status status = map ? measure(call, shaken, map, &most, &mean)
                             : ao_fail(AOSA_ERR_NOMEM, "max_sensitivity: no memory for a map");
    ao_free(map);
    ao_clip_destroy(&shaken);
    if (status == AOSA_OK)
        status = ao_metric_add_value(call->answer, "max_sensitivity", "max", most);
    return status == AOSA_OK ? ao_metric_add_value(call->answer, "max_sensitivity", "mean", mean)
                             : status;
}
