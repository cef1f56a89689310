/* SPDX-License-Identifier: Apache-2.0 */
#include "support/onnx_writer.h"

#include <stdlib.h>
#include <string.h>

enum { VARINT = 0, LENGTH = 2, FIXED32 = 5 };

void wire_free(struct wire *wire)
{
    free(wire->bytes);
    *wire = (struct wire){ 0 };
}

void wire_raw(struct wire *wire, const void *bytes, size_t size)
{
    if (wire->n + size > wire->capacity) {
        wire->capacity = 2 * (wire->n + size) + 64;
        wire->bytes = realloc(wire->bytes, wire->capacity);
        if (!wire->bytes)
            abort();
    }
    if (size)
        memcpy(wire->bytes + wire->n, bytes, size);
    wire->n += size;
}

void wire_varint(struct wire *wire, uint64_t number)
{
    do {
        const unsigned char byte = (unsigned char)((number & 0x7F) | (number > 0x7F ? 0x80 : 0));
        wire_raw(wire, &byte, 1);
        number >>= 7;
    } while (number);
}

static void wire_tag(struct wire *wire, int field, int type)
{
    wire_varint(wire, (uint64_t)field << 3 | (uint64_t)type);
}

void wire_int(struct wire *wire, int field, int64_t number)
{
    wire_tag(wire, field, VARINT);
    wire_varint(wire, (uint64_t)number);
}

void wire_float(struct wire *wire, int field, float number)
{
    wire_tag(wire, field, FIXED32);
    wire_raw(wire, &number, sizeof number);
}

void wire_bytes(struct wire *wire, int field, const void *bytes, size_t size)
{
    wire_tag(wire, field, LENGTH);
    wire_varint(wire, size);
    wire_raw(wire, bytes, size);
}

void wire_text(struct wire *wire, int field, const char *text)
{
    wire_bytes(wire, field, text, strlen(text));
}

void wire_message(struct wire *wire, int field, struct wire *inner)
{
    wire_bytes(wire, field, inner->bytes, inner->n);
    wire_free(inner);
}

static struct wire attr_named(const char *name, int type)
{
    struct wire attr = { 0 };
    wire_text(&attr, 1, name);
    wire_int(&attr, 20, type);
    return attr;
}

void attr_int(struct wire *attrs, const char *name, int64_t number)
{
    struct wire attr = attr_named(name, 2);
    wire_int(&attr, 3, number);
    wire_message(attrs, 5, &attr);
}

void attr_float(struct wire *attrs, const char *name, float number)
{
    struct wire attr = attr_named(name, 1);
    wire_float(&attr, 2, number);
    wire_message(attrs, 5, &attr);
}

void attr_text(struct wire *attrs, const char *name, const char *text)
{
    struct wire attr = attr_named(name, 3);
    wire_text(&attr, 4, text);
    wire_message(attrs, 5, &attr);
}

void attr_ints(struct wire *attrs, const char *name, int n, const int64_t *ints)
{
    struct wire attr = attr_named(name, 7);
    for (int i = 0; i < n; i++)
        wire_int(&attr, 8, ints[i]);
    wire_message(attrs, 5, &attr);
}

void attr_message(struct wire *attrs, const char *name, int type, struct wire *inner)
{
    struct wire attr = attr_named(name, type);
    wire_message(&attr, type == W_TENSOR ? 5 : 6, inner);
    wire_message(attrs, 5, &attr);
}

struct wire tensor_of(const char *name, int type, int rank, const int64_t *dims, const void *raw,
                      size_t size)
{
    struct wire tensor = { 0 };
    for (int i = 0; i < rank; i++)
        wire_int(&tensor, 1, dims[i]);
    wire_int(&tensor, 2, type);
    wire_text(&tensor, 8, name);
    if (raw)
        wire_bytes(&tensor, 9, raw, size);
    return tensor;
}

void graph_input(struct wire *graph, const char *name, int type, int rank, const int64_t *dims)
{
    struct wire shape = { 0 }, tensor = { 0 }, value_type = { 0 }, info = { 0 };
    for (int i = 0; i < rank; i++) {
        struct wire dim = { 0 };
        if (dims[i] < 0)
            wire_text(&dim, 2, "N");
        else
            wire_int(&dim, 1, dims[i]);
        wire_message(&shape, 1, &dim);
    }
    wire_int(&tensor, 1, type);
    wire_message(&tensor, 2, &shape);
    wire_message(&value_type, 1, &tensor);
    wire_text(&info, 1, name);
    wire_message(&info, 2, &value_type);
    wire_message(graph, 11, &info);
}

void graph_output(struct wire *graph, const char *name)
{
    struct wire info = { 0 };
    wire_text(&info, 1, name);
    wire_message(graph, 12, &info);
}

void graph_tensor(struct wire *graph, const char *name, int type, int rank, const int64_t *dims,
                  const void *raw, size_t size)
{
    struct wire tensor = tensor_of(name, type, rank, dims, raw, size);
    wire_message(graph, 5, &tensor);
}

void graph_floats(struct wire *graph, const char *name, int rank, const int64_t *dims,
                  const float *values)
{
    size_t n = 1;
    for (int i = 0; i < rank; i++)
        n *= (size_t)dims[i];
    graph_tensor(graph, name, W_FLOAT, rank, dims, values, n * sizeof *values);
}

void graph_ints(struct wire *graph, const char *name, int64_t n, const int64_t *values)
{
    graph_tensor(graph, name, W_INT64, 1, &n, values, (size_t)n * sizeof *values);
}

static void add_names(struct wire *node, int field, const char *names)
{
    while (*names) {
        const size_t n = strcspn(names, " ");
        const int absent = n == 1 && names[0] == '-';
        wire_bytes(node, field, names, absent ? 0 : n);
        names += n;
        names += strspn(names, " ");
    }
}

struct wire node_of(const char *type, const char *name, const char *inputs, const char *outputs,
                    struct wire *attrs)
{
    struct wire node = { 0 };
    add_names(&node, 1, inputs);
    add_names(&node, 2, outputs);
    wire_text(&node, 3, name);
    wire_text(&node, 4, type);
    if (attrs) {
        wire_raw(&node, attrs->bytes, attrs->n);
        wire_free(attrs);
    }
    return node;
}

void graph_node(struct wire *graph, const char *type, const char *name, const char *inputs,
                const char *outputs, struct wire *attrs)
{
    struct wire node = node_of(type, name, inputs, outputs, attrs);
    wire_message(graph, 1, &node);
}

struct wire model_of(struct wire *graph, int64_t opset)
{
    struct wire model = { 0 }, entry = { 0 };
    wire_int(&model, 1, 8);
    wire_text(&entry, 1, "");
    wire_int(&entry, 2, opset);
    wire_message(&model, 8, &entry);
    wire_message(&model, 7, graph);
    return model;
}
