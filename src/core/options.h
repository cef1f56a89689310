/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_CORE_OPTIONS_H
#define AO_CORE_OPTIONS_H

#include <float.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"

/*
 * Options as data. A stage declares a struct and a table beside it; parsing, --help, the man page,
 * bindings and the record in result.json all read the table, so none of them can drift.
 *
 * Types of the members: INT int, REAL double, FLAG bool, CHOICE int (index in `choices`), TEXT
 * char * (owned, NULL when empty), REALS3 double[3].
 */
enum ao_option_type {
    AO_OPTION_INT,
    AO_OPTION_REAL,
    AO_OPTION_FLAG,
    AO_OPTION_CHOICE,
    AO_OPTION_TEXT,
    AO_OPTION_REALS3,
};

struct ao_option {
    const char *name; /* long name without dashes; NULL ends a table */
    char letter;      /* short form or 0 */
    enum ao_option_type type;
    size_t offset;       /* of the member in the stage's struct */
    const char *initial; /* default, parsed like a user's value; NULL for TEXT is none */
    double min, max;     /* of INT and REAL, inclusive */
    const char *choices; /* CHOICE: "flow_one|flow|cuboid" */
    const char *value;   /* name of the value in --help, such as "PIXELS"; NULL for FLAG */
    const char *help;    /* one line */
};

#define AO_OPT_INT(s, m, n, init, lo, hi, v, h)                              \
    {                                                                        \
        n, 0, AO_OPTION_INT, offsetof(struct s, m), init, lo, hi, NULL, v, h \
    }
#define AO_OPT_REAL(s, m, n, init, lo, hi, v, h)                              \
    {                                                                         \
        n, 0, AO_OPTION_REAL, offsetof(struct s, m), init, lo, hi, NULL, v, h \
    }
#define AO_OPT_FLAG(s, m, n, h)                                                   \
    {                                                                             \
        n, 0, AO_OPTION_FLAG, offsetof(struct s, m), "false", 0, 0, NULL, NULL, h \
    }
#define AO_OPT_CHOICE(s, m, n, init, c, h)                                    \
    {                                                                         \
        n, 0, AO_OPTION_CHOICE, offsetof(struct s, m), init, 0, 0, c, NULL, h \
    }
#define AO_OPT_TEXT(s, m, n, init, v, h)                                    \
    {                                                                       \
        n, 0, AO_OPTION_TEXT, offsetof(struct s, m), init, 0, 0, NULL, v, h \
    }
#define AO_OPT_REALS3(s, m, n, init, v, h)                                                 \
    {                                                                                      \
        n, 0, AO_OPTION_REALS3, offsetof(struct s, m), init, -DBL_MAX, DBL_MAX, NULL, v, h \
    }
#define AO_OPT_END                                              \
    {                                                           \
        NULL, 0, AO_OPTION_INT, 0, NULL, 0, 0, NULL, NULL, NULL \
    }

/* Fills a zeroed struct with the table's defaults. */
aosa_status ao_options_init(const struct ao_option *table, void *object);

/* Frees the TEXT members. */
void ao_options_fini(const struct ao_option *table, void *object);

/* The row of that long name (or of that short letter when name is one character), or NULL. */
const struct ao_option *ao_options_find(const struct ao_option *table, const char *name);

/*
 * Parses `text` into the row's member. AOSA_ERR_ARGUMENT with a text that names the option, the
 * value and what is allowed. A FLAG accepts true|false|yes|no|1|0 and NULL (true).
 */
aosa_status ao_option_set(const struct ao_option *row, void *object, const char *text);

/*
 * The member as text that ao_option_set would accept, written to buffer (always terminated).
 * An absent TEXT gives "".
 */
void ao_option_print(const struct ao_option *row, const void *object, char *buffer, size_t bytes);

/* Whether a list such as "a,b,c" holds that word. */
bool ao_list_has(const char *list, char separator, const char *word);

/* Index of `word` in "a|b|c", or -1. */
int ao_choice_index(const char *choices, const char *word);

#endif
