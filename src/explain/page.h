/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_EXPLAIN_PAGE_H
#define AO_EXPLAIN_PAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"

/* A text that grows, for pages people read. Zero-initialise; a failure is kept until take. */
struct ao_page {
    char *bytes;
    size_t length, capacity;
    bool failed;
};

void ao_page_add(struct ao_page *page, const char *format, ...) AO_PRINTF(2, 3);

/* Hands the text to the caller (ao_free) and empties it. AOSA_ERR_NOMEM if any piece was lost. */
aosa_status ao_page_take(struct ao_page *page, char **taken);

#endif
