/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_OPS_RESIZE_H
#define AO_OPS_RESIZE_H

#include "graph/graph.h"

/* Output o of an axis is (1 - weight) x[lo] + weight x[hi]. */
struct ao_resize_tap {
    int64_t lo, hi;
    double weight;
};

/* node->params of Resize and its gradient. */
struct ao_resize_params {
    struct ao_resize_tap *taps[AO_MAX_RANK]; /* [extent of the output]; NULL: the axis stays */
};

/* For infer: fills node->params from attributes and inputs 2 and 3 (scales, sizes) for an input of
 * that shape, and answers the shape of the output in its place. */
aosa_status ao_resize_read(struct ao_graph *graph, struct ao_node *node, struct ao_shape *resized);

#endif
