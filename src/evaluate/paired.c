/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate/paired.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"

/* --- Wilcoxon ------------------------------------------------------------------------------------
 */

static int compare_sizes(const void *a, const void *b)
{
    const double p = fabs(*(const double *)a), q = fabs(*(const double *)b);
    return p < q ? -1 : p > q;
}

/* Twice the ranks, which are whole numbers even where ties share one; answers the sum of t^3 - t
 * over groups of ties. */
static double rank(const double *sorted, size_t n, size_t *doubled)
{
    double ties = 0;
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && fabs(sorted[end]) == fabs(sorted[i]); end++)
            ;
        for (size_t k = i; k < end; k++)
            doubled[k] = i + end + 1; /* ranks i + 1 to end: their mean, twice */
        const double t = (double)(end - i);
        ties += t * t * t - t;
    }
    return ties;
}

/* Two-sided p of twice W+, from the probabilities of every sum of doubled ranks. */
static aosa_status count_out(const size_t *doubled, size_t n, size_t positive, double *p)
{
    const size_t most = n * (n + 1);
    double *chance = ao_alloc(most + 1, sizeof *chance), below = 0, above = 0;
    if (!chance)
        return ao_fail(AOSA_ERR_NOMEM, "Wilcoxon's test: no memory for %zu differences", n);
    chance[0] = 1;
    for (size_t i = 0; i < n; i++)
        for (size_t s = most + 1; s-- > 0;)
            chance[s] = (chance[s] + (s >= doubled[i] ? chance[s - doubled[i]] : 0)) / 2;
    for (size_t s = 0; s <= most; s++) {
        below += s <= positive ? chance[s] : 0;
        above += s >= positive ? chance[s] : 0;
    }
    ao_free(chance);
    *p = fmin(1, 2 * fmin(below, above));
    return AOSA_OK;
}

static double approximate(double n, double ties, double positive)
{
    const double off = fabs(positive - n * (n + 1) / 4) - 0.5;
    const double variance = n * (n + 1) * (2 * n + 1) / 24 - ties / 48;
    return off <= 0 ? 1 : erfc(off / sqrt(2 * variance));
}

static aosa_status test_sorted(const double *sorted, size_t *doubled, struct ao_wilcoxon *test)
{
    const double ties = rank(sorted, test->n, doubled);
    size_t positive = 0;
    for (size_t i = 0; i < test->n; i++)
        positive += sorted[i] > 0 ? doubled[i] : 0;
    test->positive = (double)positive / 2;
    if (test->n <= AO_WILCOXON_EXACT)
        return count_out(doubled, test->n, positive, &test->p);
    test->p = approximate((double)test->n, ties, test->positive);
    return AOSA_OK;
}

aosa_status ao_wilcoxon_test(const double *differences, size_t n, struct ao_wilcoxon *test)
{
    *test = (struct ao_wilcoxon){ .p = n ? 1 : (double)NAN };
    double *sorted = ao_alloc(n + 1, sizeof *sorted);
    size_t *doubled = ao_alloc(n + 1, sizeof *doubled);
    aosa_status status = AOSA_OK;
    if (!sorted || !doubled)
        status = ao_fail(AOSA_ERR_NOMEM, "Wilcoxon's test: no memory for %zu differences", n);
    for (size_t i = 0; status == AOSA_OK && i < n; i++)
        if (differences[i] != 0)
            sorted[test->n++] = differences[i];
    if (test->n > 0) {
        qsort(sorted, test->n, sizeof *sorted, compare_sizes);
        status = test_sorted(sorted, doubled, test);
    }
    ao_free(sorted);
    ao_free(doubled);
    return status;
}

/* --- Holm ----------------------------------------------------------------------------------------
 */

static int compare_pointed(const void *a, const void *b)
{
    const double p = **(const double *const *)a, q = **(const double *const *)b;
    return p < q ? -1 : p > q;
}

aosa_status ao_holm_adjust(const double *p, size_t n, double *adjusted)
{
    double **order = ao_alloc(n + 1, sizeof(double *)), least = 0;
    size_t m = 0;
    if (!order)
        return ao_fail(AOSA_ERR_NOMEM, "Holm's correction: no memory for %zu tests", n);
    memmove(adjusted, p, n * sizeof *p);
    for (size_t i = 0; i < n; i++)
        if (!isnan(adjusted[i]))
            order[m++] = &adjusted[i];
    qsort(order, m, sizeof(double *), compare_pointed);
    for (size_t i = 0; i < m; i++) {
        least = fmax(least, fmin(1, (double)(m - i) * *order[i]));
        *order[i] = least;
    }
    ao_free(order);
    return AOSA_OK;
}
