/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/options.h"

const struct ao_option ao_method_option_table[] = {
    AO_OPT_CHOICE(ao_method_options, adjust, "adjust", "none", AO_ADJUST_CHOICES,
                  "expand again at the most extreme masks: simple is the authors', simple-fixed "
                  "without their error, ip one expansion for each group of neighbours"),
    AO_OPT_INT(ao_method_options, splits, "splits", "0", 0, 64, "N",
               "expand once for each of N x N parts of the mask grid, 0 for the clip alone"),
    AO_OPT_INT(ao_method_options, window, "window", "4", 2, 512, "PIXELS",
               "side of the box mean of --fill local"),
    AO_OPT_INT(ao_method_options, samples, "samples", "25", 1, 10000, "N", "noisy copies"),
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
    AO_OPT_TEXT(
        ao_method_options, layer, "layer", NULL, "LAYER",
        "features that are weighed, by name or index, -1 the last; inspect --layer list shows "
        "them; default: the last that change with time"),
    AO_OPT_END,
};
