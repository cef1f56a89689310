/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ONNX_FIELD_H
#define AO_ONNX_FIELD_H

#include <stddef.h>
#include <stdint.h>

/* What the fields of the messages in onnx_subset.proto hold after reading. */

/* Bytes inside the file, not terminated; NULL when the field is absent. */
struct ao_onnx_text {
    const char *bytes;
    size_t size;
};

/* Repeated fields; items lie in the reader's arena. */
struct ao_onnx_texts {
    struct ao_onnx_text *items;
    size_t n, capacity;
};

struct ao_onnx_ints {
    int64_t *items;
    size_t n, capacity;
};

struct ao_onnx_floats {
    float *items;
    size_t n, capacity;
};

struct ao_onnx_doubles {
    double *items;
    size_t n, capacity;
};

/* Pointers to messages of the type that the schema gives the field. */
struct ao_onnx_list {
    void **items;
    size_t n, capacity;
};

#endif
