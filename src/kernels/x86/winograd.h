/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_KERNELS_X86_WINOGRAD_H
#define AO_KERNELS_X86_WINOGRAD_H

#include "kernels/kernels.h"

/*
 * Winograd's transforms of data for one instruction set. Who includes this has defined `lanes`, a
 * register of floats, and times, plus and minus of it. The arithmetic of the C version in its
 * order: the same bits.
 */
#define A (AO_WINOGRAD_A * AO_WINOGRAD_A)
#define B (AO_WINOGRAD_B * AO_WINOGRAD_B)

static inline void line_in(lanes *d, size_t n, size_t step)
{
    const lanes d0 = d[0], d1 = d[step], d2 = d[2 * step];
    if (n == 3) {
        d[0] = plus(d0, d1);
        d[2 * step] = d0;
        return;
    }
    const lanes d3 = d[3 * step];
    if (n == 4) {
        d[0] = minus(d0, d2);
        d[step] = plus(d1, d2);
        d[2 * step] = minus(d2, d1);
        d[3 * step] = minus(d1, d3);
        return;
    }
    const lanes d4 = d[4 * step];
    const lanes e = minus(d4, times(B, d2)), f = minus(d4, times(A, d2));
    const lanes p = times(AO_WINOGRAD_A, minus(d3, times(B, d1)));
    const lanes q = times(AO_WINOGRAD_B, minus(d3, times(A, d1)));
    d[0] = plus(minus(times(A * B, d0), times(A + B, d2)), d4);
    d[step] = plus(e, p);
    d[2 * step] = minus(e, p);
    d[3 * step] = plus(f, q);
    d[4 * step] = minus(f, q);
    d[5 * step] = plus(d[5 * step], minus(times(A * B, d1), times(A + B, d3)));
}

static inline void transform_in(lanes *v, size_t n, size_t outer, size_t step)
{
    for (size_t o = 0; n > 1 && o < outer; o++)
        for (size_t i = 0; i < step; i++)
            line_in(v + o * n * step + i, n, step);
}

static inline void line_out(const lanes *m, size_t n, size_t step, lanes *y)
{
    const lanes m0 = m[0], m1 = m[step], m2 = m[2 * step];
    if (n == 3) {
        y[0] = plus(m0, m1);
        y[step] = plus(m0, m2);
        return;
    }
    const lanes m3 = m[3 * step];
    if (n == 4) {
        y[0] = plus(plus(m0, m1), m2);
        y[step] = minus(minus(m1, m2), m3);
        return;
    }
    const lanes m4 = m[4 * step], m5 = m[5 * step];
    const lanes P = plus(m1, m2), Q = times(AO_WINOGRAD_A, minus(m1, m2));
    const lanes R = plus(m3, m4), S = times(AO_WINOGRAD_B, minus(m3, m4));
    y[0] = plus(plus(m0, P), R);
    y[step] = plus(Q, S);
    y[2 * step] = plus(times(A, P), times(B, R));
    y[3 * step] = plus(plus(times(A, Q), times(B, S)), m5);
}

static inline void transform_out(lanes *v, size_t n, size_t outer, size_t step)
{
    for (size_t o = 0; n > 1 && o < outer; o++)
        for (size_t i = 0; i < step; i++)
            line_out(v + o * n * step + i, n, step, v + o * ao_winograd_outputs(n) * step + i);
}

#undef A
#undef B

#endif
