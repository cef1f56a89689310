/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AOSA_SETTINGS_H
#define AOSA_SETTINGS_H

#include "aosa/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Every option of the library by name, as the command line and bindings set them. Thread class:
 * confined while it changes, any while it does not.
 */
typedef struct aosa_settings aosa_settings;

/** All defaults. The caller owns *settings. AOSA_ERR_NOMEM. */
AOSA_API AOSA_MUST_CHECK aosa_status aosa_settings_create(aosa_settings **settings);

/** Accepts NULL inside; sets *settings to NULL. */
AOSA_API void aosa_settings_destroy(aosa_settings **settings);

/**
 * Sets one option from text, such as ("size", "24").
 *
 * @param value  Borrowed. NULL sets a flag to true.
 * @return AOSA_ERR_ARGUMENT for an unknown name or a value out of range; the text says what is
 *         allowed, and the option keeps its old value. AOSA_ERR_NOMEM.
 */
AOSA_API AOSA_MUST_CHECK aosa_status aosa_settings_set(aosa_settings *settings, const char *name,
                                                       const char *value);

/** One row of the table that parsing, --help and the man page share. All strings are static. */
struct aosa_option_info {
    const char *group;   /**< "clip", "flow", "masks", "explanation", "method" or "run" */
    const char *name;    /**< long name without dashes */
    char letter;         /**< short form or 0 */
    const char *value;   /**< name of its value; NULL for a flag */
    const char *choices; /**< "a|b|c" or NULL */
    const char *initial; /**< default as text, or NULL for none */
    const char *help;    /**< one line */
};

/** Row `index` in *info; false past the last. Thread class: any. */
AOSA_API bool aosa_option_at(size_t index, struct aosa_option_info *info);

/** Frees a text that a function of this library gave away; accepts NULL inside. */
AOSA_API void aosa_text_free(char **text);

#ifdef __cplusplus
}
#endif
#endif
