/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/product.h"

#include <string.h>

#define DEPTH                                                                          \
    512 /* terms packed at a time: a left panel fits the first cache, right the second \
         */

static int64_t panels_of(int64_t n)
{
    return (n + AO_PANEL - 1) / AO_PANEL;
}

size_t ao_product_scratch(int64_t rows)
{
    const size_t tile = (size_t)panels_of(rows) * AO_PANEL * AO_TILE;
    const size_t right = (size_t)DEPTH * AO_TILE;
    const size_t left = (size_t)DEPTH * AO_PANEL;
    return (tile + right + left) * sizeof(double);
}

/* dst[i][j] += sum_k left[k][i] right[k][j]; the sums stay in registers. */
static void multiply(const double *restrict left, const double *restrict right, int64_t n_k,
                     double *restrict dst)
{
    double sum[AO_PANEL][AO_PANEL];
    for (int i = 0; i < AO_PANEL; i++)
        memcpy(sum[i], dst + i * AO_TILE, sizeof sum[i]);
    for (int64_t k = 0; k < n_k; k++)
        for (int i = 0; i < AO_PANEL; i++)
            for (int j = 0; j < AO_PANEL; j++)
                sum[i][j] += left[k * AO_PANEL + i] * right[k * AO_PANEL + j];
    for (int i = 0; i < AO_PANEL; i++)
        memcpy(dst + i * AO_TILE, sum[i], sizeof sum[i]);
}

void ao_product_run(const struct ao_product *product, void *scratch)
{
    const int64_t row_panels = panels_of(product->rows);
    double *tile = scratch;
    double *right = tile + row_panels * AO_PANEL * AO_TILE;
    double *left = right + DEPTH * AO_TILE;

    for (int64_t col = 0; col < product->cols; col += AO_TILE) {
        const int64_t cols_left = product->cols - col;
        const int64_t n_cols = cols_left < AO_TILE ? cols_left : AO_TILE;
        memset(tile, 0, (size_t)(row_panels * AO_PANEL * AO_TILE) * sizeof *tile);
        for (int64_t k = 0; k < product->depth; k += DEPTH) {
            const int64_t n_k = product->depth - k < DEPTH ? product->depth - k : DEPTH;
            product->pack_right(product->context, col, n_cols, k, n_k, right);
            for (int64_t r = 0; r < row_panels; r++) {
                const int64_t row = r * AO_PANEL;
                const int64_t rows_left = product->rows - row;
                product->pack_left(product->context, row,
                                   rows_left < AO_PANEL ? rows_left : AO_PANEL, k, n_k, left);
                for (int64_t p = 0; p < panels_of(n_cols); p++)
                    multiply(left, right + p * n_k * AO_PANEL, n_k,
                             tile + row * AO_TILE + p * AO_PANEL);
            }
        }
        product->store(product->context, col, n_cols, tile);
    }
}
