/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_OPS_POINTWISE_H
#define AO_OPS_POINTWISE_H

#include <stdint.h>

#include "graph/graph.h"

/*
 * node->params of every one-input operator of pointwise.c: y = f(x; a, b). What a and b are stands
 * beside each formula there (slope of LeakyRelu, bounds of Clip, ...).
 */
struct ao_pointwise_params {
    double a, b;
    int64_t lo, hi; /* bounds of an integer Clip, exact */
};

/* f of the operator for one number; for backends and for delta rules. NULL for other types. */
typedef double (*ao_pointwise_fn)(double x, const struct ao_pointwise_params *params);
ao_pointwise_fn ao_pointwise_find(const char *type);

/* Reads the attributes and bounds of a node of one of these types; for its gradient. */
aosa_status ao_pointwise_read(struct ao_graph *graph, struct ao_node *node,
                              struct ao_pointwise_params *params);

#endif
