/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* strtod_l */
#include "core/options.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"

static void *member(const struct ao_option *row, void *object)
{
    return (char *)object + row->offset;
}

int ao_choice_index(const char *choices, const char *word)
{
    const size_t length = strlen(word);
    int index = 0;
    for (const char *p = choices; *p; index++) {
        const size_t n = strcspn(p, "|");
        if (n == length && memcmp(p, word, n) == 0)
            return index;
        p += n + (p[n] == '|');
    }
    return -1;
}

bool ao_list_has(const char *list, char separator, const char *word)
{
    const char stop[] = { separator, '\0' };
    const size_t length = strlen(word);
    for (const char *p = list; *p;) {
        const size_t n = strcspn(p, stop);
        if (n == length && !strncmp(p, word, n))
            return true;
        p += n + (p[n] == separator);
    }
    return false;
}

const struct ao_option *ao_options_find(const struct ao_option *table, const char *name)
{
    const bool letter = name[0] && !name[1];
    for (const struct ao_option *row = table; row->name; row++)
        if (letter ? row->letter == name[0] : !strcmp(row->name, name))
            return row;
    return NULL;
}

/* A whole finite number in the C locale, whatever the process uses. */
static bool parse_real(const char *text, double *value)
{
    const locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c_locale)
        return false;
    char *end;
    *value = strtod_l(text, &end, c_locale);
    freelocale(c_locale);
    return end != text && *end == '\0' && isfinite(*value);
}

static aosa_status set_int(const struct ao_option *row, int *value, const char *text)
{
    char *end;
    errno = 0;
    const long long parsed = strtoll(text, &end, 10);
    if (end == text || *end || errno)
        return ao_fail(AOSA_ERR_ARGUMENT, "--%s: '%s' is not a whole number", row->name, text);
    if ((double)parsed < row->min || (double)parsed > row->max)
        return ao_fail(AOSA_ERR_ARGUMENT, "--%s: %lld is out of range, %.0f to %.0f are allowed",
                       row->name, parsed, row->min, row->max);
    *value = (int)parsed;
    return AOSA_OK;
}

static aosa_status set_real(const struct ao_option *row, double *value, const char *text)
{
    double parsed;
    if (!parse_real(text, &parsed))
        return ao_fail(AOSA_ERR_ARGUMENT, "--%s: '%s' is not a number", row->name, text);
    if (parsed < row->min || parsed > row->max)
        return ao_fail(AOSA_ERR_ARGUMENT, "--%s: %g is out of range, %g to %g are allowed",
                       row->name, parsed, row->min, row->max);
    *value = parsed;
    return AOSA_OK;
}

/* "a,b,c", or one number for all three channels. */
static aosa_status set_reals3(const struct ao_option *row, double value[3], const char *text)
{
    char copy[128];
    double parsed[3];
    int n = 0;
    snprintf(copy, sizeof copy, "%s", text);
    char *rest = copy;
    bool good = strlen(text) < sizeof copy;
    for (char *word; good && n < 3 && (word = strsep(&rest, ",")); n++)
        good = parse_real(word, &parsed[n]);
    if (!good || rest || (n != 1 && n != 3))
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "--%s: '%s' is not one number or three with commas, such as 0.5,0.5,0.5",
                       row->name, text);
    for (int c = 0; c < 3; c++)
        value[c] = parsed[n == 3 ? c : 0];
    return AOSA_OK;
}

static aosa_status set_flag(const struct ao_option *row, bool *value, const char *text)
{
    const int word = text ? ao_choice_index("false|true|no|yes|0|1", text) : 1;
    if (word < 0)
        return ao_fail(AOSA_ERR_ARGUMENT, "--%s: '%s' is neither true nor false", row->name, text);
    *value = word % 2 == 1;
    return AOSA_OK;
}

enum { MAX_WORD = 32 };

/* Letters to insert, remove or replace to make b of a (Levenshtein 1966); b is shorter than
 * MAX_WORD. */
static size_t word_distance(const char *a, const char *b, size_t b_length)
{
    size_t row[MAX_WORD + 1];
    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            best = row[j] + 1 < best ? row[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[b_length];
}

/* The choice that differs from `word` in the fewest letters, if only in one of three; else "". */
static void find_near(const char *choices, const char *word, char near[MAX_WORD])
{
    size_t best = (strlen(word) + 2) / 3 + 1;
    near[0] = '\0';
    for (const char *p = choices; *p;) {
        const size_t n = strcspn(p, "|");
        const size_t distance = n < MAX_WORD ? word_distance(word, p, n) : best;
        if (distance < best) {
            best = distance;
            snprintf(near, MAX_WORD, "%.*s", (int)n, p);
        }
        p += n + (p[n] == '|');
    }
}

static aosa_status set_choice(const struct ao_option *row, int *value, const char *text)
{
    char near[MAX_WORD];
    const int index = ao_choice_index(row->choices, text);
    if (index >= 0) {
        *value = index;
        return AOSA_OK;
    }
    find_near(row->choices, text, near);
    return ao_fail(AOSA_ERR_ARGUMENT, "--%s: '%s' is unknown,%s%s%s choose one of %s", row->name,
                   text, *near ? " did you mean " : "", near, *near ? "?" : "", row->choices);
}

static aosa_status set_text(const struct ao_option *row, char **value, const char *text)
{
    char *copy = *text ? ao_strdup(text) : NULL;
    if (*text && !copy)
        return ao_fail(AOSA_ERR_NOMEM, "--%s: no memory for its value", row->name);
    ao_free(*value);
    *value = copy;
    return AOSA_OK;
}

aosa_status ao_option_set(const struct ao_option *row, void *object, const char *text)
{
    if (!text && row->type != AO_OPTION_FLAG)
        return ao_fail(AOSA_ERR_ARGUMENT, "--%s needs a value", row->name);
    switch (row->type) {
    case AO_OPTION_INT:
        return set_int(row, member(row, object), text);
    case AO_OPTION_REAL:
        return set_real(row, member(row, object), text);
    case AO_OPTION_FLAG:
        return set_flag(row, member(row, object), text);
    case AO_OPTION_CHOICE:
        return set_choice(row, member(row, object), text);
    case AO_OPTION_TEXT:
        return set_text(row, member(row, object), text);
    case AO_OPTION_REALS3:
        return set_reals3(row, member(row, object), text);
    }
    return ao_fail(AOSA_ERR_INTERNAL, "--%s: its table row has an unknown type", row->name);
}

aosa_status ao_options_init(const struct ao_option *table, void *object)
{
    for (const struct ao_option *row = table; row->name; row++)
        if (row->initial)
            AO_TRY(ao_option_set(row, object, row->initial));
    return AOSA_OK;
}

void ao_options_fini(const struct ao_option *table, void *object)
{
    for (const struct ao_option *row = table; row->name; row++) {
        if (row->type != AO_OPTION_TEXT)
            continue;
        char **text = member(row, object);
        ao_free(*text);
        *text = NULL;
    }
}

static void print_choice(const struct ao_option *row, int index, char *buffer, size_t bytes)
{
    const char *p = row->choices;
    for (; index > 0 && *p; index--) {
        p += strcspn(p, "|");
        p += *p == '|';
    }
    snprintf(buffer, bytes, "%.*s", (int)strcspn(p, "|"), p);
}

void ao_option_print(const struct ao_option *row, const void *object, char *buffer, size_t bytes)
{
    const void *value = (const char *)object + row->offset;
    switch (row->type) {
    case AO_OPTION_INT:
        snprintf(buffer, bytes, "%d", *(const int *)value);
        return;
    case AO_OPTION_REAL:
        snprintf(buffer, bytes, "%.10g", *(const double *)value);
        return;
    case AO_OPTION_FLAG:
        snprintf(buffer, bytes, "%s", *(const bool *)value ? "true" : "false");
        return;
    case AO_OPTION_CHOICE:
        print_choice(row, *(const int *)value, buffer, bytes);
        return;
    case AO_OPTION_TEXT:
        snprintf(buffer, bytes, "%s", *(char *const *)value ? *(char *const *)value : "");
        return;
    case AO_OPTION_REALS3: {
        const double *v = value;
        snprintf(buffer, bytes, "%.10g,%.10g,%.10g", v[0], v[1], v[2]);
        return;
    }
    }
}
