/* SPDX-License-Identifier: Apache-2.0 */
/* Our check of the file's structure, and libmatio on what passes it. */
#include "dataset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_file file;
    fuzz_file_open(&file, data, size);
    fuzz_boxes(&file, ao_read_boxes_mat);
    fuzz_file_close(&file);
    return 0;
}
