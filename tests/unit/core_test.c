/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/alloc.h"
#include "core/arena.h"
#include "core/file.h"
#include "core/json.h"
#include "core/options.h"
#include "core/parallel.h"
#include "core/sha256.h"
#include "support/asserts.h"
#include "support/folder.h"

static void failure_text_is_one_printable_line(void **state)
{
    (void)state;
    assert_int_equal(ao_fail(AOSA_ERR_FORMAT, "node 'a\nb\x1b' has %d inputs", 3), AOSA_ERR_FORMAT);
    assert_string_equal(aosa_error_message(), "node 'a?b?' has 3 inputs");
    assert_int_equal(ao_fail_in(AOSA_ERR_FORMAT, "%s", "m.onnx"), AOSA_ERR_FORMAT);
    assert_string_equal(aosa_error_message(), "m.onnx: node 'a?b?' has 3 inputs");
    assert_string_equal(aosa_status_name(AOSA_ERR_NOMEM), "memory");
    assert_string_equal(aosa_status_name((aosa_status)99), "unknown");
}

static void sizes_that_overflow_are_refused(void **state)
{
    (void)state;
    const int64_t huge[] = { INT64_C(1) << 31, INT64_C(1) << 31, 2 };
    const int64_t negative[] = { 4, -1 };
    int64_t count;
    assert_false(ao_count(huge, 3, &count));
    assert_false(ao_count(negative, 2, &count));
    assert_true(ao_count(huge, 2, &count));
    assert_null(ao_alloc(SIZE_MAX / 2, 4));
    assert_null(ao_alloc_raw(SIZE_MAX - 8, 1));
}

static void the_chosen_allocation_fails_once(void **state)
{
    (void)state;
    ao_alloc_fail_at(2);
    void *first = ao_alloc(1, 8), *second = ao_alloc(1, 8), *third = ao_alloc(1, 8);
    assert_non_null(first);
    assert_null(second);
    assert_non_null(third);
    assert_true(ao_alloc_has_failed());
    ao_alloc_fail_at(0);
    ao_free(first);
    ao_free(third);
}

static void arena_is_aligned_zeroed_and_keeps_its_budget(void **state)
{
    (void)state;
    struct ao_arena arena;
    ao_arena_init(&arena, 1 << 20);
    for (int i = 1; i < 200; i++) {
        unsigned char *p = ao_arena_alloc(&arena, (size_t)i * 7, 1);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % AO_ALIGNMENT, 0);
        for (int k = 0; k < i * 7; k++)
            assert_int_equal(p[k], 0);
        memset(p, 0xff, (size_t)i * 7);
    }
    assert_null(ao_arena_alloc(&arena, 1 << 20, 1));
    assert_null(ao_arena_alloc(&arena, SIZE_MAX, 2));
    ao_arena_fini(&arena);
}

static aosa_status count_items(void *context, int64_t item, int thread)
{
    (void)thread;
    atomic_long *sum = context;
    atomic_fetch_add(sum, (long)item + 1);
    return AOSA_OK;
}

static aosa_status fail_some(void *context, int64_t item, int thread)
{
    (void)context;
    (void)thread;
    if (item >= 5)
        return ao_fail(AOSA_ERR_NUMERIC, "item %d", (int)item);
    return AOSA_OK;
}

static void parallel_loop_runs_each_item_once(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 4; threads++) {
        atomic_long sum = 0;
        assert_int_equal(ao_parallel_for(threads, 100, count_items, &sum), AOSA_OK);
        assert_int_equal(sum, 5050);
    }
    atomic_long none = 0;
    assert_int_equal(ao_parallel_for(3, 0, count_items, &none), AOSA_OK);
    assert_int_equal(none, 0);
}

static void parallel_loop_hands_a_workers_failure_to_the_caller(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 3; threads++) {
        ao_fail(AOSA_OK, "old text");
        assert_int_equal(ao_parallel_for(threads, 50, fail_some, NULL), AOSA_ERR_NUMERIC);
        assert_memory_equal(aosa_error_message(), "item ", 5);
    }
}

struct sample {
    int size;
    double rate;
    bool fast;
    int mode;
    char *path;
    double mean[3];
};

static const struct ao_option sample_options[] = {
    AO_OPT_INT(sample, size, "size", "16", 1, 512, "PIXELS", "side"),
    AO_OPT_REAL(sample, rate, "rate", "0.5", 0, 1, "X", "rate"),
    AO_OPT_FLAG(sample, fast, "fast", "fast"),
    AO_OPT_CHOICE(sample, mode, "mode", "flow", "flow_one|flow|cuboid", "mode"),
    AO_OPT_TEXT(sample, path, "path", NULL, "FILE", "path"),
    AO_OPT_REALS3(sample, mean, "mean", "0.5", "R,G,B", "mean"),
    AO_OPT_END,
};

static aosa_status set(struct sample *s, const char *name, const char *text)
{
    return ao_option_set(ao_options_find(sample_options, name), s, text);
}

static void options_parse_print_and_parse_again(void **state)
{
    (void)state;
    static const char *const values[][2] = {
        { "size", "24" },     { "rate", "0.125" },       { "fast", "true" },
        { "mode", "cuboid" }, { "path", "a file.onnx" }, { "mean", "0.4345,0.4051,0.3775" },
    };
    struct sample s = { 0 };
    assert_int_equal(ao_options_init(sample_options, &s), AOSA_OK);
    assert_int_equal(s.size, 16);
    assert_int_equal(s.mode, 1);
    assert_near(s.mean[2], 0.5, 0);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char text[64];
        assert_int_equal(set(&s, values[i][0], values[i][1]), AOSA_OK);
        ao_option_print(ao_options_find(sample_options, values[i][0]), &s, text, sizeof text);
        assert_string_equal(text, values[i][1]);
    }
    assert_int_equal(set(&s, "fast", NULL), AOSA_OK);
    assert_int_equal(set(&s, "fast", "no"), AOSA_OK);
    assert_false(s.fast);
    ao_options_fini(sample_options, &s);
    assert_null(s.path);
}

static void wrong_option_values_say_what_is_allowed(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        { "size", "0", "--size: 0 is out of range, 1 to 512 are allowed" },
        { "size", "-3", "--size: -3 is out of range, 1 to 512 are allowed" },
        { "size", "16px", "--size: '16px' is not a whole number" },
        { "size", "99999999999999999999", "--size: '99999999999999999999' is not a whole number" },
        { "rate", "nan", "--rate: 'nan' is not a number" },
        { "rate", "1.5", "--rate: 1.5 is out of range, 0 to 1 are allowed" },
        { "fast", "maybe", "--fast: 'maybe' is neither true nor false" },
        { "mode", "flo",
          "--mode: 'flo' is unknown, did you mean flow? choose one of flow_one|flow|cuboid" },
        { "mode", "tube", "--mode: 'tube' is unknown, choose one of flow_one|flow|cuboid" },
        { "mean", "1,2",
          "--mean: '1,2' is not one number or three with commas, such as 0.5,0.5,0.5" },
        { "mean", "1,2,3,4",
          "--mean: '1,2,3,4' is not one number or three with commas, such as 0.5,0.5,0.5" },
    };
    struct sample s = { 0 };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(set(&s, cases[i][0], cases[i][1]), AOSA_ERR_ARGUMENT);
        assert_string_equal(aosa_error_message(), cases[i][2]);
    }
    assert_null(ao_options_find(sample_options, "siz"));
}

static void file_that_is_no_regular_file_is_refused(void **state)
{
    (void)state;
    struct ao_file file;
    const char *path = in_folder("fifo");
    assert_int_equal(ao_file_open(&file, "/nonexistent/x"), AOSA_ERR_INPUT);
    assert_string_equal(aosa_error_message(), "/nonexistent/x: No such file or directory");
    assert_int_equal(ao_file_open(&file, "/tmp"), AOSA_ERR_INPUT);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(ao_file_open(&file, path), AOSA_ERR_INPUT); /* and does not wait */
    path = in_folder("empty");
    assert_int_equal(ao_file_write(path, "", 0), AOSA_OK);
    assert_int_equal(ao_file_open(&file, path), AOSA_OK);
    assert_int_equal(file.size, 0);
    ao_file_close(&file);
}

static void full_disk_is_reported_and_leaves_no_file(void **state)
{
    (void)state;
    assert_int_equal(ao_file_write("/dev/full", "abc", 3), AOSA_ERR_OUTPUT);
    assert_string_equal(aosa_error_message(), "/dev/full: No space left on device (3 bytes)");
    assert_true(ao_path_exists("/dev/full")); /* a device is not ours to remove */
}

static void write_into(struct ao_outdir *dir, const char *name)
{
    char *path = ao_outdir_file(dir, name);
    assert_non_null(path);
    assert_int_equal(ao_file_write(path, name, strlen(name)), AOSA_OK);
    ao_free(path);
}

static void output_folder_appears_whole_or_not_at_all(void **state)
{
    (void)state;
    struct ao_outdir dir;
    char file[96];
    const char *out = in_folder("a/out");

    assert_int_equal(ao_outdir_begin(&dir, out, "result.json", false), AOSA_OK);
    write_into(&dir, "map.npy");
    ao_outdir_abort(&dir);
    assert_false(ao_path_exists(out));

    assert_int_equal(ao_outdir_begin(&dir, out, "result.json", false), AOSA_OK);
    write_into(&dir, "result.json");
    write_into(&dir, "clip0/map.npy");
    snprintf(file, sizeof file, "%s/clip0/map.npy", out);
    assert_false(ao_path_exists(file));
    assert_int_equal(ao_outdir_commit(&dir), AOSA_OK);
    assert_true(ao_path_exists(file));

    assert_int_equal(ao_outdir_begin(&dir, out, "result.json", false), AOSA_ERR_OUTPUT);
    assert_non_null(strstr(aosa_error_message(), "use --force"));
    assert_int_equal(ao_outdir_begin(&dir, out, "result.json", true), AOSA_OK);
    write_into(&dir, "clip0/map.npy");
    assert_int_equal(ao_outdir_commit(&dir), AOSA_OK);

    snprintf(file, sizeof file, "%s/result.json", out);
    assert_int_equal(ao_outdir_begin(&dir, file, "result.json", true), AOSA_ERR_OUTPUT);
    assert_int_equal(ao_outdir_begin(&dir, "/proc/aosa", "result.json", true), AOSA_ERR_OUTPUT);
    assert_int_equal(ao_outdir_begin(&dir, "", "result.json", true), AOSA_ERR_ARGUMENT);
}

static void damaged_json_names_line_and_column(void **state)
{
    (void)state;
    char expected[128];
    json_t *value;
    const char *path = in_folder("card.json");
    assert_int_equal(ao_file_write(path, "{\"a\":1,\n\"a\":2}", 14), AOSA_OK);
    assert_int_equal(ao_json_read(path, &value), AOSA_ERR_FORMAT);
    snprintf(expected, sizeof expected, "%s:2:3: ", path);
    assert_memory_equal(aosa_error_message(), expected, strlen(expected));
    assert_int_equal(ao_file_write(path, "[1]", 3), AOSA_OK);
    assert_int_equal(ao_json_read(path, &value), AOSA_ERR_FORMAT);
    assert_int_equal(ao_file_write(path, "{\"a\":1}", 7), AOSA_OK);
    assert_int_equal(ao_json_read(path, &value), AOSA_OK);
    assert_int_equal(ao_json_write(path, value), AOSA_OK);
    json_decref(value);
}

static void sha256_matches_the_published_vector(void **state)
{
    (void)state;
    char text[AO_SHA256_TEXT];
    ao_sha256("abc", 3, text); /* FIPS 180-2, appendix B.1 */
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failure_text_is_one_printable_line),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(the_chosen_allocation_fails_once),
        cmocka_unit_test(arena_is_aligned_zeroed_and_keeps_its_budget),
        cmocka_unit_test(parallel_loop_runs_each_item_once),
        cmocka_unit_test(parallel_loop_hands_a_workers_failure_to_the_caller),
        cmocka_unit_test(options_parse_print_and_parse_again),
        cmocka_unit_test(wrong_option_values_say_what_is_allowed),
        cmocka_unit_test(file_that_is_no_regular_file_is_refused),
        cmocka_unit_test(full_disk_is_reported_and_leaves_no_file),
        cmocka_unit_test(output_folder_appears_whole_or_not_at_all),
        cmocka_unit_test(damaged_json_names_line_and_column),
        cmocka_unit_test(sha256_matches_the_published_vector),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
