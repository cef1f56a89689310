/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_OPTIONS_H
#define AO_ATTRIBUTION_OPTIONS_H

#include "core/options.h"

/* What single methods read besides target, score, fill and masks. Rows of methods.def say which. */
struct ao_method_options {
    int adjust;       /* first_order: enum ao_adjust */
    int splits;       /* first_order: expansion points along each axis of the mask grid, 0: one */
    int window;       /* --fill local: side of the box mean, pixels */
    int samples;      /* smoothgrad family: noisy copies */
    double noise;     /* smoothgrad family: sigma over the range of the clip's values */
    char *noise_file; /* smoothgrad family: .npy [samples][3][T][H][W] of standard normal noise */
    int steps;        /* integrated_gradients, blur_ig: points of the path */
    int rule;         /* integrated_gradients: enum ao_path_rule */
    char *baseline;   /* integrated_gradients, deeplift: as --fill */
    double blur;      /* blur_ig: largest sigma, pixels */
    int reduce;       /* gradient family: enum ao_reduce_kind, channels to one number */
    char *layer;      /* cam family: name, index or list; NULL: the last feature map in time */
};

enum ao_adjust { AO_ADJUST_NONE, AO_ADJUST_SIMPLE, AO_ADJUST_SIMPLE_FIXED, AO_ADJUST_IP };
#define AO_ADJUST_CHOICES "none|simple|simple-fixed|ip"

/* Points of the path from baseline to clip: left sum k/m, right (k+1)/m, midpoint (k+1/2)/m, or
 * the trapezoid over m+1 points. */
enum ao_path_rule { AO_PATH_LEFT, AO_PATH_RIGHT, AO_PATH_MIDDLE, AO_PATH_TRAPEZOID };
#define AO_PATH_CHOICES "left|right|middle|trapezoid"

/* How a voxel's three channels become one number: sum |g|, sum g, sum max(g, 0) or sum |g| / 3.
 * auto: what the method's literature does, abs for derivatives (gradient, guided_backprop,
 * deconvnet, smoothgrad and its kin), sum for what adds up to a score (gradient_x_input,
 * integrated_gradients, blur_ig, deeplift). */
enum ao_reduce_kind {
    AO_REDUCE_AUTO,
    AO_REDUCE_ABS,
    AO_REDUCE_SUM,
    AO_REDUCE_POSITIVE,
    AO_REDUCE_MEAN_ABS,
};
#define AO_REDUCE_CHOICES "auto|abs|sum|positive|mean-abs"

extern const struct ao_option ao_method_option_table[];

#endif
