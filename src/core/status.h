/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_CORE_STATUS_H
#define AO_CORE_STATUS_H

#include "aosa/base.h"

#include <stdarg.h>

#define AO_ERROR_TEXT 1024

#if defined(__GNUC__)
#define AO_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define AO_PRINTF(fmt, args)
#endif

/* Passes a callee's failure on unchanged: the callee already wrote the text. */
#define AO_TRY(call)                      \
    do {                                  \
        const aosa_status ao_st = (call); \
        if (ao_st != AOSA_OK)             \
            return ao_st;                 \
    } while (0)

/* Writes the calling thread's error text and returns `status`, so a check is one statement. */
aosa_status ao_fail(aosa_status status, const char *format, ...) AO_PRINTF(2, 3);
aosa_status ao_vfail(aosa_status status, const char *format, va_list args) AO_PRINTF(2, 0);

/*
 * Puts "context: " before the current text, for callers that know the file or option a callee
 * could not know. Returns `status`.
 */
aosa_status ao_fail_in(aosa_status status, const char *format, ...) AO_PRINTF(2, 3);

#endif
