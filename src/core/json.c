/* SPDX-License-Identifier: Apache-2.0 */
#include "core/json.h"

#include <stdlib.h>

#include "core/alloc.h"
#include "core/file.h"

#define MAX_JSON_BYTES ((size_t)16 << 20)

aosa_status ao_json_read(const char *path, json_t **value)
{
    return ao_json_read_bounded(path, MAX_JSON_BYTES, value);
}

aosa_status ao_json_read_bounded(const char *path, size_t max_bytes, json_t **value)
{
    struct ao_file file;
    AO_TRY(ao_file_open(&file, path));
    if (file.size > max_bytes) {
        const size_t size = file.size;
        ao_file_close(&file);
        return ao_fail(AOSA_ERR_FORMAT, "%s: %zu bytes of JSON, at most %zu are read", path, size,
                       max_bytes);
    }
    json_error_t error = { .line = 1, .text = "the file is empty" };
    json_t *root = NULL;
    if (file.size)
        root = json_loadb((const char *)file.bytes, file.size, JSON_REJECT_DUPLICATES, &error);
    ao_file_close(&file);
    if (!root)
        return ao_fail(AOSA_ERR_FORMAT, "%s:%d:%d: %s", path, error.line, error.column, error.text);
    if (!json_is_object(root)) {
        json_decref(root);
        return ao_fail(AOSA_ERR_FORMAT, "%s: not a JSON object", path);
    }
    *value = root;
    return AOSA_OK;
}

json_t *ao_json_text(const char *text)
{
    json_t *value = json_string(text);
    char *copy = value ? NULL : ao_strdup(text);
    if (!copy)
        return value;
    for (char *p = copy; *p; p++)
        if ((unsigned char)*p > 127)
            *p = '?';
    value = json_string(copy);
    ao_free(copy);
    return value;
}

aosa_status ao_json_write(const char *path, const json_t *value)
{
    char *text = json_dumps(value, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    if (!text)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for the JSON text", path);
    size_t length = 0;
    while (text[length])
        length++;
    text[length] = '\n'; /* the terminator's place: the file needs no zero */
    const aosa_status status = ao_file_write(path, text, length + 1);
    free(text); /* jansson's allocation, not ours */
    return status;
}
