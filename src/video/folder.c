/* SPDX-License-Identifier: Apache-2.0 */
#include "video/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/alloc.h"
#include "video/jpeg.h"

#define MAX_DIGITS 9
#define PATH_BYTES 4096

struct ao_frame_file {
    char *name;
    size_t prefix_length;
    long number;
};

/* Splits "image_00012.jpg"; false for a name that is not of that form. */
static bool split_name(const char *name, struct ao_frame_file *file)
{
    const char *dot = strrchr(name, '.');
    if (!dot || name[0] == '.' || (strcasecmp(dot, ".jpg") && strcasecmp(dot, ".jpeg")))
        return false;
    const char *first = dot;
    while (first > name && first[-1] >= '0' && first[-1] <= '9')
        first--;
    if (first == dot || dot - first > MAX_DIGITS)
        return false;
    file->prefix_length = (size_t)(first - name);
    file->number = strtol(first, NULL, 10);
    return true;
}

static aosa_status add_file(struct ao_frame_list *list, const char *name)
{
    struct ao_frame_file file;
    if (!split_name(name, &file))
        return AOSA_OK;
    void *files = list->files;
    const bool grown = ao_grow(&files, &list->capacity, list->n, sizeof file);
    list->files = files;
    file.name = grown ? ao_strdup(name) : NULL;
    if (!file.name)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for its list of frames", list->folder);
    list->files[list->n++] = file;
    return AOSA_OK;
}

static aosa_status list_files(struct ao_frame_list *list)
{
    DIR *dir = opendir(list->folder);
    if (!dir)
        return ao_fail(AOSA_ERR_INPUT, "%s: %s", list->folder, strerror(errno));
    aosa_status status = AOSA_OK;
    const struct dirent *entry;
    while (status == AOSA_OK && (entry = readdir(dir)))
        status = add_file(list, entry->d_name);
    closedir(dir);
    return status;
}

static int by_number(const void *a, const void *b)
{
    const struct ao_frame_file *p = a, *q = b;
    if (p->number != q->number)
        return p->number < q->number ? -1 : 1;
    return strcmp(p->name, q->name);
}

/* One prefix, and numbers that go up by one from 0 or 1. */
static aosa_status check_numbers(const struct ao_frame_list *list)
{
    if (list->n == 0)
        return ao_fail(AOSA_ERR_FORMAT,
                       "%s: no frames: a folder must hold image_00001.jpg, image_00002.jpg, ...",
                       list->folder);
    const struct ao_frame_file *first = &list->files[0];
    long expected = first->number == 0 ? 0 : 1;
    for (size_t i = 0; i < list->n; i++, expected++) {
        const struct ao_frame_file *file = &list->files[i];
        if (file->prefix_length != first->prefix_length ||
            strncmp(file->name, first->name, first->prefix_length) != 0)
            return ao_fail(AOSA_ERR_FORMAT, "%s: two sequences of frames, '%s' and '%s'",
                           list->folder, first->name, file->name);
        if (file->number < expected)
            return ao_fail(AOSA_ERR_FORMAT, "%s: frame %ld is there twice, '%s' and '%s'",
                           list->folder, file->number, list->files[i - 1].name, file->name);
        if (file->number > expected) {
            const char *dot = strrchr(first->name, '.');
            const int digits = (int)(dot - first->name) - (int)first->prefix_length;
            return ao_fail(AOSA_ERR_FORMAT,
                           "%s: a gap in the numbering: %.*s%0*ld%s is missing (next is %s)",
                           list->folder, (int)file->prefix_length, file->name, digits, expected,
                           dot, file->name);
        }
    }
    return AOSA_OK;
}

aosa_status ao_frame_list_open(struct ao_frame_list *list, const char *folder)
{
    *list = (struct ao_frame_list){ .folder = folder };
    aosa_status status = list_files(list);
    if (status == AOSA_OK) {
        if (list->n > 0)
            qsort(list->files, list->n, sizeof *list->files, by_number);
        status = check_numbers(list);
    }
    if (status != AOSA_OK)
        ao_frame_list_close(list);
    return status;
}

void ao_frame_list_close(struct ao_frame_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        ao_free(list->files[i].name);
    ao_free(list->files);
    *list = (struct ao_frame_list){ 0 };
}

/* Size of the first frame, which all must have; hash lines so far; what the decoder met. */
struct reading {
    int H, W;
    int warnings;
    char *lines;
    size_t used, bytes;
};

static aosa_status add_line(struct reading *reading, const struct ao_file *file, const char *name)
{
    char digest[AO_SHA256_TEXT];
    ao_sha256(file->bytes, file->size, digest);
    const size_t wanted = strlen(digest) + strlen(name) + 4;
    if (reading->used + wanted > reading->bytes) {
        const size_t bytes = 2 * reading->bytes + wanted;
        char *lines = ao_alloc_raw(bytes, 1);
        if (!lines)
            return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for its hash", name);
        if (reading->used)
            memcpy(lines, reading->lines, reading->used);
        ao_free(reading->lines);
        reading->lines = lines;
        reading->bytes = bytes;
    }
    reading->used += (size_t)snprintf(reading->lines + reading->used,
                                      reading->bytes - reading->used, "%s  %s\n", digest, name);
    return AOSA_OK;
}

static aosa_status check_frame(struct reading *reading, const char *path, int H, int W)
{
    if (reading->H == 0) {
        reading->H = H;
        reading->W = W;
    }
    if (H != reading->H || W != reading->W)
        return ao_fail(AOSA_ERR_FORMAT, "%s: is %dx%d, the frames before it are %dx%d", path, W, H,
                       reading->W, reading->H);
    return AOSA_OK;
}

static aosa_status read_frame(struct reading *reading, const char *path, int i, ao_frame_fn take,
                              void *context)
{
    struct ao_file file;
    AO_TRY(ao_file_open(&file, path));
    uint8_t *rgb = NULL;
    int H = 0, W = 0, warnings = 0;
    aosa_status status = ao_jpeg_decode(&file, path, &rgb, &H, &W, &warnings);
    if (status == AOSA_OK)
        status = check_frame(reading, path, H, W);
    if (status == AOSA_OK)
        status = add_line(reading, &file, ao_path_base(path));
    if (status == AOSA_OK)
        status = take(context, i, &(struct ao_picture){ rgb, 3 * (size_t)W, H, W });
    reading->warnings += warnings;
    ao_free(rgb);
    ao_file_close(&file);
    return status;
}

aosa_status ao_frame_list_read(const struct ao_frame_list *list, const struct ao_sampling *sampling,
                               ao_frame_fn take, void *context, int *warnings,
                               char sha256[AO_SHA256_TEXT])
{
    struct reading reading = { 0 };
    char path[PATH_BYTES];
    aosa_status status = AOSA_OK;
    for (int i = 0; status == AOSA_OK && i < sampling->n; i++) {
        const char *name = list->files[sampling->start + i * sampling->step].name;
        if (snprintf(path, sizeof path, "%s/%s", list->folder, name) >= (int)sizeof path)
            status = ao_fail(AOSA_ERR_INPUT, "%s: path too long", list->folder);
        else
            status = read_frame(&reading, path, i, take, context);
    }
    if (status == AOSA_OK) {
        *warnings = reading.warnings;
        ao_sha256(reading.lines, reading.used, sha256);
    }
    ao_free(reading.lines);
    return status;
}
