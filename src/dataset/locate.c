/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/alloc.h"
#include "core/file.h"
#include "dataset/layout.h"

char *ao_path_join(const char *folder, const char *name)
{
    const size_t n = strlen(folder) + strlen(name) + 2;
    char *path = ao_alloc(n, 1);
    if (path)
        snprintf(path, n, "%s/%s", folder, name);
    return path;
}

aosa_status ao_path_below(const char *folder, const char *name, char **path)
{
    bool climbs = name[0] == '/' || name[0] == '\0';
    for (const char *p = name; *p; p += *p == '/') {
        const size_t n = strcspn(p, "/");
        climbs = climbs || (n == 2 && p[0] == '.' && p[1] == '.');
        p += n;
    }
    if (climbs)
        return ao_fail(AOSA_ERR_FORMAT, "'%.200s' is not a path below %s", name, folder);
    *path = ao_path_join(folder, name);
    return *path ? AOSA_OK : ao_fail(AOSA_ERR_NOMEM, "%s: no memory for its path", name);
}

bool ao_name_is_plain(const char *name)
{
    return *name && strcmp(name, ".") && strcmp(name, "..") && !strchr(name, '/');
}

/* --- videos ------------------------------------------------------------------------------------
 */

/* One path that is changed in place: no name here is longer than the room for it. */
struct search {
    char *path;
    size_t bytes;
    bool any_case;
};

/* Looks for another case of what stands behind the folder, the path's first n characters. */
static bool find_in_any_case(struct search *s, size_t n)
{
    bool found = false;
    struct dirent *entry;
    s->path[n] = '\0';
    DIR *entries = opendir(s->path);
    s->path[n] = '/';
    while (entries && !found && (entry = readdir(entries))) {
        found = !strcasecmp(entry->d_name, s->path + n + 1);
        if (found)
            memcpy(s->path + n + 1, entry->d_name, strlen(entry->d_name));
    }
    if (entries)
        closedir(entries);
    return found;
}

/* Puts NAME (of that length) and suffix behind the folder; whether there is such an entry. */
static bool look(struct search *s, size_t n, const char *name, size_t length, const char *suffix)
{
    snprintf(s->path + n, s->bytes - n, "/%.*s%s", (int)length, name, suffix);
    return ao_path_exists(s->path) || (s->any_case && find_in_any_case(s, n));
}

char *ao_find_video(const char *root, const char *class, const char *name, bool any_case)
{
    static const char *const suffixes[] = { "", ".mp4", ".avi", ".mkv", ".webm", ".mov" };
    const size_t in_root = strlen(root), in_class = in_root + 1 + strlen(class);
    const char *dot = strrchr(name, '.');
    const size_t length = strlen(name), stem = dot ? (size_t)(dot - name) : length;
    struct search s = { NULL, in_class + 1 + length + sizeof ".webm", any_case };
    s.path = ao_alloc(s.bytes, 1);
    if (!s.path)
        return NULL;
    memcpy(s.path, root, in_root);
    look(&s, in_root, class, strlen(class), "");
    bool found = look(&s, in_class, name, length, "");
    for (size_t i = 0; !found && i < sizeof suffixes / sizeof *suffixes; i++)
        found = look(&s, in_class, name, stem, suffixes[i]);
    if (!found)
        look(&s, in_class, name, length, "");
    return s.path;
}
