/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE /* scandir */
#include "evaluate/content.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/alloc.h"
#include "core/file.h"
#include "explain/page.h"

/* Adds what is told of one file, called `name`, to a page. */
typedef aosa_status (*describe_fn)(const char *path, const char *name, struct ao_page *page);

static aosa_status describe_bytes(const char *path, const char *name, struct ao_page *page)
{
    struct ao_file file;
    char digest[AO_SHA256_TEXT];
    AO_TRY(ao_file_open(&file, path));
    ao_sha256(file.bytes, file.size, digest);
    ao_file_close(&file);
    ao_page_add(page, "%s  %s\n", digest, name);
    return AOSA_OK;
}

static aosa_status describe_stamp(const char *path, const char *name, struct ao_page *page)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return ao_fail(AOSA_ERR_INPUT, "%s: %s", path, strerror(errno));
    ao_page_add(page, "%lld %lld.%09ld %s\n", (long long)info.st_size,
                (long long)info.st_mtim.tv_sec, info.st_mtim.tv_nsec, name);
    return AOSA_OK;
}

static aosa_status describe_entry(const char *folder, const char *name, describe_fn describe,
                                  struct ao_page *page)
{
    char path[4096];
    const int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return ao_fail(AOSA_ERR_INPUT, "%.200s...: the path is too long", folder);
    return ao_path_is_folder(path) ? AOSA_OK : describe(path, name, page);
}

/* By bytes, whatever the locale. */
static int compare_entries(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static aosa_status describe_folder(const char *path, describe_fn describe, struct ao_page *page)
{
    struct dirent **entries;
    const int n = scandir(path, &entries, NULL, compare_entries);
    if (n < 0)
        return ao_fail(AOSA_ERR_INPUT, "%s: %s", path, strerror(errno));
    aosa_status status = AOSA_OK;
    for (int i = 0; i < n; i++) {
        if (status == AOSA_OK)
            status = describe_entry(path, entries[i]->d_name, describe, page);
        free(entries[i]);
    }
    free(entries);
    return status;
}

/* A file's name is left out, so that a video may be called otherwise. */
static aosa_status hash(const char *path, describe_fn describe, char text[AO_SHA256_TEXT])
{
    struct ao_page page = { 0 };
    char *bytes;
    const aosa_status status = ao_path_is_folder(path) ? describe_folder(path, describe, &page)
                                                       : describe(path, "", &page);
    const aosa_status taken = ao_page_take(&page, &bytes);
    if (taken == AOSA_OK && status == AOSA_OK)
        ao_sha256(bytes, strlen(bytes), text);
    if (taken == AOSA_OK)
        ao_free(bytes);
    return taken != AOSA_OK ? taken : status;
}

aosa_status ao_content_digest(const char *path, char text[AO_SHA256_TEXT])
{
    return hash(path, describe_bytes, text);
}

aosa_status ao_content_stamp(const char *path, char text[AO_SHA256_TEXT])
{
    return hash(path, describe_stamp, text);
}
