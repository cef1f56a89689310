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

#define AO_WINOGRAD_MOST 64 /* components of a tile, 4 on each of three axes */

/*
 * Winograd's minimal filtering F(2,3) on some of three axes (Lavin and Gray, "Fast algorithms for
 * convolutional neural networks", 2016): along an axis, two neighbouring outputs of a 3-tap filter
 * g from four inputs d take four products m_j = u_j v_j instead of six,
 *     v = (d0 - d2, d1 + d2, d2 - d1, d1 - d3),
 *     u = (g0, (g0 + g1 + g2) / 2, (g0 - g1 + g2) / 2, g2),
 *     y = (m0 + m1 + m2, m1 - m2 - m3).
 * n[axis] is 4 on such an axis and 1 on others; N = n[0] n[1] n[2] components, last axis fastest.
 *
 * winograd_in: from N rows src[at[i] * src_pitch + c] to v at dst[j * dst_pitch + c].
 * winograd_out: from products src[j * src_pitch + c] to the outputs, 2 or 1 per axis, at
 * dst[at[i] * dst_pitch + c]; an output whose at is UINT32_MAX is left out.
 */
struct ao_winograd {
    size_t n[3];
    const float *src;
    size_t src_pitch;
    const uint32_t *at;
    float *dst;
    size_t dst_pitch;
    size_t channels;
};

/*
 * relu_delta: d becomes max(y + d, 0) - max(y, 0), written without cancellation as
 *     y > 0 ? max(d, -y) : max(y + d, 0).
 * add: d += a.
 * max_delta: with = max(with, y + d), without = max(without, y); d may be NULL for zeros.
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

/* Best instruction set of this processor and build, or the limit set below if that is lower. */
enum ao_isa ao_kernels_isa(void);
const char *ao_isa_name(enum ao_isa isa);

/* The table of that instruction set; its slots never change. */
const struct ao_kernels *ao_kernels_of(enum ao_isa isa);

/* ao_kernels_of(ao_kernels_isa()). */
const struct ao_kernels *ao_kernels(void);

/* Lowers the choice for what is created from now on (AOSA_ISA of the CLI and the tests). Not to be
 * called while other threads use the library. */
void ao_kernels_limit(enum ao_isa isa);

#endif
