/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_LEAST_SQUARES_H
#define AO_ATTRIBUTION_LEAST_SQUARES_H

#include <stdint.h>

#include "core/status.h"

/*
 * Weighted least squares with rows of zeros and ones, by normal equations: a few hundred unknowns,
 * well conditioned by their designs. LAPACK would bring a pool of threads of its own beside
 * OpenMP's, and bits that depend on their number.
 */
struct ao_design {
    int N, n;              /* rows, unknowns */
    const uint8_t *rows;   /* [N][n] of 0 and 1 */
    const double *weights; /* [N], >= 0 */
};

/* mean[j] = sum_i w_i z_ij / sum_i w_i; caller's buffer, [n]. */
void ao_design_mean(const struct ao_design *design, double *mean);

/*
 * Lower triangle of sum_i w_i (z_i - mean)(z_i - mean)^T + ridge I, then its Cholesky factor L in
 * the same place. The same bits for any number of threads.
 *
 * @param mean    [n]; NULL for zeros.
 * @param factor  Caller's buffer, [n][n]; above the diagonal nothing is written or read.
 * @return AOSA_ERR_NUMERIC when the rows do not determine the unknowns.
 */
aosa_status ao_design_factor(const struct ao_design *design, const double *mean, double ridge,
                             int threads, double *factor);

/* moments[j] = sum_i w_i y_i (z_ij - mean_j); caller's buffer, [n]. */
void ao_design_moments(const struct ao_design *design, const double *mean, const double *y,
                       double *moments);

/* Solves L L^T x = b in place of b. */
void ao_factor_solve(const double *factor, int n, double *b);

#endif
