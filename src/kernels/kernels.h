/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_KERNELS_KERNELS_H
#define AO_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Pure loops on the caller's memory: no allocation, threads, errors or globals. The C version of a
 * slot (c.c) is its definition; x86/ holds faster versions, which sum with fused multiply-add: AVX2
 * in the same order, AVX-512 in two parts (even and odd c, or k), added at the end. What a row sums
 * to never depends on its neighbours in a tile. Kernels read and write only inside the extents they
 * are told.
 */

#define AO_IGEMM_ROWS 6  /* output rows of one tile */
#define AO_IGEMM_COLS 16 /* output columns of one tile and of one weight panel */

/*
 * igemm: one tile of an indirect matrix product (Dukhan, "The indirect convolution algorithm",
 * 2019). For r < AO_IGEMM_ROWS, n < AO_IGEMM_COLS
 *
 *     dst[row[r] * dst_pitch + n] = start + sum over k < n_taps, c < depth of
 *         src[at[k * AO_IGEMM_ROWS + r] * src_pitch + c] * w[(tap[k] * depth + c) * AO_IGEMM_COLS +
 * n]
 *
 * where start is what dst holds if `accumulate`, else 0. The C version sums over k, then c,
 * ascending.
 */
struct ao_igemm {
    const float *src;
    size_t src_pitch;    /* floats from one source row to the next */
    const uint32_t *at;  /* [n_taps][AO_IGEMM_ROWS] source rows */
    const uint32_t *tap; /* [n_taps] numbers of the taps in the panel */
    size_t n_taps, depth;
    const float *w; /* weight panel [taps][depth][AO_IGEMM_COLS] */
    float *dst;
    size_t dst_pitch;
    const uint32_t *row; /* [AO_IGEMM_ROWS] destination rows */
    bool accumulate;
};

/*
 * depthwise: dst[c] = sum over k < n_taps of src[at[k] * src_pitch + c] * w[tap[k] * w_pitch + c],
 * c < channels.
 */
struct ao_depthwise {
    const float *src;
    size_t src_pitch;
    const uint32_t *at, *tap; /* [n_taps] */
    size_t n_taps, channels;
    const float *w;
    size_t w_pitch;
    float *dst;
};

#define AO_LINES_ROWS 3  /* sums over the same elements */
#define AO_LINES_WIDE 32 /* elements of one line */

/*
 * lines: weighted sums of lines, for convolutions that give a few channels and lie row-major. For
 * r < AO_LINES_ROWS, n < AO_LINES_WIDE
 *
 *     dst[r * AO_LINES_WIDE + n] = start + sum over k < n_taps of
 *         w[k * AO_LINES_ROWS + r] * src[at[k] + n]
 *
 * with k ascending, where start is what dst holds if `accumulate`, else 0.
 */
struct ao_lines {
    const float *src;
    const uint32_t *at; /* [n_taps] first element of each line */
    const float *w;     /* [n_taps][AO_LINES_ROWS] */
    size_t n_taps;
    float *dst;
    bool accumulate;
};

/*
 * max_pool: dst[c] = max over k < n_taps of (y[at[k] * channels + c] + d[row[k] * channels + c])
 *                  - max over k of y[at[k] * channels + c], c < channels, n_taps >= 1.
 */
struct ao_max_pool {
    const float *y, *d;
    const uint32_t *at, *row; /* [n_taps] */
    size_t n_taps, channels;
    float *dst;
};

#define AO_WINOGRAD_MOST 216 /* components of a tile: 6 x 6 x 6 */

/*
 * Winograd's minimal filtering on some of three axes (Lavin and Gray, "Fast algorithms for
 * convolutional neural networks", 2016): along an axis, neighbouring outputs y of a 3-tap filter g
 * from inputs d take products m_j = u_j v_j, fewer than outputs times taps. n[axis] names the form.
 *
 *  4, F(2,3): 2 outputs from 4 inputs with 4 products instead of 6,
 *     v = (d0 - d2, d1 + d2, d2 - d1, d1 - d3),
 *     u = (g0, (g0 + g1 + g2) / 2, (g0 - g1 + g2) / 2, g2),
 *     y = (m0 + m1 + m2, m1 - m2 - m3).
 *  6, F(4,3): 4 outputs from 6 inputs with 6 products instead of 12, by the points 0, a, -a, b, -b
 *     and infinity. With a = 5/8, b = 3/2 instead of the usual 1 and 2 it rounds half as much: in
 * two dimensions no more than a plain sum over 27 taps. A = a^2, B = b^2: v = (AB d0 - (A + B) d2 +
 * d4, e + p, e - p, f + q, f - q, AB d1 - (A + B) d3 + d5), e = d4 - B d2, p = a (d3 - B d1), f =
 * d4 - A d2, q = b (d3 - A d1), u = (g0 / AB, (g0 + a g1 + A g2) / (2A (A - B)), (g0 - a g1 + A g2)
 * / (2A (A - B)), (g0 + b g1 + B g2) / (2B (B - A)), (g0 - b g1 + B g2) / (2B (B - A)), g2), y =
 * (m0 + P + R, a Q + b S, A P + B R, a^3 Q + b^3 S + m5), P = m1 + m2, Q = m1 - m2, R = m3 + m4, S
 * = m3 - m4. 3, an axis of two positions and one of padding on either side: both outputs from both
 * inputs, y = (g1 d0 + g2 d1, g0 d0 + g1 d1), with 3 products instead of 4; d2 is read, and counts
 * not, v = (d0 + d1, d1, d0), u = (g1, g2 - g1, g0 - g1), y = (m0 + m1, m0 + m2). 1, one tap: y = m
 * = g d.
 *
 * N = n[0] n[1] n[2] components, last axis fastest, at most AO_WINOGRAD_MOST.
 *
 * winograd_in: from N rows src[at[i] * src_pitch + c] to v at dst[j * dst_pitch + c].
 * winograd_filter: from taps g, last axis fastest, 3 per axis or 1 where n is 1, to u at dst[j *
 * pitch], of AO_IGEMM_COLS filters side by side; in double, rounded once.
 * winograd_out: from products src[j * src_pitch + c] to the outputs, ao_winograd_outputs(n) per
 * axis, at dst[at[i] * dst_pitch + c]; an output whose at is UINT32_MAX is left out.
 */
#define AO_WINOGRAD_TAPS 27
#define AO_WINOGRAD_A 0.625F
#define AO_WINOGRAD_B 1.5F

static inline size_t ao_winograd_outputs(size_t n)
{
    return n == 6 ? 4 : n == 1 ? 1 : 2;
}

struct ao_winograd {
    size_t n[3];
    const float *src;
    size_t src_pitch;
    const uint32_t *at;
    float *dst;
    size_t dst_pitch;
    size_t channels;
};

struct ao_winograd_filter {
    size_t n[3];
    double (*taps)[AO_IGEMM_COLS]; /* [AO_WINOGRAD_TAPS] at most */
    float *dst;
    size_t pitch;
};

/*
 * relu_delta: d becomes max(y + d, 0) - max(y, 0), written without cancellation as
 *     y > 0 ? max(d, -y) : max(y + d, 0).
 * add: d += a.
 */

struct ao_kernels {
#define AO_KERNEL(slot, parameters) void(*slot) parameters;
#include "kernels/kernels.def"
#undef AO_KERNEL
};

#define AO_KERNEL(slot, parameters) void ao_##slot##_c parameters;
#include "kernels/kernels.def"
#undef AO_KERNEL

enum ao_isa {
    AO_ISA_C,
    AO_ISA_AVX2,
    AO_ISA_AVX512,
};
#define AO_ISA_CHOICES "c|avx2|avx512"

/* Best instruction set of this processor and build, or AOSA_ISA of the environment or the limit set
 * below if that is lower. */
enum ao_isa ao_kernels_isa(void);

/* AOSA_ISA of the environment, NULL without it; ao_kernels_isa ignores it when it is no name. */
const char *ao_isa_asked(void);
/* False when there is no instruction set of that name. */
bool ao_isa_parse(const char *name, enum ao_isa *isa);
const char *ao_isa_name(enum ao_isa isa);

/* The table of that instruction set; its slots never change. */
const struct ao_kernels *ao_kernels_of(enum ao_isa isa);

/* ao_kernels_of(ao_kernels_isa()). */
const struct ao_kernels *ao_kernels(void);

/* Lowers the choice for what is created from now on (tests). Not to be
 * called while other threads use the library. */
void ao_kernels_limit(enum ao_isa isa);

#endif
