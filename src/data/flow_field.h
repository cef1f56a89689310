/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_DATA_FLOW_FIELD_H
#define AO_DATA_FLOW_FIELD_H

#include "core/status.h"

/* Displacement of each pixel from frame t to t + 1, in pixels. */
struct ao_flow_field {
    int T, H, W; /* of the clip: there are T - 1 fields */
    float *d;    /* [T-1][H][W][2], dx then dy */
};

aosa_status ao_flow_field_create(int T, int H, int W, struct ao_flow_field **field);
void ao_flow_field_destroy(struct ao_flow_field **field);

static inline const float *ao_flow_at(const struct ao_flow_field *field, int t, int y, int x)
{
    return field->d +
           2 * (((size_t)t * (size_t)field->H + (size_t)y) * (size_t)field->W + (size_t)x);
}

#endif
