/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_OPTIONS_H
#define AO_ATTRIBUTION_OPTIONS_H

#include "core/options.h"

/* What single methods read besides target, score, fill and masks. Rows of methods.def say which. */
struct ao_method_options {
    int adjust;       /* first_order: enum ao_adjust */
    int splits;       /* first_order: expansion points along each axis of the mask grid, 0: one */
    int window;       /* --fill local: side of the box mean, pixels */
    int samples;      /* noisy or masked copies; 0: the method's usual number */
    char *cells;      /* rise, coalitions: "TxHxW"; NULL: the method's usual ones */
    int segments;     /* coalitions: enum ao_segments_kind */
    int n_segments;   /* coalitions: of SLIC */
    double keep;      /* rise, lime: probability that a cell or segment stays visible */
    double noise;     /* smoothgrad family: sigma over the range of the clip's values */
    char *noise_file; /* smoothgrad family: .npy [samples][3][T][H][W] of standard normal noise */
    int steps;        /* integrated_gradients, blur_ig: points of the path */
    int rule;         /* integrated_gradients: enum ao_path_rule */
    char *baseline;   /* integrated_gradients, deeplift: as --fill */
    double blur;      /* blur_ig: largest sigma, pixels */
    int reduce;       /* gradient family: enum ao_reduce_kind, channels to one number */
    int accumulate;   /* masks: enum ao_accumulate, how drops become a map */
    double smooth;    /* masks: sigma of a Gaussian over the map, see smooth_map.h; -1: usual one */
    int detail;       /* aosa, aosa-guided: enum ao_detail, see detail.h */
    int budget;       /* aosa-refine, aosa-guided: forwards; 0: the method's usual number */
    int roots;        /* aosa-refine: coarse tubes along the short side; 0: from the budget */
    char *areas;      /* extremal family: parts of the clip, "0.05,0.1" */
    int iterations;   /* extremal family */
    int hiding;       /* extremal family: enum ao_hiding */
    int game;         /* extremal family: enum ao_game */
    char *layer;      /* name, index or list; NULL: cam family: the last feature map in time,
                         first_order: the clip */
};

/* By the visible voxels of every mask (spec A.9); the same map, read from its mean: hiding takes a
 * little away wherever it is, which says nothing about where; or the mean over the masks that hide
 * a voxel. */
enum ao_accumulate { AO_ACCUMULATE_VISIBLE, AO_ACCUMULATE_CONTRAST, AO_ACCUMULATE_COVERAGE };
#define AO_ACCUMULATE_CHOICES "visible|contrast|coverage"

/* What stands inside a mask: every pixel alike, or in proportion to first order. */
enum ao_detail { AO_DETAIL_AUTO, AO_DETAIL_NONE, AO_DETAIL_GRADIENT };
#define AO_DETAIL_CHOICES "auto|none|gradient"

enum ao_segments_kind { AO_SEGMENTS_GRID, AO_SEGMENTS_SLIC };
#define AO_SEGMENTS_CHOICES "grid|slic"

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

/* What hides a place: a blur, or --fill. */
enum ao_hiding { AO_HIDING_BLUR, AO_HIDING_FADE };
#define AO_HIDING_CHOICES "blur|fade"

/* What the mask shall do: keep the score where all else is hidden, lose it where its place is
 * hidden, or both. */
enum ao_game { AO_GAME_PRESERVE, AO_GAME_DELETE, AO_GAME_DUAL };
#define AO_GAME_CHOICES "preserve|delete|dual"

extern const struct ao_option ao_method_option_table[];

/* --samples, or `usual` where it is 0. */
int ao_method_samples(const struct ao_method_options *options, int usual);

/* --budget, or `usual` where it is 0. */
int ao_method_budget(const struct ao_method_options *options, int usual);

/* --smooth, or `usual` where it is negative, mostly AO_SMOOTH_USUAL. */
#define AO_SMOOTH_USUAL 1
double ao_method_smooth(const struct ao_method_options *options, double usual);

#endif
