/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/backend.h"
#include "flow/opencv_flow.h"

static aosa_status compute(const uint8_t *gray, const struct ao_flow_options *options,
                           struct ao_flow_field *field)
{
    const int H = field->H, W = field->W;
    const size_t n = (size_t)H * (size_t)W;
    for (size_t t = 0; t + 1 < (size_t)field->T; t++)
        AO_TRY(ao_opencv_dis(gray + t * n, gray + (t + 1) * n, H, W, options->dis_preset,
                             field->d + 2 * t * n));
    return AOSA_OK;
}

const struct ao_flow_backend ao_flow_dis = {
    .name = "dis",
    .summary = "dense inverse search (Kroeger et al., ECCV 2016)",
    .needs_gray = true,
    /* OpenCV 4.6 reads far outside frames below 32 rows that are 100 columns wide or more. */
    .min_side = 32,
    .compute = compute,
};
