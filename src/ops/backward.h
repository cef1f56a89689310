/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_OPS_BACKWARD_H
#define AO_OPS_BACKWARD_H

#include "ops/vjp.h"

/* The `vjp` answers (ops/op.h) that stand in another file than their operator, by file. */

/* conv_grad.c */
aosa_status ao_vjp_conv(struct ao_vjp *vjp);

/* pool_grad.c */
aosa_status ao_vjp_max_pool(struct ao_vjp *vjp);
aosa_status ao_vjp_average_pool(struct ao_vjp *vjp);
aosa_status ao_vjp_global_max_pool(struct ao_vjp *vjp);
aosa_status ao_vjp_global_average_pool(struct ao_vjp *vjp);

/* pointwise_grad.c */
aosa_status ao_vjp_relu(struct ao_vjp *vjp);
aosa_status ao_vjp_neg(struct ao_vjp *vjp);
aosa_status ao_vjp_pointwise(struct ao_vjp *vjp);

/* binary_grad.c */
aosa_status ao_vjp_add(struct ao_vjp *vjp); /* of any number of inputs */
aosa_status ao_vjp_sub(struct ao_vjp *vjp);
aosa_status ao_vjp_mul(struct ao_vjp *vjp);
aosa_status ao_vjp_div(struct ao_vjp *vjp);
aosa_status ao_vjp_binary(struct ao_vjp *vjp);  /* Pow, PRelu */
aosa_status ao_vjp_extreme(struct ao_vjp *vjp); /* Min, Max */
aosa_status ao_vjp_mod(struct ao_vjp *vjp);
aosa_status ao_vjp_where(struct ao_vjp *vjp);

/* linear_grad.c */
aosa_status ao_vjp_gemm(struct ao_vjp *vjp);
aosa_status ao_vjp_matmul(struct ao_vjp *vjp);

/* move_grad.c */
aosa_status ao_vjp_same(struct ao_vjp *vjp); /* the output is the input */
aosa_status ao_vjp_cast(struct ao_vjp *vjp);
aosa_status ao_vjp_reshaped(struct ao_vjp *vjp);
aosa_status ao_vjp_transpose(struct ao_vjp *vjp);
aosa_status ao_vjp_expand_back(struct ao_vjp *vjp);
aosa_status ao_vjp_concat(struct ao_vjp *vjp);
aosa_status ao_vjp_split(struct ao_vjp *vjp);
aosa_status ao_vjp_slice(struct ao_vjp *vjp);
aosa_status ao_vjp_pad(struct ao_vjp *vjp);
aosa_status ao_vjp_moved(struct ao_vjp *vjp); /* Tile, Gather, GatherElements, GatherND */
aosa_status ao_vjp_scatter_nd(struct ao_vjp *vjp);

/* reduce_grad.c */
aosa_status ao_vjp_reduce_sum(struct ao_vjp *vjp);
aosa_status ao_vjp_reduce_mean(struct ao_vjp *vjp);
aosa_status ao_vjp_reduce_prod(struct ao_vjp *vjp);
aosa_status ao_vjp_reduce_extreme(struct ao_vjp *vjp); /* ReduceMin, ReduceMax */
aosa_status ao_vjp_reduce_sum_square(struct ao_vjp *vjp);
aosa_status ao_vjp_reduce_l1(struct ao_vjp *vjp);
aosa_status ao_vjp_reduce_l2(struct ao_vjp *vjp);
aosa_status ao_vjp_cumsum(struct ao_vjp *vjp);
aosa_status ao_vjp_softmax(struct ao_vjp *vjp);
aosa_status ao_vjp_log_softmax(struct ao_vjp *vjp);

/* norm_grad.c */
aosa_status ao_vjp_batch_norm(struct ao_vjp *vjp);
aosa_status ao_vjp_group_norm(struct ao_vjp *vjp); /* InstanceNormalization too */
aosa_status ao_vjp_layer_norm(struct ao_vjp *vjp);

/* resize_grad.c */
aosa_status ao_vjp_resize(struct ao_vjp *vjp);

#endif
