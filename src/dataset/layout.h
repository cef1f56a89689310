/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_DATASET_LAYOUT_H
#define AO_DATASET_LAYOUT_H

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

/* Appends an item; the texts are copied. *item may be NULL. */
aosa_status ao_dataset_add(struct ao_dataset *dataset, const char *id, const char *path,
                           const char *label, struct ao_item **item);
aosa_status ao_dataset_add_label(struct ao_dataset *dataset, const char *label);
aosa_status ao_item_add_box(struct ao_item *item, const struct ao_source_box *box);

/* "folder/name" in a new text (ao_free), or NULL without memory. */
char *ao_path_join(const char *folder, const char *name);

/*
 * A path from a list, below a folder: neither absolute nor with a component "..".
 * AOSA_ERR_FORMAT; *path is owned by the caller.
 */
aosa_status ao_path_below(const char *folder, const char *name, char **path);

/*
 * Boxes of a file with the columns frame, x, y, w, h, and perhaps video and class. Without a column
 * `video` they are all of `only`, which is required then; else of the item whose id, or whose id
 * without folders and suffix, the column names.
 */
aosa_status ao_read_boxes(const struct ao_dataset_options *options, const char *path,
                          struct ao_dataset *dataset, struct ao_item *only);

#endif
