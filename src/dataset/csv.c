/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* strtod_l */
#include "dataset/csv.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/alloc.h"
#include "core/file.h"

static aosa_status read_text(struct ao_csv *csv)
{
    struct ao_file file;
    AO_TRY(ao_file_open(&file, csv->path));
    aosa_status status = AOSA_OK;
    if (file.size > AO_CSV_BYTES)
        status = ao_fail(AOSA_ERR_FORMAT, "%s: %zu bytes, at most %zu are read", csv->path,
                         file.size, AO_CSV_BYTES);
    else if (file.size && memchr(file.bytes, '\0', file.size))
        status = ao_fail(AOSA_ERR_FORMAT, "%s: holds a zero byte, so it is no text", csv->path);
    else if (!(csv->text = ao_strndup(file.size ? (const char *)file.bytes : "", file.size)))
        status = ao_fail(AOSA_ERR_NOMEM, "%s: no memory for %zu bytes", csv->path, file.size);
    ao_file_close(&file);
    csv->next = csv->text;
    return status;
}

/* Takes a quoted field's text out of its quotes, in place; answers where it ended, NULL: nowhere.
 */
static char *unquote(char *p, size_t *lines)
{
    char *dst = p++;
    for (;; p++) {
        if (*p == '\0')
            return NULL;
        if (*p == '"' && *++p != '"')
            break;
        *lines += *p == '\n';
        *dst++ = *p;
    }
    if (*p && *p != ',' && *p != '\n' && *p != '\r')
        return NULL;
    /* The text is shorter than it was by its quotes, so this zero stands before p. */
    *dst = '\0';
    return p;
}

static aosa_status fail_quotes(const struct ao_csv *csv)
{
    return ao_fail(AOSA_ERR_FORMAT, "%s:%zu: a field's quotes do not end", csv->path, csv->line);
}

/* Splits one line at csv->next; *n gets the number of fields. */
static aosa_status split(struct ao_csv *csv, char **fields, int *n)
{
    char *p = csv->next, end = ',';
    size_t lines = 0;
    csv->line++;
    for (*n = 0; end == ','; (*n)++) {
        if (*n == AO_CSV_COLUMNS)
            return ao_fail(AOSA_ERR_FORMAT, "%s:%zu: more than %d columns", csv->path, csv->line,
                           AO_CSV_COLUMNS);
        fields[*n] = p;
        char *stop = *p == '"' ? unquote(p, &lines) : p + strcspn(p, ",\n");
        if (!stop)
            return fail_quotes(csv);
        end = *stop;
        if (end == '\r') { /* behind a quoted field */
            *stop++ = '\0';
            end = *stop;
        }
        if (end == '\n' && stop > p && stop[-1] == '\r')
            stop[-1] = '\0';
        *stop = '\0';
        p = end ? stop + 1 : stop;
    }
    csv->next = p;
    csv->line += lines;
    return AOSA_OK;
}

static void trim_header(struct ao_csv *csv)
{
    if (!strncmp(csv->next, "\xEF\xBB\xBF", 3)) /* a byte order mark */
        csv->next += 3;
}

aosa_status ao_csv_open(struct ao_csv *csv, const char *path)
{
    *csv = (struct ao_csv){ .path = path };
    aosa_status status = read_text(csv);
    if (status == AOSA_OK) {
        trim_header(csv);
        status = split(csv, csv->names, &csv->n_columns);
    }
    if (status != AOSA_OK)
        ao_csv_close(csv);
    return status;
}

void ao_csv_close(struct ao_csv *csv)
{
    ao_free(csv->text);
    *csv = (struct ao_csv){ 0 };
}

aosa_status ao_csv_next(struct ao_csv *csv, bool *more)
{
    int n;
    for (*more = false; *csv->next;) {
        AO_TRY(split(csv, csv->fields, &n));
        if (n == 1 && !*csv->fields[0])
            continue; /* an empty line */
        if (n != csv->n_columns)
            return ao_fail(AOSA_ERR_FORMAT, "%s:%zu: %d fields, the header has %d", csv->path,
                           csv->line, n, csv->n_columns);
        *more = true;
        return AOSA_OK;
    }
    return AOSA_OK;
}

void ao_csv_where(const struct ao_csv *csv, char where[AO_CSV_WHERE])
{
    snprintf(where, AO_CSV_WHERE, "%.90s:%zu", ao_path_base(csv->path), csv->line);
}

int ao_csv_column(const struct ao_csv *csv, const char *name)
{
    for (int i = 0; i < csv->n_columns; i++)
        if (!strcasecmp(csv->names[i], name))
            return i;
    return -1;
}

aosa_status ao_csv_require(const struct ao_csv *csv, const char *name, int *column)
{
    *column = ao_csv_column(csv, name);
    if (*column < 0)
        return ao_fail(AOSA_ERR_FORMAT, "%s: its first line names no column '%s'", csv->path, name);
    return AOSA_OK;
}

aosa_status ao_csv_number(const struct ao_csv *csv, int column, double *number)
{
    const locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c_locale)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for a locale", csv->path);
    char *end;
    const char *text = csv->fields[column];
    *number = strtod_l(text, &end, c_locale);
    freelocale(c_locale);
    if (end == text || *end || !isfinite(*number))
        return ao_fail(AOSA_ERR_FORMAT, "%s:%zu: %s is '%.40s', not a number", csv->path, csv->line,
                       csv->names[column], text);
    return AOSA_OK;
}
