/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/options.h"

#include "attribution/score.h"

const struct ao_option ao_metric_option_table[] = {
    AO_OPT_CHOICE(ao_metric_options, unit, "unit", "voxel", AO_UNIT_CHOICES,
                  "what is deleted and inserted at once"),
    AO_OPT_INT(ao_metric_options, block, "block", "16", 1, 8192, "PIXELS",
               "side of a block, whose value is the mean of the map"),
    AO_OPT_INT(ao_metric_options, cuts, "cuts", "100", 1, 100000, "N",
               "points of a curve after the first"),
    AO_OPT_TEXT(ao_metric_options, deletion_base, "deletion-base", "zero", "FILL",
                "what stands where voxels are deleted: zero, black, mean, blur or a number"),
    AO_OPT_TEXT(ao_metric_options, insertion_base, "insertion-base", "zero", "FILL",
                "what voxels are inserted into, the same"),
    AO_OPT_CHOICE(ao_metric_options, ties, "ties", "index", AO_TIES_CHOICES,
                  "order of voxels with equal values: by position, seeded random, or not parted"),
    AO_OPT_INT(ao_metric_options, tie_repeats, "tie-repeats", "1", 1, 1000, "N",
               "random ties: orders that are averaged"),
    AO_OPT_CHOICE(ao_metric_options, score, "metric-score", "prob", AO_SCORE_CHOICES,
                  "what curves measure"),
    AO_OPT_REAL(ao_metric_options, tolerance, "tolerance", "7", 0, 8192, "PIXELS",
                "a peak may lie that far outside of a box, where the frame's short side is 112"),
    AO_OPT_CHOICE(ao_metric_options, distance, "distance", "box", AO_POINTING_CHOICES,
                  "how that is measured: along x and y, or straight"),
    AO_OPT_END,
};
