/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ENGINE_ONEDNN_H
#define AO_ENGINE_ONEDNN_H

#include <oneapi/dnnl/dnnl.h>

#include "core/arena.h"
#include "engine/engine.h"
#include "engine/plan.h"
#include "ops/pool.h"

/*
 * A graph as a list of oneDNN primitives. Each convolution chooses the layout it is fastest in
 * (blocks of 8 or 16 channels mostly), the operators around it take what they get, and a reorder
 * stands where two do not agree. Whatever oneDNN has no form for runs through op->forward on
 * channels-last views, so every graph runs.
 */

/* A value in one layout. One value may have several; the first is the one its producer wrote. */
struct ao_dnnl_tensor {
    dnnl_memory_desc_t md;  /* float tensors; rank 0 has one axis of extent 1 */
    struct ao_view view;    /* the same place as strides, data NULL unless constant; if plain */
    bool has_md, plain;     /* integers and empty tensors have no md, blocked layouts no view */
    int next;               /* the value's next layout, -1 at the end */
    int root;               /* tensor whose place in the block it shares; itself mostly */
    dnnl_memory_t constant; /* constants with an md: made once, shared by all sessions */

    /* Of root tensors: */
    size_t bytes, offset; /* place in a session's block; bytes 0 for constants */
    int64_t first, last;  /* steps during which it is needed */
    int pending;          /* while building: readers still to come */
};

/* Argument `key` (DNNL_ARG_...) of a primitive; tensor -1 stands for an absent one of forward. */
struct ao_dnnl_arg {
    int key, tensor;
};

/* A convolution by our own kernels, see loops.h. */
struct ao_dnnl_loop_call {
    int threads;
    const float *src, *residual; /* residual NULL without one, else it may be dst */
    float *dst, *scratch;
};
struct ao_dnnl_loop {
    aosa_status (*run)(const void *form, const struct ao_dnnl_loop_call *call);
    const void *form; /* NULL: none */
    size_t scratch_bytes;
};

struct ao_dnnl_step {
    const struct ao_node *node;
    /* One of the two; neither: node->op->forward, args are its inputs, then outputs. */
    dnnl_primitive_t primitive;
    struct ao_dnnl_loop loop; /* args are src, dst, residual if any */
    struct ao_dnnl_arg *args;
    int n_args;
    dnnl_memory_desc_t scratch_md;
    size_t scratch_bytes;
    bool serial; /* built for one thread, and run on one */
};

struct ao_dnnl_program {
    const struct ao_graph *graph;
    int64_t batch;
    int inner_threads;
    size_t pause;       /* node */
    size_t pause_steps; /* steps of the nodes before it */
    dnnl_engine_t engine;
    struct ao_arena arena; /* prepared weights, argument lists */
    struct ao_dnnl_tensor *tensors;
    size_t n_tensors, cap_tensors;
    struct ao_dnnl_step *steps;
    size_t n_steps, cap_steps;
    int *inputs, *outputs; /* tensors */
    size_t weight_bytes, block_bytes, scratch_bytes;
};

/* What a node takes over from its neighbours: y = act(node(x) + residual). */
struct ao_dnnl_fusion {
    int add;      /* node of the residual Add, -1: none */
    int residual; /* value added */
    int act;      /* node of the activation, -1: none */
    int gate;     /* Mul node of x * Sigmoid(x), with `act` the Sigmoid; -1: none */
    int result;   /* value that the whole makes */
};

struct ao_dnnl_build {
    struct ao_dnnl_program *program;
    const struct ao_graph *graph;
    struct ao_dnnl_fusion *fusions;     /* [n_nodes] */
    int *owner;                         /* [n_nodes] node that takes this one over, -1: none */
    int *first;                         /* [n_values] first tensor, -1: not made yet */
    int *uses;                          /* [n_values] readers, graph outputs counted */
    const struct ao_node *sampled_node; /* strided 1x1 convolution whose source was made last */
    int sampled;                        /* that source, -1: none */
};

/* A rule turns one node into steps; *done stays false when oneDNN has no form for this one. */
struct ao_dnnl_job {
    const struct ao_node *node;
    struct ao_dnnl_fusion fusion;
};
typedef aosa_status (*ao_dnnl_rule)(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                                    bool *done);

aosa_status ao_dnnl_conv(struct ao_dnnl_build *build, const struct ao_dnnl_job *job, bool *done);
aosa_status ao_dnnl_conv_grad(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                              bool *done);
aosa_status ao_dnnl_dense(struct ao_dnnl_build *build, const struct ao_dnnl_job *job, bool *done);
aosa_status ao_dnnl_matmul(struct ao_dnnl_build *build, const struct ao_dnnl_job *job, bool *done);
aosa_status ao_dnnl_pool(struct ao_dnnl_build *build, const struct ao_dnnl_job *job, bool *done);
aosa_status ao_dnnl_max_pool_grad(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                                  bool *done);
aosa_status ao_dnnl_average_pool_grad(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                                      bool *done);
aosa_status ao_dnnl_mean(struct ao_dnnl_build *build, const struct ao_dnnl_job *job, bool *done);
aosa_status ao_dnnl_eltwise(struct ao_dnnl_build *build, const struct ao_dnnl_job *job, bool *done);
aosa_status ao_dnnl_relu_grad(struct ao_dnnl_build *build, const struct ao_dnnl_job *job,
                              bool *done);
aosa_status ao_dnnl_binary(struct ao_dnnl_build *build, const struct ao_dnnl_job *job, bool *done);
aosa_status ao_dnnl_concat(struct ao_dnnl_build *build, const struct ao_dnnl_job *job, bool *done);
aosa_status ao_dnnl_softmax(struct ao_dnnl_build *build, const struct ao_dnnl_job *job, bool *done);
aosa_status ao_dnnl_reshape(struct ao_dnnl_build *build, const struct ao_dnnl_job *job, bool *done);

/* fuse.c: fills build->fusions and build->owner; reader is [n_values] of scratch. */
void ao_dnnl_fuse(struct ao_dnnl_build *build, int *reader);

/* build.c: fills a program whose graph, batch, inner_threads and engine are set. */
aosa_status ao_dnnl_build_program(struct ao_dnnl_program *program);

/* session.c */
struct ao_dnnl_session;
aosa_status ao_dnnl_session_create(const void *program, void **session);
void ao_dnnl_session_destroy(void *session);
struct ao_view ao_dnnl_session_input(const void *session, int index);
struct ao_view ao_dnnl_session_output(const void *session, int index);
aosa_status ao_dnnl_session_run(void *session, enum ao_run_part part, const struct ao_poll *poll);

/* layout.c: pure questions about layouts. */

/* A failure of oneDNN as a status: AOSA_ERR_NOMEM or AOSA_ERR_INTERNAL; `what` was tried. */
aosa_status ao_dnnl_fail(dnnl_status_t status, const char *what, const char *where);

/* Layout of a strided float view; rank 0 becomes one axis of extent 1. */
dnnl_memory_desc_t ao_dnnl_md(const struct ao_view *view);

/* The same extents with the layout left to the primitive. */
dnnl_memory_desc_t ao_dnnl_md_any(const struct ao_shape *shape);

/* Channels in blocks like those of `like`, or last where it has none, for other extents. */
dnnl_memory_desc_t ao_dnnl_md_chunks(const dnnl_memory_desc_t *like, const struct ao_shape *shape);

/* The view of a layout without blocks; false for others. */
bool ao_dnnl_view(const dnnl_memory_desc_t *md, const struct ao_shape *shape, struct ao_view *view);

/* The elements lie one behind the other in row-major order of the logical extents. */
bool ao_dnnl_is_row_major(const dnnl_memory_desc_t *md);

/*
 * A sliding window in oneDNN's terms: dilation counts from 0, and pad_hi is what makes its formula
 * give the extents of dst (ceil_mode asks for more than the graph's pad_hi, a stride for less).
 */
struct ao_dnnl_window {
    dnnl_dims_t kernel, stride, dilation, pad_lo, pad_hi;
};
struct ao_dnnl_window ao_dnnl_window(const struct ao_window *window, const struct ao_shape *src,
                                     const struct ao_shape *dst);

/* tensor.c: values in layouts. All answer tensor indices. */

/* Appends a tensor with a place of its own in the block. */
aosa_status ao_dnnl_tensor_add(struct ao_dnnl_build *build, const dnnl_memory_desc_t *md,
                               const struct ao_shape *shape, int *tensor);

/* Appends a tensor that lies where `other` lies. */
aosa_status ao_dnnl_tensor_alias(struct ao_dnnl_build *build, const dnnl_memory_desc_t *md,
                                 const struct ao_shape *shape, int other, int *tensor);

/* Appends constant data (borrowed) that no value of the graph stands for: prepared weights. */
aosa_status ao_dnnl_tensor_constant(struct ao_dnnl_build *build, const dnnl_memory_desc_t *md,
                                    const void *data, int *tensor);

/* Any dtype, strides of the view: for inputs, constants and results of forward. */
aosa_status ao_dnnl_tensor_view(struct ao_dnnl_build *build, const struct ao_view *view,
                                int *tensor);

/* Makes a tensor the layout that a value's producer wrote. */
void ao_dnnl_bind(struct ao_dnnl_build *build, int value, int tensor);

/* The same for a tensor whose extents are the value's up to axes of extent 1. */
aosa_status ao_dnnl_bind_as(struct ao_dnnl_build *build, int value, int tensor);

/* The layout the producer chose; constants are row-major. */
aosa_status ao_dnnl_native(struct ao_dnnl_build *build, int value, int *tensor);

/* The value in exactly that layout, by a reorder if need be. */
aosa_status ao_dnnl_match(struct ao_dnnl_build *build, int value, const dnnl_memory_desc_t *md,
                          int *tensor);

/* The value as strides, channels-last if it has to be copied. */
aosa_status ao_dnnl_plain(struct ao_dnnl_build *build, int value, int *tensor);

/* The value in row-major order. */
aosa_status ao_dnnl_row_major(struct ao_dnnl_build *build, int value, int *tensor);

/* The step being built is the last reader of what lies there, and may write over it. */
bool ao_dnnl_is_last_use(const struct ao_dnnl_build *build, int tensor);

/* Tells that a node has read its inputs. */
void ao_dnnl_consume(struct ao_dnnl_build *build, const struct ao_node *node);

/* Shape of a value at the program's batch. */
struct ao_shape ao_dnnl_shape(const struct ao_dnnl_build *build, int value);

/* step.c */

/*
 * A primitive descriptor with our scratchpad and these post-ops (NULL: none). *pd is NULL when
 * oneDNN has no implementation but its own slow reference; other failures are statuses.
 */
aosa_status ao_dnnl_describe(struct ao_dnnl_build *build, const void *op_desc,
                             dnnl_post_ops_t post_ops, dnnl_primitive_desc_t *pd);

/* The same for the gradient of a primitive, whose description oneDNN wants to see. */
aosa_status ao_dnnl_describe_backward(struct ao_dnnl_build *build, const void *op_desc,
                                      const_dnnl_primitive_desc_t forward,
                                      dnnl_primitive_desc_t *pd);

/* The same for a copy from one layout to another. */
aosa_status ao_dnnl_describe_reorder(struct ao_dnnl_build *build, const dnnl_memory_desc_t *from,
                                     const dnnl_memory_desc_t *to, dnnl_primitive_desc_t *pd);

/* Appends the primitive; destroys pd in any case. */
aosa_status ao_dnnl_step_add(struct ao_dnnl_build *build, const struct ao_node *node,
                             dnnl_primitive_desc_t pd, const struct ao_dnnl_arg *args, int n_args);

/* Appends a loop of our own. */
aosa_status ao_dnnl_loop_add(struct ao_dnnl_build *build, const struct ao_node *node,
                             const struct ao_dnnl_loop *loop, const struct ao_dnnl_arg *args,
                             int n_args);

/* Appends op->forward of a node on plain views. */
aosa_status ao_dnnl_forward(struct ao_dnnl_build *build, const struct ao_node *node);

/* Appends a copy from one layout to another. */
aosa_status ao_dnnl_reorder(struct ao_dnnl_build *build, int src, int dst);

/* weights.c */

/* Memory for prepared weights, booked and in the program's arena; not zeroed. AOSA_ERR_NOMEM. */
aosa_status ao_dnnl_weight_memory(struct ao_dnnl_program *program, size_t bytes, void **memory);

/*
 * Weights in layout `from` at `data`, at any address, as a constant tensor in layout `to`,
 * converted now. Where the two agree the data is borrowed if it is aligned, unless it is `passing`:
 * then it is always copied.
 */
aosa_status ao_dnnl_weights(struct ao_dnnl_build *build, const dnnl_memory_desc_t *from,
                            const void *data, const dnnl_memory_desc_t *to, bool passing,
                            int *tensor);

/* pool.c: what oneDNN calls the kind of pooling; false where it divides by another count. */
bool ao_dnnl_pool_kind(const struct ao_pool_params *params, const struct ao_dnnl_window *window,
                       dnnl_alg_kind_t *kind);

/* pool.c: every stride-th element of a node's blocked input; *tensor is -1 when it is not. */
aosa_status ao_dnnl_subsample(struct ao_dnnl_build *build, const struct ao_node *node,
                              const struct ao_window *window, int *tensor);

/* pointwise.c */

/* oneDNN's form of an activation; false when it has none. */
bool ao_dnnl_activation(const struct ao_node *node, dnnl_alg_kind_t *kind, float *alpha,
                        float *beta);

/* Post-ops of a fusion: sum if it has an Add and `sum`, then its activation. NULL when empty. */
aosa_status ao_dnnl_post_ops(const struct ao_dnnl_build *build, const struct ao_dnnl_fusion *fusion,
                             bool sum, dnnl_post_ops_t *post_ops);

#endif
