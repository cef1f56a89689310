/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_GRAPH_GRAPH_H
#define AO_GRAPH_GRAPH_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/arena.h"
#include "core/budget.h"
#include "core/file.h"
#include "core/status.h"
#include "data/view.h"

/*
 * The network as the engine sees it: single-assignment values and nodes in topological order, all
 * in one arena. The importer ends every opset difference, so an operator here always has the form
 * of opset 21: what newer opsets moved from attributes to inputs (axes, pads, starts, min and max,
 * split) is an input here, held by a constant value.
 *
 * Sizes are those of batch 1. A value is `batched` when it depends on the clip; then at batch N it
 * is N such blocks one after the other, so its first extent is N times the one written here. Every
 * operator that keeps this (nearly all do) works for any N; a node that mixes the blocks makes the
 * graph `batchable = false` and the engine runs it clip by clip.
 */

struct ao_op; /* ops/op.h */

struct ao_value {
    const char *name;
    enum ao_dtype dtype;
    struct ao_shape shape; /* known after inference */
    bool batched;
    const void *data; /* constants: dense elements; else NULL */
    int producer;     /* node index, -1 for inputs and constants */
};

/*
 * Elements of constants are aligned to their size, but for one kind: large weights that nothing
 * but Conv, Gemm and MatMul reads, as their input 1, may stay where the file has them, at any
 * address. An engine has a layout of its own for them, and would copy a copy. They are read with
 * ao_weight or moved as bytes; ao_graph_align makes one as aligned as all others.
 */
static inline float ao_weight(const void *data, int64_t i)
{
    float weight;
    memcpy(&weight, (const char *)data + i * (int64_t)sizeof weight, sizeof weight);
    return weight;
}

enum ao_attr_type {
    AO_ATTR_INT,
    AO_ATTR_FLOAT,
    AO_ATTR_TEXT,
    AO_ATTR_INTS,
    AO_ATTR_FLOATS,
    AO_ATTR_VALUE, /* a tensor, held by a constant value of the graph */
    AO_ATTR_BLOCK, /* a branch of If */
};

struct ao_attr {
    const char *name;
    enum ao_attr_type type;
    int64_t n; /* entries of ints or floats */
    union {
        int64_t i;
        float f;
        const char *text;
        const int64_t *ints;
        const float *floats;
        int value;
        struct ao_block *block;
    };
};

struct ao_node {
    const char *name; /* never NULL: the file's, or "Conv_12" */
    const char *type; /* ONNX operator type */
    const struct ao_op *op;
    int n_in, n_out;
    int32_t *in;  /* value indices, -1 for an absent optional input */
    int32_t *out; /* value indices, -1 for an output nobody wants */
    struct ao_attr *attrs;
    int n_attrs;
    void *params; /* what op->infer resolved from attributes and constant inputs; in the arena */
};

/* Nodes of a branch; values live in the graph's own table, so outer names are already resolved. */
struct ao_block {
    struct ao_node *nodes;
    int n_nodes;
    int32_t *outputs;
    int n_outputs;
};

struct ao_graph_file {
    struct ao_file file; /* borrowed */
    const struct ao_graph_file *next;
};

struct ao_graph {
    struct ao_arena arena;
    struct ao_value *values;
    size_t n_values, cap_values;
    struct ao_node *nodes;
    size_t n_nodes, cap_nodes;
    int32_t *inputs; /* values fed by the caller, in the file's order, initializers left out */
    int n_inputs;
    int32_t *outputs;
    int n_outputs;
    bool batchable;
    char not_batchable[160];           /* why, when it is not */
    const struct ao_graph_file *files; /* mapped, where constants may lie */
    struct ao_budget *budget; /* borrowed: of what is made from the graph; NULL: no limit */
    int64_t opset;            /* of the file, for messages; 0: no file */
};

void ao_graph_init(struct ao_graph *graph, size_t max_bytes);
void ao_graph_fini(struct ao_graph *graph);

/* Appends a zeroed value or node and gives its index; names are borrowed from the arena. */
aosa_status ao_graph_add_value(struct ao_graph *graph, const char *name, int *value);
aosa_status ao_graph_add_node(struct ao_graph *graph, const struct ao_node *node, int *index);

/* New constant value; data is borrowed and must outlive the graph (arena or mapped file). */
aosa_status ao_graph_add_constant(struct ao_graph *graph, const char *name, enum ao_dtype dtype,
                                  const struct ao_shape *shape, const void *data, int *value);

/* Tells that constants may lie in a mapped file, which outlives the graph. AOSA_ERR_NOMEM. */
aosa_status ao_graph_add_file(struct ao_graph *graph, const struct ao_file *file);

/* Bytes of a constant; whether its elements are aligned to their size. */
size_t ao_value_bytes(const struct ao_value *value);
bool ao_value_is_aligned(const struct ao_value *value);

/* Moves a constant into the arena unless it is aligned. AOSA_ERR_NOMEM. */
aosa_status ao_graph_align(struct ao_graph *graph, int32_t value);

/*
 * Gives the pages of a constant in a mapped file back, for who has made its own copy; they are
 * read from the file again when touched. Does nothing for other values. Thread class: any.
 */
void ao_graph_release(const struct ao_graph *graph, int32_t value);

/* Attribute of that name or NULL; the second form gives a default for an absent integer. */
const struct ao_attr *ao_node_attr(const struct ao_node *node, const char *name);
int64_t ao_node_int(const struct ao_node *node, const char *name, int64_t initial);
double ao_node_float(const struct ao_node *node, const char *name, double initial);
const char *ao_node_text(const struct ao_node *node, const char *name, const char *initial);

/* Shape of a value at batch N, and the view of it over `data` in row-major order. */
struct ao_shape ao_value_shape(const struct ao_value *value, int64_t batch);

/* Number of nodes that read a value, graph outputs counted too; for fusion. */
int ao_graph_uses(const struct ao_graph *graph, int value);

#endif
