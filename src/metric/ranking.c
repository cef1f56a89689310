/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/ranking.h"

#include <string.h>

#include "core/alloc.h"

/*
 * Sorting is what deletion and insertion do besides forward passes, for each voxel of a clip, so
 * it is a radix sort: least significant digit first, which keeps equal values in order. Digits in
 * which all keys agree, such as the low half of doubles that were floats, cost one count.
 */
enum { DIGIT = 11, BUCKETS = 1 << DIGIT, DIGITS = (64 + DIGIT - 1) / DIGIT };

struct entry {
    uint64_t key;
    uint32_t unit;
};

/* Grows with the value: the sign bit of positive numbers is set, negative ones are turned over. */
static uint64_t key_of(double value, bool lowest_first)
{
    uint64_t bits;
    value += 0.0; /* -0 and 0 are equal */
    memcpy(&bits, &value, sizeof bits);
    bits = bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
    return lowest_first ? bits : ~bits;
}

static size_t digit_of(uint64_t key, int digit)
{
    return (size_t)(key >> (digit * DIGIT)) & (BUCKETS - 1);
}

/* Entries by one digit, from src to dst; false where all have the same one, and nothing moved. */
static bool sort_digit(const struct entry *src, struct entry *dst, size_t n, int digit)
{
    size_t start[BUCKETS] = { 0 };
    for (size_t i = 0; i < n; i++)
        start[digit_of(src[i].key, digit)]++;
    if (start[digit_of(src[0].key, digit)] == n)
        return false;
    for (size_t b = 0, sum = 0; b < BUCKETS; b++) {
        const size_t count = start[b];
        start[b] = sum;
        sum += count;
    }
    for (size_t i = 0; i < n; i++)
        dst[start[digit_of(src[i].key, digit)]++] = src[i];
    return true;
}

static void sort(struct ao_ranking *r, bool lowest_first, struct entry *entries)
{
    struct entry *src = entries, *dst = entries + r->n;
    for (size_t i = 0; i < r->n; i++)
        src[i] = (struct entry){ key_of(r->value[i], lowest_first), (uint32_t)i };
    for (int digit = 0; digit < DIGITS; digit++)
        if (sort_digit(src, dst, r->n, digit)) {
            struct entry *sorted = dst;
            dst = src;
            src = sorted;
        }
    for (size_t i = 0; i < r->n; i++)
        r->order[i] = src[i].unit;
}

aosa_status ao_ranking_init(struct ao_ranking *r, const double *value, size_t n, bool lowest_first)
{
    *r = (struct ao_ranking){ .n = n, .value = value };
    struct entry *entries = ao_alloc_raw(n, 2 * sizeof *entries);
    r->order = ao_alloc_raw(n, sizeof *r->order);
    const bool allocated = entries && r->order;
    if (allocated)
        sort(r, lowest_first, entries);
    else
        ao_ranking_fini(r);
    ao_free(entries);
    return allocated ? AOSA_OK : ao_fail(AOSA_ERR_NOMEM, "ranking: no memory for %zu units", n);
}

void ao_ranking_fini(struct ao_ranking *r)
{
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
