/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/stretch.h"

#include <math.h>

void ao_value_range(const float *values, size_t n, double *lowest, double *highest)
{
    *lowest = HUGE_VAL;
    *highest = -HUGE_VAL;
    for (size_t i = 0; i < n; i++) {
        *lowest = fmin(*lowest, (double)values[i]);
        *highest = fmax(*highest, (double)values[i]);
    }
}

bool ao_stretch(enum ao_metric_stretch kind, const float *map, size_t n, float *stretched)
{
    double lowest, highest;
    ao_value_range(map, n, &lowest, &highest);
    if (kind == AO_STRETCH_ZERO)
        lowest = 0;
    const double range = highest - lowest;
    for (size_t i = 0; i < n; i++)
        stretched[i] = range > 0 ? (float)fmax(0, ((double)map[i] - lowest) / range) : 0;
    return range > 0;
}
