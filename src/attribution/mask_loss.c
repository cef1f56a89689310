/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/mask_loss.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core/alloc.h"

enum { DIGIT = 11, DIGITS = 1 << DIGIT }; /* bits of the radix of a selection */

/* Digit of a value >= 0, whose bits are ordered as the values are. */
static size_t digit_of(float value, int shift)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (size_t)(bits >> shift) & (DIGITS - 1);
}

/* The value with `below` of n others before it in ascending order, by its digits from the highest
 * down; `values` is overwritten. */
static float select_value(float *values, size_t n, size_t below)
{
    for (int shift = 32 - DIGIT; n > 1 && shift > -DIGIT; shift -= DIGIT) {
        size_t counts[DIGITS] = { 0 }, digit = 0, kept = 0;
        const int right = shift < 0 ? 0 : shift; /* the last digit overlaps the one before */
        for (size_t i = 0; i < n; i++)
            counts[digit_of(values[i], right)]++;
        while (below >= counts[digit])
            below -= counts[digit++];
        for (size_t i = 0; i < n; i++) {
            const float value = values[i];
            values[kept] = value;
            kept += digit_of(value, right) == digit;
        }
        n = kept;
    }
    return values[0];
}

/* Part of the values that equal the least of the `ones` largest which belong to them. */
static double share_of_ties(const float *values, size_t n, size_t ones, float least)
{
    size_t above = 0, ties = 0;
    for (size_t i = 0; i < n; i++) {
        above += values[i] > least;
        ties += values[i] == least;
    }
    return (double)(ones - above) / (double)ties;
}

double ao_ranked_loss(const float *values, size_t n, size_t ones, double top, double rest,
                      float *scratch, float *slope)
{
    float least = HUGE_VALF;
    double share = 0, loss = 0;
    if (ones > 0) {
        memcpy(scratch, values, n * sizeof *values);
        least = select_value(scratch, n, n - ones);
        share = share_of_ties(values, n, ones, least);
    }
    for (size_t i = 0; i < n; i++) {
        const double v = (double)values[i];
        const double part = values[i] > least ? 1 : values[i] < least ? 0 : share;
        const double one = top * part, zero = rest * (1 - part);
        loss += one * (v - 1) * (v - 1) + zero * v * v;
        slope[i] += (float)(2 * (one * (v - 1) + zero * v));
    }
    return loss;
}

/* Square of where i lies among n samples from -1 to 1. */
static double square_at(int i, int n)
{
    const double at = n > 1 ? (2.0 * i - (n - 1)) / (n - 1) : 0;
    return at * at;
}

/* Voxels of a row of an ellipsoid from column `first` on, symmetric about its middle. */
static int first_column(const struct ao_ellipsoids *e, int t, int y)
{
    const double outside = square_at(t, e->frames) + square_at(y, e->side);
    int x = 0;
    while (x < e->side && outside + square_at(x, e->side) > 1 + 1e-9)
        x++;
    return x;
}

aosa_status ao_ellipsoids_init(struct ao_ellipsoids *e, int T, int rows, int cols, int frames,
                               int side)
{
    const int shorter = rows < cols ? rows : cols;
    *e = (struct ao_ellipsoids){ .T = T, .rows = rows, .cols = cols };
    e->frames = frames < T ? frames : T;
    e->side = side < shorter ? side : shorter;
    e->n_t = T - e->frames + 1;
    e->n_y = (rows - e->side) / e->side + 1;
    e->n_x = (cols - e->side) / e->side + 1;
    e->first = ao_alloc((size_t)(e->frames * e->side), sizeof *e->first);
    e->scratch = ao_alloc((size_t)(e->n_t * e->n_y * e->n_x), 3 * sizeof *e->scratch);
    if (!e->first || !e->scratch)
        return ao_fail(AOSA_ERR_NOMEM, "mask: no memory for %d ellipsoids",
                       e->n_t * e->n_y * e->n_x);
    for (int i = 0; i < e->frames * e->side; i++) {
        e->first[i] = first_column(e, i / e->side, i % e->side);
        if (2 * e->first[i] < e->side)
            e->inside += e->side - 2 * e->first[i];
    }
    return AOSA_OK;
}

void ao_ellipsoids_fini(struct ao_ellipsoids *e)
{
    ao_free(e->first);
    ao_free(e->scratch);
}

/* Where row i = (t, y) of ellipsoid number k begins in the volume. */
static size_t row_at(const struct ao_ellipsoids *e, int k, int i)
{
    const int t = k / e->n_x / e->n_y + i / e->side;
    const int y = k / e->n_x % e->n_y * e->side + i % e->side;
    return ((size_t)t * (size_t)e->rows + (size_t)y) * (size_t)e->cols +
           (size_t)(k % e->n_x * e->side);
}

static float mean_inside(const struct ao_ellipsoids *e, const float *mask, int k)
{
    double sum = 0;
    for (int i = 0; i < e->frames * e->side; i++) {
        const float *row = mask + row_at(e, k, i);
        for (int x = e->first[i]; x < e->side - e->first[i]; x++)
            sum += (double)row[x];
    }
    return (float)(sum / e->inside);
}

static void add_inside(const struct ao_ellipsoids *e, int k, float value, float *slope)
{
    for (int i = 0; i < e->frames * e->side; i++) {
        float *row = slope + row_at(e, k, i);
        for (int x = e->first[i]; x < e->side - e->first[i]; x++)
            row[x] += value;
    }
}

static size_t n_ones(const struct ao_ellipsoids *e, double area, size_t n)
{
    static const double ball = 0.5236; /* pi / 6 as the authors round it */
    const double filled = floor(ball * e->frames * e->side * e->side);
    const double ones = ceil(area * e->T * e->rows * e->cols / fmax(filled, 1));
    return ones < (double)n ? (size_t)ones : n;
}

double ao_ellipsoids_loss(const struct ao_ellipsoids *e, const float *mask, double area,
                          double weight, float *slope)
{
    const int n = e->n_t * e->n_y * e->n_x;
    float *means = e->scratch, *slopes = means + n;
    const size_t ones = n_ones(e, area, (size_t)n);
    for (int k = 0; k < n; k++) {
        means[k] = mean_inside(e, mask, k);
        slopes[k] = 0;
    }
    const double rest = (size_t)n > ones ? weight / (double)((size_t)n - ones) : 0;
    const double loss =
        ao_ranked_loss(means, (size_t)n, ones, weight / (double)ones, rest, slopes + n, slopes);
    for (int k = 0; k < n; k++)
        add_inside(e, k, slopes[k] / (float)e->inside, slope);
    return loss;
}
