/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_DATASET_DATASET_H
#define AO_DATASET_DATASET_H

#include <stddef.h>
#include <stdint.h>

#include "core/options.h"
#include "data/truth.h"

/*
 * Lists of labelled videos, with boxes where a dataset has them: one file for each layout, one row
 * in datasets.def. Everything read here is hostile until checked (annotations of the wild).
 */

struct ao_item {
    char *id;    /* stable and unique in the dataset, such as "CliffDiving/v_CliffDiving_g01_c01" */
    char *path;  /* video, folder of frames or .npy */
    char *label; /* as the dataset spells it */
    char *where; /* file and line, or entry, of the list that names it: for messages */
    int64_t first, end; /* frames of the source that belong to it, half-open; end 0: to its last */
    int clip;           /* of the video, see ao_dataset_take_clips */
    struct ao_source_box *boxes;
    size_t n_boxes, boxes_capacity;
};

struct ao_dataset {
    struct ao_item *items; /* in the order of their ids */
    size_t n, capacity;
    char **labels; /* [n_labels] in the dataset's own order; NULL where it has none */
    size_t n_labels, labels_capacity;
    size_t *sorted; /* [n_labels] places of the labels in alphabetical order */
    size_t sorted_capacity;
    size_t boxes_unused; /* boxes of videos that are not in the list, and of other classes */
};

struct ao_dataset_options {
    int layout;      /* row of datasets.def */
    char *root;      /* folder of the videos */
    char *lists;     /* folder or file of the lists */
    int split;       /* UCF-101: 1, 2, 3 */
    char *subset;    /* NULL: the part with labels that the layout tests on */
    char *boxes;     /* file of the boxes, or NULL */
    char *box_class; /* label, any, or the word that the boxes' class must be */
    int first_frame; /* number of a video's first frame in files of boxes */
    int limit;       /* most items, evenly spread; 0: all */
};

extern const struct ao_option ao_dataset_option_table[];

/*
 * Reads lists and boxes; looks for each video but opens none. AOSA_ERR_INPUT for a missing file or
 * folder, AOSA_ERR_FORMAT with file and line, AOSA_ERR_ARGUMENT for an option that the layout does
 * not have or wants, AOSA_ERR_NOMEM. A video that is not there stays in the list: opening it fails,
 * and that is counted.
 */
aosa_status ao_dataset_open(const struct ao_dataset_options *options, struct ao_dataset **dataset);
void ao_dataset_close(struct ao_dataset **dataset);

/*
 * Every video becomes `clips` items, which are its clips 0, 1, ... with ids "VIDEO#0", "VIDEO#1",
 * ..., by video and then by number. They share its texts and its boxes, which clip 0 owns. Nothing
 * changes for 1. AOSA_ERR_NOMEM.
 */
aosa_status ao_dataset_take_clips(struct ao_dataset *dataset, int clips);

#endif
