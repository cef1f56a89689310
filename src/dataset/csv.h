/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_DATASET_CSV_H
#define AO_DATASET_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"

/*
 * A table in a text file: a header of column names, then rows (RFC 4180: commas, fields in double
 * quotes, lines that end in LF or CRLF). At most AO_CSV_BYTES and AO_CSV_COLUMNS.
 */
#define AO_CSV_BYTES ((size_t)1 << 30)
#define AO_CSV_COLUMNS 64

struct ao_csv {
    const char *path;
    char *text; /* the file, taken apart in place */
    char *next;
    size_t line; /* of the row that was read last, 1-based */
    int n_columns;
    char *names[AO_CSV_COLUMNS], *fields[AO_CSV_COLUMNS];
};

/* Reads the file and its header. Borrows `path`. AOSA_ERR_INPUT, AOSA_ERR_FORMAT, AOSA_ERR_NOMEM.
 */
aosa_status ao_csv_open(struct ao_csv *csv, const char *path);
void ao_csv_close(struct ao_csv *csv);

/* The next row that is not empty into fields; *more is false past the last. AOSA_ERR_FORMAT. */
aosa_status ao_csv_next(struct ao_csv *csv, bool *more);

/* "list.csv:3", the row that was read last, for messages about it later. */
#define AO_CSV_WHERE 128
void ao_csv_where(const struct ao_csv *csv, char where[AO_CSV_WHERE]);

/* Column of that name, whatever its case; -1 where there is none. */
int ao_csv_column(const struct ao_csv *csv, const char *name);

/* The same, with AOSA_ERR_FORMAT where there is none. */
aosa_status ao_csv_require(const struct ao_csv *csv, const char *name, int *column);

/* A field as a number, finite; AOSA_ERR_FORMAT names file, line and column. */
aosa_status ao_csv_number(const struct ao_csv *csv, int column, double *number);

#endif
