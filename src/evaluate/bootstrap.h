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
 * Mean of n values in their order, and the percentile bootstrap interval of 95 % around it (Efron
 * 1979): the 2.5 % and 97.5 % quantiles of the means of `resamples` draws of n values with
 * replacement. The same seed draws the same places, so methods that were run on the same clips are
 * resampled alike. All three are NaN for n = 0. AOSA_ERR_NOMEM.
 */
aosa_status ao_bootstrap_mean(const double *values, size_t n, int resamples, uint64_t seed,
                              struct ao_interval *interval);

#endif
