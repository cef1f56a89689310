/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate/journal.h"

#include <stdio.h>
#include <string.h>

#include "core/alloc.h"

enum {
    APPLICATION = 0x616F7361, /* "aosa" in the file's header */
    VERSION = 2,              /* of the tables */
};

static const char schema[] =
    "CREATE TABLE head(run TEXT NOT NULL, shard INTEGER NOT NULL, shards INTEGER NOT NULL,"
    " clips INTEGER NOT NULL);"
    "CREATE TABLE part(kind TEXT, name TEXT, rank INTEGER NOT NULL, options TEXT NOT NULL,"
    " PRIMARY KEY(kind, name)) WITHOUT ROWID;"
    "CREATE TABLE build(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);";

struct ao_journal {
    struct ao_sql sql;
    struct ao_run run; /* of the file; its builds are those that gave scores */
    int64_t build;     /* the writer's own row; 0 in a journal that is read */
    bool only_this;    /* scores of other builds do not count */
};

/* --- opening ------------------------------------------------------------------------------------
 */

/* A file that is ours, of this version and whole, or one without any table. */
static aosa_status check_file(const struct ao_journal *j, bool *empty)
{
    int64_t application = 0, version = 0, tables = 0;
    AO_TRY(ao_sql_check(&j->sql));
    AO_TRY(ao_sql_number(&j->sql, "SELECT count(*) FROM sqlite_schema", &tables));
    AO_TRY(ao_sql_number(&j->sql, "PRAGMA application_id", &application));
    AO_TRY(ao_sql_number(&j->sql, "PRAGMA user_version", &version));
    *empty = tables == 0 && application == 0;
    if (!*empty && application != APPLICATION)
        return ao_fail(AOSA_ERR_FORMAT, "%s: a database of something else", j->sql.path);
    if (!*empty && version != VERSION)
        return ao_fail(AOSA_ERR_FORMAT,
                       "%s: a journal of version %lld, this program has version %d; use another "
                       "-o, or the aosa that wrote it",
                       j->sql.path, (long long)version, VERSION);
    return AOSA_OK;
}

static aosa_status create_tables(const struct ao_journal *j, const struct ao_journal_head *head)
{
    char pragmas[96];
    snprintf(pragmas, sizeof pragmas, "PRAGMA application_id=%d; PRAGMA user_version=%d",
             APPLICATION, VERSION);
    AO_TRY(ao_sql_execute(&j->sql, pragmas));
    AO_TRY(ao_sql_execute(&j->sql, schema));
    AO_TRY(ao_sql_execute(&j->sql, ao_record_schema));
    struct ao_statement s = ao_sql_prepare(&j->sql, "INSERT INTO head VALUES(?,?,?,?)");
    ao_statement_bind_text(&s, head->run->shared);
    ao_statement_bind_int(&s, head->shard.index);
    ao_statement_bind_int(&s, head->shard.count);
    ao_statement_bind_int(&s, head->clips);
    const aosa_status status = ao_statement_run(&s);
    ao_statement_end(&s);
    return status;
}

static aosa_status read_head(struct ao_journal *j, struct ao_journal_head *head)
{
    bool row;
    struct ao_statement s = ao_sql_prepare(&j->sql, "SELECT run, shard, shards, clips FROM head");
    aosa_status status = ao_statement_step(&s, &row);
    if (status == AOSA_OK && row) {
        j->run.shared = ao_strdup((const char *)sqlite3_column_text(s.stmt, 0));
        *head = (struct ao_journal_head){
            .run = &j->run,
            .shard = { sqlite3_column_int(s.stmt, 1), sqlite3_column_int(s.stmt, 2) },
            .clips = sqlite3_column_int64(s.stmt, 3),
        };
        if (!j->run.shared)
            status = ao_fail(AOSA_ERR_NOMEM, "%s: no memory for the journal", j->sql.path);
    } else if (status == AOSA_OK) {
        status = ao_fail(AOSA_ERR_FORMAT, "%s: a journal without a head", j->sql.path);
    }
    ao_statement_end(&s);
    return status;
}

/* Rows of two texts each, which become parts of the run. */
static aosa_status read_parts(struct ao_journal *j, enum ao_run_kind kind, const char *sql)
{
    bool row = true;
    aosa_status status = AOSA_OK;
    struct ao_statement s = ao_sql_prepare(&j->sql, sql);
    while (status == AOSA_OK && (status = ao_statement_step(&s, &row)) == AOSA_OK && row) {
        const char *name = (const char *)sqlite3_column_text(s.stmt, 0);
        const char *options = (const char *)sqlite3_column_text(s.stmt, 1);
        status = name && options
                     ? ao_run_add(&j->run, kind, name, options)
                     : ao_fail(AOSA_ERR_NOMEM, "%s: no memory for the journal", j->sql.path);
    }
    ao_statement_end(&s);
    return status;
}

static aosa_status read_run(struct ao_journal *j, struct ao_journal_head *head)
{
    AO_TRY(read_head(j, head));
    AO_TRY(read_parts(j, AO_RUN_METHODS, "SELECT name, options FROM part WHERE kind='method'"));
    AO_TRY(read_parts(j, AO_RUN_METRICS, "SELECT name, options FROM part WHERE kind='metric'"));
    return read_parts(j, AO_RUN_BUILDS,
                      "SELECT text, '' FROM build WHERE id IN (SELECT build FROM score)");
}

static aosa_status check_run(struct ao_journal *j, const struct ao_journal_head *head,
                             const struct ao_journal_mode *mode)
{
    struct ao_journal_head found;
    AO_TRY(read_run(j, &found));
    if (!mode->allow_builds && !mode->redo_builds)
        AO_TRY(ao_run_check_builds(&j->run, head->run->parts[AO_RUN_BUILDS].items[0].name,
                                   j->sql.path));
    AO_TRY(ao_run_join(&j->run, head->run, j->sql.path, "use another -o, or replace it with -f"));
    if (found.shard.index == head->shard.index && found.shard.count == head->shard.count)
        return AOSA_OK;
    return ao_fail(AOSA_ERR_ARGUMENT, "%s: is of shard %d/%d, not %d/%d", j->sql.path,
                   found.shard.index + 1, found.shard.count, head->shard.index + 1,
                   head->shard.count);
}

static aosa_status write_parts(const struct ao_journal *j, enum ao_run_kind kind)
{
    aosa_status status = AOSA_OK;
    const struct ao_ingredients *parts = &j->run.parts[kind];
    struct ao_statement s = ao_sql_prepare(&j->sql, "INSERT OR REPLACE INTO part VALUES(?,?,?,?)");
    for (size_t i = 0; status == AOSA_OK && i < parts->n; i++) {
        ao_statement_bind_text(&s, kind == AO_RUN_METHODS ? "method" : "metric");
        ao_statement_bind_text(&s, parts->items[i].name);
        ao_statement_bind_int(&s, (int64_t)i);
        ao_statement_bind_text(&s, parts->items[i].options);
        status = ao_statement_run(&s);
    }
    ao_statement_end(&s);
    return status;
}

static aosa_status write_build(const struct ao_journal *j, const char *text)
{
    struct ao_statement s = ao_sql_prepare(&j->sql, "INSERT OR IGNORE INTO build VALUES(NULL,?)");
    ao_statement_bind_text(&s, text);
    const aosa_status status = ao_statement_run(&s);
    ao_statement_end(&s);
    return status;
}

/* Row of a build; -1: it gave nothing here. */
static aosa_status find_build(struct ao_journal *j, const char *text)
{
    bool row;
    struct ao_statement s = ao_sql_prepare(&j->sql, "SELECT id FROM build WHERE text=?");
    ao_statement_bind_text(&s, text);
    const aosa_status status = ao_statement_step(&s, &row);
    j->build = status == AOSA_OK && row ? sqlite3_column_int64(s.stmt, 0) : -1;
    ao_statement_end(&s);
    return status;
}

/* Inside the transaction that takes the lock. */
static aosa_status adopt(struct ao_journal *j, const struct ao_journal_head *head,
                         const struct ao_journal_mode *mode)
{
    bool empty;
    AO_TRY(check_file(j, &empty));
    if (empty)
        AO_TRY(create_tables(j, head));
    AO_TRY(check_run(j, head, mode));
    AO_TRY(write_parts(j, AO_RUN_METHODS));
    AO_TRY(write_parts(j, AO_RUN_METRICS));
    AO_TRY(write_build(j, head->run->parts[AO_RUN_BUILDS].items[0].name));
    return find_build(j, head->run->parts[AO_RUN_BUILDS].items[0].name);
}

/* An exclusive lock that lasts beyond the transaction. */
static aosa_status lock_and_adopt(struct ao_journal *j, const struct ao_journal_head *head,
                                  const struct ao_journal_mode *mode)
{
    AO_TRY(ao_sql_execute(
        &j->sql, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=FULL; BEGIN EXCLUSIVE"));
    AO_TRY(adopt(j, head, mode));
    return ao_sql_execute(&j->sql, "COMMIT");
}

aosa_status ao_journal_open(const char *path, const struct ao_journal_head *head,
                            const struct ao_journal_mode *mode, struct ao_journal **journal)
{
    struct ao_journal *j = ao_alloc(1, sizeof *j);
    if (!j)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for the journal", path);
    j->only_this = mode->redo_builds;
    aosa_status status = ao_sql_open(&j->sql, path, true);
    if (status == AOSA_OK)
        status = lock_and_adopt(j, head, mode);
    if (mode->replace && (status == AOSA_ERR_FORMAT || status == AOSA_ERR_ARGUMENT)) {
        ao_run_fini(&j->run);
        status = ao_sql_empty(&j->sql);
        if (status == AOSA_OK)
            status = lock_and_adopt(j, head, mode);
    }
    if (status != AOSA_OK) {
        ao_journal_close(&j); /* rolls back */
        return status;
    }
    *journal = j;
    return AOSA_OK;
}

aosa_status ao_journal_read(const char *path, struct ao_journal **journal,
                            struct ao_journal_head *head)
{
    bool empty = false;
    struct ao_journal *j = ao_alloc(1, sizeof *j);
    if (!j)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for the journal", path);
    aosa_status status = ao_sql_open(&j->sql, path, false);
    if (status == AOSA_OK)
        status = check_file(j, &empty);
    if (status == AOSA_OK && empty)
        status = ao_fail(AOSA_ERR_FORMAT, "%s: an empty journal; its run has not begun", path);
    if (status == AOSA_OK)
        status = read_run(j, head);
    if (status != AOSA_OK) {
        ao_journal_close(&j);
        return status;
    }
    *journal = j;
    return AOSA_OK;
}

aosa_status ao_journal_only_build(struct ao_journal *j, const char *build)
{
    j->only_this = true;
    return find_build(j, build);
}

void ao_journal_close(struct ao_journal **journal)
{
    struct ao_journal *j = *journal;
    if (!j)
        return;
    ao_sql_close(&j->sql);
    ao_run_fini(&j->run);
    ao_free(j);
    *journal = NULL;
}

/* --- items --------------------------------------------------------------------------------------
 */

aosa_status ao_journal_foreign(struct ao_journal *j, int64_t *scores)
{
    bool row;
    struct ao_statement s =
        ao_sql_prepare(&j->sql, "SELECT count(*) FROM score WHERE build<>? AND ?<>0");
    ao_statement_bind_int(&s, j->build);
    ao_statement_bind_int(&s, j->build);
    const aosa_status status = ao_statement_step(&s, &row);
    *scores = status == AOSA_OK && row ? sqlite3_column_int64(s.stmt, 0) : 0;
    ao_statement_end(&s);
    return status;
}

/* Whether the metric has scored the item, by a build that counts. */
static aosa_status find_score(struct ao_journal *j, int64_t item, const char *metric, bool *found)
{
    struct ao_statement s = ao_sql_prepare(
        &j->sql, "SELECT 1 FROM score WHERE item=? AND metric=? AND (build=? OR ?=0)");
    ao_statement_bind_int(&s, item);
    ao_statement_bind_text(&s, metric);
    ao_statement_bind_int(&s, j->build);
    ao_statement_bind_int(&s, j->only_this);
    const aosa_status status = ao_statement_step(&s, found);
    ao_statement_end(&s);
    return status;
}

aosa_status ao_journal_state(struct ao_journal *j, const char *clip, const char *method,
                             const char *content, const char *const *metrics, int n, bool *measured,
                             enum ao_item_state *state)
{
    bool row;
    struct ao_statement s =
        ao_sql_prepare(&j->sql, "SELECT id, reason IS NULL FROM item WHERE clip=? AND method=?"
                                " AND content=ifnull(?,content)");
    ao_statement_bind_text(&s, clip);
    ao_statement_bind_text(&s, method);
    ao_statement_bind_text(&s, content);
    aosa_status status = ao_statement_step(&s, &row);
    row = row && status == AOSA_OK;
    const int64_t item = row ? sqlite3_column_int64(s.stmt, 0) : 0;
    *state = !row ? AO_ITEM_NEW : sqlite3_column_int(s.stmt, 1) ? AO_ITEM_DONE : AO_ITEM_FAILED;
    ao_statement_end(&s);
    for (int i = 0; status == AOSA_OK && i < n; i++) {
        measured[i] = false;
        if (row)
            status = find_score(j, item, metrics[i], &measured[i]);
    }
    return status;
}

aosa_status ao_journal_content(struct ao_journal *j, const char *clip, const char *stamp,
                               char content[AO_SHA256_TEXT], bool *found)
{
    bool row;
    struct ao_statement s =
        ao_sql_prepare(&j->sql, "SELECT content FROM source WHERE clip=? AND stamp=?");
    ao_statement_bind_text(&s, clip);
    ao_statement_bind_text(&s, stamp);
    const aosa_status status = ao_statement_step(&s, &row);
    const unsigned char *text = status == AOSA_OK && row ? sqlite3_column_text(s.stmt, 0) : NULL;
    *found = text != NULL;
    if (text)
        snprintf(content, AO_SHA256_TEXT, "%s", (const char *)text);
    ao_statement_end(&s);
    return status;
}

aosa_status ao_journal_put(struct ao_journal *j, const struct ao_record *record)
{
    AO_TRY(ao_sql_execute(&j->sql, "BEGIN IMMEDIATE"));
    aosa_status status = ao_record_write(&j->sql, j->build, record);
    if (status == AOSA_OK)
        status = ao_sql_execute(&j->sql, "COMMIT");
    if (status != AOSA_OK && !sqlite3_get_autocommit(j->sql.db))
        sqlite3_exec(j->sql.db, "ROLLBACK", NULL, NULL,
                     NULL); /* the first failure is what counts */
    return status;
}

aosa_status ao_journal_each(struct ao_journal *j, ao_record_fn fn, void *context)
{
    return ao_record_each(&j->sql, fn, context);
}
