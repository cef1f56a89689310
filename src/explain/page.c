/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/page.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"

static bool reserve(struct ao_page *page, size_t more)
{
    if (page->length + more < page->capacity)
        return true;
    const size_t wanted = 2 * (page->length + more) + 256;
    char *grown = ao_alloc(wanted, 1);
    if (!grown)
        return false;
    if (page->length)
        memcpy(grown, page->bytes, page->length);
    ao_free(page->bytes);
    page->bytes = grown;
    page->capacity = wanted;
    return true;
}

void ao_page_add(struct ao_page *page, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0 || !reserve(page, (size_t)n)) {
        page->failed = true;
        return;
    }
    va_start(args, format);
    vsnprintf(page->bytes + page->length, (size_t)n + 1, format, args);
    va_end(args);
    page->length += (size_t)n;
}

aosa_status ao_page_take(struct ao_page *page, char **taken)
{
    if (!page->failed && !page->bytes)
        page->failed = !reserve(page, 1);
    if (page->failed) {
        ao_free(page->bytes);
        *page = (struct ao_page){ 0 };
        return ao_fail(AOSA_ERR_NOMEM, "page: no memory for its text");
    }
    *taken = page->bytes;
    *page = (struct ao_page){ 0 };
    return AOSA_OK;
}
