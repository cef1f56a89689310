/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_CORE_FILE_H
#define AO_CORE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "core/status.h"

/* A regular file mapped read-only; bytes is NULL when the file is empty. */
struct ao_file {
    const unsigned char *bytes;
    size_t size;
};

/*
 * Opens a regular file (not a device, FIFO or folder). AOSA_ERR_INPUT names the path and the
 * reason. Borrow `path`. A file that another process shortens while it is mapped ends the process
 * with SIGBUS; do not explain files that are being written.
 */
aosa_status ao_file_open(struct ao_file *file, const char *path);
void ao_file_close(struct ao_file *file);

/*
 * Gives the pages of the mapping back, or those that lie wholly inside a part of one: they are
 * read from the file again when touched. Weights that were copied into another layout need not
 * stay in memory twice.
 */
void ao_file_release(const struct ao_file *file);

bool ao_path_exists(const char *path);
bool ao_path_is_folder(const char *path);

/* Last component of a path, without its folder; points into `path`. */
const char *ao_path_base(const char *path);

/* Makes a folder and its parents; one that is there is fine. AOSA_ERR_OUTPUT, AOSA_ERR_NOMEM. */
aosa_status ao_folder_make(const char *path);

/*
 * A result folder that appears whole or not at all. Files are written in a hidden folder inside it
 * and moved to their names by commit; abort (or a failed commit) removes what was written and the
 * folder itself if begin made it. Thread class: confined.
 */
struct ao_outdir {
    char *path;    /* final folder */
    char *staging; /* hidden folder inside it */
    bool created;  /* begin made `path` */
};

/*
 * Makes the folder (parents too). Without `force`, AOSA_ERR_OUTPUT if the folder already holds a
 * result (`marker`, such as "result.json"), naming --force as the remedy.
 */
aosa_status ao_outdir_begin(struct ao_outdir *dir, const char *path, const char *marker,
                            bool force);

/* Path of a file to write, "<staging>/name", in a malloc'd string (ao_free); NULL without memory.
 * `name` may hold one folder ("clip0/map.npy"), made on demand. */
char *ao_outdir_file(struct ao_outdir *dir, const char *name);

aosa_status ao_outdir_commit(struct ao_outdir *dir);
void ao_outdir_abort(struct ao_outdir *dir); /* accepts a zeroed or finished one */

/* Removes what a failed write left at `path`; a device or a pipe of the user stays. */
void ao_file_discard(const char *path);

/* Writes a whole buffer to a new file; AOSA_ERR_OUTPUT (disk full, ...) names path and reason. */
aosa_status ao_file_write(const char *path, const void *bytes, size_t size);

#endif
