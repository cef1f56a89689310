/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate/sql.h"

#include <stdio.h>
#include <string.h>

#include "core/alloc.h"

enum { WAIT_MS = 1000 }; /* for another process to let go of the file */

aosa_status ao_sql_fail(const struct ao_sql *sql, int code)
{
    switch (code & 0xFF) { /* without the extension */
    case SQLITE_NOMEM:
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for the journal", sql->path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ao_fail(AOSA_ERR_OUTPUT, "%s: another process is writing this shard", sql->path);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return ao_fail(AOSA_ERR_FORMAT,
                       "%s: not a journal, or damaged (%s); aosa evaluate -f begins it anew",
                       sql->path, sqlite3_errmsg(sql->db));
    case SQLITE_FULL:
        return ao_fail(AOSA_ERR_OUTPUT,
                       "%s: the disk is full; what is done so far is kept, make room and run again",
                       sql->path);
    default:
        return ao_fail(AOSA_ERR_OUTPUT, "%s: %s", sql->path, sqlite3_errmsg(sql->db));
    }
}

aosa_status ao_sql_execute(const struct ao_sql *sql, const char *text)
{
    const int code = sqlite3_exec(sql->db, text, NULL, NULL, NULL);
    return code == SQLITE_OK ? AOSA_OK : ao_sql_fail(sql, code);
}

struct ao_statement ao_sql_prepare(const struct ao_sql *sql, const char *text)
{
    struct ao_statement s = { .sql = sql };
    s.code = sqlite3_prepare_v2(sql->db, text, -1, &s.stmt, NULL);
    return s;
}

static void keep(struct ao_statement *s, int code)
{
    if (s->code == SQLITE_OK)
        s->code = code;
}

void ao_statement_bind_text(struct ao_statement *s, const char *text)
{
    keep(s, text ? sqlite3_bind_text(s->stmt, ++s->at, text, -1, SQLITE_TRANSIENT)
                 : sqlite3_bind_null(s->stmt, ++s->at));
}

void ao_statement_bind_int(struct ao_statement *s, int64_t number)
{
    keep(s, sqlite3_bind_int64(s->stmt, ++s->at, number));
}

void ao_statement_bind_real(struct ao_statement *s, double number)
{
    keep(s, sqlite3_bind_double(s->stmt, ++s->at, number));
}

void ao_statement_bind_reals(struct ao_statement *s, const double *numbers, size_t n)
{
    keep(s, sqlite3_bind_blob64(s->stmt, ++s->at, numbers, n * sizeof *numbers, SQLITE_TRANSIENT));
}

void ao_statement_rewind(struct ao_statement *s)
{
    sqlite3_reset(s->stmt);
    s->at = 0;
}

aosa_status ao_statement_step(struct ao_statement *s, bool *row)
{
    if (s->code == SQLITE_OK)
        s->code = sqlite3_step(s->stmt);
    *row = s->code == SQLITE_ROW;
    if (!*row && s->code != SQLITE_DONE)
        return ao_sql_fail(s->sql, s->code);
    s->code = SQLITE_OK;
    return AOSA_OK;
}

aosa_status ao_statement_run(struct ao_statement *s)
{
    bool row;
    const aosa_status status = ao_statement_step(s, &row);
    ao_statement_rewind(s);
    return status;
}

void ao_statement_end(struct ao_statement *s)
{
    sqlite3_finalize(s->stmt); /* accepts NULL */
}

aosa_status ao_sql_number(const struct ao_sql *sql, const char *text, int64_t *number)
{
    bool row;
    struct ao_statement s = ao_sql_prepare(sql, text);
    const aosa_status status = ao_statement_step(&s, &row);
    if (status == AOSA_OK)
        *number = row ? sqlite3_column_int64(s.stmt, 0) : 0;
    ao_statement_end(&s);
    return status;
}

aosa_status ao_sql_open(struct ao_sql *sql, const char *path, bool create)
{
    *sql = (struct ao_sql){ .path = ao_strdup(path) };
    if (!sql->path)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for the path", path);
    const int flags = SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0);
    const int code = sqlite3_open_v2(path, &sql->db, flags, NULL);
    if (code != SQLITE_OK)
        return ao_sql_fail(sql, code);
    sqlite3_busy_timeout(sql->db, WAIT_MS);
    /* A file from elsewhere may hold triggers and views; none of them may act. */
    sqlite3_db_config(sql->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(sql->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(sql->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(sql->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    return AOSA_OK;
}

aosa_status ao_sql_check(const struct ao_sql *sql)
{
    bool row;
    char found[200] = "";
    struct ao_statement s = ao_sql_prepare(sql, "PRAGMA quick_check(1)");
    const aosa_status status = ao_statement_step(&s, &row);
    const unsigned char *text = status == AOSA_OK && row ? sqlite3_column_text(s.stmt, 0) : NULL;
    if (text)
        snprintf(found, sizeof found, "%s", (const char *)text);
    ao_statement_end(&s);
    AO_TRY(status);
    if (!text)
        return ao_sql_fail(sql, SQLITE_NOMEM);
    if (!strcmp(found, "ok"))
        return AOSA_OK;
    const char *last = strrchr(found, '\n'); /* below a line that names the database */
    return ao_fail(AOSA_ERR_FORMAT, "%s: damaged (%s); aosa evaluate -f begins it anew", sql->path,
                   last ? last + 1 : found);
}

/* SQLite's own recipe, which holds for damaged files too. */
aosa_status ao_sql_empty(const struct ao_sql *sql)
{
    if (!sqlite3_get_autocommit(sql->db))
        AO_TRY(ao_sql_execute(sql, "ROLLBACK"));
    sqlite3_db_config(sql->db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
    sqlite3_db_config(sql->db, SQLITE_DBCONFIG_RESET_DATABASE, 1, NULL);
    const aosa_status status = ao_sql_execute(sql, "VACUUM");
    sqlite3_db_config(sql->db, SQLITE_DBCONFIG_RESET_DATABASE, 0, NULL);
    sqlite3_db_config(sql->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return status;
}

void ao_sql_close(struct ao_sql *sql)
{
    sqlite3_close(sql->db); /* accepts NULL */
    ao_free(sql->path);
    *sql = (struct ao_sql){ 0 };
}
