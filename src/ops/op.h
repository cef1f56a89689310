/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_OPS_OP_H
#define AO_OPS_OP_H

#include "graph/graph.h"

struct ao_vjp; /* ops/vjp.h */

/*
 * One operator family, one file, one row in ops.def. Answers: shape (infer), forward, and the
 * vector-Jacobian product; delta rule and reach join in the walks that need them.
 */

/* How an operator treats batched values; see graph.h. */
enum ao_op_batch {
    AO_BATCH_KEEPS,     /* axis 0 of in[0] is axis 0 of the outputs, and is never mixed */
    AO_BATCH_POINTWISE, /* broadcasting: every batched input must have the output's full rank */
    AO_BATCH_ROWS,      /* keeps the row-major order: Reshape and its relatives */
    AO_BATCH_ASKS,      /* op->keeps_batch decides, from params (axes, permutations) */
};

struct ao_op_call {
    const struct ao_node *node;
    const struct ao_view *in;  /* [n_in]; data NULL for an absent input */
    const struct ao_view *out; /* [n_out]; data NULL for an unwanted output */
    void *scratch;             /* op->scratch bytes, 64-byte aligned */
};

struct ao_op {
    const char *type;

    /*
     * Checks attributes and inputs, fills node->params (arena) and dtype and shape of the outputs,
     * at batch 1. AOSA_ERR_UNSUPPORTED when a form is not implemented, AOSA_ERR_FORMAT when the
     * model is wrong; both name the node and the numbers. Inputs that steer the shape (axes, pads,
     * shape of Reshape) must be constants by now.
     */
    aosa_status (*infer)(struct ao_graph *graph, struct ao_node *node);

    /*
     * The definition of the operator, plain C: reads `in`, writes every element of `out`. Views
     * may have any strides. Arithmetic is in double, rounded once when stored, so that a graph of
     * AO_F64 values is the oracle and one of AO_F32 values differs by a rounding per value.
     */
    void (*forward)(const struct ao_op_call *call);

    /*
     * Appends the nodes of the backward pass, see ops/vjp.h. NULL: this operator has none.
     * Operators that answer integers or bool are never asked.
     */
    aosa_status (*vjp)(struct ao_vjp *vjp);

    size_t (*scratch)(const struct ao_graph *graph, const struct ao_node *node, int64_t batch);
    double (*macs)(const struct ao_graph *graph, const struct ao_node *node); /* NULL: none */
    bool (*keeps_batch)(const struct ao_graph *graph, const struct ao_node *node);
    enum ao_op_batch batch;
    bool needs_shape_only; /* Shape, Size: constant as soon as shapes are known */
    bool own;              /* no operator of ONNX: made by ops/vjp.h only, and refused in a file */
};

/* Operator of that type or NULL; see `own` for those that no file may name. */
const struct ao_op *ao_op_find(const char *type);

/*
 * Whether a node keeps batched values apart, given the `batched` flags of its inputs: then each
 * output at batch N is N blocks too. True when no input is batched. This is the whole decision,
 * for every kind of ao_op_batch; op->keeps_batch is a part of it. After infer.
 */
bool ao_op_keeps_batch(const struct ao_graph *graph, const struct ao_node *node);

/* All rows in the order of ops.def, NULL at the end; for inspect and the tests. */
const struct ao_op *const *ao_op_list(void);

#endif
