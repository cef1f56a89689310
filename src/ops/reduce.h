/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_OPS_REDUCE_H
#define AO_OPS_REDUCE_H

#include <stdbool.h>

#include "data/view.h"

/* node->params of the Reduce operators. */
struct ao_reduce_params {
    bool axes[AO_MAX_RANK]; /* of the input; true: reduced */
    bool keepdims;
};

#endif
