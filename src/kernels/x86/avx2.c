/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/x86/x86.h"

#ifdef AO_HAVE_X86

#include <immintrin.h>

/*
 * 6 rows x 16 columns are 12 accumulators, 2 registers of weights and one broadcast: 15 of 16
 * registers, and 12 multiply-adds for 8 loads, so the multiply-add units are what limits.
 */
#define EACH_ROW(X) X(0) X(1) X(2) X(3) X(4) X(5)

#define DECLARE(r) __m256 lo##r, hi##r;
#define CLEAR(r) lo##r = hi##r = _mm256_setzero_ps();
#define LOAD(r)                                                          \
    lo##r = _mm256_loadu_ps(tile->dst + tile->row[r] * tile->dst_pitch); \
    hi##r = _mm256_loadu_ps(tile->dst + tile->row[r] * tile->dst_pitch + 8);
#define STORE(r)                                                         \
    _mm256_storeu_ps(tile->dst + tile->row[r] * tile->dst_pitch, lo##r); \
    _mm256_storeu_ps(tile->dst + tile->row[r] * tile->dst_pitch + 8, hi##r);
#define POINT(r) const float *a##r = tile->src + at[r] * tile->src_pitch;
#define STEP(r)                                         \
    {                                                   \
        const __m256 a = _mm256_broadcast_ss(a##r + c); \
        lo##r = _mm256_fmadd_ps(a, w_lo, lo##r);        \
        hi##r = _mm256_fmadd_ps(a, w_hi, hi##r);        \
    }

static void igemm(const struct ao_igemm *tile)
{
    EACH_ROW(DECLARE)
    if (tile->accumulate) {
        EACH_ROW(LOAD)
    } else {
        EACH_ROW(CLEAR)
    }
    const size_t depth = tile->depth;
    const uint32_t *at = tile->at;
    for (size_t k = 0; k < tile->n_taps; k++, at += AO_IGEMM_ROWS) {
        const float *w = tile->w + tile->tap[k] * depth * AO_IGEMM_COLS;
        EACH_ROW(POINT)
#pragma GCC unroll 2
        for (size_t c = 0; c < depth; c++) {
            const __m256 w_lo = _mm256_loadu_ps(w + c * AO_IGEMM_COLS);
            const __m256 w_hi = _mm256_loadu_ps(w + c * AO_IGEMM_COLS + 8);
            EACH_ROW(STEP)
        }
    }
    EACH_ROW(STORE)
}

static void depthwise(const struct ao_depthwise *row)
{
    size_t c = 0;
    for (; c + 8 <= row->channels; c += 8) {
        __m256 sum = _mm256_setzero_ps();
        for (size_t k = 0; k < row->n_taps; k++) {
            const __m256 a = _mm256_loadu_ps(row->src + row->at[k] * row->src_pitch + c);
            const __m256 w = _mm256_loadu_ps(row->w + row->tap[k] * row->w_pitch + c);
            sum = _mm256_fmadd_ps(a, w, sum);
        }
        _mm256_storeu_ps(row->dst + c, sum);
    }
    if (c == row->channels)
        return;
    struct ao_depthwise rest = *row;
    rest.src += c;
    rest.w += c;
    rest.dst += c;
    rest.channels -= c;
    ao_depthwise_c(&rest);
}

static void relu_delta(float *d, const float *y, size_t n)
{
    const __m256 zero = _mm256_setzero_ps();
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256 v = _mm256_loadu_ps(y + i), x = _mm256_loadu_ps(d + i);
        const __m256 alive = _mm256_max_ps(x, _mm256_sub_ps(zero, v));
        const __m256 dead = _mm256_max_ps(_mm256_add_ps(v, x), zero);
        const __m256 positive = _mm256_cmp_ps(v, zero, _CMP_GT_OQ);
        _mm256_storeu_ps(d + i, _mm256_blendv_ps(dead, alive, positive));
    }
    ao_relu_delta_c(d + i, y + i, n - i);
}

static void add(float *d, const float *a, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(d + i, _mm256_add_ps(_mm256_loadu_ps(d + i), _mm256_loadu_ps(a + i)));
    ao_add_c(d + i, a + i, n - i);
}

static void max_delta(float *with, float *without, const float *y, const float *d, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256 v = _mm256_loadu_ps(y + i);
        const __m256 changed = d ? _mm256_add_ps(v, _mm256_loadu_ps(d + i)) : v;
        _mm256_storeu_ps(with + i, _mm256_max_ps(changed, _mm256_loadu_ps(with + i)));
        _mm256_storeu_ps(without + i, _mm256_max_ps(v, _mm256_loadu_ps(without + i)));
    }
    ao_max_delta_c(with + i, without + i, y + i, d ? d + i : NULL, n - i);
}

static void transform_in(__m256 *v, size_t outer, size_t step)
{
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < step; i++) {
            __m256 *d = v + o * 4 * step + i;
            const __m256 d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step];
            d[0] = _mm256_sub_ps(d0, d2);
            d[step] = _mm256_add_ps(d1, d2);
            d[2 * step] = _mm256_sub_ps(d2, d1);
            d[3 * step] = _mm256_sub_ps(d1, d3);
        }
}

/* What is left of the channels goes through the C version. */
static void winograd_rest(const struct ao_winograd *tile, size_t c,
                          void (*rest)(const struct ao_winograd *tile))
{
    struct ao_winograd part = *tile;
    part.src += c;
    part.dst += c;
    part.channels -= c;
    if (part.channels > 0)
        rest(&part);
}

static void winograd_in(const struct ao_winograd *tile)
{
    const size_t *n = tile->n, N = n[0] * n[1] * n[2];
    __m256 v[AO_WINOGRAD_MOST];
    size_t c = 0;
    for (; c + 8 <= tile->channels; c += 8) {
        for (size_t i = 0; i < N; i++)
            v[i] = _mm256_loadu_ps(tile->src + tile->at[i] * tile->src_pitch + c);
        if (n[2] == 4)
            transform_in(v, n[0] * n[1], 1);
        if (n[1] == 4)
            transform_in(v, n[0], n[2]);
        if (n[0] == 4)
            transform_in(v, 1, n[1] * n[2]);
        for (size_t i = 0; i < N; i++)
            _mm256_storeu_ps(tile->dst + i * tile->dst_pitch + c, v[i]);
    }
    winograd_rest(tile, c, ao_winograd_in_c);
}

static void transform_out(__m256 *v, size_t outer, size_t step)
{
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < step; i++) {
            const __m256 *m = v + o * 4 * step + i;
            const __m256 m1 = m[step], m2 = m[2 * step];
            const __m256 y0 = _mm256_add_ps(_mm256_add_ps(m[0], m1), m2);
            const __m256 y1 = _mm256_sub_ps(_mm256_sub_ps(m1, m2), m[3 * step]);
            v[o * 2 * step + i] = y0;
            v[o * 2 * step + step + i] = y1;
        }
}

static void winograd_out(const struct ao_winograd *tile)
{
    const size_t *n = tile->n, N = n[0] * n[1] * n[2];
    const size_t out[3] = { (n[0] + 1) / 2, (n[1] + 1) / 2, (n[2] + 1) / 2 };
    __m256 v[AO_WINOGRAD_MOST];
    size_t c = 0;
    for (; c + 8 <= tile->channels; c += 8) {
        for (size_t i = 0; i < N; i++)
            v[i] = _mm256_loadu_ps(tile->src + i * tile->src_pitch + c);
        if (n[2] == 4)
            transform_out(v, n[0] * n[1], 1);
        if (n[1] == 4)
            transform_out(v, n[0], out[2]);
        if (n[0] == 4)
            transform_out(v, 1, out[1] * out[2]);
        for (size_t i = 0; i < out[0] * out[1] * out[2]; i++)
            if (tile->at[i] != UINT32_MAX)
                _mm256_storeu_ps(tile->dst + tile->at[i] * tile->dst_pitch + c, v[i]);
    }
    winograd_rest(tile, c, ao_winograd_out_c);
}

const struct ao_kernels ao_kernels_avx2 = {
    .igemm = igemm,
    .depthwise = depthwise,
    .relu_delta = relu_delta,
    .add = add,
    .max_delta = max_delta,
    .winograd_in = winograd_in,
    .winograd_out = winograd_out,
};

#endif
