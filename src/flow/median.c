/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/backend.h"

#include <string.h>

#include "core/alloc.h"

static int clamp(int value, int n)
{
    return value < 0 ? 0 : value >= n ? n - 1 : value;
}

/* Fifth of nine values, sorted by insertion. */
static float median9(const float values[9])
{
    float sorted[9];
    for (int i = 0; i < 9; i++) {
        int j = i;
        for (; j > 0 && sorted[j - 1] > values[i]; j--)
            sorted[j] = sorted[j - 1];
        sorted[j] = values[i];
    }
    return sorted[4];
}

/* src and dst are one pair, [H][W][2]. */
static void filter_pair(const float *src, int H, int W, float *dst)
{
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int c = 0; c < 2; c++) {
                float near[9];
                for (int k = 0; k < 9; k++) {
                    const int ny = clamp(y + k / 3 - 1, H), nx = clamp(x + k % 3 - 1, W);
                    near[k] = src[2 * ((size_t)ny * (size_t)W + (size_t)nx) + (size_t)c];
                }
                *dst++ = median9(near);
            }
}

aosa_status ao_flow_median(struct ao_flow_field *field)
{
    const size_t n = 2 * (size_t)field->H * (size_t)field->W;
    float *pair = ao_alloc_raw(n, sizeof *pair);
    if (!pair)
        return ao_fail(AOSA_ERR_NOMEM, "median of flow: no memory for %zu values", n);
    for (int t = 0; t < field->T - 1; t++) {
        float *d = field->d + (size_t)t * n;
        memcpy(pair, d, n * sizeof *pair);
        filter_pair(pair, field->H, field->W, d);
    }
    ao_free(pair);
    return AOSA_OK;
}
