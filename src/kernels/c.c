/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/filter.h"

#include <math.h>
#include <string.h>

void ao_igemm_c(const struct ao_igemm *tile)
{
    float sum[AO_IGEMM_ROWS][AO_IGEMM_COLS] = { { 0 } };
    for (size_t r = 0; tile->accumulate && r < AO_IGEMM_ROWS; r++)
        memcpy(sum[r], tile->dst + tile->row[r] * tile->dst_pitch, sizeof sum[r]);
    for (size_t k = 0; k < tile->n_taps; k++)
        for (size_t c = 0; c < tile->depth; c++) {
            const float *w = tile->w + (tile->tap[k] * tile->depth + c) * AO_IGEMM_COLS;
            for (size_t r = 0; r < AO_IGEMM_ROWS; r++) {
                const float a = tile->src[tile->at[k * AO_IGEMM_ROWS + r] * tile->src_pitch + c];
                for (size_t n = 0; n < AO_IGEMM_COLS; n++)
                    sum[r][n] += a * w[n];
            }
        }
    for (size_t r = 0; r < AO_IGEMM_ROWS; r++)
        memcpy(tile->dst + tile->row[r] * tile->dst_pitch, sum[r], sizeof sum[r]);
}

void ao_depthwise_c(const struct ao_depthwise *row)
{
    memset(row->dst, 0, row->channels * sizeof *row->dst);
    for (size_t k = 0; k < row->n_taps; k++) {
        const float *a = row->src + row->at[k] * row->src_pitch;
        const float *w = row->w + row->tap[k] * row->w_pitch;
        for (size_t c = 0; c < row->channels; c++)
            row->dst[c] += a[c] * w[c];
    }
}

void ao_lines_c(const struct ao_lines *lines)
{
    float sum[AO_LINES_ROWS][AO_LINES_WIDE] = { { 0 } };
    if (lines->accumulate)
        memcpy(sum, lines->dst, sizeof sum);
    for (size_t k = 0; k < lines->n_taps; k++)
        for (size_t r = 0; r < AO_LINES_ROWS; r++)
            for (size_t n = 0; n < AO_LINES_WIDE; n++)
                sum[r][n] += lines->w[k * AO_LINES_ROWS + r] * lines->src[lines->at[k] + n];
    memcpy(lines->dst, sum, sizeof sum);
}

void ao_relu_delta_c(float *d, const float *y, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float sum = y[i] + d[i];
        if (y[i] > 0)
            d[i] = d[i] > -y[i] ? d[i] : -y[i];
        else
            d[i] = sum > 0 ? sum : 0;
    }
}

void ao_add_c(float *d, const float *a, size_t n)
{
    for (size_t i = 0; i < n; i++)
        d[i] += a[i];
}

void ao_max_pool_c(const struct ao_max_pool *pool)
{
    const size_t C = pool->channels;
    for (size_t c = 0; c < C; c++) {
        float without = -INFINITY, with = -INFINITY;
        for (size_t k = 0; k < pool->n_taps; k++) {
            const float y = pool->y[pool->at[k] * C + c];
            const float changed = y + pool->d[pool->row[k] * C + c];
            without = y > without ? y : without;
            with = changed > with ? changed : with;
        }
        pool->dst[c] = with - without;
    }
}

#define A (AO_WINOGRAD_A * AO_WINOGRAD_A)
#define B (AO_WINOGRAD_B * AO_WINOGRAD_B)

static void line_in(float *d, size_t n, size_t step)
{
    const float d0 = d[0], d1 = d[step], d2 = d[2 * step];
    if (n == 3) {
        d[0] = d0 + d1;
        d[2 * step] = d0;
        return;
    }
    const float d3 = d[3 * step];
    if (n == 4) {
        d[0] = d0 - d2;
        d[step] = d1 + d2;
        d[2 * step] = d2 - d1;
        d[3 * step] = d1 - d3;
        return;
    }
    const float d4 = d[4 * step], e = d4 - B * d2, f = d4 - A * d2;
    const float p = AO_WINOGRAD_A * (d3 - B * d1), q = AO_WINOGRAD_B * (d3 - A * d1);
    d[0] = A * B * d0 - (A + B) * d2 + d4;
    d[step] = e + p;
    d[2 * step] = e - p;
    d[3 * step] = f + q;
    d[4 * step] = f - q;
    d[5 * step] += A * B * d1 - (A + B) * d3;
}

/* v at distance `step` along one axis of n, for all of `outer` x `step` lines. */
static void transform_in(float *v, size_t n, size_t outer, size_t step)
{
    for (size_t o = 0; n > 1 && o < outer; o++)
        for (size_t i = 0; i < step; i++)
            line_in(v + o * n * step + i, n, step);
}

void ao_winograd_in_c(const struct ao_winograd *tile)
{
    const size_t *n = tile->n, N = n[0] * n[1] * n[2];
    float v[AO_WINOGRAD_MOST];
    for (size_t c = 0; c < tile->channels; c++) {
        for (size_t i = 0; i < N; i++)
            v[i] = tile->src[tile->at[i] * tile->src_pitch + c];
        transform_in(v, n[2], n[0] * n[1], 1);
        transform_in(v, n[1], n[0], n[2]);
        transform_in(v, n[0], 1, n[1] * n[2]);
        for (size_t i = 0; i < N; i++)
            tile->dst[i * tile->dst_pitch + c] = v[i];
    }
}

static void line_out(const float *m, size_t n, size_t step, float *y)
{
    const float m0 = m[0], m1 = m[step], m2 = m[2 * step];
    if (n == 3) {
        y[0] = m0 + m1;
        y[step] = m0 + m2;
        return;
    }
    const float m3 = m[3 * step];
    if (n == 4) {
        y[0] = m0 + m1 + m2;
        y[step] = m1 - m2 - m3;
        return;
    }
    const float m4 = m[4 * step], m5 = m[5 * step];
    const float P = m1 + m2, Q = AO_WINOGRAD_A * (m1 - m2);
    const float R = m3 + m4, S = AO_WINOGRAD_B * (m3 - m4);
    y[0] = m0 + P + R;
    y[step] = Q + S;
    y[2 * step] = A * P + B * R;
    y[3 * step] = A * Q + B * S + m5;
}

/* Products become outputs, closed up: lines of v move from n step to outputs x step apart. */
static void transform_out(float *v, size_t n, size_t outer, size_t step)
{
    for (size_t o = 0; n > 1 && o < outer; o++)
        for (size_t i = 0; i < step; i++)
            line_out(v + o * n * step + i, n, step, v + o * ao_winograd_outputs(n) * step + i);
}

void ao_winograd_out_c(const struct ao_winograd *tile)
{
    const size_t *n = tile->n, N = n[0] * n[1] * n[2];
    const size_t out[3] = { ao_winograd_outputs(n[0]), ao_winograd_outputs(n[1]),
                            ao_winograd_outputs(n[2]) };
    float v[AO_WINOGRAD_MOST];
    for (size_t c = 0; c < tile->channels; c++) {
        for (size_t i = 0; i < N; i++)
            v[i] = tile->src[i * tile->src_pitch + c];
        transform_out(v, n[2], n[0] * n[1], 1);
        transform_out(v, n[1], n[0], out[2]);
        transform_out(v, n[0], 1, out[1] * out[2]);
        for (size_t i = 0; i < out[0] * out[1] * out[2]; i++)
            if (tile->at[i] != UINT32_MAX)
                tile->dst[tile->at[i] * tile->dst_pitch + c] = v[i];
    }
}

void ao_winograd_filter_c(const struct ao_winograd_filter *filter)
{
    ao_filter(filter);
}
