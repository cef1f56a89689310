/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aosa/evaluate.h"
#include "core/alloc.h"
#include "core/rng.h"
#include "evaluate/bootstrap.h"
#include "evaluate/shard.h"
#include "support/asserts.h"
#include "support/folder.h"
#include "support/odd_net.h"

/* Two clips of a small network, of which the second is not there. */
struct small_run {
    aosa_model *model;
    aosa_settings *settings;
    char run[64];
};

static void small_run_open(struct small_run *r)
{
    static const char *const options[][2] = {
        { "backend", "reference" }, { "mean", "0.5,0.5,0.5" }, { "std", "0.25,0.25,0.25" },
        { "resize", "none" },       { "threads", "1" },        { "cuts", "1" },
    };
    const char *model = in_folder("net.onnx");
    odd_net_write(model, (struct odd_net){ 0 });
    assert_ok(aosa_model_open(model, NULL, &r->model));
    odd_clip_write(in_folder("clip.npy"));
    FILE *list = fopen(in_folder("list.csv"), "w");
    assert_non_null(list);
    fputs("path,label\nclip.npy,1\nmissing.npy,2\n", list);
    fclose(list);
    snprintf(r->run, sizeof r->run, "%s/run", folder_path());
    assert_ok(aosa_settings_create(&r->settings));
    assert_ok(aosa_settings_set(r->settings, "root", folder_path()));
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        assert_ok(aosa_settings_set(r->settings, options[i][0], options[i][1]));
}

static void small_run_close(struct small_run *r)
{
    aosa_settings_destroy(&r->settings);
    aosa_model_close(&r->model);
}

static aosa_status small_run_evaluate(const struct small_run *r, struct aosa_evaluation *counts)
{
    return aosa_evaluate(r->model, r->settings, "centre,random", "deletion,sparsity", r->run, false,
                         NULL, NULL, counts);
}

static void an_evaluation_tells_any_failed_allocation_and_goes_on(void **state)
{
    (void)state;
    struct small_run r;
    struct aosa_evaluation counts;
    char journal[80], *text;
    long n = 1;
    small_run_open(&r);
    snprintf(journal, sizeof journal, "%s/shard-1-of-1.db", r.run);
    for (bool failed = true; failed; n++) {
        remove(journal);
        ao_alloc_fail_at(n);
        const aosa_status status = small_run_evaluate(&r, &counts);
        failed = ao_alloc_has_failed();
        ao_alloc_fail_at(0);
        if (status != (failed ? AOSA_ERR_NOMEM : AOSA_OK))
            fail_msg("allocation %ld: %s: %s", n, aosa_status_name(status), aosa_error_message());
        if (n % 16)
            continue;
        const size_t before = counts.done + counts.failed;
        assert_ok(small_run_evaluate(&r, &counts));
        assert_int_equal(counts.skipped, before);
        assert_int_equal(counts.done + counts.failed, 4 - before);
    }
    assert_int_equal(counts.done, 2);
    assert_int_equal(counts.failed, 2);
    printf("evaluate: %ld allocations failed once each\n", n - 2);
    assert_true(n > 100);

    n = 1;
    for (bool failed = true; failed; n++) {
        ao_alloc_fail_at(n);
        const aosa_status status = aosa_evaluate_plan(r.model, r.settings, "centre,random",
                                                      "deletion,sparsity", r.run, n % 2, &text);
        failed = ao_alloc_has_failed();
        ao_alloc_fail_at(0);
        assert_int_equal(status, failed ? AOSA_ERR_NOMEM : AOSA_OK);
        if (status == AOSA_OK)
            aosa_text_free(&text);
    }
    printf("evaluate -n: %ld allocations failed once each\n", n - 2);
    small_run_close(&r);
}

static const char *const variables[] = {
    "SLURM_ARRAY_TASK_ID",
    "SLURM_ARRAY_TASK_MIN",
    "SLURM_ARRAY_TASK_COUNT",
    "SLURM_PROCID",
    "SLURM_ARRAY_TASK_STEP",
    "SLURM_NTASKS",
    "SLURM_STEP_ID",
    "MV2_COMM_WORLD_RANK",
    "MV2_COMM_WORLD_SIZE",
    "PMIX_RANK",
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

/* Sets variables of a text such as "A=1 B=2", alone. */
static void set_variables(const char *text)
{
    char copy[512], *rest = copy, *word;
    clear_variables();
    snprintf(copy, sizeof copy, "%s", text);
    while ((word = strtok_r(rest, " ", &rest))) {
        char *value = strchr(word, '=');
        *value = '\0';
        setenv(word, value + 1, 1);
    }
}

static void shards_are_given_or_read_from_launchers(void **state)
{
    (void)state;
    static const struct {
        const char *variables;
        int shards, index, count;
    } rows[] = {
        { "SLURM_ARRAY_TASK_ID=14 SLURM_ARRAY_TASK_MIN=10 SLURM_ARRAY_TASK_COUNT=4 "
          "SLURM_ARRAY_TASK_STEP=2",
          0, 2, 4 },
        { "SLURM_ARRAY_TASK_ID=0 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_COUNT=64", 64, 0, 64 },
        /* The batch script of an array, and srun of three tasks in it. */
        { "SLURM_ARRAY_TASK_ID=2 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_COUNT=4 SLURM_PROCID=0 "
          "SLURM_NTASKS=1",
          0, 1, 4 },
        { "SLURM_ARRAY_TASK_ID=2 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_COUNT=4 SLURM_PROCID=1 "
          "SLURM_NTASKS=3 SLURM_STEP_ID=0",
          0, 4, 12 },
        { "SLURM_PROCID=5 SLURM_NTASKS=8 SLURM_STEP_ID=0", 0, 5, 8 },
        { "OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=3", 0, 1, 3 },
        { "MV2_COMM_WORLD_RANK=1 MV2_COMM_WORLD_SIZE=3", 0, 1, 3 },
        { "PMI_RANK=2 PMI_SIZE=3", 0, 2, 3 },
        { "PMIX_RANK=1", 5, 1, 5 },
        /* Open MPI 5 sets PMIx's, MVAPICH PMI's; mpirun in a Slurm job has its daemon's rank. */
        { "OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=3 PMIX_RANK=1", 0, 1, 3 },
        { "MV2_COMM_WORLD_RANK=1 MV2_COMM_WORLD_SIZE=3 PMI_RANK=1 PMI_SIZE=3", 3, 1, 3 },
        { "OMPI_COMM_WORLD_RANK=3 OMPI_COMM_WORLD_SIZE=4 SLURM_PROCID=0 SLURM_NTASKS=4", 0, 3, 4 },
        { "PMIX_RANK=6 SLURM_PROCID=6 SLURM_NTASKS=8 SLURM_STEP_ID=0", 0, 6, 8 },
        { "JOB_COMPLETION_INDEX=4", 9, 4, 9 },
        { "JOB_COMPLETION_INDEX=4 OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2", 9, 9, 18 },
        { "AWS_BATCH_JOB_ARRAY_INDEX=4 AWS_BATCH_JOB_ARRAY_SIZE=6", 0, 4, 6 },
        { "AWS_BATCH_JOB_ARRAY_INDEX=4", 7, 4, 7 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        set_variables(rows[i].variables);
        check_shard("auto", rows[i].shards, rows[i].index, rows[i].count);
        check_shard("3/64", 0, 2, 64);
        check_shard(NULL, 0, 0, 1);
    }
    clear_variables();
}

static void launchers_that_contradict_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *variables;
        int shards;
        const char *words;
    } rows[] = {
        { "", 0, "no launcher" },
        { "SLURM_ARRAY_TASK_ID=x", 0, "SLURM_ARRAY_TASK_ID is 'x'" },
        { "SLURM_ARRAY_TASK_ID=3 SLURM_ARRAY_TASK_MIN=3", 0, "SLURM_ARRAY_TASK_ID is 3" },
        /* --array=3,7: the number of the task among all cannot be known */
        { "SLURM_ARRAY_TASK_ID=7 SLURM_ARRAY_TASK_MIN=3 SLURM_ARRAY_TASK_COUNT=2", 0,
          "number 4 of 2" },
        { "SLURM_ARRAY_TASK_ID=3 SLURM_ARRAY_TASK_MIN=3 SLURM_ARRAY_TASK_COUNT=2", 64,
          "--shards is 64, the environment says 2" },
        { "SLURM_ARRAY_TASK_ID=1 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_COUNT=2 "
          "JOB_COMPLETION_INDEX=1",
          0, "JOB_COMPLETION_INDEX and another array" },
        { "SLURM_PROCID=0 SLURM_NTASKS=4", 0, "SLURM_NTASKS is 4, but this is the batch script" },
        { "SLURM_PROCID=4 SLURM_NTASKS=4 SLURM_STEP_ID=0", 0, "number 4 of 4" },
        { "OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=3 PMIX_RANK=2", 0,
          "OMPI_COMM_WORLD_RANK says rank 1 of 3, PMIX_RANK rank 2" },
        { "OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=3 PMI_RANK=1 PMI_SIZE=4", 0,
          "PMI_RANK rank 1 of 4" },
        { "PMIX_RANK=1 SLURM_PROCID=2 SLURM_NTASKS=4 SLURM_STEP_ID=0", 0, "SLURM_PROCID rank 2" },
        { "PMIX_RANK=1", 0, "PMIX_RANK is 1, of how many? give --shards N" },
        { "JOB_COMPLETION_INDEX=4", 0, "of how many? give --shards N" },
        { "JOB_COMPLETION_INDEX=4", 4, "number 4 of 4" },
        { "AWS_BATCH_JOB_ARRAY_INDEX=1 AWS_BATCH_JOB_ARRAY_SIZE=6", 5, "--shards is 5" },
    };
    struct ao_shard shard;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        set_variables(rows[i].variables);
        assert_fails(ao_shard_parse("auto", rows[i].shards, &shard), AOSA_ERR_ARGUMENT,
                     rows[i].words);
    }
    clear_variables();
    assert_fails(ao_shard_parse("0/4", 0, &shard), AOSA_ERR_ARGUMENT, "--shard 0/4");
    assert_fails(ao_shard_parse("5/4", 0, &shard), AOSA_ERR_ARGUMENT, "--shard 5/4");
    assert_fails(ao_shard_parse("2/4x", 0, &shard), AOSA_ERR_ARGUMENT, "--shard 2/4x");
    assert_fails(ao_shard_parse("2/4", 4, &shard), AOSA_ERR_ARGUMENT, "--shards 4: goes with");
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_make, folder_remove)
    const struct CMUnitTest tests[] = {
        TEST(an_evaluation_tells_any_failed_allocation_and_goes_on),
        cmocka_unit_test(shards_are_given_or_read_from_launchers),
        cmocka_unit_test(launchers_that_contradict_are_refused),
        cmocka_unit_test(every_key_belongs_to_one_shard),
        cmocka_unit_test(the_bootstrap_interval_covers_the_mean_as_often_as_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
