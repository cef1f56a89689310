/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_FUZZ_DATASET_H
#define AO_FUZZ_DATASET_H

#define _GNU_SOURCE /* memfd_create */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dataset/layout.h"
#include "fuzz.h"

/*
 * Lists and boxes are files: the bytes become one in memory, which has a path below /proc. No
 * video is found below the root, and whatever the readers say is fine, as long as they end, and
 * cleanly.
 */
struct fuzz_file {
    int fd;
    char path[64];
};

static inline void fuzz_file_open(struct fuzz_file *file, const uint8_t *data, size_t size)
{
    file->fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (file->fd < 0 || write(file->fd, data, size) != (ssize_t)size)
        abort(); /* no fault of the input */
    snprintf(file->path, sizeof file->path, "/proc/self/fd/%d", file->fd);
}

static inline void fuzz_file_close(struct fuzz_file *file)
{
    close(file->fd);
}

/* The file as the list of a layout. */
static inline void fuzz_list(struct fuzz_file *file, const char *layout)
{
    struct ao_dataset_options options = { .lists = NULL };
    struct ao_dataset *dataset = NULL;
    const struct ao_option *table = ao_dataset_option_table;
    if (ao_options_init(table, &options) != AOSA_OK ||
        ao_option_set(ao_options_find(table, "dataset"), &options, layout) != AOSA_OK ||
        ao_option_set(ao_options_find(table, "root"), &options, "/proc/self/fd") != AOSA_OK ||
        ao_option_set(ao_options_find(table, "lists"), &options, file->path) != AOSA_OK)
        abort();
    if (ao_dataset_open(&options, &dataset) == AOSA_OK)
        ao_dataset_close(&dataset);
    ao_options_fini(table, &options);
}

/* The file as the boxes of two videos. */
static inline void fuzz_boxes(struct fuzz_file *file,
                              aosa_status (*read)(const struct ao_dataset_options *options,
                                                  const char *path, struct ao_dataset *dataset))
{
    static const char *const videos[] = { "Basketball/v_Basketball_g01_c01",
                                          "CliffDiving/v_CliffDiving_g01_c01" };
    char box_class[] = "label";
    const struct ao_dataset_options options = { .box_class = box_class, .first_frame = 1 };
    struct ao_dataset *dataset = calloc(1, sizeof *dataset);
    for (int i = 0; i < 2; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s", videos[i]);
        const struct ao_item item = { .id = text, .path = text, .label = text, .where = text };
        if (!dataset || ao_dataset_add(dataset, &item, NULL) != AOSA_OK)
            abort();
    }
    const aosa_status status = read(&options, file->path, dataset);
    (void)status;
    ao_dataset_close(&dataset);
}

#endif
