/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_OPS_NORM_H
#define AO_OPS_NORM_H

#include <stdbool.h>
#include <stdint.h>

#include "data/view.h"

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
    /* BatchNormalization in training mode: statistics of the batch instead, and outputs 1 and 2 are
     * momentum * input + (1 - momentum) * those statistics. */
    bool trains;
    double momentum;
};

/* Channels [c, c + n) of image `image`. */
struct ao_view ao_norm_channels(const struct ao_view *view, int64_t image, int64_t c, int64_t n);

/* One group of LayerNormalization, where the axes before `axis` are all at 0. */
struct ao_view ao_norm_behind(const struct ao_view *view, int axis);

/* Mean and variance (of the whole population) in two passes. */
void ao_norm_moments(const struct ao_view *part, double *mean, double *variance);

#endif
