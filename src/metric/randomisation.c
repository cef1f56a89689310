/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>

#include "core/alloc.h"
#include "metric/again.h"
#include "metric/similarity.h"
#include "model/randomise.h"

/*
 * Model parameter randomisation (Adebayo et al., NeurIPS 2018): how alike the map is to those of
 * the same network with random weights in its layers, cascading from the output
 * (model/randomise.h) in --cascade steps to the whole network. A map that hardly changes does not
 * explain what the network has learned.
 *
 * spearman and spearman_abs: rank correlation of the maps and of their absolute values; ssim and
 * hog: of absolute values over their largest (metric/similarity.h). A map that is constant while
 * the original is not has nothing in common with it: correlation 0. Values are means over the
 * steps, curves the steps themselves over the fraction of the layers, from 1 at none. Not defined
 * where the original is constant, or a random network has no finite map.
 */

enum { SPEARMAN, SPEARMAN_ABS, SSIM, HOG, KINDS };
static const char *const names[KINDS] = { "spearman", "spearman_abs", "ssim", "hog" };

struct randomisation {
    struct ao_metric_call *call;
    struct ao_randomised *network;
    size_t n; /* voxels */
    int steps;
    float *map;                /* [n] of a random network */
    float *original, *scaled;  /* [n] absolute values over the largest, of call->map and map */
    double *ranks, *ranks_abs; /* [n] of call->map */
    double *other;             /* [n] ranks of map */
    double *fraction;          /* [1 + steps] of the layers */
    double *alike[KINDS];      /* [1 + steps] */
};

static aosa_status allocate(struct randomisation *r)
{
    const size_t points = (size_t)r->steps + 1;
    bool complete = true;
    float **maps[] = { &r->map, &r->original, &r->scaled };
    double **ranks[] = { &r->ranks, &r->ranks_abs, &r->other };
    for (int i = 0; i < 3; i++) {
        *maps[i] = ao_alloc_raw(r->n, sizeof(float));
        *ranks[i] = ao_alloc_raw(r->n, sizeof(double));
        complete = complete && *maps[i] && *ranks[i];
    }
    r->fraction = ao_alloc(points, sizeof *r->fraction);
    for (int k = 0; k < KINDS; k++) {
        r->alike[k] = ao_alloc(points, sizeof(double));
        complete = complete && r->alike[k];
    }
    return complete && r->fraction
               ? AOSA_OK
               : ao_fail(AOSA_ERR_NOMEM, "randomisation: no memory for maps of %zu voxels", r->n);
}

static void fini(struct randomisation *r)
{
    ao_randomised_destroy(&r->network);
    ao_free(r->map);
    ao_free(r->original);
    ao_free(r->scaled);
    ao_free(r->ranks);
    ao_free(r->ranks_abs);
    ao_free(r->other);
    ao_free(r->fraction);
    for (int k = 0; k < KINDS; k++)
        ao_free(r->alike[k]);
}

/* |map| over its largest; zeros stay. */
static void scale(const float *map, size_t n, float *scaled)
{
    float most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmaxf(most, fabsf(map[i]));
    for (size_t i = 0; i < n; i++)
        scaled[i] = most > 0 ? fabsf(map[i]) / most : 0;
}

static bool is_constant(const float *map, size_t n)
{
    size_t i = 1;
    while (i < n && map[i] == map[0])
        i++;
    return i >= n;
}

static double or_nothing(double correlation)
{
    return isnan(correlation) ? 0 : correlation;
}

static aosa_status compare(struct randomisation *r, int step)
{
    const struct aosa_clip *clip = r->call->clip;
    scale(r->map, r->n, r->scaled);
    AO_TRY(ao_ranks(r->map, r->n, false, r->other));
    r->alike[SPEARMAN][step] = or_nothing(ao_pearson(r->ranks, r->other, r->n));
    AO_TRY(ao_ranks(r->map, r->n, true, r->other));
    r->alike[SPEARMAN_ABS][step] = or_nothing(ao_pearson(r->ranks_abs, r->other, r->n));
    AO_TRY(ao_ssim(r->original, r->scaled, clip->T, clip->H, clip->W, &r->alike[SSIM][step]));
    double *hog = &r->alike[HOG][step];
    AO_TRY(ao_hog_correlation(r->original, r->scaled, clip->T, clip->H, clip->W, hog));
    *hog = or_nothing(*hog);
    return AOSA_OK;
}

/* Explains the network at every step; not defined: one of them has no finite map. */
static aosa_status cascade(struct randomisation *r, bool *defined)
{
    const int layers = ao_randomised_layers(r->network);
    scale(r->call->map, r->n, r->original);
    AO_TRY(ao_ranks(r->call->map, r->n, false, r->ranks));
    AO_TRY(ao_ranks(r->call->map, r->n, true, r->ranks_abs));
    for (int k = 0; k < KINDS; k++)
        r->alike[k][0] = 1;
    for (int step = 1; step <= r->steps && *defined; step++) {
        const int n = (int)(((int64_t)step * layers + r->steps - 1) / r->steps);
        AO_TRY(ao_randomised_cascade(r->network, n));
        AO_TRY(ao_explain_again(r->call, ao_randomised_model(r->network), r->call->clip, r->map,
                                defined));
        r->fraction[step] = (double)n / layers;
        if (*defined)
            AO_TRY(compare(r, step));
    }
    return AOSA_OK;
}

static aosa_status report(const struct randomisation *r, bool defined)
{
    struct ao_metric_answer *answer = r->call->answer;
    for (int k = 0; k < KINDS; k++) {
        double mean = defined ? 0 : (double)NAN;
        for (int step = 1; step <= r->steps && defined; step++)
            mean += r->alike[k][step] / r->steps;
        AO_TRY(ao_metric_add_value(answer, "randomisation", names[k], mean));
    }
    for (int k = 0; k < KINDS && defined; k++) {
        char name[AO_METRIC_NAME];
        snprintf(name, sizeof name, "randomisation.%s", names[k]);
        AO_TRY(ao_metric_add_curve(answer, name, (size_t)r->steps + 1, r->fraction, r->alike[k]));
    }
    return AOSA_OK;
}

static aosa_status run(struct randomisation *r)
{
    const struct ao_metric_call *call = r->call;
    bool defined = !is_constant(call->map, r->n);
    const aosa_status status = ao_randomised_create(call->model, call->seed, &r->network);
    if (status != AOSA_OK)
        return ao_fail_in(status, "randomisation");
    const int layers = ao_randomised_layers(r->network);
    r->steps = call->options->cascade < layers ? call->options->cascade : layers;
    AO_TRY(allocate(r));
    if (defined)
        AO_TRY(cascade(r, &defined));
    return report(r, defined);
}

aosa_status ao_metric_randomisation(struct ao_metric_call *call)
{
    struct randomisation r = { .call = call, .n = ao_clip_voxels(call->clip) };
    const aosa_status status = run(&r);
    fini(&r);
    return status;
}
