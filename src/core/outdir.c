/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700 /* nftw, mkdtemp */
#include "core/file.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/alloc.h"

/* "a/b" in a new string, or NULL without memory. */
static char *join(const char *folder, const char *name)
{
    const size_t n = strlen(folder) + strlen(name) + 2;
    char *path = ao_alloc(n, 1);
    if (path)
        snprintf(path, n, "%s/%s", folder, name);
    return path;
}

/* Makes a folder and its parents; *created tells whether the last one is new. */
static aosa_status make_folders(const char *path, bool *created)
{
    char *copy = ao_strdup(path);
    if (!copy)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for the path", path);
    aosa_status status = AOSA_OK;
    *created = false;
    for (char *p = copy + 1; status == AOSA_OK; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        const char end = *p;
        *p = '\0';
        *created = mkdir(copy, 0777) == 0;
        if (!*created && errno != EEXIST)
            status =
                ao_fail(AOSA_ERR_OUTPUT, "%s: cannot make the folder: %s", copy, strerror(errno));
        *p = end;
        if (end == '\0')
            break;
    }
    if (status == AOSA_OK && !ao_path_is_folder(path))
        status = ao_fail(AOSA_ERR_OUTPUT, "%s: exists and is not a folder", path);
    ao_free(copy);
    return status;
}

aosa_status ao_folder_make(const char *path)
{
    bool created;
    return make_folders(path, &created);
}

static aosa_status refuse_old_result(const char *path, const char *marker)
{
    char *old = join(path, marker);
    if (!old)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for the path", path);
    const bool exists = ao_path_exists(old);
    ao_free(old);
    if (exists)
        return ao_fail(AOSA_ERR_OUTPUT, "%s: already holds %s; use --force to replace it", path,
                       marker);
    return AOSA_OK;
}

aosa_status ao_outdir_begin(struct ao_outdir *dir, const char *path, const char *marker, bool force)
{
    *dir = (struct ao_outdir){ 0 };
    if (!path || !*path)
        return ao_fail(AOSA_ERR_ARGUMENT, "the output folder has no name; use -o FOLDER");
    if (!force)
        AO_TRY(refuse_old_result(path, marker));
    bool created = false;
    AO_TRY(make_folders(path, &created));
    dir->created = created;
    dir->path = ao_strdup(path);
    dir->staging = join(path, ".aosa-XXXXXX");
    if (!dir->path || !dir->staging) {
        ao_free(dir->staging);
        dir->staging = NULL;
        ao_outdir_abort(dir);
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for the path", path);
    }
    if (!mkdtemp(dir->staging)) {
        const int reason = errno;
        ao_free(dir->staging);
        dir->staging = NULL;
        ao_outdir_abort(dir);
        return ao_fail(AOSA_ERR_OUTPUT, "%s: cannot write into the folder: %s", path,
                       strerror(reason));
    }
    return AOSA_OK;
}

char *ao_outdir_file(struct ao_outdir *dir, const char *name)
{
    char *path = join(dir->staging, name);
    char *slash = path ? strchr(path + strlen(dir->staging) + 1, '/') : NULL;
    if (slash) {
        *slash = '\0';
        mkdir(path, 0777); /* a failure shows when the file is opened */
        *slash = '/';
    }
    return path;
}

static int remove_entry(const char *path, const struct stat *info, int flag, struct FTW *where)
{
    (void)info;
    (void)flag;
    (void)where;
    remove(path);
    return 0;
}

static void remove_tree(const char *path)
{
    nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* Moves every entry of `from` into `to`; a folder that is already there is filled, not replaced. */
static aosa_status move_entries(const char *from, const char *to)
{
    DIR *folder = opendir(from);
    if (!folder)
        return ao_fail(AOSA_ERR_OUTPUT, "%s: %s", from, strerror(errno));
    aosa_status status = AOSA_OK;
    struct dirent *entry;
    while (status == AOSA_OK && (entry = readdir(folder))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        char *source = join(from, entry->d_name);
        char *target = join(to, entry->d_name);
        if (!source || !target)
            status = ao_fail(AOSA_ERR_NOMEM, "%s: no memory for the path", to);
        else if (ao_path_is_folder(source) && ao_path_is_folder(target))
            status = move_entries(source, target);
        else if (rename(source, target) != 0)
            status = ao_fail(AOSA_ERR_OUTPUT, "%s: %s", target, strerror(errno));
        ao_free(source);
        ao_free(target);
    }
    closedir(folder);
    return status;
}

static void forget(struct ao_outdir *dir)
{
    ao_free(dir->path);
    ao_free(dir->staging);
    *dir = (struct ao_outdir){ 0 };
}

aosa_status ao_outdir_commit(struct ao_outdir *dir)
{
    const aosa_status status = move_entries(dir->staging, dir->path);
    if (status != AOSA_OK) {
        ao_outdir_abort(dir);
        return status;
    }
    remove_tree(dir->staging);
    forget(dir);
    return AOSA_OK;
}

void ao_outdir_abort(struct ao_outdir *dir)
{
    if (dir->staging)
        remove_tree(dir->staging);
    if (dir->created)
        rmdir(dir->path); /* only if empty: others' files stay */
    forget(dir);
}
