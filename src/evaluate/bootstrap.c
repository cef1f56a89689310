/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate/bootstrap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

static void add_row(const double *row, size_t columns, double *sums)
{
    for (size_t c = 0; c < columns; c++)
        sums[c] += row[c];
}

/* One of n < 2^32 rows by a multiplication, as merging takes billions of them: chances differ by at
 * most n / 2^32 of each. */
static size_t draw_place(struct ao_rng *rng, size_t n)
{
    return (size_t)((ao_rng_next(rng) >> 32) * (uint64_t)n >> 32);
}

/* Sums of n drawn rows. */
static void draw(const double *values, size_t n, size_t columns, struct ao_rng *rng, double *sums)
{
    memset(sums, 0, columns * sizeof *sums);
    for (size_t i = 0; i < n; i++)
        add_row(values + draw_place(rng, n) * columns, columns, sums);
}

static void sum_up(const double *values, size_t n, size_t columns, int resamples, uint64_t seed,
                   struct ao_interval *intervals, double *sums, double *means)
{
    const size_t stride = (size_t)resamples;
    struct ao_rng rng;
    ao_rng_init(&rng, seed);
    for (size_t r = 0; r < stride; r++) {
        draw(values, n, columns, &rng, sums);
        for (size_t c = 0; c < columns; c++)
            means[c * stride + r] = sums[c] / (double)n;
    }
    memset(sums, 0, columns * sizeof *sums);
    for (size_t i = 0; i < n; i++)
        add_row(values + i * columns, columns, sums);
    for (size_t c = 0; c < columns; c++) {
        double *sorted = means + c * stride;
        qsort(sorted, stride, sizeof *sorted, compare);
        intervals[c] = (struct ao_interval){
            .mean = sums[c] / (double)n,
            .low = quantile(sorted, resamples, 0.025),
            .high = quantile(sorted, resamples, 0.975),
        };
    }
}

aosa_status ao_bootstrap_means(const double *values, size_t n, size_t columns, int resamples,
                               uint64_t seed, struct ao_interval *intervals)
{
    size_t count;
    for (size_t c = 0; c < columns; c++)
        intervals[c] = (struct ao_interval){ (double)NAN, (double)NAN, (double)NAN };
    if (n == 0 || columns == 0)
        return AOSA_OK;
    double *sums = ao_alloc_raw(columns, sizeof *sums);
    double *means =
        ao_size_mul(columns, (size_t)resamples, &count) ? ao_alloc_raw(count, sizeof *means) : NULL;
    const bool fits = sums && means;
    if (fits)
        sum_up(values, n, columns, resamples, seed, intervals, sums, means);
    ao_free(sums);
    ao_free(means);
    return fits ? AOSA_OK
                : ao_fail(AOSA_ERR_NOMEM, "bootstrap: no memory for %d resamples of %zu means",
                          resamples, columns);
}

aosa_status ao_bootstrap_mean(const double *values, size_t n, int resamples, uint64_t seed,
                              struct ao_interval *interval)
{
    return ao_bootstrap_means(values, n, 1, resamples, seed, interval);
}
