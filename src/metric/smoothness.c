/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "metric/metric.h"
#include "metric/stretch.h"

/*
 * Total variation of the map, as the mean step between neighbours over the range of its values:
 *     time   mean |A(t + 1, y, x) - A(t, y, x)| / (max A - min A)
 *     space  the same over neighbours in y and in x
 * NaN for a constant map, and where no voxel has such a neighbour.
 */

/* Sum of |steps| between voxels `stride` apart, `length` of them on that axis; *n counts them. */
static double sum_steps(const float *map, size_t voxels, size_t stride, size_t length, size_t *n)
{
    double sum = 0;
    for (size_t i = 0; i < voxels; i++)
        if (i / stride % length != length - 1) {
            sum += fabs((double)map[i + stride] - (double)map[i]);
            ++*n;
        }
    return sum;
}

aosa_status ao_metric_smoothness(struct ao_metric_call *call)
{
    const struct aosa_clip *clip = call->clip;
    const size_t T = (size_t)clip->T, H = (size_t)clip->H, W = (size_t)clip->W, n = T * H * W;
    size_t n_time = 0, n_space = 0;
    double lowest, highest;
    ao_value_range(call->map, n, &lowest, &highest);
    const double range = highest > lowest ? highest - lowest : (double)NAN;
    const double time = sum_steps(call->map, n, H * W, T, &n_time);
    const double space =
        sum_steps(call->map, n, W, H, &n_space) + sum_steps(call->map, n, 1, W, &n_space);
    AO_TRY(ao_metric_add_value(call->answer, "smoothness", "time",
                               n_time ? time / (double)n_time / range : (double)NAN));
    return ao_metric_add_value(call->answer, "smoothness", "space",
                               n_space ? space / (double)n_space / range : (double)NAN);
}
