/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/similarity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"

/* From the first values, so that what is constant has a variance of exactly 0. */
double ao_pearson(const double *a, const double *b, size_t n)
{
    double mean_a = 0, mean_b = 0, ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        mean_a += (a[i] - a[0]) / (double)n;
        mean_b += (b[i] - b[0]) / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        const double da = a[i] - a[0] - mean_a, db = b[i] - b[0] - mean_b;
        ab += da * db;
        aa += da * da;
        bb += db * db;
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : (double)NAN;
}

/* --- ranks ---------------------------------------------------------------------------------------
 */

struct entry {
    float value;
    size_t at;
};

static int compare(const void *a, const void *b)
{
    const float p = ((const struct entry *)a)->value, q = ((const struct entry *)b)->value;
    return p < q ? -1 : p > q;
}

aosa_status ao_ranks(const float *values, size_t n, bool absolute, double *ranks)
{
    struct entry *sorted = ao_alloc_raw(n + 1, sizeof *sorted);
    if (!sorted)
        return ao_fail(AOSA_ERR_NOMEM, "ranks: no memory for %zu values", n);
    for (size_t i = 0; i < n; i++)
        sorted[i] = (struct entry){ absolute ? fabsf(values[i]) : values[i], i };
    qsort(sorted, n, sizeof *sorted, compare);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && sorted[end].value == sorted[i].value; end++)
            ;
        for (size_t k = i; k < end; k++)
            ranks[sorted[k].at] = (double)(i + end + 1) / 2;
    }
    ao_free(sorted);
    return AOSA_OK;
}

/* --- structural similarity -----------------------------------------------------------------------
 */

#define WINDOW 11
#define SIGMA 1.5
#define MOMENTS 5 /* a, b, a a, b b, a b */

struct window {
    int size;
    double weights[WINDOW];
};

static struct window make_window(int H, int W)
{
    const int side = H < W ? H : W;
    struct window window = { .size = side < WINDOW ? side - 1 + side % 2 : WINDOW };
    double sum = 0;
    for (int i = 0; i < window.size; i++) {
        const double z = (i - window.size / 2) / SIGMA;
        sum += window.weights[i] = exp(-z * z / 2);
    }
    for (int i = 0; i < window.size; i++)
        window.weights[i] /= sum;
    return window;
}

/* Moments under the row of the window that begins at each x: rows [W][MOMENTS]. */
static void filter_row(const float *a, const float *b, int W, const struct window *window,
                       double *rows)
{
    memset(rows, 0, (size_t)W * MOMENTS * sizeof *rows);
    for (int x = 0; x + window->size <= W; x++)
        for (int i = 0; i < window->size; i++) {
            const double p = (double)a[x + i], q = (double)b[x + i], w = window->weights[i];
            double *m = rows + (size_t)x * MOMENTS;
            m[0] += w * p;
            m[1] += w * q;
            m[2] += w * p * p;
            m[3] += w * q * q;
            m[4] += w * p * q;
        }
}

static double similarity(const double m[MOMENTS])
{
    const double c1 = 0.01 * 0.01, c2 = 0.03 * 0.03;
    const double aa = m[2] - m[0] * m[0], bb = m[3] - m[1] * m[1], ab = m[4] - m[0] * m[1];
    return (2 * m[0] * m[1] + c1) * (2 * ab + c2) /
           ((m[0] * m[0] + m[1] * m[1] + c1) * (aa + bb + c2));
}

/* Mean over the places of the window in one frame, whose rows are filtered: [H][W][MOMENTS]. */
static double compare_frame(const double *rows, int H, int W, const struct window *window)
{
    const size_t row = (size_t)W * MOMENTS;
    double sum = 0;
    for (int y = 0; y + window->size <= H; y++)
        for (int x = 0; x + window->size <= W; x++) {
            double m[MOMENTS] = { 0 };
            for (int i = 0; i < window->size; i++)
                for (int k = 0; k < MOMENTS; k++)
                    m[k] += window->weights[i] *
                            rows[(size_t)(y + i) * row + (size_t)x * MOMENTS + (size_t)k];
            sum += similarity(m);
        }
    return sum / ((double)(H - window->size + 1) * (double)(W - window->size + 1));
}

aosa_status ao_ssim(const float *a, const float *b, int T, int H, int W, double *ssim)
{
    const size_t frame = (size_t)H * (size_t)W;
    const struct window window = make_window(H, W);
    double *rows = ao_alloc_raw(frame, MOMENTS * sizeof *rows);
    if (!rows)
        return ao_fail(AOSA_ERR_NOMEM, "SSIM: no memory for a frame of %dx%d", W, H);
    *ssim = 0;
    for (int t = 0; t < T; t++) {
        for (int y = 0; y < H; y++) {
            const size_t at = (size_t)t * frame + (size_t)y * (size_t)W;
            filter_row(a + at, b + at, W, &window, rows + (size_t)y * (size_t)W * MOMENTS);
        }
        *ssim += compare_frame(rows, H, W, &window) / T;
    }
    ao_free(rows);
    return AOSA_OK;
}
