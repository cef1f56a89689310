/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "core/alloc.h"
#include "metric/removal.h"
#include "metric/similarity.h"
#include "metric/variant.h"

/*
 * Faithfulness correlation: Pearson's r, over subsets S of units, between what the map says of S,
 * the sum of the values of its units, and what the network does, f(x) - f(x with S replaced by
 * --deletion-base) (Bhatt et al., IJCAI 2020; subsets of one unit: STEP). NaN where either is the
 * same for all subsets.
 *
 * Subsets are consecutive parts of seeded permutations of the units, so they hold no unit twice,
 * and with one unit each there are at most as many as units.
 */
struct faithfulness {
    const struct ao_metric_call *call;
    const struct ao_units *units;
    struct ao_fill base;
    size_t n, size;   /* subsets, units in each */
    uint32_t *subset; /* [n][size] */
    double *said;     /* [n] */
    double *scores;   /* [1 + n] of the clip, and of the clip less each subset */
};

static void put_subset(const struct faithfulness *f, const struct ao_view *input,
                       const struct ao_fill *base, int64_t item)
{
    const struct ao_units *u = f->units;
    for (size_t k = 0; item > 0 && k < f->size; k++) {
        const uint32_t unit = f->subset[(size_t)(item - 1) * f->size + k];
        for (uint32_t i = u->first[unit]; i < u->first[unit + 1]; i++)
            ao_variant_put(input, f->call->clip, base, u->voxels[i]);
    }
}

/* Variant 0 is the clip, variant j lacks subset j - 1. */
static void write_variant(const void *context, const struct ao_view *input, int64_t item,
                          int64_t previous)
{
    const struct faithfulness *f = context;
    if (previous < 0)
        ao_variant_put_all(input, f->call->clip, NULL);
    else
        put_subset(f, input, NULL, previous);
    put_subset(f, input, &f->base, item);
}

/* @param units  Scratch [n units]. */
static void draw_subsets(struct faithfulness *f, uint32_t *units)
{
    const size_t n = f->units->n;
    struct ao_rng rng;
    ao_rng_init(&rng, f->call->seed);
    for (size_t i = 0; i < n; i++)
        units[i] = (uint32_t)i;
    for (size_t j = 0, at = 0; j < f->n; j++) {
        if (at + f->size > n)
            at = 0; /* the next permutation */
        for (size_t k = 0; k < f->size; k++, at++) {
            const size_t other = at + (size_t)ao_rng_below(&rng, n - at);
            const uint32_t unit = units[other];
            units[other] = units[at];
            units[at] = unit;
            f->subset[j * f->size + k] = unit;
            f->said[j] += f->units->value[unit];
        }
    }
}

static aosa_status allocate(struct faithfulness *f)
{
    f->subset = ao_alloc_raw(f->n, f->size * sizeof *f->subset);
    f->said = ao_alloc(f->n, sizeof *f->said);
    f->scores = ao_alloc(f->n + 1, sizeof *f->scores);
    uint32_t *units = ao_alloc_raw(f->units->n, sizeof *units);
    const bool allocated = f->subset && f->said && f->scores && units;
    if (allocated)
        draw_subsets(f, units);
    ao_free(units);
    return allocated ? AOSA_OK
                     : ao_fail(AOSA_ERR_NOMEM, "faithfulness: no memory for %zu subsets", f->n);
}

static aosa_status measure(struct faithfulness *f, struct ao_metric_call *call, double *r)
{
    f->n = (size_t)call->options->subsets;
    f->size = (size_t)call->options->subset_units;
    AO_TRY(ao_removal_units(call, &f->units));
    if (f->size > f->units->n)
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "faithfulness: --subset-units %zu, but the clip has %zu units", f->size,
                       f->units->n);
    if (f->size == 1 && f->n > f->units->n)
        f->n = f->units->n;
    AO_TRY(ao_variant_base(call, false, &f->base));
    AO_TRY(allocate(f));
    AO_TRY(ao_variant_scores(call, f->n + 1, write_variant, f, f->scores));
    for (size_t j = 1; j <= f->n; j++)
        f->scores[j] = f->scores[0] - f->scores[j];
    *r = ao_pearson(f->said, f->scores + 1, f->n);
    return AOSA_OK;
}

aosa_status ao_metric_faithfulness(struct ao_metric_call *call)
{
    struct faithfulness f = { .call = call };
    double r = (double)NAN;
    const aosa_status status = measure(&f, call, &r);
    ao_fill_fini(&f.base);
    ao_free(f.subset);
    ao_free(f.said);
    ao_free(f.scores);
    return status == AOSA_OK ? ao_metric_add_value(call->answer, "faithfulness", NULL, r) : status;
}
