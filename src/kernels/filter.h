/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_KERNELS_FILTER_H
#define AO_KERNELS_FILTER_H

#include "kernels/kernels.h"

/*
 * winograd_filter in plain loops over AO_IGEMM_COLS filters, which a compiler turns into any
 * instruction set's vectors: included by each, so that all have the same bits.
 */

typedef double ao_filter_lanes[AO_IGEMM_COLS];

/* Three rows of g, apart from where their components go. */
struct ao_filter_line {
    double a[AO_IGEMM_COLS], b[AO_IGEMM_COLS], c[AO_IGEMM_COLS];
};

static inline void ao_filter_copy(double *restrict u, const double *restrict g)
{
    for (size_t i = 0; i < AO_IGEMM_COLS; i++)
        u[i] = g[i];
}

/* u = G g along one axis, to u[0], u[step], ... What rows of G share is computed once. */
static inline void ao_filter_3(const struct ao_filter_line *g, size_t step, ao_filter_lanes *u)
{
    ao_filter_copy(u[0], g->b);
    for (size_t i = 0; i < AO_IGEMM_COLS; i++)
        u[step][i] = g->c[i] - g->b[i];
    for (size_t i = 0; i < AO_IGEMM_COLS; i++)
        u[2 * step][i] = g->a[i] - g->b[i];
}

static inline void ao_filter_4(const struct ao_filter_line *g, size_t step, ao_filter_lanes *u)
{
    ao_filter_copy(u[0], g->a);
    for (size_t i = 0; i < AO_IGEMM_COLS; i++)
        u[step][i] = .5 * (g->a[i] + g->b[i] + g->c[i]);
    for (size_t i = 0; i < AO_IGEMM_COLS; i++)
        u[2 * step][i] = .5 * (g->a[i] - g->b[i] + g->c[i]);
    ao_filter_copy(u[3 * step], g->c);
}

/* Rows of the points p and -p: (g0 +- p g1 + p^2 g2) / (2 p^2 (p^2 - q^2)). */
static inline void ao_filter_pair(const struct ao_filter_line *g, size_t step, double p, double q,
                                  ao_filter_lanes *u)
{
    const double scale = 1 / (2 * (p * p - q * q));
    double even[AO_IGEMM_COLS], odd[AO_IGEMM_COLS];
    for (size_t i = 0; i < AO_IGEMM_COLS; i++) {
        even[i] = scale / (p * p) * g->a[i] + scale * g->c[i];
        odd[i] = scale / p * g->b[i];
    }
    for (size_t i = 0; i < AO_IGEMM_COLS; i++)
        u[0][i] = even[i] + odd[i];
    for (size_t i = 0; i < AO_IGEMM_COLS; i++)
        u[step][i] = even[i] - odd[i];
}

static inline void ao_filter_6(const struct ao_filter_line *g, size_t step, ao_filter_lanes *u)
{
    const double p = (double)AO_WINOGRAD_A, q = (double)AO_WINOGRAD_B;
    for (size_t i = 0; i < AO_IGEMM_COLS; i++)
        u[0][i] = 1 / (p * p * q * q) * g->a[i];
    ao_filter_pair(g, step, p, q, u + step);
    ao_filter_pair(g, step, q, p, u + 3 * step);
    ao_filter_copy(u[5 * step], g->c);
}

/* Every line along one axis of extent 3, whose components are n afterwards. */
static inline void ao_filter_axis(ao_filter_lanes *from, size_t n, size_t outer, size_t inner,
                                  ao_filter_lanes *to)
{
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < inner; i++) {
            ao_filter_lanes *u = to + o * n * inner + i;
            struct ao_filter_line g;
            ao_filter_copy(g.a, from[o * 3 * inner + i]);
            ao_filter_copy(g.b, from[(o * 3 + 1) * inner + i]);
            ao_filter_copy(g.c, from[(o * 3 + 2) * inner + i]);
            if (n == 3)
                ao_filter_3(&g, inner, u);
            else if (n == 4)
                ao_filter_4(&g, inner, u);
            else
                ao_filter_6(&g, inner, u);
        }
}

/* Axis by axis, the last first, to and fro between two buffers; rounded once, at the end. */
static inline void ao_filter(const struct ao_winograd_filter *filter)
{
    ao_filter_lanes buffer[2][AO_WINOGRAD_MOST];
    ao_filter_lanes *from = filter->taps;
    const size_t *n = filter->n;
    size_t extent[3] = { n[0] > 1 ? 3 : 1, n[1] > 1 ? 3 : 1, n[2] > 1 ? 3 : 1 };
    for (int d = 2; d >= 0; d--) {
        if (n[d] == 1)
            continue;
        ao_filter_lanes *const to = buffer[d % 2];
        const size_t inner = d == 2 ? 1 : d == 1 ? extent[2] : extent[1] * extent[2];
        ao_filter_axis(from, n[d],
                       d == 0   ? 1
                       : d == 1 ? extent[0]
                                : extent[0] * extent[1],
                       inner, to);
        extent[d] = n[d];
        from = to;
    }
    float *dst = filter->dst;
    for (size_t j = 0; j < n[0] * n[1] * n[2]; j++, dst += filter->pitch)
        for (size_t i = 0; i < AO_IGEMM_COLS; i++)
            dst[i] = (float)from[j][i];
}

#endif
