/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "core/alloc.h"
#include "evaluate/journal.h"
#include "evaluate/results.h"

#define assert_near(a, b, bound) assert_true(fabs((double)(a) - (double)(b)) <= (bound))
#define assert_ok(call)                           \
    do {                                          \
        if ((call) != AOSA_OK)                    \
            fail_msg("%s", aosa_error_message()); \
    } while (0)

static char folder[] = "/tmp/aosa-evaluate-XXXXXX";
static char path[128];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/aosa-evaluate-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static const char *in_folder(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* Runs by one model and another, and what may differ between machines. */
static const char shared[] = "{\"dataset\": {\"clips\": 2}, \"model\": {\"sha256\": \"a\"}}";
static const char other[] = "{\"dataset\": {\"clips\": 2}, \"model\": {\"sha256\": \"b\"}}";
static const char avx512[] = "{\"aosa\": \"1\", \"isa\": \"avx512\"}";
static const char avx2[] = "{\"aosa\": \"1\", \"isa\": \"avx2\"}";
static const char newer[] = "{\"aosa\": \"2\", \"isa\": \"avx512\"}";

static const struct ao_evaluation_options strict = { 0 };
static const struct ao_evaluation_options lenient = { .allow_missing = true, .allow_builds = true };
static const struct ao_journal_mode careful = { 0 };
static const struct ao_journal_mode replacing = { .replace = true };
static const struct ao_journal_mode any_build = { .allow_builds = true };
static const struct ao_journal_mode redoing = { .redo_builds = true };

static const char *const metrics[] = { "deletion", "energy" };

/* By aosa and random, deletion and energy, on a machine. Ends with ao_run_fini. */
static struct ao_run run_of(const char *text, const char *build)
{
    struct ao_run run = { 0 };
    run.shared = ao_strdup(text);
    assert_non_null(run.shared);
    assert_ok(ao_run_add(&run, AO_RUN_METHODS, "random", "{}"));
    assert_ok(ao_run_add(&run, AO_RUN_METHODS, "aosa", "{\"stride\": 8}"));
    for (int i = 0; i < 2; i++)
        assert_ok(ao_run_add(&run, AO_RUN_METRICS, metrics[i], "{}"));
    assert_ok(ao_run_add(&run, AO_RUN_BUILDS, build, ""));
    return run;
}

struct opening {
    const char *shared, *build;
    int index, count;
    const struct ao_journal_mode *mode;
};

static aosa_status open_as(const char *file, struct opening o, struct ao_journal **journal)
{
    struct ao_run run = run_of(o.shared, o.build);
    const struct ao_journal_head head = { &run, { o.index, o.count }, 1 };
    const aosa_status status = ao_journal_open(file, &head, o.mode, journal);
    ao_run_fini(&run);
    return status;
}

static const struct opening alone = { shared, avx512, 0, 1, &careful };

static void put(struct ao_journal *journal, const char *clip, const char *method, double value,
                const char *reason)
{
    const double x[] = { 0, 1 }, y[] = { value, -value };
    struct ao_record record = {
        .clip = clip,
        .method = method,
        .content = "k1",
        .stamp = "s1",
        .label = "down",
        .reason = reason,
        .metrics = metrics,
        .n_metrics = reason ? 0 : 2,
        .base = (double)NAN,
        .seconds = 2,
        .forwards = 3,
    };
    assert_ok(ao_metric_add_value(&record.answer, "deletion", "auc", value));
    assert_ok(ao_metric_add_value(&record.answer, "energy", NULL, (double)NAN));
    assert_ok(ao_metric_add_curve(&record.answer, "deletion", 2, x, y));
    assert_ok(ao_journal_put(journal, &record));
    ao_metric_answer_fini(&record.answer);
}

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

static enum ao_item_state state_of(struct ao_journal *journal, const char *method,
                                   const char *content, bool measured[2])
{
    enum ao_item_state state;
    assert_ok(ao_journal_state(journal, "clip1", method, content, metrics, 2, measured, &state));
    return state;
}

static void a_record_comes_back_with_its_bits(void **state)
{
    (void)state;
    struct ao_journal *journal;
    bool measured[2], found;
    char content[AO_SHA256_TEXT] = "";
    int n = 0;
    assert_ok(open_as(in_folder("j.db"), alone, &journal));
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

static void expect(aosa_status got, aosa_status want, const char *words)
{
    assert_int_equal(got, want);
    if (!strstr(aosa_error_message(), words))
        fail_msg("'%s' is not in '%s'", words, aosa_error_message());
}

static void a_journal_of_another_run_shard_or_program_is_refused(void **state)
{
    (void)state;
    struct ao_journal *journal = NULL;
    assert_ok(
        open_as(in_folder("j.db"), (struct opening){ shared, avx512, 0, 2, &careful }, &journal));
    ao_journal_close(&journal);
    expect(open_as(path, (struct opening){ other, avx512, 0, 2, &careful }, &journal),
           AOSA_ERR_ARGUMENT, "'model.sha256'");
    expect(open_as(path, (struct opening){ shared, avx512, 1, 2, &careful }, &journal),
           AOSA_ERR_ARGUMENT, "shard 1/2, not 2/2");

    FILE *file = fopen(in_folder("text.db"), "w");
    assert_non_null(file);
    fputs("this is not a database, and long enough to be looked at as one by its header\n", file);
    fclose(file);
    expect(open_as(path, alone, &journal), AOSA_ERR_FORMAT, "not a journal");
    expect(open_as(in_folder("no/such.db"), alone, &journal), AOSA_ERR_OUTPUT, "such.db");
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
    struct opening forced = { shared, avx512, 0, 1, &replacing };
    assert_ok(open_as(in_folder("j.db"), alone, &journal));
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
    expect(open_as(path, (struct opening){ shared, avx512, 0, 1, &replacing }, &second),
           AOSA_ERR_OUTPUT, "another process");
    ao_journal_close(&journal);

    static const long offsets[] = { 0, 100, 4096, 3 * 4096, 5 * 4096 }; /* heads of pages */
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        damage(path, offsets[i], 3000);
        expect(open_as(path, (struct opening){ other, avx512, 0, 1, &careful }, &journal),
               AOSA_ERR_FORMAT, "-f begins it anew");
        assert_ok(open_as(path, forced, &journal));
        assert_int_equal(count_records(journal), 0);
        put(journal, "clip1", "aosa", 1, NULL);
        ao_journal_close(&journal);
    }
}

static void methods_and_metrics_join_a_run_in_their_order(void **state)
{
    (void)state;
    struct ao_journal *journal;
    struct ao_run run = { .shared = ao_strdup(shared) };
    const struct ao_journal_head head = { &run, { 0, 1 }, 1 };
    assert_ok(ao_run_add(&run, AO_RUN_BUILDS, avx512, ""));
    assert_ok(ao_run_add(&run, AO_RUN_METHODS, "gradcam", "{}"));
    assert_ok(ao_run_add(&run, AO_RUN_METRICS, "energy", "{}"));
    assert_ok(ao_journal_open(in_folder("shard-1-of-1.db"), &head, &careful, &journal));
    struct ao_record record = { .clip = "clip1",
                                .method = "gradcam",
                                .content = "k",
                                .stamp = "",
                                .label = "up",
                                .metrics = &metrics[1],
                                .n_metrics = 1,
                                .answer = { .forwards = 3 } };
    assert_ok(ao_metric_add_value(&record.answer, "energy", NULL, 0.5));
    assert_ok(ao_journal_put(journal, &record));
    ao_metric_answer_fini(&record.answer);
    ao_journal_close(&journal);

    assert_ok(open_as(path, alone, &journal)); /* aosa, random and deletion */
    bool measured[2];
    assert_int_equal(state_of(journal, "gradcam", "k", measured), AO_ITEM_DONE);
    assert_true(!measured[0] && measured[1]);
    record.metrics = metrics;
    record.answer = (struct ao_metric_answer){ .forwards = 4 };
    assert_ok(ao_metric_add_value(&record.answer, "deletion", "auc", 0.25));
    assert_ok(ao_journal_put(journal, &record));
    ao_metric_answer_fini(&record.answer);
    put(journal, "clip1", "aosa", 1, NULL);
    put(journal, "clip1", "random", 2, NULL);
    ao_journal_close(&journal);

    struct ao_results results;
    assert_ok(ao_results_read(&results, folder, &lenient));
    assert_int_equal(results.n_methods, 3);
    assert_string_equal(results.methods[0], "aosa"); /* as methods.def, not as they came */
    assert_string_equal(results.methods[1], "gradcam");
    assert_int_equal(results.missing, 3); /* of the second clip */
    const struct ao_metric_answer *answer = &results.results[1].answer;
    assert_int_equal(answer->n_values, 2);
    assert_string_equal(answer->values[0].name, "deletion.auc");
    assert_string_equal(answer->values[1].name, "energy");
    assert_int_equal(answer->forwards, 7);
    ao_results_fini(&results);

    run.parts[AO_RUN_METHODS].items[0].options[0] = '['; /* no longer the options it had */
    expect(ao_journal_open(path, &head, &careful, &journal), AOSA_ERR_ARGUMENT, "'gradcam.");
    ao_run_fini(&run);
}

static void put_all(const char *name, struct opening opening, const char *clip)
{
    struct ao_journal *journal;
    assert_ok(open_as(in_folder(name), opening, &journal));
    put(journal, clip, "random", 4, NULL);
    put(journal, clip, "aosa", 8, NULL);
    ao_journal_close(&journal);
}

static void shards_are_read_together_in_one_order(void **state)
{
    (void)state;
    struct ao_results results;
    put_all("shard-1-of-2.db", (struct opening){ shared, avx512, 0, 2, &careful }, "clip2");
    expect(ao_results_read(&results, folder, &strict), AOSA_ERR_INPUT,
           "1 of 2 shards are missing (2)");
    ao_results_fini(&results);
    put_all("shard-2-of-2.db", (struct opening){ shared, avx512, 1, 2, &careful }, "clip1");
    assert_ok(ao_results_read(&results, folder, &strict));
    assert_int_equal(results.n, 4);
    assert_int_equal(results.missing, 0);
    assert_string_equal(results.results[0].clip, "clip1");
    assert_int_equal(results.results[0].method, 0); /* as the run names them, aosa first */
    assert_string_equal(results.results[3].clip, "clip2");
    ao_results_fini(&results);
    put_all("shard-1-of-1.db", alone, "clip1");
    expect(ao_results_read(&results, folder, &strict), AOSA_ERR_ARGUMENT, "beside others of 1");
    ao_results_fini(&results);
}

static void shards_of_several_builds_or_models_are_not_mixed_unless_told(void **state)
{
    (void)state;
    struct ao_results results;
    const struct opening second = { shared, avx2, 1, 2, &careful };
    put_all("shard-1-of-2.db", (struct opening){ shared, avx512, 0, 2, &careful }, "clip1");
    put_all("shard-2-of-2.db", second, "clip2");
    expect(ao_results_read(&results, folder, &strict), AOSA_ERR_ARGUMENT,
           "'isa' is avx2 and avx512");
    ao_results_fini(&results);
    assert_ok(ao_results_read(&results, folder, &lenient));
    assert_int_equal(results.n, 4);
    assert_int_equal(json_array_size(json_object_get(results.identity, "builds")), 2);
    ao_results_fini(&results);
    assert_int_equal(remove(in_folder("shard-2-of-2.db")), 0);
    put_all("shard-2-of-2.db", (struct opening){ other, avx512, 1, 2, &careful }, "clip2");
    expect(ao_results_read(&results, folder, &lenient), AOSA_ERR_ARGUMENT, "'model.sha256'");
    ao_results_fini(&results);
}

static void another_machine_goes_on_and_another_version_only_when_told(void **state)
{
    (void)state;
    struct ao_journal *journal;
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
    expect(open_as(path, opening, &journal), AOSA_ERR_ARGUMENT, "'aosa'");
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

static void missing_items_are_refused_unless_told(void **state)
{
    (void)state;
    struct ao_results results;
    struct ao_journal *journal;
    assert_ok(open_as(in_folder("shard-1-of-1.db"), alone, &journal));
    put(journal, "clip1", "aosa", 1, NULL);
    /* While it is open for writing, nobody reads it. */
    expect(ao_results_read(&results, folder, &strict), AOSA_ERR_OUTPUT, "another process");
    ao_results_fini(&results);
    ao_journal_close(&journal);
    expect(ao_results_read(&results, folder, &strict), AOSA_ERR_INPUT, "1 of 2 items are missing");
    ao_results_fini(&results);
    assert_ok(ao_results_read(&results, folder, &lenient));
    assert_int_equal(results.missing, 3);
    ao_results_fini(&results);
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(a_record_comes_back_with_its_bits),
        TEST(a_record_that_cannot_be_written_leaves_the_journal_as_it_was),
        TEST(a_journal_of_another_run_shard_or_program_is_refused),
        TEST(force_replaces_only_what_cannot_be_gone_on_with),
        TEST(methods_and_metrics_join_a_run_in_their_order),
        TEST(another_machine_goes_on_and_another_version_only_when_told),
        TEST(shards_are_read_together_in_one_order),
        TEST(shards_of_several_builds_or_models_are_not_mixed_unless_told),
        TEST(missing_items_are_refused_unless_told),
        TEST(a_journal_survives_any_failed_allocation_of_sqlite),
    };
    use_failing_allocator();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
