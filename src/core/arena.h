/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_CORE_ARENA_H
#define AO_CORE_ARENA_H

#include <stddef.h>

/*
 * Memory that is freed all at once: a model's graph, names, attributes and folded weights.
 * Thread class: confined. Zero-initialise or ao_arena_init before use.
 */
struct ao_arena {
    struct ao_arena_block *head;
    size_t used_bytes; /* handed out so far */
    size_t max_bytes;  /* ao_arena_alloc answers NULL beyond it; 0 is no limit */
};

void ao_arena_init(struct ao_arena *arena, size_t max_bytes);

/* Zeroed, 64-byte aligned; NULL on failure, overflow or over the budget. */
void *ao_arena_alloc(struct ao_arena *arena, size_t n, size_t size);

/* As ao_arena_alloc, but not zeroed: for large buffers that are written whole. */
void *ao_arena_alloc_raw(struct ao_arena *arena, size_t n, size_t size);
void *ao_arena_copy(struct ao_arena *arena, const void *data, size_t bytes);
char *ao_arena_strndup(struct ao_arena *arena, const char *text, size_t length);

void ao_arena_fini(struct ao_arena *arena);

#endif
