/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_OPS_MOVE_H
#define AO_OPS_MOVE_H

#include <stdint.h>

#include "data/view.h"

/* node->params of the operators that only move elements. Axes are resolved, never negative. */

/* Transpose: axis i of the output is axis perm[i] of the input. */
struct ao_transpose_params {
    int perm[AO_MAX_RANK];
};

/* Concat, Gather, Softmax, LogSoftmax. */
struct ao_axis_params {
    int axis;
};

/* Split: output i begins at element first[i] of the axis; first has n_out entries. */
struct ao_split_params {
    int axis;
    int64_t *first;
};

/*
 * Slice: output index o of an axis reads input start + o * step. Axes that are not sliced have
 * start 0 and step 1; how many elements is the output's shape.
 */
struct ao_slice_params {
    int64_t start[AO_MAX_RANK], step[AO_MAX_RANK];
};

/* Tile: how often the input is repeated along each axis. */
struct ao_tile_params {
    int64_t repeats[AO_MAX_RANK];
};

enum ao_pad_mode {
    AO_PAD_CONSTANT,
    AO_PAD_REFLECT, /* without repeating the border: c b | a b c | b a */
    AO_PAD_EDGE,
    AO_PAD_WRAP,
};

/*
 * Pad: output index o of an axis shows input o - lo; lo and hi may be negative (crop). The value
 * of the constant mode is input 2, 0 when absent.
 */
struct ao_pad_params {
    enum ao_pad_mode mode;
    int64_t lo[AO_MAX_RANK], hi[AO_MAX_RANK];
};

#endif
