/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/baseline.h"
#include "attribution/gradients.h"
#include "core/alloc.h"
#include "ops/element.h"

/*
 * DeepLIFT by the rescale rule (Shrikumar et al., ICML 2017): A = m (x - b), where m is the
 * gradient with every non-linear operator's slope replaced by the one between clip x and baseline
 * b (ops/vjp.h). A logit's A adds up to y(x) - y(b); the other scores are not of the network, and
 * enter with their slope at x.
 */
struct explanation {
    struct ao_attribution *attribution;
    float *baseline;              /* [3][T][H][W] */
    double *values;               /* [3][T][H][W] */
    double total[AO_MAX_TARGETS]; /* sum of A of each result */
};

/* Every run is of two clips; the last one tells y(b). */
aosa_status ao_passes_deeplift(const struct ao_attribution *a, int n_targets,
                               struct ao_passes *passes)
{
    (void)a;
    *passes = (struct ao_passes){ .forwards = 2 * (n_targets + 1), .backwards = n_targets + 1 };
    return AOSA_OK;
}

static void write_baseline(const void *context, const struct ao_view *input, int64_t item,
                           int64_t previous)
{
    const struct explanation *e = context;
    (void)item;
    (void)previous;
    ao_gradients_write(e->baseline, input);
}

static aosa_status read_clip(void *context, int64_t item, struct ao_map_result *result,
                             const struct ao_backprop_result *answer)
{
    struct explanation *e = context;
    const struct aosa_clip *clip = e->attribution->clip;
    const size_t n = 3 * ao_clip_voxels(clip);
    const struct ao_view dense = ao_view_dense(e->values, AO_F64, &answer->clip.shape);
    double total = 0;
    (void)item;
    ao_view_convert(&dense, &answer->clip);
    for (size_t i = 0; i < n; i++)
        total += e->values[i] *= (double)clip->values[i] - (double)e->baseline[i];
    e->total[result - e->attribution->results] = total;
    ao_gradients_map(e->attribution, AO_REDUCE_SUM, e->values, result);
    return AOSA_OK;
}

static aosa_status read_baseline(void *context, int64_t item, struct ao_map_result *result,
                                 const struct ao_backprop_result *answer)
{
    const struct explanation *e = context;
    struct ao_attribution *a = e->attribution;
    (void)item;
    (void)result;
    for (int k = 0; k < a->n_results; k++)
        AO_TRY(ao_baseline_complete(a, e->total[k],
                                    ao_baseline_score(a, &a->results[k], answer->outputs),
                                    "--score logit", &a->results[k]));
    return AOSA_OK;
}

static aosa_status explain(struct ao_attribution *a, struct ao_gradients *gradients,
                           struct explanation *e)
{
    const size_t n = 3 * ao_clip_voxels(a->clip);
    e->values = ao_alloc_raw(n, sizeof *e->values);
    if (!e->values)
        return ao_fail(AOSA_ERR_NOMEM, "deeplift: no memory for %zu values", n);
    AO_TRY(ao_baseline_create(a, &e->baseline));
    AO_TRY(ao_gradients_clip(gradients, write_baseline, read_clip, e));
    return ao_gradients_variants(gradients, &a->results[0], 1, write_baseline, read_baseline, e);
}

aosa_status ao_run_deeplift(struct ao_attribution *a)
{
    const struct ao_backprop_options options = { .one_item = true, .rescale = true, .clip = true };
    struct explanation e = { .attribution = a };
    struct ao_gradients *gradients;
    AO_TRY(ao_gradients_open(a, &options, &gradients));
    const aosa_status status = explain(a, gradients, &e);
    ao_free(e.baseline);
    ao_free(e.values);
    ao_gradients_close(&gradients);
    return status;
}
