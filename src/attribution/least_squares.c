/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/least_squares.h"

#include <math.h>

#include "core/parallel.h"

static double total(const struct ao_design *design)
{
    double sum = 0;
    for (int i = 0; i < design->N; i++)
        sum += design->weights[i];
    return sum;
}

void ao_design_mean(const struct ao_design *design, double *mean)
{
    const double sum = total(design);
    const size_t n = (size_t)design->n;
    for (size_t j = 0; j < n; j++)
        mean[j] = 0;
    for (int i = 0; i < design->N; i++)
        for (size_t j = 0; j < n; j++)
            mean[j] += design->rows[(size_t)i * n + j] * design->weights[i] / sum;
}

struct gram {
    const struct ao_design *design;
    const double *mean;
    double ridge, total;
    double *matrix;
};

/* sum_i w_i (z_i - mean)(z_i - mean)^T is sum_i w_i z_i z_i^T - (sum_i w_i) mean mean^T. */
static aosa_status fill_row(void *context, int64_t row, int thread)
{
    const struct gram *gram = context;
    const struct ao_design *design = gram->design;
    const size_t n = (size_t)design->n, r = (size_t)row;
    double *dst = gram->matrix + r * n;
    (void)thread;
    for (size_t j = 0; j <= r; j++)
        dst[j] = gram->mean ? -gram->total * gram->mean[r] * gram->mean[j] : 0;
    for (int i = 0; i < design->N; i++) {
        const uint8_t *z = design->rows + (size_t)i * n;
        const double w = z[r] ? design->weights[i] : 0;
        for (size_t j = 0; w > 0 && j <= r; j++)
            dst[j] += z[j] * w;
    }
    dst[r] += gram->ridge;
    return AOSA_OK;
}

static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* Row by row: L_rj = (A_rj - sum_{i<j} L_ri L_ji) / L_jj, and the root of what is left of A_rr. */
static aosa_status cholesky(double *A, size_t n)
{
    for (size_t r = 0; r < n; r++) {
        double *row = A + r * n;
        const double diagonal = row[r];
        for (size_t j = 0; j < r; j++)
            row[j] = (row[j] - dot(row, A + j * n, j)) / A[j * n + j];
        const double left = diagonal - dot(row, row, r);
        /* What rounding may leave of a zero: n eps times what it was taken from. */
        if (!(left > diagonal * (double)n * 0x1p-52))
            return ao_fail(AOSA_ERR_NUMERIC,
                           "least squares: unknown %zu of %zu follows from those before it; take "
                           "more --samples",
                           r + 1, n);
        row[r] = sqrt(left);
    }
    return AOSA_OK;
}

aosa_status ao_design_factor(const struct ao_design *design, const double *mean, double ridge,
                             int threads, double *factor)
{
    struct gram gram = { design, mean, ridge, total(design), factor };
    AO_TRY(ao_parallel_for(threads, design->n, fill_row, &gram));
    return cholesky(factor, (size_t)design->n);
}

void ao_design_moments(const struct ao_design *design, const double *mean, const double *y,
                       double *moments)
{
    const size_t n = (size_t)design->n;
    for (size_t j = 0; j < n; j++)
        moments[j] = 0;
    for (int i = 0; i < design->N; i++)
        for (size_t j = 0; j < n; j++) {
            const double z = design->rows[(size_t)i * n + j] - (mean ? mean[j] : 0);
            moments[j] += design->weights[i] * y[i] * z;
        }
}

void ao_factor_solve(const double *factor, int n, double *b)
{
    const size_t size = (size_t)n;
    for (size_t i = 0; i < size; i++)
        b[i] = (b[i] - dot(factor + i * size, b, i)) / factor[i * size + i];
    for (size_t i = size; i-- > 0;) {
        b[i] /= factor[i * size + i];
        for (size_t j = 0; j < i; j++)
            b[j] -= factor[i * size + j] * b[i];
    }
}
