/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/backend.h"

static aosa_status compute(const uint8_t *gray, const struct ao_flow_options *options,
                           struct ao_flow_field *field)
{
    (void)gray;
    (void)options;
    (void)field; /* zeroed already */
    return AOSA_OK;
}

const struct ao_flow_backend ao_flow_none = {
    .name = "none",
    .summary = "nothing moves",
    .min_side = 1,
    .compute = compute,
};
