/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_EVALUATE_BOOTSTRAP_H
#define AO_EVALUATE_BOOTSTRAP_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

struct ao_interval {
    double mean, low, high;
};

/*
 * Means of the columns of values [n][columns], summed in the order of the rows, and the percentile
 * bootstrap intervals of 95 % around them (Efron 1979): the 2.5 % and 97.5 % quantiles of the means
 * of `resamples` draws of n rows with replacement. The same seed draws the same rows, so methods
 * that were run on the same clips are resampled alike, and a curve is resampled whole. All three
 * are NaN for n = 0. AOSA_ERR_NOMEM.
 *
 * @param intervals  Caller's, [columns].
 */
aosa_status ao_bootstrap_means(const double *values, size_t n, size_t columns, int resamples,
                               uint64_t seed, struct ao_interval *intervals);

/* The same of one column. */
aosa_status ao_bootstrap_mean(const double *values, size_t n, int resamples, uint64_t seed,
                              struct ao_interval *interval);

#endif
