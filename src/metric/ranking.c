/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/ranking.h"

#include <stdlib.h>

#include "core/alloc.h"

/* What is sorted: qsort has no context, and a comparison must see the value. */
struct entry {
    double value;
    uint32_t unit;
};

static int compare(const void *a, const void *b)
{
    const struct entry *p = a, *q = b;
    if (p->value != q->value)
        return p->value > q->value ? -1 : 1;
    return p->unit < q->unit ? -1 : p->unit > q->unit;
}

static aosa_status sort(struct ao_ranking *r)
{
    struct entry *entries = ao_alloc_raw(r->n, sizeof *entries);
    if (!entries)
        return ao_fail(AOSA_ERR_NOMEM, "ranking: no memory for %zu units", r->n);
    for (size_t i = 0; i < r->n; i++)
        entries[i] = (struct entry){ .value = r->value[i], .unit = (uint32_t)i };
    qsort(entries, r->n, sizeof *entries, compare);
    for (size_t i = 0; i < r->n; i++)
        r->order[i] = entries[i].unit;
    ao_free(entries);
    return AOSA_OK;
}

static double mean_of_block(const struct ao_ranking *r, const float *frame, int row, int column)
{
    const int y0 = row * r->side, x0 = column * r->side;
    const int y1 = r->side < r->H - y0 ? y0 + r->side : r->H;
    const int x1 = r->side < r->W - x0 ? x0 + r->side : r->W;
    double sum = 0;
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++)
            sum += (double)frame[(size_t)y * (size_t)r->W + (size_t)x];
    return sum / ((double)(y1 - y0) * (x1 - x0));
}

static void average(struct ao_ranking *r, const float *map)
{
    double *value = r->value;
    for (int t = 0; t < r->T; t++, map += (size_t)r->H * (size_t)r->W)
        for (int row = 0; row < r->rows; row++)
            for (int column = 0; column < r->columns; column++)
                *value++ = mean_of_block(r, map, row, column);
}

aosa_status ao_ranking_init(struct ao_ranking *r, const struct aosa_clip *clip, const float *map,
                            const struct ao_metric_options *options)
{
    const int longer = clip->H > clip->W ? clip->H : clip->W;
    const int side = options->unit == AO_UNIT_VOXEL ? 1 : options->block;
    *r = (struct ao_ranking){ .T = clip->T, .H = clip->H, .W = clip->W };
    r->side = side < longer ? side : longer;
    r->rows = (r->H + r->side - 1) / r->side;
    r->columns = (r->W + r->side - 1) / r->side;
    r->n = (size_t)r->T * (size_t)r->rows * (size_t)r->columns;
    if (r->n > UINT32_MAX)
        return ao_fail(AOSA_ERR_SHAPE, "ranking: %zu units, at most %u", r->n, UINT32_MAX);
    r->value = ao_alloc_raw(r->n, sizeof *r->value);
    r->order = ao_alloc_raw(r->n, sizeof *r->order);
    aosa_status status = AOSA_OK;
    if (!r->value || !r->order) {
        status = ao_fail(AOSA_ERR_NOMEM, "ranking: no memory for %zu units", r->n);
    } else {
        average(r, map);
        status = sort(r);
    }
    if (status != AOSA_OK)
        ao_ranking_fini(r);
    return status;
}

void ao_ranking_fini(struct ao_ranking *r)
{
    ao_free(r->value);
    ao_free(r->order);
    *r = (struct ao_ranking){ 0 };
}

/* End of the run of equal values that the unit at `i` belongs to. */
static size_t run_end(const struct ao_ranking *r, size_t i)
{
    const double value = r->value[r->order[i]];
    while (i < r->n && r->value[r->order[i]] == value)
        i++;
    return i;
}

void ao_ranking_shuffle_ties(struct ao_ranking *r, struct ao_rng *rng)
{
    for (size_t first = 0, end; first < r->n; first = end) {
        end = run_end(r, first);
        for (size_t i = end - first; i > 1; i--) { /* Fisher-Yates */
            const size_t a = first + i - 1, b = first + (size_t)ao_rng_below(rng, i);
            const uint32_t unit = r->order[a];
            r->order[a] = r->order[b];
            r->order[b] = unit;
        }
    }
}

size_t ao_ranking_cut(const struct ao_ranking *r, size_t n, bool together, size_t *cuts)
{
    size_t steps = 0;
    cuts[0] = 0;
    for (size_t k = 1; k <= n; k++) {
        const size_t cut = k * r->n / n; /* below 2^32 x 10^5 */
        if (!together)
            cuts[++steps] = cut;
        else if (cut > cuts[steps])
            cuts[++steps] = run_end(r, cut - 1);
    }
    return steps;
}
