/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include "support/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEMPLATE "/tmp/aosa-test-XXXXXX"

static char folder[] = TEMPLATE;

int folder_make(void **state)
{
    (void)state;
    strcpy(folder, TEMPLATE);
    return mkdtemp(folder) ? 0 : -1;
}

int folder_remove(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

const char *folder_path(void)
{
    return folder;
}

const char *in_folder(const char *name)
{
    static char paths[4][256];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}
