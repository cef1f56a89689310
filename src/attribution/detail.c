/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/detail.h"

#include <math.h>
#include <stdio.h>

#include "attribution/first_order.h"
#include "attribution/gradients.h"
#include "attribution/smooth_map.h"
#include "core/alloc.h"
#include "ops/element.h"
#include "passes/gradient.h"

/* Whether --detail auto asks for it, whatever the network can do. */
static bool asked_for(const struct ao_attribution *a)
{
    return ao_method_reads(a->method, "detail") && a->options->detail == AO_DETAIL_AUTO &&
           a->options->accumulate == AO_ACCUMULATE_CONTRAST;
}

bool ao_detail_wanted(const struct ao_attribution *a)
{
    const struct ao_gradient_options to_clip = { .clip = true };
    if (asked_for(a))
        return ao_gradient_check(ao_model_graph(a->model), &to_clip) == AOSA_OK;
    return ao_method_reads(a->method, "detail") && a->options->detail == AO_DETAIL_GRADIENT;
}

aosa_status ao_detail_keep(const struct ao_attribution *a, const double *gradient,
                           struct ao_map_result *result)
{
    const struct aosa_clip *clip = a->clip;
    const size_t W = (size_t)clip->W;
    double *row = ao_alloc_raw(W, sizeof *row);
    result->density = ao_alloc_raw(ao_clip_voxels(clip), sizeof *result->density);
    if (!row || !result->density) {
        ao_free(row);
        return ao_fail(AOSA_ERR_NOMEM, "detail: no memory for %zu voxels", ao_clip_voxels(clip));
    }
    float *density = result->density;
    for (int t = 0; t < clip->T; t++)
        for (int y = 0; y < clip->H; y++, density += W) {
            ao_first_order_density(a, gradient, t, y, row);
            for (size_t x = 0; x < W; x++)
                density[x] = (float)fabs(row[x]);
        }
    ao_free(row);
    return ao_smooth_map(result->density, clip->T, clip->H, clip->W,
                         ao_method_smooth(a->options, AO_SMOOTH_USUAL), a->run.threads);
}

struct reading {
    const struct ao_attribution *attribution;
    double *gradient; /* [3][T][H][W] */
};

static aosa_status read_clip(void *context, int64_t variant, struct ao_map_result *result,
                             const struct ao_backprop_result *answer)
{
    const struct reading *reading = context;
    const struct ao_view dense = ao_view_dense(reading->gradient, AO_F64, &answer->clip.shape);
    (void)variant;
    ao_view_convert(&dense, &answer->clip);
    return ao_detail_keep(reading->attribution, reading->gradient, result);
}

static aosa_status go_back(struct ao_attribution *a)
{
    const struct ao_backprop_options options = { .one_item = true, .clip = true };
    struct reading reading = { .attribution = a };
    struct ao_gradients *gradients = NULL;
    AO_TRY(ao_gradients_open(a, &options, &gradients));
    reading.gradient = ao_alloc_raw(3 * ao_clip_voxels(a->clip), sizeof *reading.gradient);
    const aosa_status status = reading.gradient
                                   ? ao_gradients_clip(gradients, NULL, read_clip, &reading)
                                   : ao_fail(AOSA_ERR_NOMEM, "detail: no memory for a gradient");
    ao_free(reading.gradient);
    ao_gradients_close(&gradients);
    return status;
}

aosa_status ao_detail_measure(struct ao_attribution *a)
{
    if (!asked_for(a) && !ao_detail_wanted(a))
        return AOSA_OK;
    const aosa_status status = go_back(a);
    /* Without memory there is no plain map instead: the same input always gives the same one. */
    if (status == AOSA_ERR_NOMEM)
        return ao_fail_in(status,
                          "the backward pass of --detail, which --detail none does without");
    if (status != AOSA_ERR_UNSUPPORTED || a->options->detail == AO_DETAIL_GRADIENT)
        return status;
    snprintf(a->warning, sizeof a->warning, "no --detail, pixels of a mask count alike: %s",
             aosa_error_message());
    return AOSA_OK;
}

static double above_zero(const struct ao_map_result *result, size_t i)
{
    return fmax((double)result->map[i] - result->zero, 0);
}

/* What keeps the sum over the voxels above zero; 0 where first order is silent on all of them. */
static double scale_of(const struct ao_map_result *result, size_t n)
{
    double plain = 0, weighed = 0;
    for (size_t i = 0; i < n; i++) {
        plain += above_zero(result, i);
        weighed += above_zero(result, i) * (double)result->density[i];
    }
    return weighed > 0 ? plain / weighed : 0;
}

void ao_detail_apply(const struct ao_attribution *a, struct ao_map_result *result)
{
    const size_t n = ao_clip_voxels(a->clip);
    const double scale = result->density ? scale_of(result, n) : 0;
    if (!(scale > 0))
        return;
    for (size_t i = 0; i < n; i++) {
        const double above = (double)result->map[i] - result->zero;
        result->map[i] = (float)(above > 0 ? above * (double)result->density[i] * scale : above);
    }
    result->zero = 0;
}
