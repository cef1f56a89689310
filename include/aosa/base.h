/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AOSA_BASE_H
#define AOSA_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define AOSA_API __attribute__((visibility("default")))
#define AOSA_MUST_CHECK __attribute__((warn_unused_result))
#else
#define AOSA_API
#define AOSA_MUST_CHECK
#endif

/** What a call answers. Numbers are part of the ABI: new ones are only appended. */
typedef enum aosa_status {
    AOSA_OK = 0,
    AOSA_ERR_ARGUMENT = 1,    /**< an option or argument is unknown or out of its range */
    AOSA_ERR_INPUT = 2,       /**< a file cannot be opened or read */
    AOSA_ERR_FORMAT = 3,      /**< a file is damaged or not of the expected kind */
    AOSA_ERR_SHAPE = 4,       /**< sizes do not fit each other */
    AOSA_ERR_UNSUPPORTED = 5, /**< the model needs something this build cannot do */
    AOSA_ERR_NOMEM = 6,       /**< an allocation failed or a memory limit was reached */
    AOSA_ERR_NUMERIC = 7,     /**< a NaN or an infinity where a number is needed */
    AOSA_ERR_CANCELLED = 8,   /**< the progress callback asked to stop */
    AOSA_ERR_OUTPUT = 9,      /**< a result cannot be written */
    AOSA_ERR_INTERNAL = 10    /**< a library underneath failed in a way it should not */
} aosa_status;

/** Short fixed name of a status, such as "argument"; never NULL. Thread class: any. */
AOSA_API const char *aosa_status_name(aosa_status status);

/**
 * One line that explains the last failure in the calling thread: what, where, both numbers, and
 * the remedy. Valid until the next failing call in this thread; "" before the first. Thread class:
 * any.
 */
AOSA_API const char *aosa_error_message(void);

/** Version of the linked library, such as "0.1.0". Thread class: any. */
AOSA_API const char *aosa_version(void);

/**
 * Called now and then from the thread that called the library.
 *
 * @param user   The pointer given with the callback.
 * @param stage  What is being done, such as "masks"; a static string.
 * @param done   Units finished, 0 <= done <= total.
 * @param total  Units of this stage.
 * @return false to stop: the call then answers AOSA_ERR_CANCELLED and leaves nothing behind.
 */
typedef bool (*aosa_progress_fn)(void *user, const char *stage, size_t done, size_t total);

#ifdef __cplusplus
}
#endif
#endif
