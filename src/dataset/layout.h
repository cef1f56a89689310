/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_DATASET_LAYOUT_H
#define AO_DATASET_LAYOUT_H

#include <stdbool.h>

#include "dataset/dataset.h"

/* What layouts share. */

struct ao_layout {
    const char *name;
    const char *options; /* those of the dataset that it reads besides root, boxes and limit */
    const char *summary;
    aosa_status (*read)(const struct ao_dataset_options *options, struct ao_dataset *dataset);
};

#define LAYOUT(name, ...)                                                  \
    aosa_status ao_layout_##name(const struct ao_dataset_options *options, \
                                 struct ao_dataset *dataset);
#include "dataset/datasets.def"
#undef LAYOUT

/* Appends a copy of `item`, its texts included; it comes without boxes. *added may be NULL. */
aosa_status ao_dataset_add(struct ao_dataset *dataset, const struct ao_item *item,
                           struct ao_item **added);

/* The next label. AOSA_ERR_FORMAT for one that is there and past AO_MAX_LABELS of them. */
#define AO_MAX_LABELS 10000
aosa_status ao_dataset_add_label(struct ao_dataset *dataset, const char *label);

/* Place of a label as it is spelt; n_labels where there is none. */
size_t ao_dataset_find_label(const struct ao_dataset *dataset, const char *label);

aosa_status ao_item_add_box(struct ao_item *item, const struct ao_source_box *box);

/* --- paths ------------------------------------------------------------------------------------ */

/* "folder/name" in a new text (ao_free), or NULL without memory. */
char *ao_path_join(const char *folder, const char *name);

/*
 * A path from a list, below a folder: neither absolute nor with a component "..".
 * AOSA_ERR_FORMAT; *path is owned by the caller.
 */
aosa_status ao_path_below(const char *folder, const char *name, char **path);

/* Whether a text from a list can be the name of one file or folder: no '/', not "", "." or "..". */
bool ao_name_is_plain(const char *name);

/*
 * Where video `name` of a class is: ROOT/CLASS/NAME, as a file or a folder of frames, with its
 * suffix, without it or with another one that videos have; whatever the case of both names, if
 * `any_case`. A video that is nowhere gets the path at which it was looked for first, so that
 * opening it tells.
 *
 * @return A new text (ao_free), NULL without memory.
 */
char *ao_find_video(const char *root, const char *class, const char *name, bool any_case);

/* --- parts of a dataset ------------------------------------------------------------------------
 */

enum ao_subset { AO_SUBSET_TRAIN, AO_SUBSET_VAL, AO_SUBSET_TEST };

/* The part that a word means: train, training; val, validate, validation; test, testing. */
bool ao_subset_parse(const char *word, enum ao_subset *subset);

/* Part that the options choose, `initial` where they do not. AOSA_ERR_ARGUMENT. */
aosa_status ao_subset_choose(const struct ao_dataset_options *options, enum ao_subset initial,
                             enum ao_subset *subset);

/* --- boxes -------------------------------------------------------------------------------------
 */

/*
 * Boxes of a file with the columns frame, x, y, w, h, and perhaps video and class (or label).
 * Without a column `video` they are all of `only`, which is required then; else of the item whose
 * id, or whose id without folders and suffix, the column names. A file of MATLAB is read by
 * ao_read_boxes_mat.
 */
aosa_status ao_read_boxes(const struct ao_dataset_options *options, const char *path,
                          struct ao_dataset *dataset, struct ao_item *only);

/*
 * Boxes of UCF101-24 as its corrected annotations hold them (spec C.2): a MAT-file of version 5
 * with annot(N) {name, tubes{sf, ef, class, boxes}}, frames and classes counted from 1, both ends
 * included, boxes [ef - sf + 1][x y w h]. AOSA_ERR_FORMAT names the element.
 */
aosa_status ao_read_boxes_mat(const struct ao_dataset_options *options, const char *path,
                              struct ao_dataset *dataset);

/* Whether boxes of that class (NULL: of none) count for an item. */
bool ao_box_counts(const struct ao_dataset_options *options, const struct ao_item *item,
                   const char *class);

#endif
