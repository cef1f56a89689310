/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_OPS_CONV_RUN_H
#define AO_OPS_CONV_RUN_H

#include "ops/conv.h"

/*
 * A convolution or its transpose as matrix products, with src of n channels in every group:
 *
 *     forward    dst[m][o] = bias[m] + sum_{c, k} w[m][c][k] src[c][o stride - pad + k dilation]
 *     transpose  dst[c][i] = bias[c] + sum_{m, k} w[m][c][k] src[m][o]
 *                over the k and o with i = o stride - pad + k dilation
 */
struct ao_conv_run {
    const struct ao_conv_params *params;
    const struct ao_view *src, *w, *bias, *dst; /* bias NULL: none */
    bool transpose;
};

int64_t ao_conv_taps(const struct ao_conv_params *params);

/* rows: channels of dst in one group. */
size_t ao_conv_scratch(const struct ao_conv_params *params, int64_t rows);
void ao_conv_run(const struct ao_conv_run *run, void *scratch);

#endif
