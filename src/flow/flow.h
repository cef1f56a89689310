/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_FLOW_FLOW_H
#define AO_FLOW_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "core/options.h"
#include "data/flow_field.h"

/* Where the motion between neighbouring frames comes from; defaults are those of spec A.3. */
struct ao_flow_options {
    char *source; /* a row of flows.def, or the path of .npy or .flo files */
    bool median;  /* 3x3 median on dx and on dy, borders replicated */

    /* Farneback, as calcOpticalFlowFarneback names them. */
    double pyramid_scale, poly_sigma;
    int levels, window, iterations, poly_n;

    int dis_preset; /* 0 ultrafast, 1 fast, 2 medium */
};

extern const struct ao_option ao_flow_option_table[];

/*
 * Motion of each of the T - 1 pairs of neighbouring frames, of a clip rgb [T][H][W][3] (borrowed).
 *
 * Estimators see gray = (9798 R + 19235 G + 3735 B + 2^14) >> 15; official_gray swaps the weights
 * of R and B, as the authors' code does (spec A.12, Q2). One frame has no motion: a field of no
 * pairs. The caller destroys *field, which is written on success only.
 *
 * AOSA_ERR_ARGUMENT: the source is neither known nor a path, or the frames are too small for it.
 * AOSA_ERR_INPUT, AOSA_ERR_FORMAT: a file cannot be read, or is not what its name says.
 * AOSA_ERR_SHAPE: a file holds motion of another size or number of pairs than the clip.
 * AOSA_ERR_NUMERIC: a file marks a pixel's motion as unknown, or holds a NaN or infinity.
 * AOSA_ERR_NOMEM, AOSA_ERR_INTERNAL: OpenCV ran out of memory, or failed otherwise.
 */
aosa_status ao_flow_compute(const uint8_t *rgb, int T, int H, int W,
                            const struct ao_flow_options *options, bool official_gray,
                            struct ao_flow_field **field);

/* The library behind farneback and dis with its version, such as "OpenCV 4.6.0". */
const char *ao_flow_library(void);

#endif
