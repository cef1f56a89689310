/* SPDX-License-Identifier: Apache-2.0 */
#include "onnx/names.h"

#include <string.h>

#include "core/alloc.h"

/* FNV-1a, 64 bits (Fowler, Noll, Vo), folded so that the low bits depend on all of them. */
static uint64_t hash_of(const struct ao_onnx_text *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < text->size; i++)
        hash = (hash ^ (unsigned char)text->bytes[i]) * UINT64_C(0x100000001b3);
    return hash ^ hash >> 29;
}

/* The slot that holds the text, or the empty one where it would go. */
static size_t slot_of(const struct ao_onnx_names *names, const struct ao_onnx_text *text,
                      uint64_t hash)
{
    size_t slot = hash & (names->n_slots - 1);
    while (names->slots[slot] >= 0) {
        const struct ao_onnx_name *name = &names->items[names->slots[slot]];
        if (name->hash == hash && ao_onnx_text_equal(&name->text, text))
            break;
        slot = (slot + 1) & (names->n_slots - 1);
    }
    return slot;
}

/* Twice the slots; names go in again in the order they came, so that rewinding stays possible. */
static bool widen(struct ao_onnx_names *names)
{
    const size_t n_slots = names->n_slots ? 2 * names->n_slots : 64;
    int32_t *slots = ao_alloc_raw(n_slots, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i < n_slots; i++)
        slots[i] = -1;
    ao_free(names->slots);
    names->slots = slots;
    names->n_slots = n_slots;
    for (size_t i = 0; i < names->n; i++)
        slots[slot_of(names, &names->items[i].text, names->items[i].hash)] = (int32_t)i;
    return true;
}

void ao_onnx_names_fini(struct ao_onnx_names *names)
{
    ao_free(names->items);
    ao_free(names->slots);
    *names = (struct ao_onnx_names){ 0 };
}

int ao_onnx_names_find(const struct ao_onnx_names *names, const struct ao_onnx_text *text)
{
    if (names->n == 0)
        return -1;
    const int32_t index = names->slots[slot_of(names, text, hash_of(text))];
    return index >= 0 ? names->items[index].value : -1;
}

aosa_status ao_onnx_names_add(struct ao_onnx_names *names, const struct ao_onnx_text *text,
                              int value)
{
    void *items = names->items;
    if (names->n >= INT32_MAX || !ao_grow(&items, &names->capacity, names->n, sizeof *names->items))
        return ao_fail(AOSA_ERR_NOMEM, "no memory for name %zu", names->n + 1);
    names->items = items;
    if (2 * (names->n + 1) > names->n_slots && !widen(names))
        return ao_fail(AOSA_ERR_NOMEM, "no memory for name %zu", names->n + 1);
    const uint64_t hash = hash_of(text);
    names->slots[slot_of(names, text, hash)] = (int32_t)names->n;
    names->items[names->n++] = (struct ao_onnx_name){ *text, hash, value };
    return AOSA_OK;
}

/* The youngest name first: with linear probing nothing that stays was placed behind it. */
void ao_onnx_names_rewind(struct ao_onnx_names *names, size_t n)
{
    while (names->n > n) {
        const struct ao_onnx_name *name = &names->items[names->n - 1];
        names->slots[slot_of(names, &name->text, name->hash)] = -1;
        names->n--;
    }
}
