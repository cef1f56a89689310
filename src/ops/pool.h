/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_OPS_POOL_H
#define AO_OPS_POOL_H

#include "ops/window.h"

enum ao_pool_kind {
    AO_POOL_MAX,     /* padding is minus infinity */
    AO_POOL_AVERAGE, /* padding is zero */
};

/*
 * node->params of MaxPool, AveragePool, GlobalMaxPool and GlobalAveragePool (window = the whole
 * extent). An average divides by the taps inside the input, or with count_include_pad by those
 * inside the padded input [-pad_lo, extent + pad_hi): taps that only ceil_mode adds never count.
 */
struct ao_pool_params {
    struct ao_window window;
    enum ao_pool_kind kind;
    bool count_include_pad;
};

#endif
