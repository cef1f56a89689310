/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/filter.h"
#include "kernels/x86/x86.h"

#include <math.h>

#if defined(AO_HAVE_X86) || defined(AO_KERNELS_SIMDE)

/*
 * The foundation instructions (AVX-512F) are all that is used. AO_KERNELS_SIMDE builds the same
 * code on SIMDe, which spells the instructions out in C, so that tests run it on any processor.
 */
#ifdef AO_KERNELS_SIMDE
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#define TABLE ao_kernels_avx512_simde
#else
#include <immintrin.h>
#define TABLE ao_kernels_avx512
#endif

#define LANES 16
#define ALL ((uint16_t)0xffff)

/* The first n < LANES lanes. */
static inline uint16_t first(size_t n)
{
    return (uint16_t)((1u << n) - 1);
}

/* Memory of the lanes of a mask, and no other; 0 elsewhere. SIMDe 0.7.4 lacks these two. */
#ifdef AO_KERNELS_SIMDE

static inline __m512 load_masked(uint16_t mask, const float *from)
{
    float lane[LANES] = { 0 };
    for (unsigned i = 0; i < LANES; i++)
        if (mask >> i & 1)
            lane[i] = from[i];
    return _mm512_loadu_ps(lane);
}

static inline void store_masked(uint16_t mask, float *to, __m512 v)
{
    float lane[LANES];
    _mm512_storeu_ps(lane, v);
    for (unsigned i = 0; i < LANES; i++)
        if (mask >> i & 1)
            to[i] = lane[i];
}

#else

static inline __m512 load_masked(uint16_t mask, const float *from)
{
    return _mm512_maskz_loadu_ps(mask, from);
}

static inline void store_masked(uint16_t mask, float *to, __m512 v)
{
    _mm512_mask_storeu_ps(to, mask, v);
}

#endif

/* Inlined with a constant mask, whole registers move without one: masked stores can be slow. */
static inline __m512 load(uint16_t mask, const float *from)
{
    return mask == ALL ? _mm512_loadu_ps(from) : load_masked(mask, from);
}

static inline void store(uint16_t mask, float *to, __m512 v)
{
    if (mask == ALL)
        _mm512_storeu_ps(to, v);
    else
        store_masked(mask, to, v);
}

/*
 * A row of the tile is one register. A multiply-add takes four cycles and two begin in each, so
 * eight must be under way: even and odd channels are summed apart, in 12 accumulators. The source
 * is broadcast from memory by the multiply-add itself: 7 loads for 6 of them, so loads limit.
 */
#define EACH_ROW(X) X(0) X(1) X(2) X(3) X(4) X(5)

#define DECLARE(r) __m512 even##r, odd##r = _mm512_setzero_ps();
#define CLEAR(r) even##r = _mm512_setzero_ps();
#define LOAD(r) even##r = _mm512_loadu_ps(tile->dst + tile->row[r] * tile->dst_pitch);
#define STORE(r) \
    _mm512_storeu_ps(tile->dst + tile->row[r] * tile->dst_pitch, _mm512_add_ps(even##r, odd##r));
#define POINT(r) const float *a##r = tile->src + at[r] * tile->src_pitch;
#define EVEN(r) even##r = _mm512_fmadd_ps(_mm512_set1_ps(a##r[c]), w_even, even##r);
#define ODD(r) odd##r = _mm512_fmadd_ps(_mm512_set1_ps(a##r[c + 1]), w_odd, odd##r);

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
        size_t c = 0;
#pragma GCC unroll 2
        for (; c + 2 <= depth; c += 2) {
            const __m512 w_even = _mm512_loadu_ps(w + c * AO_IGEMM_COLS);
            const __m512 w_odd = _mm512_loadu_ps(w + (c + 1) * AO_IGEMM_COLS);
            EACH_ROW(EVEN)
            EACH_ROW(ODD)
        }
        if (c < depth) {
            const __m512 w_even = _mm512_loadu_ps(w + c * AO_IGEMM_COLS);
            EACH_ROW(EVEN)
        }
    }
    EACH_ROW(STORE)
}

/* Channels [c, c + LANES) under a mask; alternate taps are summed apart, as channels above. */
static inline void depthwise_part(const struct ao_depthwise *row, size_t c, uint16_t mask)
{
    __m512 even = _mm512_setzero_ps(), odd = _mm512_setzero_ps();
    for (size_t k = 0; k < row->n_taps; k++) {
        const __m512 a = load(mask, row->src + row->at[k] * row->src_pitch + c);
        const __m512 w = load(mask, row->w + row->tap[k] * row->w_pitch + c);
        const __m512 sum = _mm512_fmadd_ps(a, w, even);
        even = odd;
        odd = sum;
    }
    store(mask, row->dst + c, _mm512_add_ps(even, odd));
}

static void depthwise(const struct ao_depthwise *row)
{
    size_t c = 0;
    for (; c + LANES <= row->channels; c += LANES)
        depthwise_part(row, c, ALL);
    if (c < row->channels)
        depthwise_part(row, c, first(row->channels - c));
}

static inline void relu_delta_part(float *d, const float *y, uint16_t mask)
{
    const __m512 zero = _mm512_setzero_ps();
    const __m512 v = load(mask, y), x = load(mask, d);
    const __m512 dead = _mm512_max_ps(_mm512_add_ps(v, x), zero);
    const uint16_t positive = _mm512_cmp_ps_mask(v, zero, _CMP_GT_OQ);
    store(mask, d, _mm512_mask_max_ps(dead, positive, x, _mm512_sub_ps(zero, v)));
}

/* Even and odd k apart: 12 accumulators hide the latency that 6 would show. */
#define EACH_PART(X) X(0, w_a, at_a) X(1, w_b, at_b)

#define DECLARE_PART(p, w, at)                                                              \
    __m512 lo0##p = _mm512_setzero_ps(), lo1##p = lo0##p, lo2##p = lo0##p, hi0##p = lo0##p, \
           hi1##p = lo0##p, hi2##p = lo0##p;
#define STEP_ROW(p, r, w)                            \
    {                                                \
        const __m512 a = _mm512_set1_ps((w)[r]);     \
        lo##r##p = _mm512_fmadd_ps(a, lo, lo##r##p); \
        hi##r##p = _mm512_fmadd_ps(a, hi, hi##r##p); \
    }
#define STEP_PART(p, w, at)                                                        \
    {                                                                              \
        const __m512 lo = _mm512_loadu_ps(at), hi = _mm512_loadu_ps((at) + LANES); \
        STEP_ROW(p, 0, w) STEP_ROW(p, 1, w) STEP_ROW(p, 2, w)                      \
    }
#define LOAD_ROW(r)                                           \
    lo##r##0 = _mm512_loadu_ps(all->dst + r * AO_LINES_WIDE); \
    hi##r##0 = _mm512_loadu_ps(all->dst + r * AO_LINES_WIDE + LANES);
#define STORE_ROW(r)                                                                   \
    _mm512_storeu_ps(all->dst + r * AO_LINES_WIDE, _mm512_add_ps(lo##r##0, lo##r##1)); \
    _mm512_storeu_ps(all->dst + r * AO_LINES_WIDE + LANES, _mm512_add_ps(hi##r##0, hi##r##1));

static void lines(const struct ao_lines *all)
{
    EACH_PART(DECLARE_PART)
    size_t k = 0;
    if (all->accumulate) {
        LOAD_ROW(0)
        LOAD_ROW(1)
        LOAD_ROW(2)
    }
    for (; k + 2 <= all->n_taps; k += 2) {
        const float *w_a = all->w + k * AO_LINES_ROWS, *w_b = w_a + AO_LINES_ROWS;
        const float *at_a = all->src + all->at[k], *at_b = all->src + all->at[k + 1];
        EACH_PART(STEP_PART)
    }
    if (k < all->n_taps)
        STEP_PART(0, all->w + k * AO_LINES_ROWS, all->src + all->at[k])
    STORE_ROW(0)
    STORE_ROW(1)
    STORE_ROW(2)
}

static void relu_delta(float *d, const float *y, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        relu_delta_part(d + i, y + i, ALL);
    if (i < n)
        relu_delta_part(d + i, y + i, first(n - i));
}

static inline void add_part(float *d, const float *a, uint16_t mask)
{
    store(mask, d, _mm512_add_ps(load(mask, d), load(mask, a)));
}

static void add(float *d, const float *a, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        add_part(d + i, a + i, ALL);
    if (i < n)
        add_part(d + i, a + i, first(n - i));
}

static inline void max_pool_part(const struct ao_max_pool *pool, size_t c, uint16_t mask)
{
    const size_t C = pool->channels;
    __m512 without = _mm512_set1_ps(-INFINITY), with = without;
    for (size_t k = 0; k < pool->n_taps; k++) {
        const __m512 y = load(mask, pool->y + pool->at[k] * C + c);
        const __m512 d = load(mask, pool->d + pool->row[k] * C + c);
        without = _mm512_max_ps(y, without);
        with = _mm512_max_ps(_mm512_add_ps(y, d), with);
    }
    store(mask, pool->dst + c, _mm512_sub_ps(with, without));
}

static void max_pool(const struct ao_max_pool *pool)
{
    size_t c = 0;
    for (; c + LANES <= pool->channels; c += LANES)
        max_pool_part(pool, c, ALL);
    if (c < pool->channels)
        max_pool_part(pool, c, first(pool->channels - c));
}

typedef __m512 lanes;

static inline lanes times(float factor, lanes x)
{
    return _mm512_mul_ps(_mm512_set1_ps(factor), x);
}

static inline lanes plus(lanes x, lanes y)
{
    return _mm512_add_ps(x, y);
}

static inline lanes minus(lanes x, lanes y)
{
    return _mm512_sub_ps(x, y);
}

#include "kernels/x86/winograd.h"

static inline void winograd_in_part(const struct ao_winograd *tile, size_t c, uint16_t mask)
{
    const size_t *n = tile->n, N = n[0] * n[1] * n[2];
    __m512 v[AO_WINOGRAD_MOST];
    for (size_t i = 0; i < N; i++)
        v[i] = load(mask, tile->src + tile->at[i] * tile->src_pitch + c);
    transform_in(v, n[2], n[0] * n[1], 1);
    transform_in(v, n[1], n[0], n[2]);
    transform_in(v, n[0], 1, n[1] * n[2]);
    for (size_t i = 0; i < N; i++)
        store(mask, tile->dst + i * tile->dst_pitch + c, v[i]);
}

static void winograd_in(const struct ao_winograd *tile)
{
    size_t c = 0;
    for (; c + LANES <= tile->channels; c += LANES)
        winograd_in_part(tile, c, ALL);
    if (c < tile->channels)
        winograd_in_part(tile, c, first(tile->channels - c));
}

static inline void winograd_out_part(const struct ao_winograd *tile, size_t c, uint16_t mask)
{
    const size_t *n = tile->n, N = n[0] * n[1] * n[2];
    const size_t out[3] = { ao_winograd_outputs(n[0]), ao_winograd_outputs(n[1]),
                            ao_winograd_outputs(n[2]) };
    __m512 v[AO_WINOGRAD_MOST];
    for (size_t i = 0; i < N; i++)
        v[i] = load(mask, tile->src + i * tile->src_pitch + c);
    transform_out(v, n[2], n[0] * n[1], 1);
    transform_out(v, n[1], n[0], out[2]);
    transform_out(v, n[0], 1, out[1] * out[2]);
    for (size_t i = 0; i < out[0] * out[1] * out[2]; i++)
        if (tile->at[i] != UINT32_MAX)
            store(mask, tile->dst + tile->at[i] * tile->dst_pitch + c, v[i]);
}

static void winograd_out(const struct ao_winograd *tile)
{
    size_t c = 0;
    for (; c + LANES <= tile->channels; c += LANES)
        winograd_out_part(tile, c, ALL);
    if (c < tile->channels)
        winograd_out_part(tile, c, first(tile->channels - c));
}

static void winograd_filter(const struct ao_winograd_filter *filter)
{
    ao_filter(filter);
}

const struct ao_kernels TABLE = {
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
