/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_METRIC_STRETCH_H
#define AO_METRIC_STRETCH_H

#include <stdbool.h>
#include <stddef.h>

#include "metric/options.h"

/* Least and greatest of n values, n >= 1. */
void ao_value_range(const float *values, size_t n, double *lowest, double *highest);

/*
 * A map as numbers in [0, 1]:
 *     AO_STRETCH_ZERO   max(A, 0) / max A    what speaks against the class, or not at all, is 0
 *     AO_STRETCH_RANGE  (A - min A) / (max A - min A)
 *
 * @param stretched  Caller's buffer [n]; all 0 where the map has no such range.
 * @return Whether it has one.
 */
bool ao_stretch(enum ao_metric_stretch kind, const float *map, size_t n, float *stretched);

#endif
