/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/upsample.h"

struct ao_tap ao_tap_at(int64_t i, int64_t from, int64_t to)
{
    double s = ((double)i + 0.5) * (double)from / (double)to - 0.5;
    if (s < 0)
        s = 0;
    const int64_t lo = (int64_t)s;
    return (struct ao_tap){ .lo = lo, .hi = lo + 1 < from ? lo + 1 : lo, .weight = s - (double)lo };
}

static double mix(double a, double b, double weight)
{
    return a + (b - a) * weight;
}

/* Four rows between which one row of the result lies. */
struct rows {
    const float *row[2][2]; /* [frame][row] */
    double t, y;            /* weights of the second */
};

static double at(const struct rows *rows, int64_t x)
{
    return mix(mix((double)rows->row[0][0][x], (double)rows->row[0][1][x], rows->y),
               mix((double)rows->row[1][0][x], (double)rows->row[1][1][x], rows->y), rows->t);
}

void ao_upsample_row(const float *src, struct ao_extent from, struct ao_extent to, int64_t t,
                     int64_t y, float *dst, int64_t stride)
{
    const struct ao_tap frame = ao_tap_at(t, from.t, to.t), line = ao_tap_at(y, from.h, to.h);
    const float *first = src + frame.lo * from.h * from.w;
    const float *second = src + frame.hi * from.h * from.w;
    const struct rows rows = {
        .row = { { first + line.lo * from.w, first + line.hi * from.w },
                 { second + line.lo * from.w, second + line.hi * from.w } },
        .t = frame.weight,
        .y = line.weight,
    };
    /* Neighbours mostly lie between the same two columns. */
    int64_t held = -1;
    double left = 0, right = 0;
    for (int64_t x = 0; x < to.w; x++) {
        const struct ao_tap column = ao_tap_at(x, from.w, to.w);
        if (column.lo != held) {
            left = at(&rows, column.lo);
            right = at(&rows, column.hi);
            held = column.lo;
        }
        dst[x * stride] = (float)mix(left, right, column.weight);
    }
}

void ao_upsample(const float *src, struct ao_extent from, float *dst, struct ao_extent to)
{
    for (int64_t t = 0; t < to.t; t++)
        for (int64_t y = 0; y < to.h; y++)
            ao_upsample_row(src, from, to, t, y, dst + (t * to.h + y) * to.w, 1);
}
