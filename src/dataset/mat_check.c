/* SPDX-License-Identifier: Apache-2.0 */
#include "dataset/mat_check.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <zlib.h>

#include "core/alloc.h"
#include "core/file.h"

/*
 * The format: MATLAB's "MAT-File Format", version 5. A header of 128 bytes, then elements, each a
 * tag (type, bytes) and its data, padded to 8 bytes; a matrix is an element of elements. The
 * annotations of UCF101-24, 3,194 videos with 4,458 tubes, have 27,000 matrices and some 2 million
 * values; a value may take 8 bytes when it is read, a matrix a few hundred.
 */
#define MAX_BYTES ((size_t)64 << 20) /* of the file, and inflated */
#define MAX_VALUES ((size_t)16 << 20)
#define MAX_MATRICES 400000
#define MAX_DEPTH 3 /* annot, its tubes, their numbers */
#define MAX_FIELDS 16
#define HEADER_BYTES 128

enum type {
    TYPE_INT8 = 1,
    TYPE_INT32 = 5,
    TYPE_UINT32 = 6,
    TYPE_MATRIX = 14,
    TYPE_COMPRESSED = 15,
    N_TYPES = 17,
};

enum class { CLASS_STRUCT = 2, CLASS_CHAR = 4, CLASS_DOUBLE = 6, CLASS_UINT64 = 15 };

/* Bytes of one value of each type that numbers and characters are stored in; 0: no such type. */
static const uint8_t type_bytes[N_TYPES] = {
    [1] = 1, [2] = 1, [3] = 2,  [4] = 2,  [5] = 4,  [6] = 4,
    [7] = 4, [9] = 8, [12] = 8, [13] = 8, [16] = 1,
};

struct walk {
    const char *path;
    size_t matrices, values, inflated;
};

/* Bytes that are left of a parent, and where in it (of the file, or of what was inflated) p is. */
struct span {
    const uint8_t *start, *p, *end;
};

struct element {
    uint32_t type, bytes;
    struct span data;
};

static aosa_status fail(const struct walk *walk, const struct span *span, const char *what)
{
    return ao_fail(AOSA_ERR_FORMAT, "%s: byte %zu: %s", walk->path, (size_t)(span->p - span->start),
                   what);
}

static uint32_t read_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Takes the next element; short ones have type and length in 4 bytes and up to 4 of data. */
static aosa_status take(const struct walk *walk, struct span *span, struct element *element)
{
    const size_t left = (size_t)(span->end - span->p);
    if (left < 8)
        return fail(walk, span, "ends within an element");
    const uint32_t word = read_u32(span->p);
    const bool is_short = word >> 16 != 0;
    element->type = is_short ? word & 0xffff : word;
    element->bytes = is_short ? word >> 16 : read_u32(span->p + 4);
    const size_t room = is_short ? 4 : left - 8;
    if (element->bytes > room)
        return fail(walk, span, "an element is longer than what holds it");
    const uint8_t *data = span->p + (is_short ? 4 : 8);
    element->data = (struct span){ span->start, data, data + element->bytes };
    /* A compressed element is not padded, and the last one of all need not be. */
    const size_t padded =
        element->type == TYPE_COMPRESSED ? element->bytes : ((size_t)element->bytes + 7) / 8 * 8;
    span->p = is_short ? span->p + 8 : data + (padded < room ? padded : room);
    return AOSA_OK;
}

static aosa_status take_typed(const struct walk *walk, struct span *span, enum type type,
                              struct element *element)
{
    const struct span at = *span;
    AO_TRY(take(walk, span, element));
    return element->type == type ? AOSA_OK : fail(walk, &at, "an element of another type");
}

/* Two dimensions; *n gets their product. */
static aosa_status take_dimensions(const struct walk *walk, struct span *span, size_t *n)
{
    struct element dims = { 0 };
    const struct span at = *span;
    AO_TRY(take_typed(walk, span, TYPE_INT32, &dims));
    if (dims.bytes != 8)
        return fail(walk, &at, "an array of another rank than 2");
    const uint32_t rows = read_u32(dims.data.p), columns = read_u32(dims.data.p + 4);
    if (rows > INT32_MAX || columns > INT32_MAX || (uint64_t)rows * columns > MAX_VALUES)
        return fail(walk, &at, "an array is too large");
    *n = (size_t)rows * columns;
    return AOSA_OK;
}

static aosa_status check_values(struct walk *walk, struct span *span, size_t n)
{
    struct element values = { 0 };
    const struct span at = *span;
    AO_TRY(take(walk, span, &values));
    const size_t size = values.type < N_TYPES ? type_bytes[values.type] : 0;
    if (size == 0)
        return fail(walk, &at, "values of an unknown type");
    if (values.bytes != n * size)
        return fail(walk, &at, "an array has another number of values than its dimensions say");
    walk->values += n;
    return walk->values <= MAX_VALUES ? AOSA_OK : fail(walk, &at, "too many values");
}

static aosa_status take_matrix(struct walk *walk, struct span *span, int depth);

static bool is_name(const uint8_t *name, size_t width)
{
    size_t n = 0;
    for (; n < width && name[n]; n++)
        if (name[n] < ' ' || name[n] > '~')
            return false;
    return n > 0 && n < width;
}

static aosa_status check_fields(struct walk *walk, struct span *span, size_t n, int depth)
{
    struct element width = { 0 }, names = { 0 };
    const struct span at = *span;
    AO_TRY(take_typed(walk, span, TYPE_INT32, &width));
    AO_TRY(take_typed(walk, span, TYPE_INT8, &names));
    const size_t bytes = width.bytes == 4 ? read_u32(width.data.p) : 0;
    if (bytes < 2 || bytes > 64 || names.bytes % bytes)
        return fail(walk, &at, "a struct without names of its fields");
    const size_t n_fields = names.bytes / bytes;
    if (n_fields == 0 || n_fields > MAX_FIELDS || n > MAX_MATRICES)
        return fail(walk, &at, "a struct has too many fields or elements, or none");
    for (size_t i = 0; i < n_fields; i++)
        if (!is_name(names.data.p + i * bytes, bytes))
            return fail(walk, &at, "a field has no name");
    for (size_t i = 0; i < n * n_fields; i++)
        AO_TRY(take_matrix(walk, span, depth));
    return AOSA_OK;
}

/* Flags, dimensions, name, and what the class has. An empty element is an empty array. */
static aosa_status check_matrix(struct walk *walk, struct span *span, int depth)
{
    struct element flags = { 0 }, name = { 0 };
    size_t n = 0;
    const struct span at = *span;
    if (span->p == span->end && depth > 0)
        return AOSA_OK;
    AO_TRY(take_typed(walk, span, TYPE_UINT32, &flags));
    if (flags.bytes != 8)
        return fail(walk, &at, "an array without flags");
    AO_TRY(take_dimensions(walk, span, &n));
    AO_TRY(take_typed(walk, span, TYPE_INT8, &name));
    if (depth > 0 && name.bytes > 0)
        return fail(walk, &at, "a field holds a variable with a name of its own");
    const uint8_t class = flags.data.p[0], has = flags.data.p[1];
    if (has & ~0x02u) /* logical is fine; complex and global are not */
        return fail(walk, &at, "an array that is complex or global");
    if (class == CLASS_STRUCT)
        AO_TRY(check_fields(walk, span, n, depth + 1));
    else if (class == CLASS_CHAR || (class >= CLASS_DOUBLE && class <= CLASS_UINT64))
        AO_TRY(check_values(walk, span, n));
    else
        return fail(walk, &at, "neither a struct nor characters nor numbers");
    return span->p == span->end ? AOSA_OK : fail(walk, span, "an array has more than its parts");
}

static aosa_status take_matrix(struct walk *walk, struct span *span, int depth)
{
    struct element matrix = { 0 };
    const struct span at = *span;
    if (depth > MAX_DEPTH || ++walk->matrices > MAX_MATRICES)
        return fail(walk, &at, "too many arrays, or nested too deep");
    AO_TRY(take_typed(walk, span, TYPE_MATRIX, &matrix));
    return check_matrix(walk, &matrix.data, depth);
}

/* --- compressed variables -----------------------------------------------------------------------
 */

/* Inflates all of `source` into a buffer that grows as far as the bound allows. */
static aosa_status inflate_into(struct walk *walk, z_stream *stream, uint8_t **buffer, size_t *size)
{
    const size_t most = MAX_BYTES - walk->inflated;
    int state = Z_OK;
    size_t room = 1 << 16;
    while (state == Z_OK) {
        room = room < most / 2 ? 2 * room : most;
        uint8_t *grown = ao_alloc_raw(room ? room : 1, 1);
        if (!grown)
            return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for %zu bytes", walk->path, room);
        if (*size)
            memcpy(grown, *buffer, *size);
        ao_free(*buffer);
        *buffer = grown;
        stream->next_out = grown + *size;
        stream->avail_out = (uInt)(room - *size);
        state = inflate(stream, Z_NO_FLUSH);
        *size = room - stream->avail_out;
        if (state == Z_OK && *size == most)
            return ao_fail(AOSA_ERR_FORMAT, "%s: more than %zu bytes, inflated", walk->path,
                           MAX_BYTES);
    }
    walk->inflated += *size;
    if (state != Z_STREAM_END || stream->avail_in)
        return ao_fail(AOSA_ERR_FORMAT, "%s: a compressed variable is damaged", walk->path);
    return AOSA_OK;
}

static aosa_status check_compressed(struct walk *walk, const struct element *element)
{
    z_stream stream = { .avail_in = element->bytes };
    uint8_t *buffer = NULL;
    size_t size = 0;
    stream.next_in = (Bytef *)(uintptr_t)element->data.p;
    if (inflateInit(&stream) != Z_OK)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory to inflate", walk->path);
    aosa_status status = inflate_into(walk, &stream, &buffer, &size);
    inflateEnd(&stream);
    if (status == AOSA_OK) {
        struct span span = { buffer, buffer, buffer + size };
        status = take_matrix(walk, &span, 0);
        if (status == AOSA_OK && span.p != span.end)
            status = fail(walk, &span, "a compressed variable has more than one array");
    }
    ao_free(buffer);
    return status;
}

/* --- file ---------------------------------------------------------------------------------------
 */

static aosa_status check_header(const struct walk *walk, const struct ao_file *file)
{
    static const uint8_t hdf5[] = { 0x00, 0x02 }, five[] = { 0x00, 0x01 };
    if (file->size > MAX_BYTES)
        return ao_fail(AOSA_ERR_FORMAT, "%s: %zu bytes, at most %zu are read", walk->path,
                       file->size, MAX_BYTES);
    if (file->size < HEADER_BYTES || memcmp(file->bytes + 126, "IM", 2))
        return ao_fail(AOSA_ERR_FORMAT, "%s: not a MAT-file of version 5, little endian",
                       walk->path);
    if (!memcmp(file->bytes + 124, hdf5, 2))
        return ao_fail(AOSA_ERR_FORMAT, "%s: a MAT-file of version 7.3; save it with -v7",
                       walk->path);
    if (memcmp(file->bytes + 124, five, 2))
        return ao_fail(AOSA_ERR_FORMAT, "%s: a MAT-file of an unknown version", walk->path);
    return AOSA_OK;
}

static aosa_status check_file(struct walk *walk, const struct ao_file *file)
{
    AO_TRY(check_header(walk, file));
    const uint8_t *bytes = file->bytes;
    struct span span = { bytes, bytes + HEADER_BYTES, bytes + file->size };
    while (span.p < span.end) {
        struct element element = { 0 };
        const struct span at = span;
        AO_TRY(take(walk, &span, &element));
        if (element.type == TYPE_COMPRESSED)
            AO_TRY(check_compressed(walk, &element));
        else if (element.type == TYPE_MATRIX)
            AO_TRY(check_matrix(walk, &element.data, 0));
        else
            return fail(walk, &at, "neither a variable nor a compressed one");
    }
    return AOSA_OK;
}

aosa_status ao_mat_check(const char *path)
{
    struct walk walk = { .path = path };
    struct ao_file file;
    AO_TRY(ao_file_open(&file, path));
    const aosa_status status = check_file(&walk, &file);
    ao_file_close(&file);
    return status;
}
