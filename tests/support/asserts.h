/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_TESTS_SUPPORT_ASSERTS_H
#define AO_TESTS_SUPPORT_ASSERTS_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/status.h"

/* Within `bound`, as doubles: cmocka compares as float. */
#define assert_near(a, b, bound) assert_true(fabs((double)(a) - (double)(b)) <= (bound))

/* The call succeeds, or its message fails the test. */
#define assert_ok(call)                           \
    do {                                          \
        if ((call) != AOSA_OK)                    \
            fail_msg("%s", aosa_error_message()); \
    } while (0)

/* What a call answered is that failure, and its message has the words. */
static inline void assert_fails(aosa_status got, aosa_status want, const char *words)
{
    assert_int_equal(got, want);
    if (!strstr(aosa_error_message(), words))
        fail_msg("'%s' is not in '%s'", words, aosa_error_message());
}

#endif
