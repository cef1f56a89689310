/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "fuzz.h"

/*
 * Feeds the files of a corpus to a fuzz target, so that what a fuzzer once found is checked by
 * every build, without a fuzzer. Arguments are files and folders.
 */

/* A copy of exactly the file's size: a sanitizer then sees every byte read too many. */
static int replay_file(const char *path)
{
    struct ao_file file;
    if (ao_file_open(&file, path) != AOSA_OK) {
        fprintf(stderr, "%s\n", aosa_error_message());
        return -1;
    }
    uint8_t *copy = malloc(file.size ? file.size : 1);
    if (copy && file.size)
        memcpy(copy, file.bytes, file.size);
    if (copy)
        LLVMFuzzerTestOneInput(copy, file.size);
    free(copy);
    ao_file_close(&file);
    return copy ? 1 : -1;
}

/* Number of files replayed, -1 after a failure. */
static int replay(const char *path)
{
    if (!ao_path_is_folder(path))
        return replay_file(path);
    DIR *folder = opendir(path);
    if (!folder)
        return -1;
    int n = 0;
    for (struct dirent *entry; n >= 0 && (entry = readdir(folder)) != NULL;) {
        char name[4096];
        if (entry->d_name[0] == '.')
            continue;
        const int length = snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        n = length < (int)sizeof name && replay_file(name) > 0 ? n + 1 : -1;
    }
    closedir(folder);
    return n;
}

int main(int argc, char **argv)
{
    int total = 0;
    for (int i = 1; i < argc; i++) {
        const int n = replay(argv[i]);
        if (n < 0)
            return 1;
        total += n;
    }
    printf("%d files replayed\n", total);
    return total > 0 ? 0 : 1;
}
