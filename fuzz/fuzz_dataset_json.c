/* SPDX-License-Identifier: Apache-2.0 */
#include "dataset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_file file;
    fuzz_file_open(&file, data, size);
    fuzz_list(&file, "kenshohara");
    fuzz_file_close(&file);
    return 0;
}
