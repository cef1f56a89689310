/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/alloc.h"
#include "onnx/import.h"

/*
 * Weights beside the model. A model may come from anywhere, so it must not choose which files of
 * this machine are read: the location stays below the model's own folder, no component may be a
 * symbolic link, and the file has one name only.
 */

struct place {
    char location[AO_ONNX_MAX_NAME + 1];
    bool has_length;
    size_t offset, length;
};

static aosa_status read_number(const struct ao_onnx_text *text, const char *name, const char *key,
                               size_t *number)
{
    size_t n = 0;
    bool valid = text->size > 0;
    for (size_t i = 0; valid && i < text->size; i++) {
        const char c = text->bytes[i];
        valid =
            c >= '0' && c <= '9' && ao_size_mul(n, 10, &n) && ao_size_add(n, (size_t)(c - '0'), &n);
    }
    if (!valid)
        return ao_fail(AOSA_ERR_FORMAT,
                       "tensor '%s': external data has %s '%.*s', not a number of bytes", name, key,
                       AO_ONNX_TEXT(text));
    *number = n;
    return AOSA_OK;
}

static aosa_status read_location(const struct ao_onnx_text *text, const char *name,
                                 struct place *place)
{
    if (text->size == 0 || text->size > AO_ONNX_MAX_NAME || !ao_onnx_text_is_plain(text))
        return ao_fail(AOSA_ERR_FORMAT, "tensor '%s': external data without a usable file name",
                       name);
    memcpy(place->location, text->bytes, text->size);
    place->location[text->size] = '\0';
    return AOSA_OK;
}

static aosa_status read_place(const ao_onnx_Tensor *tensor, const char *name, struct place *place)
{
    for (size_t i = 0; i < tensor->external_data.n; i++) {
        const ao_onnx_Entry *entry = tensor->external_data.items[i];
        if (ao_onnx_text_is(&entry->key, "location")) {
            AO_TRY(read_location(&entry->value, name, place));
        } else if (ao_onnx_text_is(&entry->key, "offset")) {
            AO_TRY(read_number(&entry->value, name, "offset", &place->offset));
        } else if (ao_onnx_text_is(&entry->key, "length")) {
            AO_TRY(read_number(&entry->value, name, "length", &place->length));
            place->has_length = true;
        } else if (!ao_onnx_text_is(&entry->key, "checksum")) {
            return ao_fail(AOSA_ERR_FORMAT, "tensor '%s': external data has an unknown key '%.*s'",
                           name, AO_ONNX_TEXT(&entry->key));
        }
    }
    if (!place->location[0])
        return ao_fail(AOSA_ERR_FORMAT, "tensor '%s': external data without a location", name);
    return AOSA_OK;
}

static aosa_status refuse_place(const char *location, const char *why)
{
    return ao_fail(AOSA_ERR_INPUT,
                   "external data '%.200s' %s: it must be a plain file in the model's own folder",
                   location, why);
}

/* Opens one component below a folder that stays open; never follows a link. */
static aosa_status open_component(int folder, const char *location, const char *component,
                                  bool last, int *fd)
{
    const int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    *fd = openat(folder, component, last ? flags : flags | O_DIRECTORY);
    if (*fd >= 0)
        return AOSA_OK;
    if (errno == ENOENT)
        return ao_fail(AOSA_ERR_INPUT, "%.200s is missing: it must lie beside the model", location);
    struct stat info;
    if (fstatat(folder, component, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode))
        return refuse_place(location, "goes through a symbolic link");
    return ao_fail(AOSA_ERR_INPUT, "external data '%.200s': %s", location, strerror(errno));
}

/* Relative, and no component that stays or goes up. */
static bool stays_below(const char *location)
{
    if (strchr(location, '\\'))
        return false;
    for (const char *component = location; component;) {
        const size_t length = strcspn(component, "/");
        if (length == 0 || (length == 1 && component[0] == '.') ||
            (length == 2 && component[0] == '.' && component[1] == '.'))
            return false;
        component = component[length] ? component + length + 1 : NULL;
    }
    return true;
}

/* Walks the location component by component, so that no step can leave the folder. */
static aosa_status open_below(int folder, const char *location, int *fd)
{
    char path[AO_ONNX_MAX_NAME + 1];
    if (!stays_below(location))
        return refuse_place(location, "leaves the folder");
    memcpy(path, location, strlen(location) + 1);
    int at = folder;
    aosa_status status = AOSA_OK;
    for (char *component = path; component && status == AOSA_OK;) {
        char *slash = strchr(component, '/');
        if (slash)
            *slash = '\0';
        int next = -1;
        status = open_component(at, location, component, slash == NULL, &next);
        if (at != folder)
            close(at);
        at = next;
        component = slash ? slash + 1 : NULL;
    }
    if (status != AOSA_OK)
        return status;
    *fd = at;
    return AOSA_OK;
}

static aosa_status map_file(int fd, const char *location, struct ao_file *file)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return ao_fail(AOSA_ERR_INPUT, "external data '%.200s': %s", location, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return refuse_place(location, "is not a regular file");
    if (info.st_nlink > 1)
        return refuse_place(location, "has a second name (hard link)");
    if (info.st_size == 0)
        return AOSA_OK;
    void *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return ao_fail(AOSA_ERR_INPUT, "external data '%.200s': %s", location, strerror(errno));
    *file = (struct ao_file){ bytes, (size_t)info.st_size };
    return AOSA_OK;
}

static aosa_status open_external(struct ao_onnx_import *import, const char *location)
{
    struct ao_onnx_model *model = import->model;
    if (import->folder < 0)
        return ao_fail(AOSA_ERR_INPUT,
                       "external data '%.200s': a model read from memory has no folder", location);
    void *items = model->externals;
    if (!ao_grow(&items, &model->cap_externals, model->n_externals, sizeof *model->externals))
        return ao_onnx_no_memory("external data");
    model->externals = items;
    struct ao_onnx_external *external = &model->externals[model->n_externals];
    *external = (struct ao_onnx_external){ 0 };
    external->location = ao_arena_strndup(&import->graph->arena, location, strlen(location));
    if (!external->location)
        return ao_onnx_no_memory("external data");
    int fd = -1;
    AO_TRY(open_below(import->folder, location, &fd));
    const aosa_status status = map_file(fd, location, &external->file);
    close(fd);
    AO_TRY(status);
    model->n_externals++;
    external->hash = ao_onnx_hash_create(external->file.bytes, external->file.size);
    if (!external->hash)
        return ao_onnx_no_memory("external data");
    AO_TRY(ao_graph_add_file(import->graph, &external->file));
    if (!import->options->max_bytes)
        import->graph->arena.max_bytes += 4 * external->file.size;
    return AOSA_OK;
}

static aosa_status find_external(struct ao_onnx_import *import, const char *location,
                                 const struct ao_file **file)
{
    struct ao_onnx_model *model = import->model;
    size_t k = 0;
    while (k < model->n_externals && strcmp(model->externals[k].location, location) != 0)
        k++;
    if (k == model->n_externals)
        AO_TRY(open_external(import, location));
    *file = &model->externals[k].file;
    return AOSA_OK;
}

aosa_status ao_onnx_external_bytes(struct ao_onnx_import *import, const ao_onnx_Tensor *tensor,
                                   const char *name, size_t expected, const unsigned char **bytes)
{
    struct place place = { .offset = 0 };
    const struct ao_file *file;
    AO_TRY(read_place(tensor, name, &place));
    AO_TRY(find_external(import, place.location, &file));
    if (place.has_length && place.length != expected)
        return ao_fail(AOSA_ERR_FORMAT,
                       "tensor '%s': %zu bytes of external data, its shape needs %zu", name,
                       place.length, expected);
    size_t end;
    if (!ao_size_add(place.offset, expected, &end) || end > file->size)
        return ao_fail(AOSA_ERR_FORMAT,
                       "tensor '%s': %zu bytes at %zu of '%.200s', which has only %zu bytes", name,
                       expected, place.offset, place.location, file->size);
    *bytes = file->bytes ? file->bytes + place.offset : NULL;
    return AOSA_OK;
}
