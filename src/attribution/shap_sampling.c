/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/coalitions.h"

/*
 * Shapley values by sampling orders (Castro et al., Computers & Operations Research 36, 2009):
 * segments join one by one in a random order, and a segment's value is the mean over orders of what
 * the score gains when it joins. Every second order is the one before it backwards (Mitchell et
 * al., JMLR 23, 2022), which halves what depends on early and late. The gains of an order add up to
 * f(all) - f(none), so the values do; an additive f gives its own terms. An order takes n - 1
 * passes, so --samples allow (samples - 2) / (n - 1) of them.
 */

enum { ALL, NONE, FIRST }; /* coalitions, then n - 1 of each order */

static int orders(const struct ao_coalitions *c)
{
    return c->n > 1 ? (c->N - FIRST) / (c->n - 1) : 0;
}

static aosa_status count(int n, int samples, int *N)
{
    *N = n > 1 ? FIRST + (samples - FIRST) / (n - 1) * (n - 1) : FIRST;
    if (samples >= n + 1)
        return AOSA_OK;
    return ao_fail(
        AOSA_ERR_ARGUMENT,
        "shap_sampling: --samples %d for %d segments; take %d or more, or fewer segments", samples,
        n, n + 1);
}

static void draw(struct ao_coalitions *c, struct ao_rng *rng)
{
    int32_t order[AO_MAX_SEGMENTS];
    for (int j = 0; j < c->n; j++)
        order[j] = j;
    for (int o = 0; o < orders(c); o++) {
        const int first = FIRST + o * (c->n - 1);
        if (o % 2 == 0)
            ao_rng_shuffle_i32(rng, order, (size_t)c->n);
        for (int i = 0; i < c->n - 1; i++)
            for (int k = 0; k <= i; k++)
                ao_coalition(c, first + i)[order[o % 2 ? c->n - 1 - k : k]] = 1;
    }
}

/* The one segment that `after` keeps and `before` hides. */
static int joined(const struct ao_coalitions *c, int before, int after)
{
    const uint8_t *a = ao_coalition(c, before), *b = ao_coalition(c, after);
    int j = 0;
    while (a[j] == b[j])
        j++;
    return j;
}

static aosa_status solve(const struct ao_coalitions *c, const double *scores, double *values,
                         json_t *extra)
{
    for (int j = 0; j < c->n; j++)
        values[j] = 0;
    if (c->n == 1)
        values[0] = scores[ALL] - scores[NONE];
    for (int o = 0; o < orders(c); o++)
        for (int i = 0, before = NONE; i < c->n; i++) {
            const int after = i < c->n - 1 ? FIRST + o * (c->n - 1) + i : ALL;
            values[joined(c, before, after)] += (scores[after] - scores[before]) / orders(c);
            before = after;
        }
    if (json_object_set_new(extra, "score_of_fill", json_real(scores[NONE])) ||
        json_object_set_new(extra, "orders", json_integer(orders(c))))
        return ao_fail(AOSA_ERR_NOMEM, "shap_sampling: no memory for its report");
    return AOSA_OK;
}

static const struct ao_coalition_method method = { 2000, { 4, 7, 7 }, count, draw, NULL, solve };

aosa_status ao_run_shap_sampling(struct ao_attribution *a)
{
    return ao_coalitions_run(a, &method);
}

aosa_status ao_passes_shap_sampling(const struct ao_attribution *a, int n_targets,
                                    struct ao_passes *passes)
{
    (void)n_targets;
    return ao_coalitions_passes(a, &method, passes);
}
