/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/baseline.h"

#include <math.h>
#include <stdio.h>

#include "core/alloc.h"

aosa_status ao_baseline_create(const struct ao_attribution *a, float **values)
{
    const size_t n = ao_clip_voxels(a->clip);
    struct ao_fill fill;
    const aosa_status status =
        ao_fill_create(a->options->baseline, a->options->window, a->clip, &fill);
    if (status != AOSA_OK)
        return ao_fail_in(status, "--baseline");
    *values = fill.volume ? fill.volume : ao_alloc_raw(3 * n, sizeof **values);
    if (!*values)
        return ao_fail(AOSA_ERR_NOMEM, "baseline: no memory for %zu voxels", n);
    for (size_t i = 0; !fill.volume && i < 3 * n; i++)
        (*values)[i] = fill.value[i / n];
    return AOSA_OK;
}

double ao_baseline_score(const struct ao_attribution *a, const struct ao_map_result *result,
                         const float *outputs)
{
    return ao_score(a->score, outputs, a->model->classes, a->model->probabilities, result->target);
}

aosa_status ao_baseline_complete(struct ao_attribution *a, double sum, double base_score,
                                 const char *remedy, struct ao_map_result *result)
{
    const double difference = result->base - base_score, gap = fabs(sum - difference);
    const double relative = gap > 0 ? gap / fabs(difference) : 0;
    /* JSON has no infinity: without a difference there is no relative gap. */
    result->extra =
        json_pack("{s:f, s:f, s:o}", "attribution_sum", sum, "score_difference", difference,
                  "relative_gap", isfinite(relative) ? json_real(relative) : json_null());
    if (!result->extra)
        return ao_fail(AOSA_ERR_NOMEM, "baseline: no memory");
    if (relative > AO_BASELINE_GAP && !a->warning[0])
        snprintf(a->warning, sizeof a->warning,
                 "attributions add up to %.4g, but the score differs from the baseline's by %.4g "
                 "(%.0f %% off); try %s",
                 sum, difference, 100 * relative, remedy);
    return AOSA_OK;
}
