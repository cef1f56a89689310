/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_EVALUATE_SQL_H
#define AO_EVALUATE_SQL_H

#include <sqlite3.h>

#include "core/status.h"

/* SQLite with the library's statuses and texts. */
struct ao_sql {
    char *path;
    sqlite3 *db;
};

/*
 * Opens a database, for writing where that is allowed: what a killed process left must be rolled
 * back before anything can be read. Ends with ao_sql_close, also after a failure.
 */
aosa_status ao_sql_open(struct ao_sql *sql, const char *path, bool create);
void ao_sql_close(struct ao_sql *sql); /* rolls back what is not committed */

/* AOSA_ERR_FORMAT with the first thing that is wrong with the file; reads all of it. */
aosa_status ao_sql_check(const struct ao_sql *sql);

/* Makes it an empty database, whatever it was; what other processes have open stays. */
aosa_status ao_sql_empty(const struct ao_sql *sql);

/* Status and text of what SQLite answered: AOSA_ERR_OUTPUT (another process has the file, a full
 * disk, ...), AOSA_ERR_FORMAT (no database), AOSA_ERR_NOMEM. */
aosa_status ao_sql_fail(const struct ao_sql *sql, int code);

/* Statements without parameters, and the number that one answers (0 for no row). */
aosa_status ao_sql_execute(const struct ao_sql *sql, const char *text);
aosa_status ao_sql_number(const struct ao_sql *sql, const char *text, int64_t *number);

/* Prepared, bound from left to right, then run or stepped; the first failure is kept until then. */
struct ao_statement {
    const struct ao_sql *sql;
    sqlite3_stmt *stmt;
    int at; /* parameters bound so far */
    int code;
};
struct ao_statement ao_sql_prepare(const struct ao_sql *sql, const char *text);
void ao_statement_end(struct ao_statement *s);

void ao_statement_bind_text(struct ao_statement *s, const char *text); /* NULL: a NULL */
void ao_statement_bind_int(struct ao_statement *s, int64_t number);
void ao_statement_bind_real(struct ao_statement *s, double number); /* NaN: a NULL */
void ao_statement_bind_reals(struct ao_statement *s, const double *numbers, size_t n); /* blob */

/* Ready to be bound and stepped again. */
void ao_statement_rewind(struct ao_statement *s);

/* Takes one step; *row tells whether there is a row. */
aosa_status ao_statement_step(struct ao_statement *s, bool *row);

/* Runs a statement that answers no rows, and rewinds it. */
aosa_status ao_statement_run(struct ao_statement *s);

#endif
