/* SPDX-License-Identifier: Apache-2.0 */
/* The results of a run, read from the journals of its shards. */
#include "evaluate/results.h"
#include "journal_fixture.h"

static const struct ao_evaluation_options strict = { 0 };
static const struct ao_evaluation_options lenient = { .allow_missing = true, .allow_builds = true };

static void methods_and_metrics_join_a_run_in_their_order(void **state)
{
    (void)state;
    struct ao_journal *journal;
    const char *path = in_folder("shard-1-of-1.db");
    struct ao_run run = { .shared = ao_strdup(shared) };
    const struct ao_journal_head head = { &run, { 0, 1 }, 1 };
    assert_ok(ao_run_add(&run, AO_RUN_BUILDS, avx512, ""));
    assert_ok(ao_run_add(&run, AO_RUN_METHODS, "gradcam", "{}"));
    assert_ok(ao_run_add(&run, AO_RUN_METRICS, "energy", "{}"));
    assert_ok(ao_journal_open(path, &head, &careful, &journal));
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
    assert_ok(ao_results_read(&results, folder_path(), &lenient));
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
    assert_fails(ao_journal_open(path, &head, &careful, &journal), AOSA_ERR_ARGUMENT, "'gradcam.");
    ao_run_fini(&run);
}

static void shards_are_read_together_in_one_order(void **state)
{
    (void)state;
    struct ao_results results;
    put_all("shard-1-of-2.db", (struct opening){ shared, avx512, 0, 2, &careful }, "clip2");
    assert_fails(ao_results_read(&results, folder_path(), &strict), AOSA_ERR_INPUT,
                 "1 of 2 shards are missing (2)");
    ao_results_fini(&results);
    put_all("shard-2-of-2.db", (struct opening){ shared, avx512, 1, 2, &careful }, "clip1");
    assert_ok(ao_results_read(&results, folder_path(), &strict));
    assert_int_equal(results.n, 4);
    assert_int_equal(results.missing, 0);
    assert_string_equal(results.results[0].clip, "clip1");
    assert_int_equal(results.results[0].method, 0); /* as the run names them, aosa first */
    assert_string_equal(results.results[3].clip, "clip2");
    ao_results_fini(&results);
    put_all("shard-1-of-1.db", alone, "clip1");
    assert_fails(ao_results_read(&results, folder_path(), &strict), AOSA_ERR_ARGUMENT,
                 "beside others of 1");
    ao_results_fini(&results);
}

static void shards_of_several_builds_or_models_are_not_mixed_unless_told(void **state)
{
    (void)state;
    struct ao_results results;
    const struct opening second = { shared, avx2, 1, 2, &careful };
    put_all("shard-1-of-2.db", (struct opening){ shared, avx512, 0, 2, &careful }, "clip1");
    put_all("shard-2-of-2.db", second, "clip2");
    assert_fails(ao_results_read(&results, folder_path(), &strict), AOSA_ERR_ARGUMENT,
                 "'isa' is avx2 and avx512");
    ao_results_fini(&results);
    assert_ok(ao_results_read(&results, folder_path(), &lenient));
    assert_int_equal(results.n, 4);
    assert_int_equal(json_array_size(json_object_get(results.identity, "builds")), 2);
    ao_results_fini(&results);
    assert_int_equal(remove(in_folder("shard-2-of-2.db")), 0);
    put_all("shard-2-of-2.db", (struct opening){ other, avx512, 1, 2, &careful }, "clip2");
    assert_fails(ao_results_read(&results, folder_path(), &lenient), AOSA_ERR_ARGUMENT,
                 "'model.sha256'");
    ao_results_fini(&results);
}

static void missing_items_are_refused_unless_told(void **state)
{
    (void)state;
    struct ao_results results;
    struct ao_journal *journal;
    assert_ok(open_as(in_folder("shard-1-of-1.db"), alone, &journal));
    put(journal, "clip1", "aosa", 1, NULL);
    /* While it is open for writing, nobody reads it. */
    assert_fails(ao_results_read(&results, folder_path(), &strict), AOSA_ERR_OUTPUT,
                 "another process");
    ao_results_fini(&results);
    ao_journal_close(&journal);
    assert_fails(ao_results_read(&results, folder_path(), &strict), AOSA_ERR_INPUT,
                 "1 of 2 items are missing");
    ao_results_fini(&results);
    assert_ok(ao_results_read(&results, folder_path(), &lenient));
    assert_int_equal(results.missing, 3);
    ao_results_fini(&results);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_make, folder_remove)
    const struct CMUnitTest tests[] = {
        TEST(methods_and_metrics_join_a_run_in_their_order),
        TEST(shards_are_read_together_in_one_order),
        TEST(shards_of_several_builds_or_models_are_not_mixed_unless_told),
        TEST(missing_items_are_refused_unless_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
