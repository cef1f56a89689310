/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AOSA_TESTS_JOURNAL_FIXTURE_H
#define AOSA_TESTS_JOURNAL_FIXTURE_H

/* Journals of a small run, and records in them. */

#include "core/alloc.h"
#include "evaluate/journal.h"
#include "support/asserts.h"
#include "support/folder.h"

/* Runs by one model and another, and what may differ between machines. */
static const char shared[] = "{\"dataset\": {\"clips\": 2}, \"model\": {\"sha256\": \"a\"}}";
static const char other[] = "{\"dataset\": {\"clips\": 2}, \"model\": {\"sha256\": \"b\"}}";
static const char avx512[] = "{\"aosa\": \"1\", \"isa\": \"avx512\"}";
static const char avx2[] = "{\"aosa\": \"1\", \"isa\": \"avx2\"}";
static const struct ao_journal_mode careful = { 0 };

static const char *const metrics[] = { "deletion", "energy" };

/* By aosa and random, deletion and energy, on a machine. Ends with ao_run_fini. */
static inline struct ao_run run_of(const char *text, const char *build)
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

static inline aosa_status open_as(const char *file, struct opening o, struct ao_journal **journal)
{
    struct ao_run run = run_of(o.shared, o.build);
    const struct ao_journal_head head = { &run, { o.index, o.count }, 1 };
    const aosa_status status = ao_journal_open(file, &head, o.mode, journal);
    ao_run_fini(&run);
    return status;
}

static const struct opening alone = { shared, avx512, 0, 1, &careful };

static inline void put(struct ao_journal *journal, const char *clip, const char *method,
                       double value, const char *reason)
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

static inline enum ao_item_state state_of(struct ao_journal *journal, const char *method,
                                          const char *content, bool measured[2])
{
    enum ao_item_state state;
    assert_ok(ao_journal_state(journal, "clip1", method, content, metrics, 2, measured, &state));
    return state;
}

static inline void put_all(const char *name, struct opening opening, const char *clip)
{
    struct ao_journal *journal;
    assert_ok(open_as(in_folder(name), opening, &journal));
    put(journal, clip, "random", 4, NULL);
    put(journal, clip, "aosa", 8, NULL);
    ao_journal_close(&journal);
}

#endif
