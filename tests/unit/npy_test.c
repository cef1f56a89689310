/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/npy.h"
#include "core/rng.h"
#include "support/folder.h"

static const char *path;

static int make_folder(void **state)
{
    if (folder_make(state))
        return -1;
    path = in_folder("a.npy");
    return 0;
}

/* Fails where a write has left another file. */
static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder_path());
}

/* A file of version `major`, that header and n bytes of data, in buffer; answers its size. */
static size_t build(unsigned char *buffer, int major, const char *header, size_t n)
{
    const size_t length = strlen(header), first = major == 1 ? 10 : 12;
    memset(buffer, 0, first);
    memcpy(buffer, "\x93NUMPY", 6);
    buffer[6] = (unsigned char)major;
    buffer[8] = (unsigned char)(length & 0xff);
    buffer[9] = (unsigned char)(length >> 8);
    memcpy(buffer + first, header, length);
    for (size_t i = 0; i < n; i++)
        buffer[first + length + i] = (unsigned char)i;
    return first + length + n;
}

static aosa_status parse(struct ao_npy *array, int major, const char *header, size_t n)
{
    static unsigned char buffer[4096];
    return ao_npy_parse(array, buffer, build(buffer, major, header, n), "x.npy");
}

/* --- reading ---------------------------------------------------------------------------------- */

static void headers_as_numpy_writes_them_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        enum ao_npy_type type;
        size_t bytes;
        int rank;
    } good[] = {
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   \n", AO_NPY_F32, 24, 2 },
        { "{'descr': '|u1', 'fortran_order': False, 'shape': (5,), }\n", AO_NPY_U8, 5, 1 },
        { "{'descr': '|b1', 'fortran_order': False, 'shape': (), }\n", AO_NPY_BOOL, 1, 0 },
        { "{\"shape\": (1,2,3), \"descr\": \"<i8\", \"fortran_order\": False}", AO_NPY_I64, 48, 3 },
        { "{'descr': '<i2', 'fortran_order': False, 'shape': (0, 7), }\n", AO_NPY_I16, 0, 2 },
        { "{'descr': '<i4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1)}", AO_NPY_I32, 4,
          8 },
        { "{'descr': '<f8', 'fortran_order': False, 'shape': (1,)}\n", AO_NPY_F64, 8, 1 },
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        for (int major = 1; major <= 3; major++) {
            struct ao_npy array;
            if (parse(&array, major, good[i].header, good[i].bytes) != AOSA_OK)
                fail_msg("%s", aosa_error_message());
            assert_int_equal(array.type, good[i].type);
            assert_int_equal(array.rank, good[i].rank);
            if (good[i].bytes > 1)
                assert_int_equal(((const unsigned char *)array.data)[1], 1);
        }
}

static void what_cannot_be_used_is_refused_with_its_reason(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t bytes;
        const char *reason;
    } bad[] = {
        { "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", 8, "Python objects" },
        { "{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", 4, "big-endian" },
        { "{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }", 4, "Fortran" },
        { "{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", 8, "'<c8'" },
        { "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", 4, "fields" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 4, "needs 8 bytes" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", 8, "needs 4 bytes" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", 4, "extent" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", 4,
          "2^63" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296,4294967296), }", 4,
          "too many" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", 4, "axes" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1 2), }", 8, "','" },
        { "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", 4,
          "repeated" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}", 4, "unknown" },
        { "{'descr': '<f4', 'fortran_order': False}", 4, "lacks" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), } x", 4, "the end" },
        { "{'descr': '<f4", 0, "quoted" },
        { "__import__('os')", 0, "'{'" },
        { "", 4, "'{'" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct ao_npy array;
        const aosa_status status = parse(&array, 1, bad[i].header, bad[i].bytes);
        if (status != AOSA_ERR_FORMAT || !strstr(aosa_error_message(), bad[i].reason) ||
            strncmp(aosa_error_message(), "x.npy: ", 7) != 0)
            fail_msg("%s gave status %d, %s", bad[i].header, (int)status, aosa_error_message());
    }
}

static void files_that_are_no_npy_are_refused(void **state)
{
    (void)state;
    unsigned char buffer[256];
    struct ao_npy array;
    assert_int_equal(ao_npy_parse(&array, NULL, 0, "x"), AOSA_ERR_FORMAT);
    assert_int_equal(ao_npy_parse(&array, "PK\x03\x04 a zip file", 14, "x"), AOSA_ERR_FORMAT);

    size_t size = build(buffer, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", 4);
    buffer[6] = 4;
    assert_int_equal(ao_npy_parse(&array, buffer, size, "x"), AOSA_ERR_FORMAT);
    assert_non_null(strstr(aosa_error_message(), "version 4.0"));

    size = build(buffer, 2, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", 4);
    buffer[10] = 2; /* a header of 128 KiB */
    assert_int_equal(ao_npy_parse(&array, buffer, size, "x"), AOSA_ERR_FORMAT);
    assert_non_null(strstr(aosa_error_message(), "header of"));

    assert_int_equal(ao_npy_open(&array, "/nonexistent/a.npy"), AOSA_ERR_INPUT);
}

/* Every prefix and every changed byte of a small file: an answer, and no read beyond its end. */
static void truncated_and_damaged_files_are_survived(void **state)
{
    (void)state;
    static const char header[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n";
    unsigned char whole[256];
    const size_t size = build(whole, 1, header, 24);
    struct ao_npy array;
    for (size_t n = 0; n < size; n++) {
        unsigned char *part =
            malloc(n ? n : 1); /* of that size, so that a sanitizer sees its end */
        assert_non_null(part);
        memcpy(part, whole, n);
        assert_int_equal(ao_npy_parse(&array, part, n, "x"), AOSA_ERR_FORMAT);
        free(part);
    }
    struct ao_rng rng;
    ao_rng_init(&rng, 7);
    int accepted = 0;
    for (int i = 0; i < 20000; i++) {
        unsigned char changed[256];
        memcpy(changed, whole, size);
        for (uint64_t k = 0; k <= ao_rng_below(&rng, 3); k++)
            changed[ao_rng_below(&rng, size - 24)] = (unsigned char)ao_rng_next(&rng);
        accepted += ao_npy_parse(&array, changed, size, "x") == AOSA_OK;
    }
    assert_true(accepted < 20000);
}

/* --- writing ---------------------------------------------------------------------------------- */

static void written_arrays_read_back_equal_and_aligned(void **state)
{
    (void)state;
    static const int64_t shapes[][4] = { { 0 }, { 5 }, { 2, 3 }, { 2, 3, 4, 5 }, { 3, 0 } };
    static const int ranks[] = { 0, 1, 2, 4, 2 };
    unsigned char data[8 * 120];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 7);

    for (enum ao_npy_type type = AO_NPY_U8; type <= AO_NPY_F64; type++)
        for (size_t s = 0; s < sizeof ranks / sizeof ranks[0]; s++) {
            struct ao_npy array;
            assert_int_equal(ao_npy_write(path, type, ranks[s], shapes[s], data), AOSA_OK);
            assert_int_equal(ao_npy_open(&array, path), AOSA_OK);
            assert_int_equal(array.type, type);
            assert_int_equal(array.rank, ranks[s]);
            size_t bytes = ao_npy_type_size(type);
            for (int i = 0; i < array.rank; i++) {
                assert_int_equal(array.dims[i], shapes[s][i]);
                bytes *= (size_t)shapes[s][i];
            }
            assert_memory_equal(array.data, data, bytes);
            assert_int_equal((array.file.size - bytes) % 64, 0);
            ao_npy_close(&array);
        }
}

/* Bytes of numpy.save(f, numpy.arange(3, dtype='i2')), numpy 1.24. */
static void a_file_is_what_numpy_writes(void **state)
{
    (void)state;
    static const char wanted[] =
        "\x93NUMPY\x01\x00\x76\x00{'descr': '<i2', 'fortran_order': False, 'shape': (3,), }";
    const int16_t data[] = { 0, 1, 2 };
    struct ao_file file;
    assert_int_equal(ao_npy_write(path, AO_NPY_I16, 1, (int64_t[]){ 3 }, data), AOSA_OK);
    assert_int_equal(ao_file_open(&file, path), AOSA_OK);
    assert_int_equal(file.size, 128 + 6);
    assert_memory_equal(file.bytes, wanted, sizeof wanted - 1);
    assert_int_equal(file.bytes[sizeof wanted - 1], ' ');
    assert_int_equal(file.bytes[127], '\n');
    assert_memory_equal(file.bytes + 128, data, 6);
    ao_file_close(&file);
}

static void a_failed_write_says_why_and_leaves_no_file(void **state)
{
    (void)state;
    static const unsigned char data[100000];
    const int64_t n = sizeof data;
    assert_int_equal(ao_npy_write("/nonexistent/a.npy", AO_NPY_U8, 1, &n, data), AOSA_ERR_OUTPUT);
    assert_non_null(strstr(aosa_error_message(), "/nonexistent/a.npy: No such file"));
    if (access("/dev/full", W_OK) == 0) {
        assert_int_equal(ao_npy_write("/dev/full", AO_NPY_U8, 1, &n, data), AOSA_ERR_OUTPUT);
        assert_non_null(strstr(aosa_error_message(), "/dev/full: No space left"));
        assert_int_equal(access("/dev/full", F_OK), 0);
    }
    assert_int_equal(ao_npy_write(path, AO_NPY_F64, 2, (int64_t[]){ INT64_MAX, 2 }, data),
                     AOSA_ERR_SHAPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_as_numpy_writes_them_are_read),
        cmocka_unit_test(what_cannot_be_used_is_refused_with_its_reason),
        cmocka_unit_test(files_that_are_no_npy_are_refused),
        cmocka_unit_test(truncated_and_damaged_files_are_survived),
        cmocka_unit_test(written_arrays_read_back_equal_and_aligned),
        cmocka_unit_test(a_file_is_what_numpy_writes),
        cmocka_unit_test(a_failed_write_says_why_and_leaves_no_file),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
