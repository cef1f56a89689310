/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_OPS_POOL_H
#define AO_OPS_POOL_H

#include "ops/window.h"

enum ao_pool_kind {
    AO_POOL_MAX,     /* padding is below every input */
    AO_POOL_AVERAGE, /* padding is zero */
};

/*
 * node->params of MaxPool, AveragePool, GlobalMaxPool and GlobalAveragePool (window = the whole
 * extent). An average divides by the taps inside the input, or with count_include_pad by those
 * inside the padded input [-pad_lo, extent + pad_hi): taps that only ceil_mode adds never count.
 */
struct ao_pool_params {
    struct ao_window window;
    enum ao_pool_kind kind;
    bool count_include_pad;
    bool column_major; /* how places of maxima are numbered in a plane: y, then x, then t */
};

/*
 * For infer of pooling and its gradients: reads the attributes into node->params for an input of
 * shape x, and answers the shape of the pooled output.
 */
aosa_status ao_pool_read(struct ao_graph *graph, struct ao_node *node, enum ao_pool_kind kind,
                         bool global, const struct ao_shape *x, struct ao_shape *out);

/* Taps of output o inside the input; answers the number that an average divides by. */
int64_t ao_pool_inside(const struct ao_pool_params *params, const struct ao_window_3d *w,
                       const int64_t o[3], struct ao_tap_range inside[3]);

struct ao_pool_sum {
    double sum, max;
    int64_t at[3]; /* the first input of that maximum, t, y, x */
};

/* Output o of the plane that begins at element `base` of x; *value is the maximum or average. */
struct ao_pool_sum ao_pool_window(const struct ao_pool_params *params, const struct ao_window_3d *w,
                                  const struct ao_view *x, int64_t base, const int64_t o[3],
                                  double *value);

#endif
