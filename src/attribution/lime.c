/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "attribution/coalitions.h"
#include "attribution/least_squares.h"
#include "core/alloc.h"

/*
 * LIME (Ribeiro et al., KDD 2016) over supervoxels: the coefficients of
 *     min over b, c  sum_i w_i (f(z_i) - b - c z_i)^2 + alpha |c|^2
 * where the clip itself and N - 1 coalitions that keep each segment with probability p weigh
 *     w_i = sqrt(exp(-d_i^2 / sigma^2)),  d_i = 1 - sqrt(kept / n),
 * d being the cosine distance to the coalition of all, sigma 0.25 and alpha 1, as the authors' code
 * for images has them; b is not penalised.
 */

#define SIGMA 0.25
#define ALPHA 1.0

static aosa_status count(int n, int samples, int *N)
{
    (void)n; /* the ridge decides where there are fewer coalitions than segments */
    *N = samples;
    return samples >= 2 ? AOSA_OK
                        : ao_fail(AOSA_ERR_ARGUMENT, "lime: --samples %d; take 2 or more", samples);
}

static void draw(struct ao_coalitions *c, struct ao_rng *rng)
{
    const double keep = c->attribution->options->keep;
    for (int i = 1; i < c->N; i++) {
        uint8_t *keeps = ao_coalition(c, i);
        int kept = 0;
        for (int j = 0; j < c->n; j++)
            kept += keeps[j] = ao_rng_uniform(rng) < keep;
        const double distance = 1 - sqrt((double)kept / c->n);
        c->weights[i] = sqrt(exp(-distance * distance / (SIGMA * SIGMA)));
    }
}

static struct ao_design design(const struct ao_coalitions *c)
{
    return (struct ao_design){ .N = c->N, .n = c->n, .rows = c->keeps, .weights = c->weights };
}

static aosa_status prepare(struct ao_coalitions *c)
{
    const struct ao_design z = design(c);
    double *mean = ao_alloc((size_t)c->n, sizeof *mean);
    if (!mean)
        return ao_fail(AOSA_ERR_NOMEM, "lime: no memory for %d segments", c->n);
    ao_design_mean(&z, mean);
    const aosa_status status =
        ao_design_factor(&z, mean, ALPHA, c->attribution->run.threads, c->factor);
    ao_free(mean);
    return status;
}

/* Weighted share of the scores' variance that the linear model explains; 1 for constant scores. */
static double r_squared(const struct ao_coalitions *c, const double *scores, const double *values,
                        double intercept)
{
    double sum = 0, total = 0, residual = 0, spread = 0;
    for (int i = 0; i < c->N; i++) {
        sum += c->weights[i];
        total += c->weights[i] * scores[i];
    }
    for (int i = 0; i < c->N; i++) {
        double error = scores[i] - intercept;
        for (int j = 0; j < c->n; j++)
            error -= ao_coalition(c, i)[j] * values[j];
        residual += c->weights[i] * error * error;
        spread += c->weights[i] * (scores[i] - total / sum) * (scores[i] - total / sum);
    }
    return spread > 0 ? 1 - residual / spread : 1;
}

/* With z and f taken from their weighted means, b drops out; afterwards b = mean f - c mean z. */
static aosa_status solve(const struct ao_coalitions *c, const double *scores, double *values,
                         json_t *extra)
{
    const struct ao_design z = design(c);
    double *mean = ao_alloc((size_t)c->n, sizeof *mean);
    double sum = 0, intercept = 0;
    if (!mean)
        return ao_fail(AOSA_ERR_NOMEM, "lime: no memory for %d segments", c->n);
    ao_design_mean(&z, mean);
    ao_design_moments(&z, mean, scores, values); /* a constant in f has no moment about the mean */
    ao_factor_solve(c->factor, c->n, values);
    for (int i = 0; i < c->N; i++) {
        sum += c->weights[i];
        intercept += c->weights[i] * scores[i];
    }
    intercept /= sum;
    for (int j = 0; j < c->n; j++)
        intercept -= values[j] * mean[j];
    ao_free(mean);
    if (json_object_set_new(extra, "intercept", json_real(intercept)) ||
        json_object_set_new(extra, "r_squared", json_real(r_squared(c, scores, values, intercept))))
        return ao_fail(AOSA_ERR_NOMEM, "lime: no memory for its report");
    return AOSA_OK;
}

static const struct ao_coalition_method method = {
    500, { 5, 10, 10 }, count, draw, prepare, solve
};

aosa_status ao_run_lime(struct ao_attribution *a)
{
    return ao_coalitions_run(a, &method);
}

aosa_status ao_passes_lime(const struct ao_attribution *a, int n_targets, struct ao_passes *passes)
{
    (void)n_targets;
    return ao_coalitions_passes(a, &method, passes);
}
