/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_OPS_VJP_H
#define AO_OPS_VJP_H

#include "graph/graph.h"

/*
 * Backward as a graph. The vector-Jacobian product of a node is written with nodes: given the
 * values that hold dL/dy for its outputs, an operator's `vjp` appends the nodes that compute
 * dL/dx for those inputs that somebody wants. So a backward pass is one more graph, and every
 * backend, memory plan, precision and fusion that runs a forward runs it too. What ONNX has no
 * operator for (the data gradient of Conv, the gradients of pooling, the rules of ReLU) are
 * operators of our own, rows of ops.def with infer and forward like any other. Their input 0 is
 * dL/dy; the values of the forward that they need follow.
 *
 * Gradients are taken with respect to values only, never weights. Everything appended keeps clips
 * apart in a batch wherever the forward does.
 */

/* What ReLU sends back for dL/dy = g at input x. */
enum ao_relu_rule {
    AO_RELU_PLAIN,     /* g [x > 0] */
    AO_RELU_GUIDED,    /* max(g, 0) [x > 0]; Springenberg et al., ICLR workshop 2015 */
    AO_RELU_DECONVNET, /* max(g, 0); Zeiler and Fergus, ECCV 2014 */
};

struct ao_vjp {
    struct ao_graph *graph;
    struct ao_node node;     /* the forward node; a copy, the graph's table may move */
    const int32_t *grad_out; /* [n_out] value of dL/dy, -1: zero; at least one is not */
    const bool *wanted;      /* [n_in] whether dL/dx is asked for; float inputs only */
    int32_t *grad_in;        /* [n_in] answer, -1 (as given): zero */
    enum ao_relu_rule relu;

    /*
     * DeepLIFT's rescale rule (Shrikumar et al., ICML 2017): baseline[v] is the value that holds
     * for the baseline clip what v holds for the clip. A non-linear operator of one input then
     * answers g (y - y') / (x - x') in place of g f'(x), and g f'(x) where the two are closer than
     * AO_RESCALE_MIN. Maximum pooling and softmax: see pool_grad.c and reduce_grad.c. A product of
     * two values that both change shares its difference equally,
     *     a b - a' b' = (a - a') (b + b')/2 + (b - b') (a + a')/2,
     * which the literature leaves open (Captum takes the gradient at the clip and loses
     * completeness); a quotient is a product with the reciprocal. Normalisation over the clip's
     * own statistics and other operators that mix inputs non-linearly answer their gradient at the
     * clip. NULL for plain gradients.
     */
    const int32_t *baseline;

    /* Status of what the functions below appended: after a failure they append nothing more and
     * answer -1, so that an answer is written as a formula and ends with `return vjp->status`. */
    aosa_status status;
};

#define AO_RESCALE_MIN 1e-7

/*
 * Appends a node with one output, finds its operator and infers it; *value gets the output. `in`
 * may hold -1 for an absent input. Attributes are copied into the graph's arena.
 */
aosa_status ao_vjp_node(struct ao_graph *graph, const char *type, const int32_t *in, int n_in,
                        const struct ao_attr *attrs, int n_attrs, int32_t *value);

/* Zeros of the shape of a float value, one block per clip as the value has. */
aosa_status ao_vjp_zeros(struct ao_graph *graph, int32_t like, int32_t *value);

/* Nodes of an answer, of one or two inputs, or as ao_vjp_node takes them. */
int32_t ao_vjp_one(struct ao_vjp *vjp, const char *type, int32_t a);
int32_t ao_vjp_two(struct ao_vjp *vjp, const char *type, int32_t a, int32_t b);
int32_t ao_vjp_apply(struct ao_vjp *vjp, const char *type, const int32_t *in, int n_in,
                     const struct ao_attr *attrs, int n_attrs);

/* A node with the attributes of the forward node, and `extra`, if not NULL, before them. */
int32_t ao_vjp_inherit(struct ao_vjp *vjp, const char *type, const int32_t *in, int n_in,
                       const struct ao_attr *extra);

/* New constants: a number of the gradient's type, and a vector of int64. */
int32_t ao_vjp_number(struct ao_vjp *vjp, double number);
int32_t ao_vjp_ints(struct ao_vjp *vjp, const int64_t *ints, int n);

/* Shape of a value, and the ONNX code of a float value's type, for Cast. */
struct ao_shape ao_vjp_shape(const struct ao_vjp *vjp, int32_t value);
int64_t ao_vjp_onnx_type(const struct ao_vjp *vjp, int32_t value);

/* The elements of a value with another shape, and repeated to it. */
int32_t ao_vjp_reshape(struct ao_vjp *vjp, int32_t value, const struct ao_shape *shape);
int32_t ao_vjp_expand(struct ao_vjp *vjp, int32_t value, const struct ao_shape *shape);

/* Sum over the flagged axes, which keep extent 1. */
int32_t ao_vjp_sum(struct ao_vjp *vjp, int32_t value, const bool axes[AO_MAX_RANK]);

/* Sum over what broadcasting repeated: the transpose of expanding `shape` to the value's. */
int32_t ao_vjp_fold(struct ao_vjp *vjp, int32_t value, const struct ao_shape *shape);

/* The value for the baseline clip; the value itself without rescaling. */
int32_t ao_vjp_baseline(const struct ao_vjp *vjp, int32_t value);

/* (v + v') / 2, or v where it does not change or nothing is rescaled. */
int32_t ao_vjp_middle(struct ao_vjp *vjp, int32_t value);

/*
 * Rescale rule: numerator / (x - x') where that difference of input i is at least AO_RESCALE_MIN,
 * `plain` elsewhere. ao_vjp_rescale has the numerator g (y - y') of output 0; it answers `plain`
 * itself without rescaling, and where broadcasting gives x and y different shapes.
 */
int32_t ao_vjp_quotient(struct ao_vjp *vjp, int32_t numerator, int i, int32_t plain);
int32_t ao_vjp_rescale(struct ao_vjp *vjp, int i, int32_t plain);

/* AOSA_ERR_UNSUPPORTED: this form of the operator has no backward; `what` says which. */
aosa_status ao_vjp_refuse(const struct ao_vjp *vjp, const char *what);

/* The answer of operators whose derivative is zero wherever it exists. */
aosa_status ao_vjp_zero(struct ao_vjp *vjp);

#endif
