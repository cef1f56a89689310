/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_TESTS_SUPPORT_RANDOM_NET_H
#define AO_TESTS_SUPPORT_RANDOM_NET_H

#include "core/rng.h"
#include "engine/engine.h"

/*
 * Networks of random layers for tests of backends, built without a file. Functions that append
 * answer the value they made; a failure fails the test.
 */
#define NET_MAX_OUTPUTS 64

struct net {
    struct ao_graph graph;
    struct ao_rng rng;
    double terms; /* sum over all layers of the terms in one result */
};

#define SHAPE(...)                                                           \
    ((struct ao_shape){ .rank = (int)(sizeof(int64_t[]){ __VA_ARGS__ } / 8), \
                        .dims = { __VA_ARGS__ } })

/* One input of that shape; weights and choices follow from the seed. Ends with ao_graph_fini. */
void net_init(struct net *net, uint64_t seed, struct ao_shape shape);
struct ao_shape net_shape(const struct net *net, int value);

/* Constants: uniform numbers, given integers. */
int net_constant(struct net *net, struct ao_shape shape, double lo, double hi);
int net_integers(struct net *net, int64_t n, const int64_t *items);

/* Appends a node; in[] ends at the first -1. Attributes are copied. */
int net_node(struct net *net, const char *type, const int32_t in[3], const struct ao_attr *attrs,
             int n_attrs);
int net_unary(struct net *net, const char *type, int x);
int net_binary(struct net *net, const char *type, int a, int b);

/* A whole number in [lo, hi]. */
int64_t net_pick(struct net *net, int64_t lo, int64_t hi);

struct net_window {
    int rank;
    int64_t kernel[3], stride[3], dilation[3], pads[6];
};
int net_conv(struct net *net, int x, int64_t channels, int64_t group, const struct net_window *w);

/* Kernel 3 on every axis, same extents. */
int net_same_conv(struct net *net, int x, int64_t channels);
int net_random_pool(struct net *net, int x);

/* Spatial mean and one fully connected layer of 7 classes. */
int net_head(struct net *net, int x);

/* Rank 4 or 5, extents that do not fill blocks of 8, up to 6 layers and a head: two outputs. */
void net_random(struct net *net, uint64_t seed);

void net_output(struct net *net, int value);
void net_finish(struct net *net); /* before the first run */

/* A batch of inputs in [-1, 1), freed by the caller. */
float *net_random_input(struct net *net, int batch);

struct net_setting {
    enum ao_backend backend;
    int batch, inner;
};

/*
 * Runs twice (what one run leaves behind must not reach the next) and answers output `index` in
 * row-major order as doubles, freed by the caller. x is a batch of inputs, row-major.
 */
double *net_run(const struct net *net, struct net_setting setting, const float *x, int index,
                int64_t *n);

#endif
