/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_METRIC_OPTIONS_H
#define AO_METRIC_OPTIONS_H

#include "core/options.h"

/* What metrics read; rows of metrics.def say which. */
struct ao_metric_options {
    int unit;             /* enum ao_metric_unit: what is deleted and inserted at once */
    int block;            /* side of a block, pixels */
    int cuts;             /* points of a curve after the first */
    char *deletion_base;  /* what stands where voxels are deleted, as --fill */
    char *insertion_base; /* what voxels are inserted into */
    int ties;             /* enum ao_metric_ties */
    int tie_repeats;      /* random ties: runs that are averaged */
    int score;            /* enum ao_score_kind of the curves */
    double tolerance;     /* pointing: pixels a box grows on each side, at a short side of 112 */
    int distance;         /* pointing: enum ao_pointing_distance */
};

enum ao_metric_unit { AO_UNIT_VOXEL, AO_UNIT_BLOCK };
#define AO_UNIT_CHOICES "voxel|block"

/* Equal values: by index; in seeded random order; or together, never apart. */
enum ao_metric_ties { AO_TIES_INDEX, AO_TIES_RANDOM, AO_TIES_TOGETHER };
#define AO_TIES_CHOICES "index|random|together"

/* A peak near a box: it grows on every side (STEP), or a pixel of it is near (TorchRay). */
enum ao_pointing_distance { AO_POINTING_BOX, AO_POINTING_EUCLIDEAN };
#define AO_POINTING_CHOICES "box|euclidean"

extern const struct ao_option ao_metric_option_table[];

#endif
