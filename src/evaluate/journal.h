/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_EVALUATE_JOURNAL_H
#define AO_EVALUATE_JOURNAL_H

#include "evaluate/shard.h"
#include "metric/metric.h"

/*
 * What one shard has done: an SQLite file, one transaction for each item, so that a process killed
 * at any moment has lost the item it was at and nothing else. One process writes a journal at a
 * time; SQLite's rollback journal is used, which network file systems bear.
 */

/* One clip x method, done or failed. Texts are borrowed where a record is written, and live during
 * the callback where it is read. */
struct ao_record {
    const char *clip;   /* id of the item */
    const char *method; /* its name */
    const char *key;    /* what the result depends on, hashed; see evaluate/work.h */
    const char *label;
    const char *reason; /* NULL: done; else why it failed */
    double base;        /* score of the clip that curves start from, NaN when it failed before */
    double seconds;     /* of the explanation, wall clock */
    double peak_bytes;  /* of the process so far */
    int64_t forwards, backwards; /* of the explanation */
    struct ao_metric_answer answer;
};

/* What a journal is of. */
struct ao_journal_head {
    const char *run; /* identity of the whole run as JSON: model, methods, metrics, versions */
    struct ao_shard shard;
    int64_t planned; /* items of the shard */
};

struct ao_journal;

/*
 * Opens or makes a journal and keeps others from writing it.
 *
 * AOSA_ERR_OUTPUT: it cannot be made or written, or another process has it. AOSA_ERR_FORMAT: not a
 * journal, or of another version. AOSA_ERR_ARGUMENT: it belongs to another run (the first
 * difference is named). AOSA_ERR_NOMEM.
 */
aosa_status ao_journal_open(const char *path, const struct ao_journal_head *head,
                            struct ao_journal **journal);

/* The same for reading, whatever the run; head's text lives as long as the journal. */
aosa_status ao_journal_read(const char *path, struct ao_journal **journal,
                            struct ao_journal_head *head);
void ao_journal_close(struct ao_journal **journal);

/* NEW: not there, or there with another key. */
enum ao_item_state { AO_ITEM_NEW, AO_ITEM_DONE, AO_ITEM_FAILED };
aosa_status ao_journal_state(struct ao_journal *journal, const char *clip, const char *method,
                             const char *key, enum ao_item_state *state);

/* Writes a record in place of an older one of its clip and method, durably. AOSA_ERR_OUTPUT: the
 * journal is as it was (a full disk). */
aosa_status ao_journal_put(struct ao_journal *journal, const struct ao_record *record);

/* All records by clip, then method, both as bytes. A callback that fails ends the walk. */
typedef aosa_status (*ao_record_fn)(void *context, const struct ao_record *record);
aosa_status ao_journal_each(struct ao_journal *journal, ao_record_fn fn, void *context);

#endif
