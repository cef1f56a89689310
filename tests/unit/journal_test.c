/* SPDX-License-Identifier: Apache-2.0 */
/* One journal: what is written comes back, and what does not belong to it is refused. */
#define _XOPEN_SOURCE 700 /* the names of sys/resource.h */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "journal_fixture.h"

static const char newer[] = "{\"aosa\": \"2\", \"isa\": \"avx512\"}";

static const struct ao_journal_mode replacing = { .replace = true };
static const struct ao_journal_mode any_build = { .allow_builds = true };
static const struct ao_journal_mode redoing = { .redo_builds = true };

static aosa_status check_record(void *context, const struct ao_record *record)
{
    int *n = context;
    ++*n;
    if (strcmp(record->method, "aosa"))
        return AOSA_OK;
    assert_string_equal(record->clip, "clip1");
    assert_null(record->reason);
    assert_true(isnan(record->base));
    assert_int_equal(record->answer.n_values, 2);
    assert_true(record->answer.values[0].value == 1.0 / 3);
    assert_true(isnan(record->answer.values[1].value));
    assert_string_equal(record->answer.curves[0].name, "deletion");
    assert_true(record->answer.curves[0].y[1] == -1.0 / 3);
    return AOSA_OK;
}

static void a_record_comes_back_with_its_bits(void **state)
{
    (void)state;
    struct ao_journal *journal;
    const char *path = in_folder("j.db");
    bool measured[2], found;
    char content[AO_SHA256_TEXT] = "";
    int n = 0;
    assert_ok(open_as(path, alone, &journal));
    put(journal, "clip1", "aosa", 7, "the video is damaged");
    assert_int_equal(state_of(journal, "aosa", "k1", measured), AO_ITEM_FAILED);
    put(journal, "clip1", "aosa", 1.0 / 3, NULL); /* in its place */
    put(journal, "clip1", "random", 5, NULL);
    ao_journal_close(&journal);

    assert_ok(open_as(path, alone, &journal));
    assert_int_equal(state_of(journal, "aosa", "k1", measured), AO_ITEM_DONE);
    assert_true(measured[0] && measured[1]);
    assert_int_equal(state_of(journal, "aosa", "k2", measured), AO_ITEM_NEW); /* it has changed */
    assert_int_equal(state_of(journal, "aosa", NULL, measured), AO_ITEM_DONE);
    assert_ok(ao_journal_content(journal, "clip1", "s1", content, &found));
    assert_true(found);
    assert_string_equal(content, "k1");
    assert_ok(ao_journal_content(journal, "clip1", "s2", content, &found));
    assert_false(found);
    assert_ok(ao_journal_each(journal, check_record, &n));
    assert_int_equal(n, 2);
    ao_journal_close(&journal);
}

static aosa_status count_record(void *context, const struct ao_record *record)
{
    int *n = context;
    (void)record;
    ++*n;
    return AOSA_OK;
}

/* A limit on the size of files stands for a full disk. */
static void a_record_that_cannot_be_written_leaves_the_journal_as_it_was(void **state)
{
    (void)state;
    enum { POINTS = 20000 };
    struct ao_journal *journal;
    struct ao_record record = {
        .clip = "clip2", .method = "aosa", .content = "k", .stamp = "", .label = "up"
    };
    double *x = calloc(POINTS, sizeof *x);
    struct rlimit old, small;
    int n = 0;
    assert_non_null(x);
    assert_ok(open_as(in_folder("j.db"), alone, &journal));
    put(journal, "clip1", "aosa", 1.0 / 3, NULL);
    assert_ok(ao_metric_add_curve(&record.answer, "deletion", POINTS, x, x));

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){ .rlim_cur = 100000, .rlim_max = old.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const aosa_status status = ao_journal_put(journal, &record);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(status, AOSA_ERR_OUTPUT);

    assert_ok(ao_journal_each(journal, count_record, &n));
    assert_int_equal(n, 1);
    assert_ok(ao_journal_put(journal, &record)); /* and goes on afterwards */
    assert_ok(ao_journal_each(journal, count_record, &n));
    assert_int_equal(n, 3);
    ao_metric_answer_fini(&record.answer);
    ao_journal_close(&journal);
    free(x);
}

static void a_journal_of_another_run_shard_or_program_is_refused(void **state)
{
    (void)state;
    struct ao_journal *journal = NULL;
    const char *path = in_folder("j.db");
    assert_ok(open_as(path, (struct opening){ shared, avx512, 0, 2, &careful }, &journal));
    ao_journal_close(&journal);
    assert_fails(open_as(path, (struct opening){ other, avx512, 0, 2, &careful }, &journal),
                 AOSA_ERR_ARGUMENT, "'model.sha256'");
    assert_fails(open_as(path, (struct opening){ shared, avx512, 1, 2, &careful }, &journal),
                 AOSA_ERR_ARGUMENT, "shard 1/2, not 2/2");

    path = in_folder("text.db");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("this is not a database, and long enough to be looked at as one by its header\n", file);
    fclose(file);
    assert_fails(open_as(path, alone, &journal), AOSA_ERR_FORMAT, "not a journal");
    assert_fails(open_as(in_folder("no/such.db"), alone, &journal), AOSA_ERR_OUTPUT, "such.db");
    assert_null(journal);
}

static int count_records(struct ao_journal *journal)
{
    int n = 0;
    assert_ok(ao_journal_each(journal, count_record, &n));
    return n;
}

/* Overwrites bytes of a file from an offset on. */
static void damage(const char *file, long offset, int n)
{
    FILE *f = fopen(file, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, offset, SEEK_SET), 0);
    while (n-- > 0)
        fputc(0xA5, f);
    fclose(f);
}

static void force_replaces_only_what_cannot_be_gone_on_with(void **state)
{
    (void)state;
    struct ao_journal *journal;
    const char *path = in_folder("j.db");
    struct opening forced = { shared, avx512, 0, 1, &replacing };
    assert_ok(open_as(path, alone, &journal));
    put(journal, "clip1", "aosa", 1, NULL);
    ao_journal_close(&journal);
    assert_ok(open_as(path, forced, &journal));
    assert_int_equal(count_records(journal), 1); /* of the same run: kept */
    ao_journal_close(&journal);

    forced.shared = other;
    assert_ok(open_as(path, forced, &journal));
    assert_int_equal(count_records(journal), 0);
    put(journal, "clip1", "aosa", 1, NULL);
    /* A journal at work is nobody's to replace. */
    struct ao_journal *second = NULL;
    assert_fails(open_as(path, (struct opening){ shared, avx512, 0, 1, &replacing }, &second),
                 AOSA_ERR_OUTPUT, "another process");
    ao_journal_close(&journal);

    static const long offsets[] = { 0, 100, 4096, 3 * 4096, 5 * 4096 }; /* heads of pages */
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        damage(path, offsets[i], 3000);
        assert_fails(open_as(path, (struct opening){ other, avx512, 0, 1, &careful }, &journal),
                     AOSA_ERR_FORMAT, "-f begins it anew");
        assert_ok(open_as(path, forced, &journal));
        assert_int_equal(count_records(journal), 0);
        put(journal, "clip1", "aosa", 1, NULL);
        ao_journal_close(&journal);
    }
}

static void another_machine_goes_on_and_another_version_only_when_told(void **state)
{
    (void)state;
    struct ao_journal *journal;
    const char *path = in_folder("shard-1-of-1.db");
    struct opening opening = alone;
    int64_t foreign;
    bool measured[2];
    put_all("shard-1-of-1.db", alone, "clip1");
    opening.build = avx2;
    assert_ok(open_as(path, opening, &journal));
    assert_int_equal(state_of(journal, "aosa", "k1", measured), AO_ITEM_DONE);
    assert_true(measured[0] && measured[1]);
    assert_ok(ao_journal_foreign(journal, &foreign));
    assert_int_equal(foreign, 4); /* two items by two metrics */
    ao_journal_close(&journal);

    opening.build = newer;
    assert_fails(open_as(path, opening, &journal), AOSA_ERR_ARGUMENT, "'aosa'");
    opening.mode = &any_build;
    assert_ok(open_as(path, opening, &journal));
    assert_int_equal(state_of(journal, "aosa", "k1", measured), AO_ITEM_DONE);
    assert_true(measured[0]);
    ao_journal_close(&journal);
    opening.mode = &redoing;
    put_all("shard-1-of-1.db", opening, "clip1");
    assert_ok(open_as(path, opening, &journal));
    assert_true(state_of(journal, "aosa", "k1", measured) == AO_ITEM_DONE && measured[0]);
    assert_ok(ao_journal_foreign(journal, &foreign));
    assert_int_equal(foreign, 0);
    ao_journal_close(&journal);
    assert_ok(open_as(path, (struct opening){ shared, avx512, 0, 1, &redoing }, &journal));
    assert_false(state_of(journal, "aosa", "k1", measured) == AO_ITEM_DONE && measured[0]);
    ao_journal_close(&journal);
}

/* --- memory that ends ---------------------------------------------------------------------------
 */

/* SQLite's allocator, of which the n-th allocation from now fails once (0: none). */
static sqlite3_mem_methods plain;
static long fail_at;

static void *malloc_or_fail(int bytes)
{
    return fail_at > 0 && --fail_at == 0 ? NULL : plain.xMalloc(bytes);
}

static void *realloc_or_fail(void *old, int bytes)
{
    return fail_at > 0 && --fail_at == 0 ? NULL : plain.xRealloc(old, bytes);
}

static void use_failing_allocator(void)
{
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain), SQLITE_OK);
    sqlite3_mem_methods failing = plain;
    failing.xMalloc = malloc_or_fail;
    failing.xRealloc = realloc_or_fail;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &failing), SQLITE_OK);
}

/* One item, written and read back; the first failure. */
static aosa_status write_and_read(const char *file)
{
    int n = 0;
    struct ao_journal *journal;
    struct ao_record record = { .clip = "clip1",
                                .method = "aosa",
                                .content = "k",
                                .stamp = "s",
                                .label = "up",
                                .metrics = metrics,
                                .n_metrics = 2 };
    aosa_status status = open_as(file, alone, &journal);
    if (status != AOSA_OK)
        return status;
    if (status == AOSA_OK)
        status = ao_metric_add_value(&record.answer, "energy", NULL, 0.5);
    if (status == AOSA_OK)
        status = ao_journal_put(journal, &record);
    if (status == AOSA_OK)
        status = ao_journal_each(journal, count_record, &n);
    ao_metric_answer_fini(&record.answer);
    ao_journal_close(&journal);
    assert_true(status != AOSA_OK || n == 1);
    return status;
}

static void a_journal_survives_any_failed_allocation_of_sqlite(void **state)
{
    (void)state;
    long n = 1;
    int refused = 0;
    const char *file = in_folder("j.db");
    for (bool failed = true; failed; n += 3) { /* every third; each syncs the disk */
        fail_at = n;
        const aosa_status status = write_and_read(file);
        failed = fail_at == 0;
        fail_at = 0;
        if (status != AOSA_OK && status != AOSA_ERR_NOMEM && status != AOSA_ERR_OUTPUT)
            fail_msg("allocation %ld: %s", n, aosa_error_message());
        refused += status != AOSA_OK;
        assert_ok(write_and_read(file)); /* whole, or nothing */
        if (n % 2 == 0)
            remove(file);
    }
    printf("every third of %ld allocations failed once, %d told\n", n - 4, refused);
    assert_true(refused > 100);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_make, folder_remove)
    const struct CMUnitTest tests[] = {
        TEST(a_record_comes_back_with_its_bits),
        TEST(a_record_that_cannot_be_written_leaves_the_journal_as_it_was),
        TEST(a_journal_of_another_run_shard_or_program_is_refused),
        TEST(force_replaces_only_what_cannot_be_gone_on_with),
        TEST(another_machine_goes_on_and_another_version_only_when_told),
        TEST(a_journal_survives_any_failed_allocation_of_sqlite),
    };
    use_failing_allocator();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
