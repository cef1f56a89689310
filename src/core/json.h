/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_CORE_JSON_H
#define AO_CORE_JSON_H

#include <jansson.h>

#include "core/status.h"

/* The one place that includes jansson; others include this header and use json_t. */

/*
 * Reads a file of at most 16 MiB: one object, UTF-8, no duplicate keys, nesting at most jansson's
 * own limit. AOSA_ERR_FORMAT names path, line and column. *value is owned by the caller
 * (json_decref).
 */
aosa_status ao_json_read(const char *path, json_t **value);

/* The same for files of up to `max_bytes`, which take about ten times that while they are read. */
aosa_status ao_json_read_bounded(const char *path, size_t max_bytes, json_t **value);

/*
 * A JSON string of text from a label file or a path, which may hold any bytes: where it is not
 * UTF-8, each byte above 127 becomes '?'. NULL without memory.
 */
json_t *ao_json_text(const char *text);

/* Sorted by insertion, indented by 2, newline at the end. */
aosa_status ao_json_write(const char *path, const json_t *value);

#endif
