/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/coalitions.h"

/*
 * Keep one in: a segment's value is what it adds to the fill alone, f(it) - f(none). One pass a
 * segment, and one for the fill.
 */

enum { ALL, NONE, FIRST }; /* coalitions, then one for each segment */

static aosa_status count(int n, int samples, int *N)
{
    (void)samples;
    *N = FIRST + n;
    return AOSA_OK;
}

static void draw(struct ao_coalitions *c, struct ao_rng *rng)
{
    (void)rng;
    for (int j = 0; j < c->n; j++)
        ao_coalition(c, FIRST + j)[j] = 1;
}

static aosa_status solve(const struct ao_coalitions *c, const double *scores, double *values,
                         json_t *extra)
{
    for (int j = 0; j < c->n; j++)
        values[j] = scores[FIRST + j] - scores[NONE];
    if (json_object_set_new(extra, "score_of_fill", json_real(scores[NONE])))
        return ao_fail(AOSA_ERR_NOMEM, "univariate: no memory for its report");
    return AOSA_OK;
}

static const struct ao_coalition_method method = { 1, { 5, 10, 10 }, count, draw, NULL, solve };

aosa_status ao_run_univariate(struct ao_attribution *a)
{
    return ao_coalitions_run(a, &method);
}

aosa_status ao_passes_univariate(const struct ao_attribution *a, int n_targets,
                                 struct ao_passes *passes)
{
    (void)n_targets;
    return ao_coalitions_passes(a, &method, passes);
}
