/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_OPS_NORM_H
#define AO_OPS_NORM_H

#include <stdint.h>

/*
 * node->params of the normalisations: y = (x - mean) / sqrt(variance + epsilon) * scale + bias.
 * BatchNormalization reads mean and variance from inputs 3 and 4; the others take them over groups
 * of x itself: GroupNormalization over `groups` groups of channels and all spatial axes,
 * InstanceNormalization likewise with one channel per group, LayerNormalization over the axes
 * from `axis` on.
 */
struct ao_norm_params {
    double epsilon;
    int axis;       /* LayerNormalization */
    int64_t groups; /* GroupNormalization, InstanceNormalization */
};

#endif
