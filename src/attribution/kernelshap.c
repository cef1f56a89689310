/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/coalitions.h"
#include "attribution/least_squares.h"
#include "core/alloc.h"

/*
 * KernelSHAP (Lundberg and Lee, NeurIPS 2017) over supervoxels: Shapley values c of the game f as
 *     min over c  sum_z k(z) (f(z) - f(none) - c z)^2   with   sum c = f(all) - f(none),
 *     k(z) = (n - 1) / (binom(n, s) s (n - s)),  s = segments that z keeps.
 * The constraint holds exactly, by its multiplier. If --samples allow all 2^n coalitions they are
 * all there and c is exact. Else those that keep or hide one segment are, with their own weights,
 * so that the equations always determine c; the rest of the budget goes in pairs z, 1 - z (Covert
 * and Lee, AISTATS 2021), s drawn in proportion to the weight of all coalitions of that size, and
 * shares the weight of the sizes 2 to n - 2 evenly. An additive f gives its own terms in any case;
 * where f is not, a few pairs for each segment are needed: 4 for the usual 196 of 2000 samples.
 */

enum { ALL, NONE, FIRST }; /* coalitions, then those of the sum */

static bool fits(int n, int samples)
{
    return n < 31 && samples >= 1 << n;
}

static aosa_status count(int n, int samples, int *N)
{
    *N = fits(n, samples) ? 1 << n : samples - samples % 2;
    if (*N >= 2 * n + FIRST || fits(n, samples))
        return AOSA_OK;
    return ao_fail(AOSA_ERR_ARGUMENT,
                   "kernelshap: --samples %d for %d segments; take %d or more, or fewer segments",
                   samples, n, 2 * n + FIRST);
}

/* Weight of all coalitions together that keep s of n, of either kind. */
static double size_weight(int n, int s)
{
    return (double)(n - 1) / ((double)s * (n - s));
}

static double binomial(int n, int s)
{
    double value = 1;
    for (int i = 1; i <= s; i++)
        value *= (double)(n - s + i) / i;
    return value;
}

/* Every coalition but those of all and of none, as the bits of its number. */
static void enumerate(struct ao_coalitions *c)
{
    for (int i = FIRST; i < c->N; i++) {
        uint8_t *keeps = ao_coalition(c, i);
        int kept = 0;
        for (int j = 0; j < c->n; j++)
            kept += keeps[j] = (i - 1) >> j & 1;
        c->weights[i] = size_weight(c->n, kept) / binomial(c->n, kept);
    }
}

/* How many segments a coalition keeps, 2 to n - 2, with probability size_weight / total. */
static int draw_size(int n, double total, struct ao_rng *rng)
{
    double left = ao_rng_range(rng, 0, total);
    int s = 2;
    for (left -= size_weight(n, s); left >= 0 && s < n - 2; left -= size_weight(n, s))
        s++;
    return s;
}

/* Coalitions i and i + 1: s segments, each set equally likely, and the others. */
static void draw_pair(struct ao_coalitions *c, int i, int s, int32_t *order, struct ao_rng *rng)
{
    uint8_t *keeps = ao_coalition(c, i), *others = ao_coalition(c, i + 1);
    ao_rng_shuffle_i32(rng, order, (size_t)c->n);
    for (int j = 0; j < c->n; j++) {
        keeps[order[j]] = j < s;
        others[order[j]] = j >= s;
    }
}

static void draw(struct ao_coalitions *c, struct ao_rng *rng)
{
    const int n = c->n, sampled = FIRST + 2 * n;
    int32_t order[AO_MAX_SEGMENTS];
    double total = 0;
    c->weights[ALL] = c->weights[NONE] = 0;
    if (fits(n, c->N)) {
        enumerate(c);
        return;
    }
    for (int j = 0; j < n; j++) {
        const int i = FIRST + 2 * j;
        order[j] = j;
        for (int k = 0; k < n; k++) {
            ao_coalition(c, i)[k] = k == j;
            ao_coalition(c, i + 1)[k] = k != j;
        }
        c->weights[i] = c->weights[i + 1] = size_weight(n, 1) / n;
    }
    for (int s = 2; s <= n - 2; s++)
        total += size_weight(n, s);
    for (int i = sampled; i < c->N; i += 2) {
        draw_pair(c, i, draw_size(n, total, rng), order, rng);
        c->weights[i] = c->weights[i + 1] = total / (c->N - sampled);
    }
}

static struct ao_design design(const struct ao_coalitions *c)
{
    return (struct ao_design){ .N = c->N, .n = c->n, .rows = c->keeps, .weights = c->weights };
}

static aosa_status prepare(struct ao_coalitions *c)
{
    const struct ao_design z = design(c);
    if (c->n == 1) /* the constraint alone decides */
        return AOSA_OK;
    return ao_design_factor(&z, NULL, 0, c->attribution->run.threads, c->factor);
}

/*
 * With A = sum k z z^T and b = sum k z (f - f(none)), the multiplier of the constraint makes
 *     c = A^-1 b - A^-1 1 (1^T A^-1 b - (f(all) - f(none))) / (1^T A^-1 1).
 */
static void constrain(double *values, const double *ones, int n, double difference)
{
    double sum = 0, total = 0;
    for (int j = 0; j < n; j++) {
        sum += values[j];
        total += ones[j];
    }
    for (int j = 0; j < n; j++)
        values[j] -= ones[j] * (sum - difference) / total;
}

static aosa_status solve(const struct ao_coalitions *c, const double *scores, double *values,
                         json_t *extra)
{
    const struct ao_design z = design(c);
    const size_t n = (size_t)c->n, N = (size_t)c->N;
    double *gains = ao_alloc(N + n, sizeof *gains), *ones = gains + N;
    if (!gains)
        return ao_fail(AOSA_ERR_NOMEM, "kernelshap: no memory for %zu coalitions", N);
    for (size_t i = 0; i < N; i++)
        gains[i] = scores[i] - scores[NONE];
    for (size_t j = 0; j < n; j++)
        values[j] = ones[j] = 1;
    if (n > 1) {
        ao_design_moments(&z, NULL, gains, values);
        ao_factor_solve(c->factor, c->n, values);
        ao_factor_solve(c->factor, c->n, ones);
    }
    constrain(values, ones, c->n, gains[ALL]);
    ao_free(gains);
    if (json_object_set_new(extra, "score_of_fill", json_real(scores[NONE])) ||
        json_object_set_new(extra, "exact", json_boolean(fits(c->n, c->N))))
        return ao_fail(AOSA_ERR_NOMEM, "kernelshap: no memory for its report");
    return AOSA_OK;
}

static const struct ao_coalition_method method = { 2000, { 4, 7, 7 }, count, draw, prepare, solve };

aosa_status ao_run_kernelshap(struct ao_attribution *a)
{
    return ao_coalitions_run(a, &method);
}

aosa_status ao_passes_kernelshap(const struct ao_attribution *a, int n_targets,
                                 struct ao_passes *passes)
{
    (void)n_targets;
    return ao_coalitions_passes(a, &method, passes);
}
