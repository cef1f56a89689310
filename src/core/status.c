/* SPDX-License-Identifier: Apache-2.0 */
#include "core/status.h"

#include <stdio.h>
#include <string.h>

#include "aosa/version.h"

#define AO_STR_(x) #x
#define AO_STR(x) AO_STR_(x)

static _Thread_local char error_text[AO_ERROR_TEXT];

const char *aosa_error_message(void)
{
    return error_text;
}

const char *aosa_version(void)
{
    return AO_STR(AOSA_VERSION_MAJOR) "." AO_STR(AOSA_VERSION_MINOR) "." AO_STR(AOSA_VERSION_PATCH);
}

const char *aosa_status_name(aosa_status status)
{
    static const char *const names[] = {
        [AOSA_OK] = "ok",
        [AOSA_ERR_ARGUMENT] = "argument",
        [AOSA_ERR_INPUT] = "input",
        [AOSA_ERR_FORMAT] = "format",
        [AOSA_ERR_SHAPE] = "shape",
        [AOSA_ERR_UNSUPPORTED] = "unsupported",
        [AOSA_ERR_NOMEM] = "memory",
        [AOSA_ERR_NUMERIC] = "numeric",
        [AOSA_ERR_CANCELLED] = "cancelled",
        [AOSA_ERR_OUTPUT] = "output",
        [AOSA_ERR_INTERNAL] = "internal",
    };
    if ((unsigned)status >= sizeof names / sizeof names[0])
        return "unknown";
    return names[status];
}

/* Names and paths in a message may come from a hostile file: keep the text one printable line. */
static void make_printable(char *text)
{
    for (char *p = text; *p; p++) {
        const unsigned char c = (unsigned char)*p;
        if (c < 0x20 || c == 0x7f)
            *p = '?';
    }
}

aosa_status ao_vfail(aosa_status status, const char *format, va_list args)
{
    vsnprintf(error_text, sizeof error_text, format, args);
    make_printable(error_text);
    return status;
}

aosa_status ao_fail(aosa_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    ao_vfail(status, format, args);
    va_end(args);
    return status;
}

aosa_status ao_fail_in(aosa_status status, const char *format, ...)
{
    char inner[AO_ERROR_TEXT];
    memcpy(inner, error_text, sizeof inner);

    va_list args;
    va_start(args, format);
    vsnprintf(error_text, sizeof error_text, format, args);
    va_end(args);

    const size_t used = strlen(error_text);
    snprintf(error_text + used, sizeof error_text - used, ": %s", inner);
    make_printable(error_text);
    return status;
}
