/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_OPS_PRODUCT_H
#define AO_OPS_PRODUCT_H

#include <stddef.h>
#include <stdint.h>

/*
 * Matrix product in double for Conv, Gemm and MatMul: dst[row][col] = sum_k left[row][k]
 * right[k][col], k ascending, so that an element's value does not depend on how the work is cut.
 * The operands are packed piece by piece by the caller's functions, which is where strides,
 * padding and float become dense doubles.
 */

#define AO_PANEL 4 /* rows or columns in one packed panel */
#define AO_TILE 64 /* columns worked on together */

struct ao_product {
    int64_t rows, cols, depth;
    void *context; /* given to the functions below */

    /* panel[k - k0][r - row], k0 <= k < k0 + n_k; rows beyond n_rows <= AO_PANEL are zero. */
    void (*pack_left)(void *context, int64_t row, int64_t n_rows, int64_t k0, int64_t n_k,
                      double *panel);

    /*
     * panels[p][k - k0][c - col - p * AO_PANEL] for as many panels as n_cols <= AO_TILE columns
     * need; columns beyond them are zero. Called with k0 = 0 first for each new col.
     */
    void (*pack_right)(void *context, int64_t col, int64_t n_cols, int64_t k0, int64_t n_k,
                       double *panels);

    /* tile[row][c - col], AO_TILE entries per row, for all rows. */
    void (*store)(void *context, int64_t col, int64_t n_cols, const double *tile);
};

/* Bytes of scratch for that many rows. */
size_t ao_product_scratch(int64_t rows);

/* scratch is 64-byte aligned. */
void ao_product_run(const struct ao_product *product, void *scratch);

#endif
