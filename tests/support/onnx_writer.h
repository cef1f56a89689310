/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_TESTS_SUPPORT_ONNX_WRITER_H
#define AO_TESTS_SUPPORT_ONNX_WRITER_H

#include <stddef.h>
#include <stdint.h>

/*
 * Writes ONNX files byte by byte, honest ones and others. Messages are built inside out: an inner
 * one is a struct wire of its own, put into the outer one under a field number. Growing aborts
 * the test when memory ends.
 */

struct wire {
    unsigned char *bytes;
    size_t n, capacity;
};

void wire_free(struct wire *wire);
void wire_raw(struct wire *wire, const void *bytes, size_t size);
void wire_varint(struct wire *wire, uint64_t number);
void wire_int(struct wire *wire, int field, int64_t number);
void wire_float(struct wire *wire, int field, float number);
void wire_bytes(struct wire *wire, int field, const void *bytes, size_t size);
void wire_text(struct wire *wire, int field, const char *text);
/* Puts `inner` in as a message and frees it. */
void wire_message(struct wire *wire, int field, struct wire *inner);

/* TensorProto.DataType */
enum {
    W_FLOAT = 1,
    W_UINT8 = 2,
    W_INT8 = 3,
    W_INT16 = 5,
    W_INT32 = 6,
    W_INT64 = 7,
    W_STRING = 8,
    W_BOOL = 9,
    W_FLOAT16 = 10,
    W_DOUBLE = 11,
    W_BFLOAT16 = 16
};

/* AttributeProto entries, gathered in `attrs` for a node. */
void attr_int(struct wire *attrs, const char *name, int64_t number);
void attr_float(struct wire *attrs, const char *name, float number);
void attr_text(struct wire *attrs, const char *name, const char *text);
void attr_ints(struct wire *attrs, const char *name, int n, const int64_t *ints);
void attr_message(struct wire *attrs, const char *name, int type, struct wire *inner);
#define W_TENSOR 4
#define W_GRAPH 5

/* TensorProto with raw data; returns it for more fields. */
struct wire tensor_of(const char *name, int type, int rank, const int64_t *dims, const void *raw,
                      size_t size);

/* Parts of a GraphProto. Extent -1 of an input is the symbol "N". */
void graph_input(struct wire *graph, const char *name, int type, int rank, const int64_t *dims);
void graph_output(struct wire *graph, const char *name);
void graph_tensor(struct wire *graph, const char *name, int type, int rank, const int64_t *dims,
                  const void *raw, size_t size);
void graph_floats(struct wire *graph, const char *name, int rank, const int64_t *dims,
                  const float *values);
void graph_ints(struct wire *graph, const char *name, int64_t n, const int64_t *values);

/* NodeProto; names are separated by blanks, "-" is an absent one. Frees attrs (may be NULL). */
struct wire node_of(const char *type, const char *name, const char *inputs, const char *outputs,
                    struct wire *attrs);
void graph_node(struct wire *graph, const char *type, const char *name, const char *inputs,
                const char *outputs, struct wire *attrs);

/* ModelProto around a graph, which is freed. */
struct wire model_of(struct wire *graph, int64_t opset);

#endif
