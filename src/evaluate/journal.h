/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_EVALUATE_JOURNAL_H
#define AO_EVALUATE_JOURNAL_H

#include "evaluate/record.h"
#include "evaluate/run.h"
#include "evaluate/shard.h"

/*
 * What one shard has done: an SQLite file, one transaction for each item, so that a process killed
 * at any moment has lost the item it was at and nothing else. One process writes a journal at a
 * time; SQLite's rollback journal is used, which network file systems bear.
 */

/* What a journal is of. */
struct ao_journal_head {
    const struct ao_run *run; /* of a journal that is read: everything that it holds */
    struct ao_shard shard;
    int64_t clips; /* of the shard */
};

/* What to do with a journal that is there. */
struct ao_journal_mode {
    bool replace;      /* one that cannot be gone on with: of another run or version, or damaged */
    bool allow_builds; /* go on after another version of this program or its libraries */
    bool redo_builds;  /* what another build did counts as not done */
};

struct ao_journal;

/*
 * Opens or makes a journal and keeps others from writing it. Methods and metrics that it has not
 * seen join it.
 *
 * AOSA_ERR_OUTPUT: it cannot be made or written, or another process has it. AOSA_ERR_FORMAT: not a
 * journal, damaged, or of another version. AOSA_ERR_ARGUMENT: it belongs to another run (the first
 * difference is named), or another version wrote results. AOSA_ERR_NOMEM.
 */
aosa_status ao_journal_open(const char *path, const struct ao_journal_head *head,
                            const struct ao_journal_mode *mode, struct ao_journal **journal);

/* The same for reading, whatever the run; head's run lives as long as the journal. */
aosa_status ao_journal_read(const char *path, struct ao_journal **journal,
                            struct ao_journal_head *head);
void ao_journal_close(struct ao_journal **journal);

/* Lets only scores of that build count in ao_journal_state, as redo_builds does for a writer. */
aosa_status ao_journal_only_build(struct ao_journal *journal, const char *build);

/* Scores that a build other than the writer's gave; 0 in a journal that is read. */
aosa_status ao_journal_foreign(struct ao_journal *journal, int64_t *scores);

/* NEW: not there, or there with other content. */
enum ao_item_state { AO_ITEM_NEW, AO_ITEM_DONE, AO_ITEM_FAILED };

/*
 * @param content   NULL: whatever the video holds.
 * @param metrics   [n] names.
 * @param measured  [n] whether the item, done or failed, has that metric's answer.
 */
aosa_status ao_journal_state(struct ao_journal *journal, const char *clip, const char *method,
                             const char *content, const char *const *metrics, int n, bool *measured,
                             enum ao_item_state *state);

/* Digest that was recorded for a clip with a stamp (evaluate/content.h). */
aosa_status ao_journal_content(struct ao_journal *journal, const char *clip, const char *stamp,
                               char content[AO_SHA256_TEXT], bool *found);

/*
 * Writes a record in place of an older one of its clip and method, durably; answers of metrics that
 * the record does not have stay where the content is the same. AOSA_ERR_OUTPUT: the journal is as
 * it was (a full disk).
 */
aosa_status ao_journal_put(struct ao_journal *journal, const struct ao_record *record);

/* All records by clip, then method, both as bytes. A callback that fails ends the walk. */
aosa_status ao_journal_each(struct ao_journal *journal, ao_record_fn fn, void *context);

#endif
