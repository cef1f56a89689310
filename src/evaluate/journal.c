/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate/journal.h"

#include <math.h>

#include "core/alloc.h"
#include "evaluate/run.h"
#include "evaluate/sql.h"

enum {
    APPLICATION = 0x616F7361, /* "aosa" in the file's header */
    VERSION = 1,              /* of the tables below */
};

static const char schema[] =
    "CREATE TABLE head(run TEXT NOT NULL, shard INTEGER NOT NULL, shards INTEGER NOT NULL,"
    " planned INTEGER NOT NULL);"
    "CREATE TABLE item(id INTEGER PRIMARY KEY, clip TEXT NOT NULL, method TEXT NOT NULL,"
    " key TEXT NOT NULL, label TEXT NOT NULL, reason TEXT, base REAL, seconds REAL,"
    " peak_bytes REAL, forwards INTEGER, backwards INTEGER, metric_forwards INTEGER,"
    " UNIQUE(clip, method));"
    /* A NaN is stored as NULL. Curves are doubles in the machine's order. */
    "CREATE TABLE value(item INTEGER, rank INTEGER, name TEXT NOT NULL, value REAL,"
    " PRIMARY KEY(item, rank)) WITHOUT ROWID;"
    "CREATE TABLE curve(item INTEGER, rank INTEGER, name TEXT NOT NULL, x BLOB NOT NULL,"
    " y BLOB NOT NULL, PRIMARY KEY(item, rank)) WITHOUT ROWID;";

struct ao_journal {
    struct ao_sql sql;
    char *run; /* of the file */
};

/* --- opening ------------------------------------------------------------------------------------
 */

/* A file that is ours and of this version, or one without any table. */
static aosa_status check_version(const struct ao_journal *j, bool *empty)
{
    int64_t application = 0, version = 0, tables = 0;
    AO_TRY(ao_sql_number(&j->sql, "SELECT count(*) FROM sqlite_schema", &tables));
    AO_TRY(ao_sql_number(&j->sql, "PRAGMA application_id", &application));
    AO_TRY(ao_sql_number(&j->sql, "PRAGMA user_version", &version));
    *empty = tables == 0 && application == 0;
    if (!*empty && application != APPLICATION)
        return ao_fail(AOSA_ERR_FORMAT, "%s: a database of something else", j->sql.path);
    if (!*empty && version != VERSION)
        return ao_fail(AOSA_ERR_FORMAT, "%s: a journal of version %lld, this program writes %d",
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
    struct ao_statement s = ao_sql_prepare(&j->sql, "INSERT INTO head VALUES(?,?,?,?)");
    ao_statement_bind_text(&s, head->run);
    ao_statement_bind_int(&s, head->shard.index);
    ao_statement_bind_int(&s, head->shard.count);
    ao_statement_bind_int(&s, head->planned);
    const aosa_status status = ao_statement_run(&s);
    ao_statement_end(&s);
    return status;
}

static aosa_status read_head(struct ao_journal *j, struct ao_journal_head *head)
{
    bool row;
    struct ao_statement s = ao_sql_prepare(&j->sql, "SELECT run, shard, shards, planned FROM head");
    aosa_status status = ao_statement_step(&s, &row);
    if (status == AOSA_OK && row) {
        ao_free(j->run);
        j->run = ao_strdup((const char *)sqlite3_column_text(s.stmt, 0));
        *head = (struct ao_journal_head){
            .run = j->run,
            .shard = { sqlite3_column_int(s.stmt, 1), sqlite3_column_int(s.stmt, 2) },
            .planned = sqlite3_column_int64(s.stmt, 3),
        };
        if (!j->run)
            status = ao_fail(AOSA_ERR_NOMEM, "%s: no memory for the journal", j->sql.path);
    } else if (status == AOSA_OK) {
        status = ao_fail(AOSA_ERR_FORMAT, "%s: a journal without a head", j->sql.path);
    }
    ao_statement_end(&s);
    return status;
}

/* Inside the transaction that takes the lock. */
static aosa_status adopt(struct ao_journal *j, const struct ao_journal_head *head)
{
    bool empty;
    struct ao_journal_head found;
    AO_TRY(check_version(j, &empty));
    if (empty)
        AO_TRY(create_tables(j, head));
    AO_TRY(read_head(j, &found));
    AO_TRY(ao_run_compare(j->sql.path, found.run, head->run, false));
    if (found.shard.index != head->shard.index || found.shard.count != head->shard.count)
        return ao_fail(AOSA_ERR_ARGUMENT, "%s: is of shard %d/%d, not %d/%d", j->sql.path,
                       found.shard.index + 1, found.shard.count, head->shard.index + 1,
                       head->shard.count);
    return AOSA_OK;
}

aosa_status ao_journal_open(const char *path, const struct ao_journal_head *head,
                            struct ao_journal **journal)
{
    struct ao_journal *j = ao_alloc(1, sizeof *j);
    if (!j)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for the journal", path);
    aosa_status status = ao_sql_open(&j->sql, path, true);
    if (status == AOSA_OK)
        status = ao_sql_execute(
            &j->sql, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=FULL; BEGIN EXCLUSIVE");
    if (status == AOSA_OK)
        status = adopt(j, head);
    if (status == AOSA_OK)
        status = ao_sql_execute(&j->sql, "COMMIT");
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
        status = check_version(j, &empty);
    if (status == AOSA_OK && empty)
        status = ao_fail(AOSA_ERR_FORMAT, "%s: an empty journal; its run has not begun", path);
    if (status == AOSA_OK)
        status = read_head(j, head);
    if (status != AOSA_OK) {
        ao_journal_close(&j);
        return status;
    }
    *journal = j;
    return AOSA_OK;
}

void ao_journal_close(struct ao_journal **journal)
{
    struct ao_journal *j = *journal;
    if (!j)
        return;
    ao_sql_close(&j->sql);
    ao_free(j->run);
    ao_free(j);
    *journal = NULL;
}

/* --- records ------------------------------------------------------------------------------------
 */

aosa_status ao_journal_state(struct ao_journal *j, const char *clip, const char *method,
                             const char *key, enum ao_item_state *state)
{
    bool row;
    struct ao_statement s = ao_sql_prepare(
        &j->sql, "SELECT reason IS NULL FROM item WHERE clip=? AND method=? AND key=?");
    ao_statement_bind_text(&s, clip);
    ao_statement_bind_text(&s, method);
    ao_statement_bind_text(&s, key);
    const aosa_status status = ao_statement_step(&s, &row);
    if (status == AOSA_OK)
        *state = !row ? AO_ITEM_NEW : sqlite3_column_int(s.stmt, 0) ? AO_ITEM_DONE : AO_ITEM_FAILED;
    ao_statement_end(&s);
    return status;
}

static aosa_status remove_old(const struct ao_journal *j, const struct ao_record *r)
{
    static const char *const sql[] = {
        "DELETE FROM value WHERE item IN (SELECT id FROM item WHERE clip=? AND method=?)",
        "DELETE FROM curve WHERE item IN (SELECT id FROM item WHERE clip=? AND method=?)",
        "DELETE FROM item WHERE clip=? AND method=?",
    };
    for (size_t i = 0; i < sizeof sql / sizeof sql[0]; i++) {
        struct ao_statement s = ao_sql_prepare(&j->sql, sql[i]);
        ao_statement_bind_text(&s, r->clip);
        ao_statement_bind_text(&s, r->method);
        const aosa_status status = ao_statement_run(&s);
        ao_statement_end(&s);
        AO_TRY(status);
    }
    return AOSA_OK;
}

static aosa_status insert_item(const struct ao_journal *j, const struct ao_record *r)
{
    struct ao_statement s =
        ao_sql_prepare(&j->sql, "INSERT INTO item VALUES(NULL,?,?,?,?,?,?,?,?,?,?,?)");
    ao_statement_bind_text(&s, r->clip);
    ao_statement_bind_text(&s, r->method);
    ao_statement_bind_text(&s, r->key);
    ao_statement_bind_text(&s, r->label);
    ao_statement_bind_text(&s, r->reason);
    ao_statement_bind_real(&s, r->base);
    ao_statement_bind_real(&s, r->seconds);
    ao_statement_bind_real(&s, r->peak_bytes);
    ao_statement_bind_int(&s, r->forwards);
    ao_statement_bind_int(&s, r->backwards);
    ao_statement_bind_int(&s, r->answer.forwards);
    const aosa_status status = ao_statement_run(&s);
    ao_statement_end(&s);
    return status;
}

static aosa_status insert_answer(const struct ao_journal *j, int64_t item,
                                 const struct ao_metric_answer *answer)
{
    aosa_status status = AOSA_OK;
    struct ao_statement value = ao_sql_prepare(&j->sql, "INSERT INTO value VALUES(?,?,?,?)");
    struct ao_statement curve = ao_sql_prepare(&j->sql, "INSERT INTO curve VALUES(?,?,?,?,?)");
    for (size_t i = 0; status == AOSA_OK && i < answer->n_values; i++) {
        ao_statement_bind_int(&value, item);
        ao_statement_bind_int(&value, (int64_t)i);
        ao_statement_bind_text(&value, answer->values[i].name);
        ao_statement_bind_real(&value, answer->values[i].value);
        status = ao_statement_run(&value);
    }
    for (size_t i = 0; status == AOSA_OK && i < answer->n_curves; i++) {
        ao_statement_bind_int(&curve, item);
        ao_statement_bind_int(&curve, (int64_t)i);
        ao_statement_bind_text(&curve, answer->curves[i].name);
        ao_statement_bind_reals(&curve, answer->curves[i].x, answer->curves[i].n);
        ao_statement_bind_reals(&curve, answer->curves[i].y, answer->curves[i].n);
        status = ao_statement_run(&curve);
    }
    ao_statement_end(&value);
    ao_statement_end(&curve);
    return status;
}

static aosa_status replace(const struct ao_journal *j, const struct ao_record *r)
{
    AO_TRY(remove_old(j, r));
    AO_TRY(insert_item(j, r));
    AO_TRY(insert_answer(j, sqlite3_last_insert_rowid(j->sql.db), &r->answer));
    return ao_sql_execute(&j->sql, "COMMIT");
}

aosa_status ao_journal_put(struct ao_journal *j, const struct ao_record *record)
{
    AO_TRY(ao_sql_execute(&j->sql, "BEGIN IMMEDIATE"));
    const aosa_status status = replace(j, record);
    if (status != AOSA_OK && !sqlite3_get_autocommit(j->sql.db))
        sqlite3_exec(j->sql.db, "ROLLBACK", NULL, NULL,
                     NULL); /* the first failure is what counts */
    return status;
}

static double column_real(sqlite3_stmt *stmt, int i)
{
    return sqlite3_column_type(stmt, i) == SQLITE_NULL ? (double)NAN
                                                       : sqlite3_column_double(stmt, i);
}

static aosa_status read_values(struct ao_statement *s, int64_t item,
                               struct ao_metric_answer *answer)
{
    bool row;
    ao_statement_rewind(s);
    ao_statement_bind_int(s, item);
    for (;;) {
        AO_TRY(ao_statement_step(s, &row));
        if (!row)
            return AOSA_OK;
        AO_TRY(ao_metric_add_value(answer, (const char *)sqlite3_column_text(s->stmt, 0), NULL,
                                   column_real(s->stmt, 1)));
    }
}

static aosa_status read_curves(struct ao_statement *s, int64_t item,
                               struct ao_metric_answer *answer)
{
    bool row;
    ao_statement_rewind(s);
    ao_statement_bind_int(s, item);
    for (;;) {
        AO_TRY(ao_statement_step(s, &row));
        if (!row)
            return AOSA_OK;
        const int bytes = sqlite3_column_bytes(s->stmt, 1);
        if (bytes != sqlite3_column_bytes(s->stmt, 2) || bytes % (int)sizeof(double))
            return ao_fail(AOSA_ERR_FORMAT, "%s: a curve of %d bytes is damaged", s->sql->path,
                           bytes);
        AO_TRY(ao_metric_add_curve(answer, (const char *)sqlite3_column_text(s->stmt, 0),
                                   (size_t)bytes / sizeof(double), sqlite3_column_blob(s->stmt, 1),
                                   sqlite3_column_blob(s->stmt, 2)));
    }
}

struct walk {
    struct ao_statement items, values, curves;
    ao_record_fn fn;
    void *context;
};

static aosa_status visit(struct walk *w, struct ao_metric_answer *answer)
{
    sqlite3_stmt *row = w->items.stmt;
    const int64_t id = sqlite3_column_int64(row, 0);
    AO_TRY(read_values(&w->values, id, answer));
    AO_TRY(read_curves(&w->curves, id, answer));
    answer->forwards = sqlite3_column_int64(row, 11);
    const struct ao_record record = {
        .clip = (const char *)sqlite3_column_text(row, 1),
        .method = (const char *)sqlite3_column_text(row, 2),
        .key = (const char *)sqlite3_column_text(row, 3),
        .label = (const char *)sqlite3_column_text(row, 4),
        .reason = (const char *)sqlite3_column_text(row, 5),
        .base = column_real(row, 6),
        .seconds = column_real(row, 7),
        .peak_bytes = column_real(row, 8),
        .forwards = sqlite3_column_int64(row, 9),
        .backwards = sqlite3_column_int64(row, 10),
        .answer = *answer,
    };
    if (!record.clip || !record.method || !record.key || !record.label)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for a record", w->items.sql->path);
    return w->fn(w->context, &record);
}

static aosa_status walk(struct walk *w)
{
    bool row;
    for (;;) {
        struct ao_metric_answer answer = { 0 };
        AO_TRY(ao_statement_step(&w->items, &row));
        if (!row)
            return AOSA_OK;
        const aosa_status status = visit(w, &answer);
        ao_metric_answer_fini(&answer);
        AO_TRY(status);
    }
}

aosa_status ao_journal_each(struct ao_journal *j, ao_record_fn fn, void *context)
{
    struct walk w = {
        .items = ao_sql_prepare(
            &j->sql, "SELECT id, clip, method, key, label, reason, base, seconds, peak_bytes,"
                     " forwards, backwards, metric_forwards FROM item ORDER BY clip, method"),
        .values =
            ao_sql_prepare(&j->sql, "SELECT name, value FROM value WHERE item=? ORDER BY rank"),
        .curves =
            ao_sql_prepare(&j->sql, "SELECT name, x, y FROM curve WHERE item=? ORDER BY rank"),
        .fn = fn,
        .context = context,
    };
    const aosa_status status = walk(&w);
    ao_statement_end(&w.items);
    ao_statement_end(&w.values);
    ao_statement_end(&w.curves);
    return status;
}
