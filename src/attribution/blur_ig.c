/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>

#include "attribution/baseline.h"
#include "attribution/blur.h"
#include "attribution/gradients.h"
#include "core/alloc.h"
#include "ops/element.h"

/*
 * Blur integrated gradients (Xu et al., CVPR 2020, equation 4): along the path of L(s), the clip
 * with every frame under a Gaussian of s pixels, from s = --blur to 0,
 *     A = integral over s of dy/dx (L(s)) dL/ds,
 * by the trapezoid of m = --steps steps s_i = (i/m)^2 --blur, short where little blur changes much:
 *     A = sum_i g_i (L_{i-1} - L_{i+1}) / 2,   g_i = dy/dx (L_i),   0 <= i <= m,
 * where L_{-1} = L_0 and L_{m+1} = L_m. A adds up to y(x) - y(L_m) as m grows, and at once where y
 * is linear, since the differences telescope.
 */
struct explanation {
    const struct ao_attribution *attribution;
    float **blurred;        /* [threads + 2], each [3][T][H][W]: L_{first-1}, L_first, ... */
    double *gradient, *sum; /* [3][T][H][W] */
    double base_score;      /* y(L_m) */
    int first;              /* step of variant 0: as many run at once as there are threads */
};

aosa_status ao_passes_blur_ig(const struct ao_attribution *a, int n_targets,
                              struct ao_passes *passes)
{
    const int64_t n = 1 + (int64_t)n_targets * (a->options->steps + 1);
    *passes = (struct ao_passes){ .forwards = n, .backwards = n };
    return AOSA_OK;
}

static void write_blurred(const void *context, const struct ao_view *input, int64_t item,
                          int64_t previous)
{
    const struct explanation *e = context;
    (void)previous;
    ao_gradients_write(e->blurred[1 + item], input);
}

static aosa_status read_step(void *context, int64_t item, struct ao_map_result *result,
                             const struct ao_backprop_result *answer)
{
    struct explanation *e = context;
    const float *before = e->blurred[item], *after = e->blurred[item + 2];
    const size_t n = 3 * ao_clip_voxels(e->attribution->clip);
    const struct ao_view dense = ao_view_dense(e->gradient, AO_F64, &answer->clip.shape);
    ao_view_convert(&dense, &answer->clip);
    for (size_t i = 0; i < n; i++)
        e->sum[i] = e->gradient[i] * ((double)before[i] - (double)after[i]) / 2 +
                    (e->first + item > 0 ? e->sum[i] : 0);
    e->base_score = ao_baseline_score(e->attribution, result, answer->outputs);
    return AOSA_OK;
}

/* L of a step, or of the nearest end of the path. */
static aosa_status blur(const struct explanation *e, int step, float *dst)
{
    const struct ao_attribution *a = e->attribution;
    const int m = a->options->steps;
    const double part = (double)(step < 0 ? 0 : step > m ? m : step) / m;
    return ao_blur_frames(a->clip->values, 3 * a->clip->T, a->clip->H, a->clip->W,
                          a->options->blur * part * part, AO_BORDER_NEAREST, a->run.threads, dst);
}

static aosa_status integrate(struct ao_attribution *a, struct ao_gradients *gradients,
                             struct explanation *e, struct ao_map_result *result)
{
    const int m = a->options->steps, threads = a->run.threads;
    AO_TRY(blur(e, -1, e->blurred[0]));
    AO_TRY(blur(e, 0, e->blurred[1]));
    for (e->first = 0; e->first <= m; e->first += threads) {
        const int n = threads < m + 1 - e->first ? threads : m + 1 - e->first;
        for (int i = 1; i <= n; i++)
            AO_TRY(blur(e, e->first + i, e->blurred[1 + i]));
        AO_TRY(ao_gradients_variants(gradients, result, n, write_blurred, read_step, e));
        for (int i = 0; i < 2; i++) { /* the last two come before the next ones */
            float *kept = e->blurred[threads + i];
            e->blurred[threads + i] = e->blurred[i];
            e->blurred[i] = kept;
        }
    }
    return AOSA_OK;
}

static aosa_status explain_target(struct ao_attribution *a, struct ao_gradients *gradients,
                                  struct explanation *e, struct ao_map_result *result)
{
    const size_t n = 3 * ao_clip_voxels(a->clip);
    double total = 0;
    AO_TRY(integrate(a, gradients, e, result));
    for (size_t i = 0; i < n; i++)
        total += e->sum[i];
    ao_gradients_map(a, AO_REDUCE_SUM, e->sum, result);
    return ao_baseline_complete(a, total, e->base_score, "more --steps", result);
}

static aosa_status allocate(const struct ao_attribution *a, struct explanation *e)
{
    const size_t n = 3 * ao_clip_voxels(a->clip);
    e->blurred = ao_alloc((size_t)a->run.threads + 2, sizeof *e->blurred);
    e->gradient = ao_alloc_raw(n, sizeof *e->gradient);
    e->sum = ao_alloc_raw(n, sizeof *e->sum);
    bool made = e->blurred && e->gradient && e->sum;
    for (int i = 0; made && i < a->run.threads + 2; i++)
        made = (e->blurred[i] = ao_alloc_raw(n, sizeof **e->blurred)) != NULL;
    return made ? AOSA_OK
                : ao_fail(AOSA_ERR_NOMEM,
                          "blur integrated gradients: no memory for %d blurred "
                          "clips of %zu values",
                          a->run.threads + 2, n);
}

static aosa_status explain(struct ao_attribution *a, struct ao_gradients *gradients,
                           struct explanation *e)
{
    AO_TRY(allocate(a, e));
    AO_TRY(ao_gradients_clip(gradients, NULL, NULL, NULL));
    for (int k = 0; k < a->n_results; k++)
        AO_TRY(explain_target(a, gradients, e, &a->results[k]));
    return AOSA_OK;
}

aosa_status ao_run_blur_ig(struct ao_attribution *a)
{
    const struct ao_backprop_options options = { .clip = true };
    struct explanation e = { .attribution = a };
    struct ao_gradients *gradients;
    AO_TRY(ao_gradients_open(a, &options, &gradients));
    const aosa_status status = explain(a, gradients, &e);
    for (int i = 0; e.blurred && i < a->run.threads + 2; i++)
        ao_free(e.blurred[i]);
    ao_free(e.blurred);
    ao_free(e.gradient);
    ao_free(e.sum);
    ao_gradients_close(&gradients);
    return status;
}
