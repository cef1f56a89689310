/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_DATASET_NAMES_H
#define AO_DATASET_NAMES_H

#include "dataset/dataset.h"

/*
 * Items of a dataset by the names that files of boxes give them: the id, or the id without folders
 * and suffix ("v_X_g01_c01" of "X/v_X_g01_c01.avi"). Sorted, so that a look-up costs log n.
 */
struct ao_names {
    struct ao_name *names;
    size_t n;
};

/* Borrows the dataset's items, which must stay where they are. AOSA_ERR_NOMEM. */
aosa_status ao_names_init(struct ao_names *names, const struct ao_dataset *dataset);
void ao_names_fini(struct ao_names *names);

/* *item gets the item, or NULL where there is none; AOSA_ERR_FORMAT for a name that two share. */
aosa_status ao_names_find(const struct ao_names *names, const char *name, struct ao_item **item);

#endif
