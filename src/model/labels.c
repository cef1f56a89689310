/* SPDX-License-Identifier: Apache-2.0 */
#include "model/labels.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "core/alloc.h"
#include "core/file.h"

#define MAX_LABEL_FILE ((size_t)1 << 20)
#define MAX_LABEL 256

static aosa_status add_label(char ***labels, int *n, size_t *capacity, const char *path,
                             const char *line, size_t length)
{
    if (length && line[length - 1] == '\r')
        length--;
    if (length == 0 || length > MAX_LABEL || memchr(line, '\0', length))
        return ao_fail(AOSA_ERR_FORMAT, "%s: line %d is not a class name of 1 to %d characters",
                       path, *n + 1, MAX_LABEL);
    void *items = *labels;
    char *label = ao_strndup(line, length);
    if (!label || !ao_grow(&items, capacity, (size_t)*n, sizeof **labels)) {
        ao_free(label);
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for label %d", path, *n + 1);
    }
    *labels = items;
    (*labels)[(*n)++] = label;
    return AOSA_OK;
}

static aosa_status split_lines(const char *path, const char *text, size_t size, char ***labels,
                               int *n)
{
    size_t capacity = 0;
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        const size_t length = end ? (size_t)(end - text) - at : size - at;
        AO_TRY(add_label(labels, n, &capacity, path, text + at, length));
        at += length + 1;
    }
    return AOSA_OK;
}

aosa_status ao_labels_read(const char *path, char ***labels, int *n)
{
    struct ao_file file;
    *labels = NULL;
    *n = 0;
    AO_TRY(ao_file_open(&file, path));
    aosa_status status;
    if (file.size == 0 || file.size > MAX_LABEL_FILE)
        status = ao_fail(AOSA_ERR_FORMAT, "%s: %zu bytes, a label file has 1 to %zu", path,
                         file.size, MAX_LABEL_FILE);
    else
        status = split_lines(path, (const char *)file.bytes, file.size, labels, n);
    ao_file_close(&file);
    if (status != AOSA_OK)
        ao_labels_destroy(labels, *n);
    return status;
}

void ao_labels_destroy(char ***labels, int n)
{
    for (int i = 0; *labels && i < n; i++)
        ao_free((*labels)[i]);
    ao_free(*labels);
    *labels = NULL;
}

static const char *skip_separators(const char *p)
{
    return p + strspn(p, " _-");
}

static bool same_loosely(const char *a, const char *b)
{
    for (;; a++, b++) {
        a = skip_separators(a);
        b = skip_separators(b);
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return false;
        if (!*a)
            return true;
    }
}

int ao_labels_find(char *const *labels, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(labels[i], name))
            return i;
    for (int i = 0; i < n; i++)
        if (same_loosely(labels[i], name))
            return i;
    return -1;
}
