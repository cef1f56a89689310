/* SPDX-License-Identifier: Apache-2.0 */
/* Tables: lists of one's own and of Kinetics, and boxes. */
#include "dataset.h"

static aosa_status read_boxes(const struct ao_dataset_options *options, const char *path,
                              struct ao_dataset *dataset)
{
    return ao_read_boxes(options, path, dataset, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_file file;
    fuzz_file_open(&file, data, size);
    fuzz_list(&file, "csv");
    fuzz_list(&file, "kinetics");
    fuzz_boxes(&file, read_boxes);
    fuzz_file_close(&file);
    return 0;
}
