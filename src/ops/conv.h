/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_OPS_CONV_H
#define AO_OPS_CONV_H

#include "ops/window.h"

/*
 * node->params of Conv. Inputs X [N][group * C][spatial], W [M][C][kernel], optional B [M]; output
 * [N][M][spatial].
 */
struct ao_conv_params {
    struct ao_window window;
    int64_t group;
};

#endif
