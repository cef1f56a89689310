/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/options.h"

int ao_method_samples(const struct ao_method_options *options, int usual)
{
    return options->samples > 0 ? options->samples : usual;
}

int ao_method_budget(const struct ao_method_options *options, int usual)
{
    return options->budget > 0 ? options->budget : usual;
}

double ao_method_smooth(const struct ao_method_options *options, double usual)
{
    return options->smooth < 0 ? usual : options->smooth;
}

const struct ao_option ao_method_option_table[] = {
    AO_OPT_CHOICE(ao_method_options, adjust, "adjust", "none", AO_ADJUST_CHOICES,
                  "expand again at the most extreme masks: simple is the authors', simple-fixed "
                  "without their error, ip one expansion for each group of neighbours"),
    AO_OPT_INT(ao_method_options, splits, "splits", "0", 0, 64, "N",
               "expand once for each of N x N parts of the mask grid, 0 for the clip alone"),
    AO_OPT_INT(ao_method_options, window, "window", "4", 2, 512, "PIXELS",
               "side of the box mean of --fill local"),
    AO_OPT_INT(ao_method_options, samples, "samples", "0", 0, 100000, "N",
               "noisy or masked copies of the clip; 0 for the method's usual number, 25 of "
               "smoothgrad and its kin, 500 of lime, 2000 of rise, kernelshap and shap_sampling"),
    AO_OPT_TEXT(ao_method_options, cells, "cells", NULL, "TxHxW",
                "boxes that hide or stay as one along frames, rows and columns; default: 4x7x7 of "
                "rise and both Shapley methods, else 5x10x10"),
    AO_OPT_CHOICE(ao_method_options, segments, "segments", "grid", AO_SEGMENTS_CHOICES,
                  "what hides or stays as one: the boxes of --cells, or supervoxels by SLIC"),
    AO_OPT_INT(ao_method_options, n_segments, "n-segments", "200", 1, 2048, "N",
               "supervoxels that SLIC is asked for"),
    AO_OPT_REAL(ao_method_options, keep, "keep", "0.5", 0.01, 0.99, "P",
                "probability that a cell or segment stays visible"),
    AO_OPT_REAL(ao_method_options, noise, "noise", "0.15", 0, 10, "SIGMA",
                "standard deviation of the noise, over the range of the clip's values"),
    AO_OPT_TEXT(ao_method_options, noise_file, "noise-file", NULL, "FILE",
                "the noise instead: .npy float32 [samples][3][T][H][W], standard normal"),
    AO_OPT_INT(ao_method_options, steps, "steps", "50", 1, 10000, "N",
               "points of the path from baseline to clip"),
    AO_OPT_CHOICE(ao_method_options, rule, "path", "middle", AO_PATH_CHOICES,
                  "where in each step the gradient is taken"),
    AO_OPT_TEXT(ao_method_options, baseline, "baseline", "zero", "FILL",
                "where the path starts, as --fill"),
    AO_OPT_REAL(ao_method_options, blur, "blur", "50", 0.1, 1000, "PIXELS",
                "standard deviation of the blur where the path starts"),
    AO_OPT_CHOICE(ao_method_options, reduce, "reduce", "auto", AO_REDUCE_CHOICES,
                  "how three channels become one number; auto is abs for derivatives, sum for what "
                  "adds up to a score"),
    AO_OPT_CHOICE(ao_method_options, accumulate, "accumulate", "contrast", AO_ACCUMULATE_CHOICES,
                  "visible: the authors' sum over the masks that leave a voxel visible; contrast: "
                  "the same with the mean of the map as its zero; coverage: the mean effect of a "
                  "pixel over the masks that hide it, for masks of any sizes"),
    AO_OPT_REAL(ao_method_options, smooth, "smooth", "-1", -1, 1000, "PIXELS",
                "sigma of a Gaussian over every frame of the map, where the short side is 112; -1 "
                "for the method's usual one, 2 of aosa-refine, else 1"),
    AO_OPT_CHOICE(ao_method_options, detail, "detail", "auto", AO_DETAIL_CHOICES,
                  "gradient: the map of the masks times the first-order effect of every pixel, one "
                  "more forward and backward; none: pixels of a mask count alike; auto: gradient "
                  "with --accumulate contrast, where the network can go backward"),
    AO_OPT_INT(ao_method_options, budget, "budget", "0", 0, 1000000, "N",
               "forwards, a backward counted as two; 0 for the method's usual number, 64 of "
               "aosa-refine, 20 of aosa-guided"),
    AO_OPT_INT(ao_method_options, roots, "roots", "0", 0, 1000, "N",
               "aosa-refine: coarse tubes along the short side, 0: up to 4 for half the budget"),
    AO_OPT_TEXT(ao_method_options, areas, "areas", "0.1", "LIST",
                "parts of the clip that masks may have, such as 0.05,0.1,0.15,0.3; one mask each"),
    AO_OPT_INT(ao_method_options, iterations, "iterations", "200", 1, 100000, "N",
               "steps of a mask's descent"),
    AO_OPT_CHOICE(ao_method_options, hiding, "hiding", "blur", AO_HIDING_CHOICES,
                  "what hides a place: a blur, as much as the mask says, or --fill"),
    AO_OPT_CHOICE(ao_method_options, game, "game", "preserve", AO_GAME_CHOICES,
                  "find what keeps the score, what loses it when hidden, or what does both"),
    AO_OPT_TEXT(
        ao_method_options, layer, "layer", NULL, "LAYER",
        "layer by name or index, -1 the last; inspect --layer list shows them. CAMs weigh its "
        "features, by default the last that change with time; first_order begins there, by "
        "default at the clip"),
    AO_OPT_END,
};
