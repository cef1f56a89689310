/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/baseline.h"
#include "attribution/gradients.h"
#include "core/alloc.h"
#include "ops/element.h"

/*
 * Integrated gradients (Sundararajan et al., ICML 2017): along the straight path from baseline b
 * to clip x,
 *     A = (x - b) sum_k w_k dy/dx (b + a_k (x - b)),
 * with m steps of w = 1/m at the points a_k of --path (options.h); the trapezoid halves the
 * weights at both ends. A adds up to y(x) - y(b) as m grows.
 */
struct explanation {
    const struct ao_attribution *attribution;
    float *baseline;        /* [3][T][H][W] */
    double *gradient, *sum; /* [3][T][H][W] */
    double base_score;      /* y(b) */
};

/* Points with weight; the baseline itself follows as one more where it is none of them. */
static int n_points(const struct ao_method_options *options)
{
    return options->steps + (options->rule == AO_PATH_TRAPEZOID);
}

static int baseline_item(const struct ao_method_options *options)
{
    const bool first = options->rule == AO_PATH_LEFT || options->rule == AO_PATH_TRAPEZOID;
    return first ? 0 : n_points(options);
}

static int n_items(const struct ao_method_options *options)
{
    return n_points(options) + (baseline_item(options) > 0);
}

aosa_status ao_passes_integrated_gradients(const struct ao_attribution *a, int n_targets,
                                           struct ao_passes *passes)
{
    const int64_t n = 1 + (int64_t)n_targets * n_items(a->options);
    *passes = (struct ao_passes){ .forwards = n, .backwards = n };
    return AOSA_OK;
}

static double position(const struct ao_method_options *options, int64_t item)
{
    const double k = (double)item, m = options->steps;
    if (item == baseline_item(options))
        return 0;
    switch ((enum ao_path_rule)options->rule) {
    case AO_PATH_LEFT:
    case AO_PATH_TRAPEZOID:
        return k / m;
    case AO_PATH_RIGHT:
        return (k + 1) / m;
    case AO_PATH_MIDDLE:
        return (k + 0.5) / m;
    }
    return 0;
}

static double weight(const struct ao_method_options *options, int64_t item)
{
    const bool end = item == 0 || item == options->steps;
    if (item >= n_points(options))
        return 0;
    return (options->rule == AO_PATH_TRAPEZOID && end ? 0.5 : 1) / options->steps;
}

static void write_point(const void *context, const struct ao_view *input, int64_t item,
                        int64_t previous)
{
    const struct explanation *e = context;
    const struct aosa_clip *clip = e->attribution->clip;
    const double alpha = position(e->attribution->options, item);
    const float *x = clip->values, *b = e->baseline;
    (void)previous;
    for (int64_t row = 0; row < 3 * (int64_t)clip->T * clip->H; row++) {
        float *dst = ao_gradients_row(input, row);
        for (int i = 0; i < clip->W; i++, x++, b++)
            dst[i * input->strides[3]] = (float)((double)*b + alpha * ((double)*x - (double)*b));
    }
}

static aosa_status read_point(void *context, int64_t item, struct ao_map_result *result,
                              const struct ao_backprop_result *answer)
{
    struct explanation *e = context;
    const struct ao_method_options *options = e->attribution->options;
    const size_t n = 3 * ao_clip_voxels(e->attribution->clip);
    const double w = weight(options, item);
    const struct ao_view dense = ao_view_dense(e->gradient, AO_F64, &answer->clip.shape);
    if (item == baseline_item(options))
        e->base_score = ao_baseline_score(e->attribution, result, answer->outputs);
    ao_view_convert(&dense, &answer->clip);
    for (size_t i = 0; i < n; i++)
        e->sum[i] = w * e->gradient[i] + (item > 0 ? e->sum[i] : 0);
    return AOSA_OK;
}

static aosa_status explain_target(struct ao_attribution *a, struct ao_gradients *gradients,
                                  struct explanation *e, struct ao_map_result *result)
{
    const size_t n = 3 * ao_clip_voxels(a->clip);
    double total = 0;
    AO_TRY(
        ao_gradients_variants(gradients, result, n_items(a->options), write_point, read_point, e));
    for (size_t i = 0; i < n; i++)
        total += e->sum[i] *= (double)a->clip->values[i] - (double)e->baseline[i];
    ao_gradients_map(a, AO_REDUCE_SUM, e->sum, result);
    return ao_baseline_complete(a, total, e->base_score, "more --steps", result);
}

static aosa_status explain(struct ao_attribution *a, struct ao_gradients *gradients,
                           struct explanation *e)
{
    const size_t n = 3 * ao_clip_voxels(a->clip);
    e->gradient = ao_alloc_raw(n, sizeof *e->gradient);
    e->sum = ao_alloc_raw(n, sizeof *e->sum);
    if (!e->gradient || !e->sum)
        return ao_fail(AOSA_ERR_NOMEM, "integrated gradients: no memory for %zu values", n);
    AO_TRY(ao_baseline_create(a, &e->baseline));
    AO_TRY(ao_gradients_clip(gradients, NULL, NULL, NULL));
    for (int k = 0; k < a->n_results; k++)
        AO_TRY(explain_target(a, gradients, e, &a->results[k]));
    return AOSA_OK;
}

aosa_status ao_run_integrated_gradients(struct ao_attribution *a)
{
    const struct ao_backprop_options options = { .clip = true };
    struct explanation e = { .attribution = a };
    struct ao_gradients *gradients;
    AO_TRY(ao_gradients_open(a, &options, &gradients));
    const aosa_status status = explain(a, gradients, &e);
    ao_free(e.baseline);
    ao_free(e.gradient);
    ao_free(e.sum);
    ao_gradients_close(&gradients);
    return status;
}
