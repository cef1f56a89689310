/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ONNX_IMPORT_H
#define AO_ONNX_IMPORT_H

#include "onnx/message.h"
#include "onnx/names.h"
#include "onnx/onnx.h"

/* Inside of onnx/: what the steps from messages to graph share. */

#define AO_ONNX_MAX_NODES 100000
#define AO_ONNX_MAX_TENSORS 100000
#define AO_ONNX_MAX_EXTENT INT32_MAX /* of one axis, and elements of one tensor of the file */
#define AO_ONNX_MAX_INTS 65536       /* of an attribute */
#define AO_ONNX_MAX_ATTRIBUTES 64    /* of a node, or defaults of a function */
#define AO_ONNX_MAX_VALUES 400000    /* constants included */
#define AO_ONNX_MAX_LIST 1000        /* inputs, outputs, functions, imported operator sets */
#define AO_ONNX_MAX_CALLS 16         /* functions inside functions */

/* A call of a model-local function whose body is being imported. */
struct ao_onnx_call {
    const ao_onnx_Node *node;
    const ao_onnx_Function *function;
    const struct ao_onnx_call *outer; /* the call around it, or NULL */
    int depth;
};

/* Nodes of a branch while it is imported. */
struct ao_onnx_nodes {
    struct ao_node *items;
    size_t n, capacity;
};

struct ao_onnx_import {
    const struct ao_onnx_options *options;
    const ao_onnx_Model *message;
    struct ao_onnx_model *model;
    struct ao_graph *graph; /* the model's */
    int folder;             /* descriptor of the model's folder, -1: none */
    struct ao_onnx_names names;
    struct ao_onnx_nodes *branch; /* where nodes go; NULL: into the graph */
    const struct ao_onnx_call *call;
    int64_t opset;    /* of the default domain, for the nodes being imported */
    size_t n_nodes;   /* of the file, imported so far */
    size_t n_emitted; /* into graph and branches */
};

/* order.c: indices of the nodes such that each follows the nodes it reads; file order wherever
 * that is one. *order is [nodes->n], freed by the caller with ao_free. AOSA_ERR_FORMAT for a
 * cycle or a value made twice. */
aosa_status ao_onnx_order(const struct ao_onnx_list *nodes, int32_t **order);

/* tensor.c: a constant of the graph; `name` is for messages and lies in the graph's arena. `key`
 * is the tensor's name for options->fill. */
aosa_status ao_onnx_add_tensor(struct ao_onnx_import *import, const ao_onnx_Tensor *tensor,
                               const char *name, const char *key, int *value);

/* weights.c: aligns the constants of a whole graph, but for weights that need not be (graph.h). */
aosa_status ao_onnx_align(struct ao_graph *graph);

/* Element type of values of that TensorProto.DataType. AOSA_ERR_UNSUPPORTED names the type. */
aosa_status ao_onnx_dtype(int32_t data_type, const char *what, const char *name,
                          enum ao_dtype *dtype);

/* external.c: bytes of a tensor that live beside the model; `expected` bytes of them. */
aosa_status ao_onnx_external_bytes(struct ao_onnx_import *import, const ao_onnx_Tensor *tensor,
                                   const char *name, size_t expected, const unsigned char **bytes);

/* node.c: attributes and names of a node, and its place in graph or branch. */
aosa_status ao_onnx_import_attributes(struct ao_onnx_import *import, const ao_onnx_Node *message,
                                      struct ao_node *node);
aosa_status ao_onnx_emit(struct ao_onnx_import *import, struct ao_node *node);
char *ao_onnx_strdup(struct ao_onnx_import *import, const struct ao_onnx_text *text);
aosa_status ao_onnx_no_memory(const char *what);

/* A node of one output in the place of `origin`, for forms that one operator of the canonical
 * opset cannot say. *out is the value it makes; -1 makes a new one. attr may be NULL. */
aosa_status ao_onnx_new_node(struct ao_onnx_import *import, const struct ao_node *origin,
                             const char *type, int n_in, const int32_t *in,
                             const struct ao_attr *attr, int32_t *out);
/* Constants of rank 0 when n is -1, else of shape [n]. */
aosa_status ao_onnx_new_ints(struct ao_onnx_import *import, const char *name, int64_t n,
                             const int64_t *ints, int32_t *value);
aosa_status ao_onnx_new_floats(struct ao_onnx_import *import, const char *name, int64_t n,
                               const float *floats, int32_t *value);

/* canonical.c: gives the node the form it has in opset AO_ONNX_MAX_OPSET; may emit nodes that
 * come before it. */
aosa_status ao_onnx_canonicalise(struct ao_onnx_import *import, struct ao_node *node);

/* input.c: the inputs that the caller feeds. */
aosa_status ao_onnx_import_inputs(struct ao_onnx_import *import, const ao_onnx_Graph *message);

/* import.c: the whole model into the graph; and a branch of an If, for node.c. */
aosa_status ao_onnx_import_model(struct ao_onnx_import *import);
aosa_status ao_onnx_import_branch(struct ao_onnx_import *import, const ao_onnx_Graph *message,
                                  struct ao_block **block);

#endif
