/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/coalitions.h"

/*
 * Leave one out: a segment's value is what hiding it alone takes away, f(all) - f(all but it). The
 * classic occlusion over a partition instead of overlapping windows. One pass a segment.
 */

static aosa_status count(int n, int samples, int *N)
{
    (void)samples;
    *N = 1 + n;
    return AOSA_OK;
}

static void draw(struct ao_coalitions *c, struct ao_rng *rng)
{
    (void)rng;
    for (int j = 0; j < c->n; j++)
        for (int k = 0; k < c->n; k++)
            ao_coalition(c, 1 + j)[k] = k != j;
}

static aosa_status solve(const struct ao_coalitions *c, const double *scores, double *values,
                         json_t *extra)
{
    (void)extra;
    for (int j = 0; j < c->n; j++)
        values[j] = scores[0] - scores[1 + j];
    return AOSA_OK;
}

static const struct ao_coalition_method method = { 1, { 5, 10, 10 }, count, draw, NULL, solve };

aosa_status ao_run_loco(struct ao_attribution *a)
{
    return ao_coalitions_run(a, &method);
}

aosa_status ao_passes_loco(const struct ao_attribution *a, int n_targets, struct ao_passes *passes)
{
    (void)n_targets;
    return ao_coalitions_passes(a, &method, passes);
}
