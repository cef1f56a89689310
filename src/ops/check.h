/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_OPS_CHECK_H
#define AO_OPS_CHECK_H

#include "ops/op.h"

/* What the infer functions share: every check names the node, its type and both numbers. */

/* Elements of a value of one clip: 8 GiB of float32; bytes and offsets never overflow 64 bits. */
#define AO_OP_MAX_ELEMENTS ((int64_t)INT32_MAX)

/* Text "node 'NAME': TYPE ..."; answers status. */
aosa_status ao_op_fail(const struct ao_node *node, aosa_status status, const char *format, ...)
    AO_PRINTF(3, 4);

/* Numbers of inputs and outputs; the first in_min inputs and the first output must be present. */
aosa_status ao_op_arity(const struct ao_node *node, int in_min, int in_max, int out_max);

/* Value of input or output i, or NULL when it is absent. */
const struct ao_value *ao_op_in(const struct ao_graph *graph, const struct ao_node *node, int i);
const struct ao_value *ao_op_out(const struct ao_graph *graph, const struct ao_node *node, int i);

bool ao_dtype_is_float(enum ao_dtype dtype);

/* Input i, if present, has a float type, the type of input 0. */
aosa_status ao_op_float(const struct ao_graph *graph, const struct ao_node *node, int i);

/* Input i has exactly `rank` axes; `what` names it, such as "bias". */
aosa_status ao_op_rank(const struct ao_graph *graph, const struct ao_node *node, int i, int rank,
                       const char *what);

/* Input i, if present, is a float vector of n values. */
aosa_status ao_op_vector(const struct ao_graph *graph, const struct ao_node *node, int i, int64_t n,
                         const char *what);

/*
 * The integers that constant input i holds (int64 or int32, rank 0 or 1). An absent input gives
 * n = 0 and values NULL. Borrowed from the constant or the arena.
 */
aosa_status ao_op_ints(struct ao_graph *graph, const struct ao_node *node, int i, const char *what,
                       const int64_t **values, int64_t *n);

/* Attribute with exactly n integers, each in [min, max], or `initial` n times when absent. */
aosa_status ao_op_attr_ints(const struct ao_node *node, const char *name, int n, int64_t min,
                            int64_t max, int64_t initial, int64_t *values);

/* -rank <= axis < rank, made non-negative. */
aosa_status ao_op_axis(const struct ao_node *node, int64_t axis, int rank, int *result);

/* n axes as flags; each in range and none twice. */
aosa_status ao_op_axes(const struct ao_node *node, const int64_t *axes, int64_t n, int rank,
                       bool flags[AO_MAX_RANK]);

/* Indices are int32 or int64; constant ones lie in [-extent, extent), computed ones are held inside
 * the axis when they are used. */
aosa_status ao_op_index_type(const struct ao_node *node, const struct ao_value *indices);
aosa_status ao_op_indices(const struct ao_node *node, const struct ao_value *indices,
                          int64_t extent);

/* Zeroed node->params from the arena, or NULL: the text is written, answer AOSA_ERR_NOMEM. */
void *ao_op_params(struct ao_graph *graph, struct ao_node *node, size_t size);

/* Checks the extents and gives output i its type and shape; unwanted outputs are only checked. */
aosa_status ao_op_set(struct ao_graph *graph, const struct ao_node *node, int i,
                      enum ao_dtype dtype, const struct ao_shape *shape);

/* Output 0 like input 0. */
aosa_status ao_op_set_like(struct ao_graph *graph, const struct ao_node *node);

/* Shape that both broadcast to (multidirectional, as numpy); false when they do not fit. */
bool ao_shape_broadcast(const struct ao_shape *a, const struct ao_shape *b,
                        struct ao_shape *result);

/* The same elements seen with `shape`, repeated axes with stride 0; shapes must fit. */
struct ao_view ao_view_broadcast(const struct ao_view *view, const struct ao_shape *shape);

#endif
