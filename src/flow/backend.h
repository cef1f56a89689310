/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_FLOW_BACKEND_H
#define AO_FLOW_BACKEND_H

#include "flow/flow.h"

/* One source of flow, one file, one row in flows.def. */
struct ao_flow_backend {
    const char *name;
    const char *summary;
    bool needs_gray;
    int min_side; /* smallest height and width it can work on */

    /*
     * Fills field->d, which is zeroed. gray is [T][H][W], NULL unless needs_gray. options->source
     * is the path for the row `file`.
     */
    aosa_status (*compute)(const uint8_t *gray, const struct ao_flow_options *options,
                           struct ao_flow_field *field);
};

/* The rows in the order of flows.def, NULL at the end. */
const struct ao_flow_backend *const *ao_flow_backends(void);

/* gray[i] from rgb[i][3] for n pixels, rounded as OpenCV does (15-bit weights). */
void ao_flow_gray(const uint8_t *rgb, size_t n, bool official, uint8_t *gray);

/* Replaces dx and dy of each pair by the median of their 3x3 neighbours. */
aosa_status ao_flow_median(struct ao_flow_field *field);

#endif
