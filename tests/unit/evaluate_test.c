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

#include "core/file.h"
#include "core/rng.h"
#include "evaluate/bootstrap.h"
#include "evaluate/journal.h"
#include "evaluate/results.h"
#include "evaluate/run.h"

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

static const char run[] = "{\"dataset\": {\"clips\": 2}, \"methods\": [{\"name\": \"aosa\"}, "
                          "{\"name\": \"random\"}], \"model\": {\"sha256\": \"a\"}}";
static const char other[] = "{\"dataset\": {\"clips\": 2}, \"methods\": [{\"name\": \"aosa\"}, "
                            "{\"name\": \"random\"}], \"model\": {\"sha256\": \"b\"}}";

static const char rebuilt[] =
    "{\"build\": {\"isa\": \"avx2\"}, \"dataset\": {\"clips\": 2}, \"methods\": [{\"name\": "
    "\"aosa\"}, {\"name\": \"random\"}], \"model\": {\"sha256\": \"a\"}}";
static const struct ao_evaluation_options strict = { 0 };
static const struct ao_evaluation_options lenient = { .allow_missing = true, .allow_builds = true };

static struct ao_journal_head head_of(const char *identity, int index, int count, int planned)
{
    return (struct ao_journal_head){ identity, { index, count }, planned };
}

static void put(struct ao_journal *journal, const char *clip, const char *method, double value,
                const char *reason)
{
    const double x[] = { 0, 1 }, y[] = { value, -value };
    struct ao_record record = {
        .clip = clip,
        .method = method,
        .key = "k1",
        .label = "down",
        .reason = reason,
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

static void a_record_comes_back_with_its_bits(void **state)
{
    (void)state;
    struct ao_journal *journal;
    struct ao_journal_head head = head_of(run, 0, 1, 4);
    enum ao_item_state item;
    int n = 0;
    assert_ok(ao_journal_open(in_folder("j.db"), &head, &journal));
    put(journal, "clip1", "aosa", 7, "the video is damaged");
    assert_ok(ao_journal_state(journal, "clip1", "aosa", "k1", &item));
    assert_int_equal(item, AO_ITEM_FAILED);
    put(journal, "clip1", "aosa", 1.0 / 3, NULL); /* in its place */
    put(journal, "clip1", "random", 5, NULL);
    ao_journal_close(&journal);

    assert_ok(ao_journal_open(in_folder("j.db"), &head, &journal));
    assert_ok(ao_journal_state(journal, "clip1", "aosa", "k1", &item));
    assert_int_equal(item, AO_ITEM_DONE);
    assert_ok(ao_journal_state(journal, "clip1", "aosa", "k2", &item));
    assert_int_equal(item, AO_ITEM_NEW); /* the clip has changed since */
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
    const struct ao_journal_head head = head_of(run, 0, 1, 4);
    struct ao_record record = { .clip = "clip2", .method = "aosa", .key = "k", .label = "up" };
    double *x = calloc(POINTS, sizeof *x);
    struct rlimit old, small;
    int n = 0;
    assert_non_null(x);
    assert_ok(ao_journal_open(in_folder("j.db"), &head, &journal));
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
    struct ao_journal_head head = head_of(run, 0, 2, 4);
    assert_ok(ao_journal_open(in_folder("j.db"), &head, &journal));
    ao_journal_close(&journal);
    head = head_of(other, 0, 2, 4);
    expect(ao_journal_open(path, &head, &journal), AOSA_ERR_ARGUMENT, "'model.sha256'");
    head = head_of(run, 1, 2, 4);
    expect(ao_journal_open(path, &head, &journal), AOSA_ERR_ARGUMENT, "shard 1/2, not 2/2");

    FILE *file = fopen(in_folder("text.db"), "w");
    assert_non_null(file);
    fputs("this is not a database, and long enough to be looked at as one by its header\n", file);
    fclose(file);
    expect(ao_journal_open(path, &head, &journal), AOSA_ERR_FORMAT, "not a journal");
    expect(ao_journal_open(in_folder("no/such.db"), &head, &journal), AOSA_ERR_OUTPUT, "such.db");
    assert_null(journal);
}

static void put_all(const char *name, const char *identity, int index, int count, const char *clip)
{
    struct ao_journal *journal;
    const struct ao_journal_head head = head_of(identity, index, count, 2);
    assert_ok(ao_journal_open(in_folder(name), &head, &journal));
    put(journal, clip, "random", 4, NULL);
    put(journal, clip, "aosa", 8, NULL);
    ao_journal_close(&journal);
}

static void shards_are_read_together_in_one_order(void **state)
{
    (void)state;
    struct ao_results results;
    put_all("shard-1-of-2.db", run, 0, 2, "clip2");
    expect(ao_results_read(&results, folder, &strict), AOSA_ERR_INPUT,
           "1 of 2 shards are missing (2)");
    ao_results_fini(&results);
    put_all("shard-2-of-2.db", run, 1, 2, "clip1");
    assert_ok(ao_results_read(&results, folder, &strict));
    assert_int_equal(results.n, 4);
    assert_int_equal(results.missing, 0);
    assert_string_equal(results.results[0].clip, "clip1");
    assert_int_equal(results.results[0].method, 0); /* as the run names them, aosa first */
    assert_string_equal(results.results[3].clip, "clip2");
    ao_results_fini(&results);
    put_all("shard-1-of-1.db", run, 0, 1, "clip1");
    expect(ao_results_read(&results, folder, &strict), AOSA_ERR_ARGUMENT, "beside others of 1");
    ao_results_fini(&results);
}

static void shards_of_several_builds_or_models_are_not_mixed_unless_told(void **state)
{
    (void)state;
    struct ao_results results;
    put_all("shard-1-of-2.db", run, 0, 2, "clip1");
    put_all("shard-2-of-2.db", rebuilt, 1, 2, "clip2");
    expect(ao_results_read(&results, folder, &strict), AOSA_ERR_ARGUMENT, "'build'");
    ao_results_fini(&results);
    assert_ok(ao_results_read(&results, folder, &lenient));
    assert_int_equal(results.n, 4);
    ao_results_fini(&results);
    expect(ao_run_compare("x", run, rebuilt, false), AOSA_ERR_ARGUMENT, "'build'");
    assert_int_equal(remove(in_folder("shard-2-of-2.db")), 0);
    put_all("shard-2-of-2.db", other, 1, 2, "clip2");
    expect(ao_results_read(&results, folder, &lenient), AOSA_ERR_ARGUMENT, "'model.sha256'");
    ao_results_fini(&results);
}

static void missing_items_are_refused_unless_told(void **state)
{
    (void)state;
    struct ao_results results;
    struct ao_journal *journal;
    const struct ao_journal_head head = head_of(run, 0, 1, 4);
    assert_ok(ao_journal_open(in_folder("shard-1-of-1.db"), &head, &journal));
    put(journal, "clip1", "aosa", 1, NULL);
    /* While it is open for writing, nobody reads it. */
    expect(ao_results_read(&results, folder, &strict), AOSA_ERR_OUTPUT, "another process");
    ao_results_fini(&results);
    ao_journal_close(&journal);
    expect(ao_results_read(&results, folder, &strict), AOSA_ERR_INPUT, "3 of 4 items are missing");
    ao_results_fini(&results);
    assert_ok(ao_results_read(&results, folder, &lenient));
    assert_int_equal(results.missing, 3);
    ao_results_fini(&results);
}

static const char *const variables[] = {
    "SLURM_ARRAY_TASK_ID",
    "SLURM_ARRAY_TASK_MIN",
    "SLURM_ARRAY_TASK_COUNT",
    "SLURM_PROCID",
    "SLURM_ARRAY_TASK_STEP",
    "SLURM_NTASKS",
    "PMI_RANK",
    "OMPI_COMM_WORLD_RANK",
    "OMPI_COMM_WORLD_SIZE",
    "PMI_SIZE",
    "JOB_COMPLETION_INDEX",
    "AWS_BATCH_JOB_ARRAY_INDEX",
    "AWS_BATCH_JOB_ARRAY_SIZE",
};

static void clear_variables(void)
{
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        unsetenv(variables[i]);
}

static void check_shard(const char *text, int shards, int index, int count)
{
    struct ao_shard shard;
    assert_ok(ao_shard_parse(text, shards, &shard));
    assert_int_equal(shard.index, index);
    assert_int_equal(shard.count, count);
}

static void shards_are_given_or_read_from_launchers(void **state)
{
    (void)state;
    struct ao_shard shard;
    clear_variables();
    check_shard(NULL, 0, 0, 1);
    check_shard("3/64", 0, 2, 64);
    expect(ao_shard_parse("0/4", 0, &shard), AOSA_ERR_ARGUMENT, "--shard 0/4");
    expect(ao_shard_parse("5/4", 0, &shard), AOSA_ERR_ARGUMENT, "--shard 5/4");
    expect(ao_shard_parse("2/4x", 0, &shard), AOSA_ERR_ARGUMENT, "--shard 2/4x");
    expect(ao_shard_parse("auto", 0, &shard), AOSA_ERR_ARGUMENT, "no launcher");
    setenv("JOB_COMPLETION_INDEX", "4", 1);
    expect(ao_shard_parse("auto", 0, &shard), AOSA_ERR_ARGUMENT, "--shards N");
    check_shard("auto", 9, 4, 9);
    setenv("OMPI_COMM_WORLD_RANK", "1", 1);
    setenv("OMPI_COMM_WORLD_SIZE", "3", 1);
    check_shard("auto", 0, 1, 3);
    setenv("SLURM_ARRAY_TASK_ID", "14", 1); /* of 10, 12, 14, 16 */
    setenv("SLURM_ARRAY_TASK_MIN", "10", 1);
    setenv("SLURM_ARRAY_TASK_COUNT", "4", 1);
    setenv("SLURM_ARRAY_TASK_STEP", "2", 1);
    check_shard("auto", 0, 2 * 3 + 1, 12);
    setenv("SLURM_ARRAY_TASK_ID", "x", 1);
    expect(ao_shard_parse("auto", 0, &shard), AOSA_ERR_ARGUMENT, "SLURM_ARRAY_TASK_ID is 'x'");
    clear_variables();
}

static void every_key_belongs_to_one_shard(void **state)
{
    (void)state;
    char key[65];
    int held[7] = { 0 };
    struct ao_rng rng;
    ao_rng_init(&rng, 1);
    for (int i = 0; i < 700; i++) {
        int owners = 0;
        snprintf(key, sizeof key, "%016llx%048d", (unsigned long long)ao_rng_next(&rng), 0);
        for (int s = 0; s < 7; s++)
            if (ao_shard_has((struct ao_shard){ s, 7 }, key)) {
                owners++;
                held[s]++;
            }
        assert_int_equal(owners, 1);
    }
    /* Binomial: 100 each, standard deviation 9.3; five of them. */
    for (int s = 0; s < 7; s++)
        assert_near(held[s], 100, 47);
}

static void the_bootstrap_interval_covers_the_mean_as_often_as_it_says(void **state)
{
    (void)state;
    enum { TRIALS = 400, N = 50 };
    double values[N];
    int covered = 0;
    struct ao_interval interval;
    struct ao_rng rng;
    ao_rng_init(&rng, 4);
    for (int trial = 0; trial < TRIALS; trial++) {
        for (int i = 0; i < N; i++)
            values[i] = ao_rng_uniform(&rng);
        assert_ok(ao_bootstrap_mean(values, N, 400, 9, &interval));
        covered += interval.low <= 0.5 && 0.5 <= interval.high;
    }
    /* 95 %, less about 1 % for the percentile method at n = 50; standard deviation 1.1 %. */
    printf("covered %d of %d\n", covered, TRIALS);
    assert_near((double)covered / TRIALS, 0.94, 0.045);
    assert_ok(ao_bootstrap_mean(values, 0, 400, 9, &interval));
    assert_true(isnan(interval.mean));
    assert_ok(ao_bootstrap_mean(values, 1, 400, 9, &interval));
    assert_true(interval.low == values[0] && interval.high == values[0]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(a_record_comes_back_with_its_bits),
        TEST(a_record_that_cannot_be_written_leaves_the_journal_as_it_was),
        TEST(a_journal_of_another_run_shard_or_program_is_refused),
        TEST(shards_are_read_together_in_one_order),
        TEST(shards_of_several_builds_or_models_are_not_mixed_unless_told),
        TEST(missing_items_are_refused_unless_told),
        cmocka_unit_test(shards_are_given_or_read_from_launchers),
        cmocka_unit_test(every_key_belongs_to_one_shard),
        cmocka_unit_test(the_bootstrap_interval_covers_the_mean_as_often_as_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
