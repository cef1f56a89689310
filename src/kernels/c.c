/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/kernels.h"

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

void ao_max_delta_c(float *with, float *without, const float *y, const float *d, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float changed = d ? y[i] + d[i] : y[i];
        with[i] = changed > with[i] ? changed : with[i];
        without[i] = y[i] > without[i] ? y[i] : without[i];
    }
}

/* v at distance `step` along one axis, for all of `outer` x `step` lines. */
static void transform_in(float *v, size_t outer, size_t step)
{
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < step; i++) {
            float *d = v + o * 4 * step + i;
            const float d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step];
            d[0] = d0 - d2;
            d[step] = d1 + d2;
            d[2 * step] = d2 - d1;
            d[3 * step] = d1 - d3;
        }
}

void ao_winograd_in_c(const struct ao_winograd *tile)
{
    const size_t *n = tile->n, N = n[0] * n[1] * n[2];
    float v[AO_WINOGRAD_MOST];
    for (size_t c = 0; c < tile->channels; c++) {
        for (size_t i = 0; i < N; i++)
            v[i] = tile->src[tile->at[i] * tile->src_pitch + c];
        if (n[2] == 4)
            transform_in(v, n[0] * n[1], 1);
        if (n[1] == 4)
            transform_in(v, n[0], n[2]);
        if (n[0] == 4)
            transform_in(v, 1, n[1] * n[2]);
        for (size_t i = 0; i < N; i++)
            tile->dst[i * tile->dst_pitch + c] = v[i];
    }
}

/* Four products become two outputs, closed up: lines of v move from 4 step to 2 step apart. */
static void transform_out(float *v, size_t outer, size_t step)
{
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < step; i++) {
            const float *m = v + o * 4 * step + i;
            const float y0 = m[0] + m[step] + m[2 * step];
            const float y1 = m[step] - m[2 * step] - m[3 * step];
            v[o * 2 * step + i] = y0;
            v[o * 2 * step + step + i] = y1;
        }
}

void ao_winograd_out_c(const struct ao_winograd *tile)
{
    const size_t *n = tile->n, N = n[0] * n[1] * n[2];
    const size_t out[3] = { (n[0] + 1) / 2, (n[1] + 1) / 2, (n[2] + 1) / 2 };
    float v[AO_WINOGRAD_MOST];
    for (size_t c = 0; c < tile->channels; c++) {
        for (size_t i = 0; i < N; i++)
            v[i] = tile->src[i * tile->src_pitch + c];
        if (n[2] == 4)
            transform_out(v, n[0] * n[1], 1);
        if (n[1] == 4)
            transform_out(v, n[0], out[2]);
        if (n[0] == 4)
            transform_out(v, 1, out[1] * out[2]);
        for (size_t i = 0; i < out[0] * out[1] * out[2]; i++)
            if (tile->at[i] != UINT32_MAX)
                tile->dst[tile->at[i] * tile->dst_pitch + c] = v[i];
    }
}
