/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate/record.h"

#include <math.h>
#include <string.h>

const char ao_record_schema[] =
    "CREATE TABLE source(clip TEXT PRIMARY KEY, stamp TEXT NOT NULL, content TEXT NOT NULL);"
    "CREATE TABLE item(id INTEGER PRIMARY KEY, clip TEXT NOT NULL, method TEXT NOT NULL,"
    " content TEXT NOT NULL, label TEXT NOT NULL, reason TEXT, base REAL, seconds REAL,"
    " peak_bytes REAL, forwards INTEGER, backwards INTEGER, metric_forwards INTEGER NOT NULL,"
    " metric_backwards INTEGER NOT NULL, UNIQUE(clip, method));"
    "CREATE TABLE score(item INTEGER, metric TEXT, build INTEGER NOT NULL,"
    " PRIMARY KEY(item, metric)) WITHOUT ROWID;"
    /* A NaN is stored as NULL. Curves are doubles in the machine's order. */
    "CREATE TABLE value(item INTEGER, metric TEXT, rank INTEGER, name TEXT NOT NULL, value REAL,"
    " PRIMARY KEY(item, metric, rank)) WITHOUT ROWID;"
    "CREATE TABLE curve(item INTEGER, metric TEXT, rank INTEGER, name TEXT NOT NULL,"
    " x BLOB NOT NULL, y BLOB NOT NULL, PRIMARY KEY(item, metric, rank)) WITHOUT ROWID;";

/* --- writing ------------------------------------------------------------------------------------
 */

/* Rows of an item that a table has, of one metric or (NULL) of all. */
static aosa_status remove_rows(const struct ao_sql *sql, int64_t item, const char *metric)
{
    static const char *const texts[] = {
        "DELETE FROM score WHERE item=? AND metric=ifnull(?,metric)",
        "DELETE FROM value WHERE item=? AND metric=ifnull(?,metric)",
        "DELETE FROM curve WHERE item=? AND metric=ifnull(?,metric)",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct ao_statement s = ao_sql_prepare(sql, texts[i]);
        ao_statement_bind_int(&s, item);
        ao_statement_bind_text(&s, metric);
        const aosa_status status = ao_statement_run(&s);
        ao_statement_end(&s);
        AO_TRY(status);
    }
    return AOSA_OK;
}

/* Row of the clip and method, and whether its content is the record's; 0: there is none. */
static aosa_status find_row(const struct ao_sql *sql, const struct ao_record *r, int64_t *item,
                            bool *same)
{
    bool row;
    struct ao_statement s =
        ao_sql_prepare(sql, "SELECT id, content=? FROM item WHERE clip=? AND method=?");
    ao_statement_bind_text(&s, r->content);
    ao_statement_bind_text(&s, r->clip);
    ao_statement_bind_text(&s, r->method);
    const aosa_status status = ao_statement_step(&s, &row);
    *item = status == AOSA_OK && row ? sqlite3_column_int64(s.stmt, 0) : 0;
    *same = *item != 0 && sqlite3_column_int(s.stmt, 1);
    ao_statement_end(&s);
    return status;
}

/* A new item, or new facts about an old one: the work of metrics adds up. */
static aosa_status write_item(const struct ao_sql *sql, const struct ao_record *r)
{
    struct ao_statement s = ao_sql_prepare(
        sql, "INSERT INTO item VALUES(NULL,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT(clip, method)"
             " DO UPDATE SET content=excluded.content, label=excluded.label,"
             " reason=excluded.reason, base=excluded.base, seconds=excluded.seconds,"
             " peak_bytes=excluded.peak_bytes, forwards=excluded.forwards,"
             " backwards=excluded.backwards,"
             " metric_forwards=metric_forwards + excluded.metric_forwards,"
             " metric_backwards=metric_backwards + excluded.metric_backwards");
    ao_statement_bind_text(&s, r->clip);
    ao_statement_bind_text(&s, r->method);
    ao_statement_bind_text(&s, r->content);
    ao_statement_bind_text(&s, r->label);
    ao_statement_bind_text(&s, r->reason);
    ao_statement_bind_real(&s, r->base);
    ao_statement_bind_real(&s, r->seconds);
    ao_statement_bind_real(&s, r->peak_bytes);
    ao_statement_bind_int(&s, r->forwards);
    ao_statement_bind_int(&s, r->backwards);
    ao_statement_bind_int(&s, r->answer.forwards);
    ao_statement_bind_int(&s, r->answer.backwards);
    const aosa_status status = ao_statement_run(&s);
    ao_statement_end(&s);
    return status;
}

static aosa_status write_scores(const struct ao_sql *sql, int64_t item, int64_t build,
                                const struct ao_record *r)
{
    aosa_status status = AOSA_OK;
    struct ao_statement s = ao_sql_prepare(sql, "INSERT INTO score VALUES(?,?,?)");
    for (int i = 0; status == AOSA_OK && i < r->n_metrics; i++) {
        status = remove_rows(sql, item, r->metrics[i]);
        if (status != AOSA_OK)
            break;
        ao_statement_bind_int(&s, item);
        ao_statement_bind_text(&s, r->metrics[i]);
        ao_statement_bind_int(&s, build);
        status = ao_statement_run(&s);
    }
    ao_statement_end(&s);
    return status;
}

/* "deletion" of "deletion.auc" */
static void bind_metric(struct ao_statement *s, const char *name)
{
    char metric[AO_METRIC_NAME];
    snprintf(metric, sizeof metric, "%.*s", (int)strcspn(name, "."), name);
    ao_statement_bind_text(s, metric);
}

static aosa_status write_values(const struct ao_sql *sql, int64_t item,
                                const struct ao_metric_answer *answer)
{
    aosa_status status = AOSA_OK;
    struct ao_statement s = ao_sql_prepare(sql, "INSERT OR REPLACE INTO value VALUES(?,?,?,?,?)");
    for (size_t i = 0; status == AOSA_OK && i < answer->n_values; i++) {
        ao_statement_bind_int(&s, item);
        bind_metric(&s, answer->values[i].name);
        ao_statement_bind_int(&s, (int64_t)i);
        ao_statement_bind_text(&s, answer->values[i].name);
        ao_statement_bind_real(&s, answer->values[i].value);
        status = ao_statement_run(&s);
    }
    ao_statement_end(&s);
    return status;
}

static aosa_status write_curves(const struct ao_sql *sql, int64_t item,
                                const struct ao_metric_answer *answer)
{
    aosa_status status = AOSA_OK;
    struct ao_statement s = ao_sql_prepare(sql, "INSERT OR REPLACE INTO curve VALUES(?,?,?,?,?,?)");
    for (size_t i = 0; status == AOSA_OK && i < answer->n_curves; i++) {
        ao_statement_bind_int(&s, item);
        bind_metric(&s, answer->curves[i].name);
        ao_statement_bind_int(&s, (int64_t)i);
        ao_statement_bind_text(&s, answer->curves[i].name);
        ao_statement_bind_reals(&s, answer->curves[i].x, answer->curves[i].n);
        ao_statement_bind_reals(&s, answer->curves[i].y, answer->curves[i].n);
        status = ao_statement_run(&s);
    }
    ao_statement_end(&s);
    return status;
}

static aosa_status write_source(const struct ao_sql *sql, const struct ao_record *r)
{
    if (!*r->stamp || !*r->content)
        return AOSA_OK;
    struct ao_statement s = ao_sql_prepare(sql, "INSERT OR REPLACE INTO source VALUES(?,?,?)");
    ao_statement_bind_text(&s, r->clip);
    ao_statement_bind_text(&s, r->stamp);
    ao_statement_bind_text(&s, r->content);
    const aosa_status status = ao_statement_run(&s);
    ao_statement_end(&s);
    return status;
}

aosa_status ao_record_write(const struct ao_sql *sql, int64_t build, const struct ao_record *r)
{
    int64_t item;
    bool same;
    AO_TRY(find_row(sql, r, &item, &same));
    if (item && !same)
        AO_TRY(remove_rows(sql, item, NULL));
    AO_TRY(write_item(sql, r));
    AO_TRY(find_row(sql, r, &item, &same));
    AO_TRY(write_scores(sql, item, build, r));
    AO_TRY(write_values(sql, item, &r->answer));
    AO_TRY(write_curves(sql, item, &r->answer));
    return write_source(sql, r);
}

/* --- reading ------------------------------------------------------------------------------------
 */

static double column_real(sqlite3_stmt *stmt, int i)
{
    return sqlite3_column_type(stmt, i) == SQLITE_NULL ? (double)NAN
                                                       : sqlite3_column_double(stmt, i);
}

static const char *column_text(sqlite3_stmt *stmt, int i)
{
    return (const char *)sqlite3_column_text(stmt, i);
}

static aosa_status read_value(const struct ao_statement *s, struct ao_metric_answer *answer)
{
    const char *name = column_text(s->stmt, 0);
    if (!name)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for a value", s->sql->path);
    return ao_metric_add_value(answer, name, NULL, column_real(s->stmt, 1));
}

static aosa_status read_curve(const struct ao_statement *s, struct ao_metric_answer *answer)
{
    const char *name = column_text(s->stmt, 0);
    const void *x = sqlite3_column_blob(s->stmt, 1), *y = sqlite3_column_blob(s->stmt, 2);
    const int bytes = sqlite3_column_bytes(s->stmt, 1);
    if (bytes != sqlite3_column_bytes(s->stmt, 2) || bytes % (int)sizeof(double))
        return ao_fail(AOSA_ERR_FORMAT, "%s: a curve of %d bytes is damaged", s->sql->path, bytes);
    if (!name || (bytes > 0 && (!x || !y)))
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for a curve", s->sql->path);
    return ao_metric_add_curve(answer, name, (size_t)bytes / sizeof(double), x, y);
}

/* One row of a statement into its item's answer. */
typedef aosa_status (*read_fn)(const struct ao_statement *s, struct ao_metric_answer *answer);

static aosa_status read_rows(struct ao_statement *s, int64_t item, read_fn read,
                             struct ao_metric_answer *answer)
{
    bool row;
    ao_statement_rewind(s);
    ao_statement_bind_int(s, item);
    for (;;) {
        AO_TRY(ao_statement_step(s, &row));
        if (!row)
            return AOSA_OK;
        AO_TRY(read(s, answer));
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
    const bool failed = sqlite3_column_type(row, 5) != SQLITE_NULL;
    if (!failed) {
        AO_TRY(read_rows(&w->values, id, read_value, answer));
        AO_TRY(read_rows(&w->curves, id, read_curve, answer));
    }
    answer->forwards = sqlite3_column_int64(row, 11);
    answer->backwards = sqlite3_column_int64(row, 12);
    const struct ao_record record = {
        .clip = column_text(row, 1),
        .method = column_text(row, 2),
        .content = column_text(row, 3),
        .label = column_text(row, 4),
        .reason = column_text(row, 5),
        .base = column_real(row, 6),
        .seconds = column_real(row, 7),
        .peak_bytes = column_real(row, 8),
        .forwards = sqlite3_column_int64(row, 9),
        .backwards = sqlite3_column_int64(row, 10),
        .n_metrics = sqlite3_column_int(row, 13),
        .answer = *answer,
    };
    if (!record.clip || !record.method || !record.content || !record.label ||
        (failed && !record.reason))
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

/* Metrics come in the order of the run's parts, whichever was measured first. */
aosa_status ao_record_each(const struct ao_sql *sql, ao_record_fn fn, void *context)
{
    struct walk w = {
        .items = ao_sql_prepare(
            sql, "SELECT id, clip, method, content, label, reason, base, seconds, peak_bytes,"
                 " forwards, backwards, metric_forwards, metric_backwards,"
                 " (SELECT count(*) FROM score WHERE item=id) FROM item ORDER BY clip, method"),
        .values = ao_sql_prepare(sql, "SELECT v.name, v.value FROM value v LEFT JOIN part p ON"
                                      " p.kind='metric' AND p.name=v.metric WHERE v.item=?"
                                      " ORDER BY p.rank, v.rank"),
        .curves = ao_sql_prepare(sql, "SELECT v.name, v.x, v.y FROM curve v LEFT JOIN part p ON"
                                      " p.kind='metric' AND p.name=v.metric WHERE v.item=?"
                                      " ORDER BY p.rank, v.rank"),
        .fn = fn,
        .context = context,
    };
    const aosa_status status = walk(&w);
    ao_statement_end(&w.items);
    ao_statement_end(&w.values);
    ao_statement_end(&w.curves);
    return status;
}
