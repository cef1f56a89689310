/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_CORE_ALLOC_H
#define AO_CORE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All memory of ours passes here, so that tests can make the n-th allocation fail. */

#define AO_ALIGNMENT 64

/* Zeroed memory, 64-byte aligned; NULL on failure or when n * size overflows. Free with ao_free. */
void *ao_alloc(size_t n, size_t size);

/* As ao_alloc, but not zeroed: for large buffers that are written whole before they are read. */
void *ao_alloc_raw(size_t n, size_t size);

/* Copy of a string, or NULL on failure. NULL in gives NULL out. */
char *ao_strdup(const char *text);
char *ao_strndup(const char *text, size_t length);

/* Accepts NULL. */
void ao_free(void *memory);

/*
 * Grows a plain array by at least one free slot: *items has room for *capacity items of `size`
 * bytes and holds `n`. Keeps the old array on failure and answers false.
 */
bool ao_grow(void **items, size_t *capacity, size_t n, size_t size);

/* Checked arithmetic on sizes: false when the result does not fit. */
bool ao_size_mul(size_t a, size_t b, size_t *result);
bool ao_size_add(size_t a, size_t b, size_t *result);

/* Product of n non-negative extents in *result; false on a negative extent, or when the product of
 * those that are not 0 is over 2^62, so that no stride overflows either. */
bool ao_count(const int64_t *dims, int n, int64_t *result);

/* Tests only: the n-th allocation from now fails once (0: never); true once it has failed. */
void ao_alloc_fail_at(long n);
bool ao_alloc_has_failed(void);

#endif
