/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/filter.h"
#include "kernels/x86/x86.h"

#ifdef AO_HAVE_X86

#include <immintrin.h>
#include <math.h>

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

/* 3 rows x 4 vectors are 12 accumulators, 3 registers of weights and one of elements. */
#define EACH_PART(X) X(0) X(1) X(2) X(3)

#define DECLARE_PART(v) __m256 x##v, y##v, z##v;
#define CLEAR_PART(v) x##v = y##v = z##v = _mm256_setzero_ps();
#define LOAD_PART(v)                                          \
    x##v = _mm256_loadu_ps(all->dst + 8 * v);                 \
    y##v = _mm256_loadu_ps(all->dst + AO_LINES_WIDE + 8 * v); \
    z##v = _mm256_loadu_ps(all->dst + 2 * AO_LINES_WIDE + 8 * v);
#define STEP_PART(v)                                   \
    {                                                  \
        const __m256 s = _mm256_loadu_ps(src + 8 * v); \
        x##v = _mm256_fmadd_ps(w0, s, x##v);           \
        y##v = _mm256_fmadd_ps(w1, s, y##v);           \
        z##v = _mm256_fmadd_ps(w2, s, z##v);           \
    }
#define STORE_PART(v)                                         \
    _mm256_storeu_ps(all->dst + 8 * v, x##v);                 \
    _mm256_storeu_ps(all->dst + AO_LINES_WIDE + 8 * v, y##v); \
    _mm256_storeu_ps(all->dst + 2 * AO_LINES_WIDE + 8 * v, z##v);

static void lines(const struct ao_lines *all)
{
    const float *w = all->w;
    EACH_PART(DECLARE_PART)
    if (all->accumulate) {
        EACH_PART(LOAD_PART)
    } else {
        EACH_PART(CLEAR_PART)
    }
    for (size_t k = 0; k < all->n_taps; k++, w += AO_LINES_ROWS) {
        const float *src = all->src + all->at[k];
        const __m256 w0 = _mm256_broadcast_ss(w), w1 = _mm256_broadcast_ss(w + 1);
        const __m256 w2 = _mm256_broadcast_ss(w + 2);
        EACH_PART(STEP_PART)
    }
    EACH_PART(STORE_PART)
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

/* One of the channels that are left. */
static void max_pool_one(const struct ao_max_pool *pool, size_t c)
{
    const size_t C = pool->channels;
    float without = -INFINITY, with = -INFINITY;
    for (size_t k = 0; k < pool->n_taps; k++) {
        const float y = pool->y[pool->at[k] * C + c];
        const float changed = y + pool->d[pool->row[k] * C + c];
        without = y > without ? y : without;
        with = changed > with ? changed : with;
    }
    pool->dst[c] = with - without;
}

static void max_pool(const struct ao_max_pool *pool)
{
    const size_t C = pool->channels;
    size_t c = 0;
    for (; c + 8 <= C; c += 8) {
        __m256 without = _mm256_set1_ps(-INFINITY), with = without;
        for (size_t k = 0; k < pool->n_taps; k++) {
            const __m256 y = _mm256_loadu_ps(pool->y + pool->at[k] * C + c);
            const __m256 d = _mm256_loadu_ps(pool->d + pool->row[k] * C + c);
            without = _mm256_max_ps(y, without);
            with = _mm256_max_ps(_mm256_add_ps(y, d), with);
        }
        _mm256_storeu_ps(pool->dst + c, _mm256_sub_ps(with, without));
    }
    for (; c < C; c++)
        max_pool_one(pool, c);
}

typedef __m256 lanes;

static inline lanes times(float factor, lanes x)
{
    return _mm256_mul_ps(_mm256_set1_ps(factor), x);
}

static inline lanes plus(lanes x, lanes y)
{
    return _mm256_add_ps(x, y);
}

static inline lanes minus(lanes x, lanes y)
{
    return _mm256_sub_ps(x, y);
}

#include "kernels/x86/winograd.h"

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
        transform_in(v, n[2], n[0] * n[1], 1);
        transform_in(v, n[1], n[0], n[2]);
        transform_in(v, n[0], 1, n[1] * n[2]);
        for (size_t i = 0; i < N; i++)
            _mm256_storeu_ps(tile->dst + i * tile->dst_pitch + c, v[i]);
    }
    winograd_rest(tile, c, ao_winograd_in_c);
}

static void winograd_out(const struct ao_winograd *tile)
{
    const size_t *n = tile->n, N = n[0] * n[1] * n[2];
    const size_t out[3] = { ao_winograd_outputs(n[0]), ao_winograd_outputs(n[1]),
                            ao_winograd_outputs(n[2]) };
    __m256 v[AO_WINOGRAD_MOST];
    size_t c = 0;
    for (; c + 8 <= tile->channels; c += 8) {
        for (size_t i = 0; i < N; i++)
            v[i] = _mm256_loadu_ps(tile->src + i * tile->src_pitch + c);
        transform_out(v, n[2], n[0] * n[1], 1);
        transform_out(v, n[1], n[0], out[2]);
        transform_out(v, n[0], 1, out[1] * out[2]);
        for (size_t i = 0; i < out[0] * out[1] * out[2]; i++)
            if (tile->at[i] != UINT32_MAX)
                _mm256_storeu_ps(tile->dst + tile->at[i] * tile->dst_pitch + c, v[i]);
    }
    winograd_rest(tile, c, ao_winograd_out_c);
}

static void winograd_filter(const struct ao_winograd_filter *filter)
{
    ao_filter(filter);
}

const struct ao_kernels ao_kernels_avx2 = {
    .igemm = igemm,
    .depthwise = depthwise,
    .lines = lines,
    .relu_delta = relu_delta,
    .add = add,
    .max_pool = max_pool,
    .winograd_in = winograd_in,
    .winograd_filter = winograd_filter,
    .winograd_out = winograd_out,
};

#endif
