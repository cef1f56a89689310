/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_METRIC_OPTIONS_H
#define AO_METRIC_OPTIONS_H

#include "core/options.h"

/* What metrics read; rows of metrics.def say which. */
struct ao_metric_options {
    int unit;                  /* enum ao_metric_unit: what is deleted and inserted at once */
    int block;                 /* side of a block, pixels */
    int segments;              /* superpixels of each frame, or supervoxels of the clip */
    double compactness;        /* of these */
    int cuts;                  /* points of a curve after the first */
    int order;                 /* enum ao_metric_order of curves */
    char *deletion_base;       /* what stands where voxels are deleted, as --fill */
    char *insertion_base;      /* what voxels are inserted into */
    int ties;                  /* enum ao_metric_ties */
    int tie_repeats;           /* random ties: runs that are averaged */
    int score;                 /* enum ao_score_kind of what networks answer */
    int minimal_mask;          /* enum ao_metric_minimal */
    int subsets;               /* faithfulness: how many */
    int subset_units;          /* faithfulness: units in each */
    int perturbation;          /* infidelity: enum ao_metric_perturbation */
    int perturbations;         /* infidelity: how many */
    double perturbation_sigma; /* gauss: over the range of the clip's values */
    double perturbation_size;  /* cuboid: share of each axis */
    int stretch;               /* average_drop, iou: enum ao_metric_stretch */
    double iou_threshold;      /* what of a stretched map is its peak */
    int iou_opening;           /* radius, pixels; 0: none */
    bool iou_box;              /* bounding box of the peak in each frame */
    double iou_hit;            /* from where on iou is a hit */
    int peak;                  /* pointing: enum ao_metric_peak */
    int cascade;               /* randomisation: steps from the output to the whole network */
    int sensitivity_samples;   /* max_sensitivity: changed clips */
    double sensitivity_radius; /* and how far each value moves at most, of black to white */
    double tolerance; /* pointing: pixels a box grows on each side, at a short side of 112 */
    int distance;     /* pointing: enum ao_pointing_distance */
};

enum ao_metric_unit { AO_UNIT_VOXEL, AO_UNIT_BLOCK, AO_UNIT_SUPERPIXEL, AO_UNIT_SUPERVOXEL };
#define AO_UNIT_CHOICES "voxel|block|superpixel|supervoxel"

/* What matters most first, least first, or a curve for each. */
enum ao_metric_order { AO_ORDER_MORF, AO_ORDER_LERF, AO_ORDER_BOTH };
#define AO_ORDER_CHOICES "morf|lerf|both"

/* Equal values: by index; in seeded random order; or together, never apart. */
enum ao_metric_ties { AO_TIES_INDEX, AO_TIES_RANDOM, AO_TIES_TOGETHER };
#define AO_TIES_CHOICES "index|random|together"

/* Levels of the score itself (REVEX), or shares of what base and clip differ by (Fong, Vedaldi). */
enum ao_metric_minimal { AO_MINIMAL_SCORE, AO_MINIMAL_SHARE };
#define AO_MINIMAL_CHOICES "score|share"

enum ao_metric_perturbation { AO_PERTURBATION_CUBOID, AO_PERTURBATION_GAUSS };
#define AO_PERTURBATION_CHOICES "cuboid|gauss"

/* How a signed map becomes one in [0, 1]. */
enum ao_metric_stretch { AO_STRETCH_ZERO, AO_STRETCH_RANGE };
#define AO_STRETCH_CHOICES "zero|range"

enum ao_metric_peak { AO_PEAK_FIRST, AO_PEAK_CENTROID };
#define AO_PEAK_CHOICES "first|centroid"

/* A peak near a box: it grows on every side (STEP), or a pixel of it is near (TorchRay). */
enum ao_pointing_distance { AO_POINTING_BOX, AO_POINTING_EUCLIDEAN };
#define AO_POINTING_CHOICES "box|euclidean"

extern const struct ao_option ao_metric_option_table[];

#endif
