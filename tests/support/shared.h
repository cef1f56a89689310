/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AOSA_TESTS_SHARED_H
#define AOSA_TESTS_SHARED_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/file.h"

/* What a test program answers when it could not run: Meson counts it as skipped. */
#define EXIT_SKIPPED 77

/* True, with a line that says so, where the reference data is not there. */
static inline bool shared_is_missing(void)
{
    const char *folder = getenv("AOSA_SHARED");
    if (!folder)
        folder = "../shared";
    if (ao_path_is_folder(folder))
        return false;
    printf("skipped: no reference data in %s (AOSA_SHARED names its folder)\n", folder);
    return true;
}

#endif
