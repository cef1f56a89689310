/* SPDX-License-Identifier: Apache-2.0 */
#include "core/npy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "core/file.h"

/*
 * The format is described in numpy's doc/neps/nep-0001-npy-format: magic, version, length of the
 * header, and a header that is a Python dictionary with exactly the keys descr, fortran_order and
 * shape. The dictionary is read by a tokenizer of its own: nothing of it is ever evaluated.
 */

static const unsigned char magic[6] = { 0x93, 'N', 'U', 'M', 'P', 'Y' };

#define MAX_HEADER 65536
#define WORD_BYTES 48

static const struct {
    const char *descr;
    const char *name;
    size_t size;
} types[] = {
    [AO_NPY_U8] = { "|u1", "uint8", 1 },    [AO_NPY_BOOL] = { "|b1", "bool", 1 },
    [AO_NPY_I16] = { "<i2", "int16", 2 },   [AO_NPY_I32] = { "<i4", "int32", 4 },
    [AO_NPY_I64] = { "<i8", "int64", 8 },   [AO_NPY_F32] = { "<f4", "float32", 4 },
    [AO_NPY_F64] = { "<f8", "float64", 8 },
};

#define N_TYPES (sizeof types / sizeof types[0])

size_t ao_npy_type_size(enum ao_npy_type type)
{
    return types[type].size;
}

const char *ao_npy_type_name(enum ao_npy_type type)
{
    return types[type].name;
}

/* --- header ----------------------------------------------------------------------------------- */

struct cursor {
    const char *p, *end;
    const char *name; /* of the file, for messages */
};

static void skip_blanks(struct cursor *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n'))
        c->p++;
}

/* Consumes `sign` after blanks and answers true, or leaves the cursor at what is there instead. */
static bool accept(struct cursor *c, char sign)
{
    skip_blanks(c);
    if (c->p == c->end || *c->p != sign)
        return false;
    c->p++;
    return true;
}

static aosa_status malformed(const struct cursor *c, const char *wanted)
{
    return ao_fail(AOSA_ERR_FORMAT, "%s: damaged .npy header: %s expected before '%.*s'", c->name,
                   wanted, (int)(c->end - c->p < 20 ? c->end - c->p : 20), c->p);
}

static aosa_status read_string(struct cursor *c, char word[WORD_BYTES])
{
    skip_blanks(c);
    const char quote = c->p < c->end ? *c->p : '\0';
    if (quote != '\'' && quote != '"')
        return malformed(c, "a quoted word");
    const char *first = c->p + 1;
    const char *last = memchr(first, quote, (size_t)(c->end - first));
    if (!last || last - first >= WORD_BYTES)
        return malformed(c, "a short quoted word");
    memcpy(word, first, (size_t)(last - first));
    word[last - first] = '\0';
    c->p = last + 1;
    return AOSA_OK;
}

static aosa_status read_type(struct cursor *c, struct ao_npy *array)
{
    char descr[WORD_BYTES];
    skip_blanks(c);
    if (c->p < c->end && *c->p == '[')
        return ao_fail(AOSA_ERR_FORMAT,
                       "%s: holds records with fields; one plain number type is "
                       "needed",
                       c->name);
    AO_TRY(read_string(c, descr));
    for (size_t i = 0; i < N_TYPES; i++)
        if (!strcmp(descr, types[i].descr)) {
            array->type = (enum ao_npy_type)i;
            return AOSA_OK;
        }
    if (strchr(descr, 'O'))
        return ao_fail(AOSA_ERR_FORMAT, "%s: holds Python objects (%s), which are never loaded",
                       c->name, descr);
    if (descr[0] == '>')
        return ao_fail(AOSA_ERR_FORMAT, "%s: big-endian values (%s); save it with astype('<%s')",
                       c->name, descr, descr + 1);
    return ao_fail(AOSA_ERR_FORMAT,
                   "%s: element type '%s' is not one of uint8, bool, int16, int32, int64, float32, "
                   "float64",
                   c->name, descr);
}

static aosa_status read_order(struct cursor *c)
{
    skip_blanks(c);
    if (c->end - c->p >= 5 && !memcmp(c->p, "False", 5)) {
        c->p += 5;
        return AOSA_OK;
    }
    if (c->end - c->p >= 4 && !memcmp(c->p, "True", 4))
        return ao_fail(AOSA_ERR_FORMAT, "%s: Fortran order; save it after numpy.ascontiguousarray",
                       c->name);
    return malformed(c, "True or False");
}

static aosa_status read_extent(struct cursor *c, int64_t *extent)
{
    skip_blanks(c);
    const char *first = c->p;
    int64_t value = 0;
    for (; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, *c->p - '0', &value))
            return ao_fail(AOSA_ERR_FORMAT, "%s: an extent in the .npy header exceeds 2^63",
                           c->name);
    if (c->p == first)
        return malformed(c, "an extent");
    *extent = value;
    return AOSA_OK;
}

/* "()", "(3,)" or "(3, 4)" */
static aosa_status read_shape(struct cursor *c, struct ao_npy *array)
{
    if (!accept(c, '('))
        return malformed(c, "'('");
    array->rank = 0;
    while (!accept(c, ')')) {
        if (array->rank == AO_NPY_MAX_RANK)
            return ao_fail(AOSA_ERR_FORMAT, "%s: more than %d axes", c->name, AO_NPY_MAX_RANK);
        AO_TRY(read_extent(c, &array->dims[array->rank++]));
        if (!accept(c, ',') && (c->p == c->end || *c->p != ')'))
            return malformed(c, "',' or ')'");
    }
    return AOSA_OK;
}

static aosa_status read_entry(struct cursor *c, struct ao_npy *array, bool seen[3])
{
    static const char *const keys[3] = { "descr", "fortran_order", "shape" };
    char key[WORD_BYTES];
    AO_TRY(read_string(c, key));
    if (!accept(c, ':'))
        return malformed(c, "':'");

    int i = 0;
    while (i < 3 && strcmp(key, keys[i]))
        i++;
    if (i == 3 || seen[i])
        return ao_fail(AOSA_ERR_FORMAT, "%s: .npy header has an unknown or repeated key '%s'",
                       c->name, key);
    seen[i] = true;
    switch (i) {
    case 0:
        return read_type(c, array);
    case 1:
        return read_order(c);
    default:
        return read_shape(c, array);
    }
}

static aosa_status read_header(struct cursor *c, struct ao_npy *array)
{
    bool seen[3] = { false, false, false };
    if (!accept(c, '{'))
        return malformed(c, "'{'");
    while (!accept(c, '}')) {
        AO_TRY(read_entry(c, array, seen));
        if (!accept(c, ',') && (c->p == c->end || *c->p != '}'))
            return malformed(c, "',' or '}'");
    }
    skip_blanks(c);
    if (c->p != c->end)
        return malformed(c, "the end");
    if (!seen[0] || !seen[1] || !seen[2])
        return ao_fail(AOSA_ERR_FORMAT, "%s: .npy header lacks one of descr, fortran_order, shape",
                       c->name);
    return AOSA_OK;
}

/* Where the header's text begins and how long it is, from the fixed part of the file. */
static aosa_status find_header(const unsigned char *bytes, size_t size, const char *name,
                               size_t *first, size_t *length)
{
    if (size < 12 || memcmp(bytes, magic, sizeof magic) != 0)
        return ao_fail(AOSA_ERR_FORMAT, "%s: not a .npy file", name);
    if (bytes[6] < 1 || bytes[6] > 3 || bytes[7] != 0)
        return ao_fail(AOSA_ERR_FORMAT, "%s: .npy version %d.%d is unknown, 1.0 to 3.0 are read",
                       name, bytes[6], bytes[7]);
    *length = (size_t)bytes[8] | (size_t)bytes[9] << 8;
    *first = 10;
    if (bytes[6] >= 2) {
        *length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
        *first = 12;
    }
    if (*length > MAX_HEADER)
        return ao_fail(AOSA_ERR_FORMAT, "%s: .npy header of %zu bytes, at most %d are read", name,
                       *length, MAX_HEADER);
    if (*length > size - *first)
        return ao_fail(AOSA_ERR_FORMAT,
                       "%s: truncated: the header needs %zu bytes, the file has %zu", name,
                       *first + *length, size);
    return AOSA_OK;
}

aosa_status ao_npy_parse(struct ao_npy *array, const void *bytes, size_t size, const char *name)
{
    *array = (struct ao_npy){ 0 };
    size_t first = 0, length = 0;
    AO_TRY(find_header(bytes, size, name, &first, &length));

    const char *text = (const char *)bytes + first;
    struct cursor c = { .p = text, .end = text + length, .name = name };
    AO_TRY(read_header(&c, array));

    int64_t count;
    size_t wanted;
    if (!ao_count(array->dims, array->rank, &count) ||
        !ao_size_mul((size_t)count, types[array->type].size, &wanted))
        return ao_fail(AOSA_ERR_FORMAT, "%s: the shape has too many elements", name);
    if (wanted != size - first - length)
        return ao_fail(AOSA_ERR_FORMAT, "%s: the shape needs %zu bytes of data, the file has %zu",
                       name, wanted, size - first - length);
    array->data = text + length;
    return AOSA_OK;
}

aosa_status ao_npy_open(struct ao_npy *array, const char *path)
{
    struct ao_file file;
    *array = (struct ao_npy){ 0 };
    AO_TRY(ao_file_open(&file, path));

    const aosa_status status = ao_npy_parse(array, file.bytes, file.size, path);
    if (status != AOSA_OK) {
        ao_file_close(&file);
        *array = (struct ao_npy){ 0 };
        return status;
    }
    array->file = file;
    return AOSA_OK;
}

void ao_npy_close(struct ao_npy *array)
{
    ao_file_close(&array->file);
    *array = (struct ao_npy){ 0 };
}

/* --- writing ---------------------------------------------------------------------------------- */

#define HEADER_BYTES 384 /* 8 extents of 20 digits and the fixed words fit, padded to 64 */

/* Magic, version, length and dictionary, blank-padded to a multiple of 64 as numpy pads it. */
static size_t format_header(char header[HEADER_BYTES], enum ao_npy_type type, int rank,
                            const int64_t *dims)
{
    size_t n = 10;
    n += (size_t)snprintf(header + n, HEADER_BYTES - n,
                          "{'descr': '%s', 'fortran_order': False, 'shape': (", types[type].descr);
    for (int i = 0; i < rank; i++)
        n += (size_t)snprintf(header + n, HEADER_BYTES - n, "%s%" PRId64 "%s", i ? " " : "",
                              dims[i], i < rank - 1 || rank == 1 ? "," : "");
    n += (size_t)snprintf(header + n, HEADER_BYTES - n, "), }");

    const size_t total = (n + 1 + 63) / 64 * 64;
    memset(header + n, ' ', total - 1 - n);
    header[total - 1] = '\n';
    memcpy(header, magic, sizeof magic);
    header[6] = 1;
    header[7] = 0;
    header[8] = (char)((total - 10) & 0xff);
    header[9] = (char)((total - 10) >> 8);
    return total;
}

static bool write_parts(FILE *file, const char *header, size_t header_bytes, const void *data,
                        size_t data_bytes)
{
    return fwrite(header, 1, header_bytes, file) == header_bytes &&
           (data_bytes == 0 || fwrite(data, 1, data_bytes, file) == data_bytes);
}

aosa_status ao_npy_write(const char *path, enum ao_npy_type type, int rank, const int64_t *dims,
                         const void *data)
{
    int64_t count;
    size_t bytes;
    if (rank < 0 || rank > AO_NPY_MAX_RANK || !ao_count(dims, rank, &count) ||
        !ao_size_mul((size_t)count, types[type].size, &bytes))
        return ao_fail(AOSA_ERR_SHAPE, "%s: a shape of %d axes cannot be written", path, rank);

    char header[HEADER_BYTES];
    const size_t header_bytes = format_header(header, type, rank, dims);
    FILE *file = fopen(path, "wbe");
    if (!file)
        return ao_fail(AOSA_ERR_OUTPUT, "%s: %s", path, strerror(errno));

    errno = 0;
    const bool written = write_parts(file, header, header_bytes, data, bytes);
    const int reason = errno;
    const bool closed = fclose(file) == 0; /* a full disk may show only here */
    if (written && closed)
        return AOSA_OK;
    const aosa_status status = ao_fail(AOSA_ERR_OUTPUT, "%s: %s (%zu bytes)", path,
                                       strerror(written ? errno : reason), header_bytes + bytes);
    ao_file_discard(path);
    return status;
}
