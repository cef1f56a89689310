/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate/bootstrap.h"

#include <math.h>
#include <stdlib.h>

#include "core/alloc.h"
#include "core/rng.h"

static int compare(const void *a, const void *b)
{
    const double p = *(const double *)a, q = *(const double *)b;
    return p < q ? -1 : p > q;
}

/* Linear between the two values around it, as NumPy's default. */
static double quantile(const double *sorted, int n, double q)
{
    const double at = q * (n - 1);
    const int i = (int)floor(at);
    return i + 1 < n ? sorted[i] + (at - i) * (sorted[i + 1] - sorted[i]) : sorted[i];
}

aosa_status ao_bootstrap_mean(const double *values, size_t n, int resamples, uint64_t seed,
                              struct ao_interval *interval)
{
    *interval = (struct ao_interval){ (double)NAN, (double)NAN, (double)NAN };
    if (n == 0)
        return AOSA_OK;
    double *means = ao_alloc((size_t)resamples, sizeof *means);
    if (!means)
        return ao_fail(AOSA_ERR_NOMEM, "bootstrap: no memory for %d resamples", resamples);
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += values[i];
    struct ao_rng rng;
    ao_rng_init(&rng, seed);
    for (int r = 0; r < resamples; r++) {
        double drawn = 0;
        for (size_t i = 0; i < n; i++)
            drawn += values[ao_rng_below(&rng, n)];
        means[r] = drawn / (double)n;
    }
    qsort(means, (size_t)resamples, sizeof *means, compare);
    *interval = (struct ao_interval){
        .mean = sum / (double)n,
        .low = quantile(means, resamples, 0.025),
        .high = quantile(means, resamples, 0.975),
    };
    ao_free(means);
    return AOSA_OK;
}
