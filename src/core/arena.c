/* SPDX-License-Identifier: Apache-2.0 */
#include "core/arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/alloc.h"

#define BLOCK_BYTES ((size_t)64 << 10)

struct ao_arena_block {
    struct ao_arena_block *next;
    size_t capacity, used;
    unsigned char *bytes;
};

void ao_arena_init(struct ao_arena *arena, size_t max_bytes)
{
    *arena = (struct ao_arena){ .max_bytes = max_bytes };
}

/* Large requests get a block of their own, behind the head, so that the head stays open. */
static struct ao_arena_block *add_block(struct ao_arena *arena, size_t bytes, bool zeroed)
{
    struct ao_arena_block *block = ao_alloc(1, sizeof *block);
    if (!block)
        return NULL;
    block->capacity = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    block->bytes = zeroed ? ao_alloc(block->capacity, 1) : ao_alloc_raw(block->capacity, 1);
    if (!block->bytes) {
        ao_free(block);
        return NULL;
    }
    if (arena->head && bytes > BLOCK_BYTES) {
        block->next = arena->head->next;
        arena->head->next = block;
    } else {
        block->next = arena->head;
        arena->head = block;
    }
    return block;
}

/* Memory that the caller overwrites need not be zeroed where it has a block of its own. */
static void *take(struct ao_arena *arena, size_t n, size_t size, bool overwritten)
{
    size_t bytes;
    if (!ao_size_mul(n, size, &bytes) || !ao_size_add(bytes, AO_ALIGNMENT - 1, &bytes))
        return NULL;
    bytes -= bytes % AO_ALIGNMENT;
    if (arena->max_bytes &&
        (bytes > arena->max_bytes || arena->used_bytes > arena->max_bytes - bytes))
        return NULL;

    struct ao_arena_block *block = arena->head;
    if (!block || block->capacity - block->used < bytes)
        block = add_block(arena, bytes, !overwritten || bytes <= BLOCK_BYTES);
    if (!block)
        return NULL;
    void *memory = block->bytes + block->used;
    block->used += bytes;
    arena->used_bytes += bytes;
    return memory;
}

void *ao_arena_alloc(struct ao_arena *arena, size_t n, size_t size)
{
    return take(arena, n, size, false);
}

void *ao_arena_alloc_raw(struct ao_arena *arena, size_t n, size_t size)
{
    return take(arena, n, size, true);
}

void *ao_arena_copy(struct ao_arena *arena, const void *data, size_t bytes)
{
    void *copy = take(arena, bytes, 1, true);
    if (copy && bytes)
        memcpy(copy, data, bytes);
    return copy;
}

char *ao_arena_strndup(struct ao_arena *arena, const char *text, size_t length)
{
    char *copy = ao_arena_alloc(arena, length + 1, 1);
    if (copy)
        memcpy(copy, text, length);
    return copy;
}

void ao_arena_fini(struct ao_arena *arena)
{
    for (struct ao_arena_block *block = arena->head; block;) {
        struct ao_arena_block *next = block->next;
        ao_free(block->bytes);
        ao_free(block);
        block = next;
    }
    *arena = (struct ao_arena){ 0 };
}
