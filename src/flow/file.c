/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/backend.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/npy.h"

#define REMEDY "compute it on the prepared clip (--save clip) or use --flow farneback"

/* Paths that differ in one number: head, slash, the number with zeros to `width`, tail. */
struct numbered {
    const char *head, *slash, *tail;
    int head_length, width;
};

/* Splits "dir/%05d.flo"; false unless there is exactly one %d, %Nd or %0Nd. */
static bool parse_pattern(const char *text, struct numbered *pattern)
{
    const char *percent = strchr(text, '%');
    const char *p = percent + 1;
    int width = 0;
    for (; *p >= '0' && *p <= '9' && width < 100; p++)
        width = 10 * width + (*p - '0');
    if (*p != 'd' || width >= 100 || strchr(p, '%') || percent - text >= PATH_MAX)
        return false;
    *pattern = (struct numbered){ text, "", p + 1, (int)(percent - text), width };
    return true;
}

static aosa_status numbered_path(const struct numbered *pattern, int number, char path[PATH_MAX])
{
    const int length = snprintf(path, PATH_MAX, "%.*s%s%0*d%s", pattern->head_length, pattern->head,
                                pattern->slash, pattern->width, number, pattern->tail);
    if (length < 0 || length >= PATH_MAX)
        return ao_fail(AOSA_ERR_ARGUMENT, "--flow: a path of more than %d bytes", PATH_MAX - 1);
    return AOSA_OK;
}

/* A Middlebury file: "PIEH", width, height, then [H][W][2] floats, all little-endian. */
static aosa_status parse_flo(const struct ao_file *file, const char *path, int H, int W, float *d)
{
    int32_t size[2];
    if (file->size < 12 || memcmp(file->bytes, "PIEH", 4) != 0)
        return ao_fail(AOSA_ERR_FORMAT, "'%s' is not a .flo file: it does not start with PIEH",
                       path);
    memcpy(size, file->bytes + 4, sizeof size);
    if (size[0] != W || size[1] != H)
        return ao_fail(AOSA_ERR_SHAPE,
                       "flow '%s' is of frames of %d x %d pixels, the clip's are %d x %d: " REMEDY,
                       path, size[1], size[0], H, W);
    const size_t bytes = 2 * (size_t)H * (size_t)W * sizeof *d;
    if (file->size - 12 != bytes)
        return ao_fail(AOSA_ERR_FORMAT, "'%s' has %zu bytes, %d x %d pixels need %zu", path,
                       file->size, H, W, bytes + 12);
    memcpy(d, file->bytes + 12, bytes);
    return AOSA_OK;
}

static aosa_status read_flo(const char *path, int H, int W, float *d)
{
    struct ao_file file;
    AO_TRY(ao_file_open(&file, path));
    const aosa_status status = parse_flo(&file, path, H, W, d);
    ao_file_close(&file);
    return status;
}

/* Numbers start at 0 if there is such a file, else at 1. */
static aosa_status read_numbered(const struct numbered *pattern, const char *source,
                                 struct ao_flow_field *field)
{
    char path[PATH_MAX];
    const int n_pairs = field->T - 1;
    AO_TRY(numbered_path(pattern, 0, path));
    const int start = ao_path_exists(path) ? 0 : 1;
    AO_TRY(numbered_path(pattern, start + n_pairs, path));
    if (ao_path_exists(path))
        return ao_fail(AOSA_ERR_SHAPE,
                       "flow '%s': '%s' exists, but the clip's %d frames have %d pairs: " REMEDY,
                       source, path, field->T, n_pairs);
    const size_t pair = 2 * (size_t)field->H * (size_t)field->W;
    for (int t = 0; t < n_pairs; t++) {
        AO_TRY(numbered_path(pattern, start + t, path));
        if (!ao_path_exists(path))
            return ao_fail(AOSA_ERR_SHAPE,
                           "flow '%s': there is no '%s', but the clip's %d frames have %d pairs, "
                           "%d were found: " REMEDY,
                           source, path, field->T, n_pairs, t);
        AO_TRY(read_flo(path, field->H, field->W, field->d + (size_t)t * pair));
    }
    return AOSA_OK;
}

/* One .flo file is one pair of frames. */
static aosa_status read_one_flo(const char *path, struct ao_flow_field *field)
{
    if (field->T != 2)
        return ao_fail(AOSA_ERR_SHAPE,
                       "flow '%s' holds 1 pair of frames, the clip's %d frames have %d: give a "
                       "folder or a pattern such as flow/%%05d.flo",
                       path, field->T, field->T - 1);
    return read_flo(path, field->H, field->W, field->d);
}

static aosa_status copy_npy(const struct ao_npy *array, const char *path,
                            struct ao_flow_field *field)
{
    const int64_t want[] = { field->T - 1, field->H, field->W, 2 };
    if (array->type != AO_NPY_F32 || array->rank != 4 || array->dims[3] != 2)
        return ao_fail(AOSA_ERR_SHAPE,
                       "flow '%s' is %s with %d axes, float32 [T-1][H][W][2] is needed: " REMEDY,
                       path, ao_npy_type_name(array->type), array->rank);
    if (memcmp(array->dims, want, sizeof want) != 0)
        return ao_fail(AOSA_ERR_SHAPE,
                       "flow '%s' has %lld pairs of %lld x %lld pixels, the clip has %d of %d x "
                       "%d: " REMEDY,
                       path, (long long)array->dims[0], (long long)array->dims[1],
                       (long long)array->dims[2], field->T - 1, field->H, field->W);
    memcpy(field->d, array->data,
           2 * (size_t)want[0] * (size_t)want[1] * (size_t)want[2] * sizeof *field->d);
    return AOSA_OK;
}

static aosa_status read_npy(const char *path, struct ao_flow_field *field)
{
    struct ao_npy array;
    AO_TRY(ao_npy_open(&array, path));
    const aosa_status status = copy_npy(&array, path, field);
    ao_npy_close(&array);
    return status;
}

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

static aosa_status compute(const uint8_t *gray, const struct ao_flow_options *options,
                           struct ao_flow_field *field)
{
    (void)gray;
    const char *path = options->source;
    struct numbered pattern = { path, "/", ".flo", (int)strnlen(path, PATH_MAX), 5 };
    if (ao_path_is_folder(path))
        return read_numbered(&pattern, path, field);
    if (!ao_path_exists(path) && strchr(path, '%')) {
        if (!parse_pattern(path, &pattern))
            return ao_fail(AOSA_ERR_ARGUMENT,
                           "--flow: '%s' must hold one number, written such as %%05d", path);
        return read_numbered(&pattern, path, field);
    }
    return ends_with(path, ".flo") ? read_one_flo(path, field) : read_npy(path, field);
}

const struct ao_flow_backend ao_flow_file = {
    .name = "file",
    .summary = "motion computed elsewhere: .npy [T-1][H][W][2] or Middlebury .flo files",
    .min_side = 1,
    .compute = compute,
};
