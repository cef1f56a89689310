/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>

#include "core/alloc.h"
#include "metric/metric.h"

/*
 * Gini index of a_i = |A_i|, sorted upwards, i = 1 .. n:
 *     G = sum_i (2 i - n - 1) a_i / (n sum_i a_i),
 * 0 for a constant map, 1 - 1 / n where one voxel has all. NaN for zeros.
 */

static int compare(const void *a, const void *b)
{
    const float p = *(const float *)a, q = *(const float *)b;
    return p < q ? -1 : p > q;
}

aosa_status ao_metric_sparsity(struct ao_metric_call *call)
{
    const size_t n = ao_clip_voxels(call->clip);
    float *sorted = ao_alloc_raw(n, sizeof *sorted);
    if (!sorted)
        return ao_fail(AOSA_ERR_NOMEM, "sparsity: no memory for %zu voxels", n);
    for (size_t i = 0; i < n; i++)
        sorted[i] = fabsf(call->map[i]);
    qsort(sorted, n, sizeof *sorted, compare);
    double sum = 0, weighed = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)sorted[i];
        weighed += (2 * (double)(i + 1) - (double)n - 1) * (double)sorted[i];
    }
    ao_free(sorted);
    const double gini = sum > 0 ? weighed / ((double)n * sum) : (double)NAN;
    return ao_metric_add_value(call->answer, "sparsity", "gini", gini);
}
