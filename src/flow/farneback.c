/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/backend.h"
#include "flow/opencv_flow.h"

static aosa_status compute(const uint8_t *gray, const struct ao_flow_options *options,
                           struct ao_flow_field *field)
{
    const int H = field->H, W = field->W;
    const size_t n = (size_t)H * (size_t)W;
    for (size_t t = 0; t + 1 < (size_t)field->T; t++)
        AO_TRY(ao_opencv_farneback(gray + t * n, gray + (t + 1) * n, H, W, options,
                                   field->d + 2 * t * n));
    return AOSA_OK;
}

const struct ao_flow_backend ao_flow_farneback = {
    .name = "farneback",
    .summary = "polynomial expansion (Farneback, SCIA 2003), the paper's choice",
    .needs_gray = true,
    .min_side = 1,
    .compute = compute,
};
