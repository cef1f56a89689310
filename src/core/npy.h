/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_CORE_NPY_H
#define AO_CORE_NPY_H

#include <stddef.h>
#include <stdint.h>

#include "core/file.h"
#include "core/status.h"

#define AO_NPY_MAX_RANK 8

/* Element types of the arrays we read and write; all little-endian, C order. */
enum ao_npy_type {
    AO_NPY_U8,
    AO_NPY_BOOL,
    AO_NPY_I16,
    AO_NPY_I32,
    AO_NPY_I64,
    AO_NPY_F32,
    AO_NPY_F64,
};

struct ao_npy {
    enum ao_npy_type type;
    int rank;
    int64_t dims[AO_NPY_MAX_RANK];
    const void *data; /* may be unaligned: copy, do not cast, unless from ao_npy_write's caller */
    struct ao_file file;
};

/*
 * Maps a .npy file (format 1.0, 2.0 or 3.0). Object arrays, Fortran order, big-endian data,
 * headers over 64 KiB and files whose size does not match the shape are refused with
 * AOSA_ERR_FORMAT and a text that names the path and what was found.
 */
aosa_status ao_npy_open(struct ao_npy *array, const char *path);

/* The same for a file that is in memory already; array->data points into it. `name` is for the
 * messages. ao_npy_close is not needed, and harmless. */
aosa_status ao_npy_parse(struct ao_npy *array, const void *bytes, size_t size, const char *name);

void ao_npy_close(struct ao_npy *array);

/* Writes version 1.0, header padded to 64 bytes as numpy does. */
aosa_status ao_npy_write(const char *path, enum ao_npy_type type, int rank, const int64_t *dims,
                         const void *data);

size_t ao_npy_type_size(enum ao_npy_type type);
const char *ao_npy_type_name(enum ao_npy_type type); /* "uint8", "float32", ... */

#endif
