/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE /* madvise */
#include "core/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

static atomic_long fail_countdown;
static atomic_bool has_failed;

void ao_alloc_fail_at(long n)
{
    atomic_store(&has_failed, false);
    atomic_store(&fail_countdown, n);
}

bool ao_alloc_has_failed(void)
{
    return atomic_load(&has_failed);
}

static bool must_fail(void)
{
    if (atomic_load(&fail_countdown) <= 0 || atomic_fetch_sub(&fail_countdown, 1) != 1)
        return false;
    atomic_store(&has_failed, true);
    return true;
}

bool ao_size_mul(size_t a, size_t b, size_t *result)
{
    return !__builtin_mul_overflow(a, b, result);
}

bool ao_size_add(size_t a, size_t b, size_t *result)
{
    return !__builtin_add_overflow(a, b, result);
}

bool ao_count(const int64_t *dims, int n, int64_t *result)
{
    int64_t bound = 1; /* zeros left out: strides are products of the other extents */
    bool empty = false;
    for (int i = 0; i < n; i++) {
        if (dims[i] < 0 || __builtin_mul_overflow(bound, dims[i] ? dims[i] : 1, &bound) ||
            bound > (INT64_C(1) << 62))
            return false;
        empty |= dims[i] == 0;
    }
    *result = empty ? 0 : bound;
    return true;
}

/*
 * Weights and activations are read from end to end again and again. In pages of 2 MiB they take a
 * 512th of the page faults when first written and of the address translations afterwards; a hint,
 * which a kernel without such pages ignores.
 */
static void *alloc_pages(size_t bytes)
{
    void *memory;
    if (posix_memalign(&memory, HUGE_PAGE, bytes))
        return NULL;
#ifdef MADV_HUGEPAGE
    madvise(memory, bytes - bytes % HUGE_PAGE, MADV_HUGEPAGE);
#endif
    return memory;
}

void *ao_alloc_raw(size_t n, size_t size)
{
    size_t bytes;
    if (!ao_size_mul(n, size, &bytes) || !ao_size_add(bytes, AO_ALIGNMENT - 1, &bytes))
        return NULL;
    bytes -= bytes % AO_ALIGNMENT; /* aligned_alloc wants a multiple */
    if (must_fail())
        return NULL;
    if (bytes >= 2 * HUGE_PAGE)
        return alloc_pages(bytes);
    return aligned_alloc(AO_ALIGNMENT, bytes ? bytes : AO_ALIGNMENT);
}

void *ao_alloc(size_t n, size_t size)
{
    void *memory = ao_alloc_raw(n, size);
    if (memory)
        memset(memory, 0, n * size);
    return memory;
}

char *ao_strndup(const char *text, size_t length)
{
    char *copy = ao_alloc_raw(length + 1, 1);
    if (!copy)
        return NULL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *ao_strdup(const char *text)
{
    return text ? ao_strndup(text, strlen(text)) : NULL;
}

void ao_free(void *memory)
{
    free(memory);
}

bool ao_grow(void **items, size_t *capacity, size_t n, size_t size)
{
    if (n < *capacity)
        return true;
    const size_t wanted = *capacity ? 2 * *capacity : 16;
    void *grown = ao_alloc(wanted, size);
    if (!grown)
        return false;
    if (n)
        memcpy(grown, *items, n * size);
    ao_free(*items);
    *items = grown;
    *capacity = wanted;
    return true;
}
