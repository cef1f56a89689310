/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ONNX_NAMES_H
#define AO_ONNX_NAMES_H

#include <stdbool.h>

#include "onnx/message.h"

/*
 * Names of a scope and the values (or nodes) they stand for. Names are borrowed. Nested scopes
 * share one table: rewinding to the size it had forgets what came later.
 */
struct ao_onnx_name {
    struct ao_onnx_text text;
    uint64_t hash;
    int value;
};

struct ao_onnx_names {
    struct ao_onnx_name *items;
    size_t n, capacity;
    int32_t *slots; /* [n_slots], a power of two; index into items or -1 */
    size_t n_slots;
};

/* A zeroed struct is an empty table. */
void ao_onnx_names_fini(struct ao_onnx_names *names);

/* The value of a name, -1 if it has none. */
int ao_onnx_names_find(const struct ao_onnx_names *names, const struct ao_onnx_text *text);

/* Adds a name that is not there yet. AOSA_ERR_NOMEM. */
aosa_status ao_onnx_names_add(struct ao_onnx_names *names, const struct ao_onnx_text *text,
                              int value);

void ao_onnx_names_rewind(struct ao_onnx_names *names, size_t n);

#endif
