/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_TESTS_UNIT_CAM_FIXTURE_H
#define AO_TESTS_UNIT_CAM_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/random_net.h"
#include "support/subject.h"

/* Small networks of odd sizes for the tests of the CAM family. */

enum { T = 5, H = 9, W = 11, VOXELS = T * H * W, FEATURES = 6, CLASSES = 7 };

/*
 * Nodes conv1, relu1, conv2, relu2, which keep the clip's size, so that a map is its layer's and
 * nothing is interpolated; then either average pooling and one fully connected layer, or a
 * convolution over all frames (conv3, relu3: one time step) and two fully connected layers. IMAGES
 * is POOLED with 2-D convolutions on a batch of frames, and the mean of their logits.
 */
enum ending { POOLED, DEEP, IMAGES };

struct rig {
    struct net net;
    struct subject s;
    struct ao_fill fill;
};

static inline void name_nodes(struct ao_graph *graph)
{
    static const char *const nodes[] = { "conv1", "relu1", "conv2", "relu2" };
    static const char *const values[] = { "c1", "r1", "c2", "r2" };
    size_t first = 0;
    while (strcmp(graph->nodes[first].type, "Conv") != 0)
        first++;
    for (size_t k = 0; k < graph->n_nodes; k++)
        graph->nodes[k].name = graph->nodes[k].type;
    for (size_t i = 0; i < 4; i++) {
        graph->nodes[first + i].name = nodes[i];
        graph->values[graph->nodes[first + i].out[0]].name = values[i];
    }
}

static inline int deep_end(struct net *net, int x)
{
    const struct net_window all = {
        .rank = 3, .kernel = { T, 3, 3 }, .stride = { 1, 2, 2 }, .dilation = { 1, 1, 1 }
    };
    x = net_unary(net, "Relu", net_conv(net, x, 4, 1, &all));
    x = net_unary(net, "Flatten", x);
    const int64_t n = net_shape(net, x).dims[1];
    x = net_binary(net, "MatMul", x, net_constant(net, SHAPE(n, 8), -1, 1));
    return net_binary(net, "MatMul", net_unary(net, "Relu", x),
                      net_constant(net, SHAPE(8, CLASSES), -1, 1));
}

static inline int reshape(struct net *net, int x, int rank, const int64_t *dims)
{
    return net_binary(net, "Reshape", x, net_integers(net, rank, dims));
}

static inline int to_images(struct net *net, int x)
{
    static const int64_t perm[] = { 0, 2, 1, 3, 4 };
    const struct ao_attr attr = { .name = "perm", .type = AO_ATTR_INTS, .n = 5, .ints = perm };
    x = net_node(net, "Transpose", (const int32_t[]){ x, -1, -1 }, &attr, 1);
    return reshape(net, x, 4, (const int64_t[]){ T, 3, H, W });
}

static inline int mean_of_images(struct net *net, int x)
{
    const struct ao_attr keep = { .name = "keepdims", .type = AO_ATTR_INT, .i = 0 };
    x = reshape(net, x, 3, (const int64_t[]){ 1, T, CLASSES });
    return net_node(net, "ReduceMean",
                    (const int32_t[]){ x, net_integers(net, 1, (const int64_t[]){ 1 }), -1 }, &keep,
                    1);
}

static inline int build(struct net *net, enum ending ending)
{
    int x = ending == IMAGES ? to_images(net, 0) : 0;
    x = net_unary(net, "Relu", net_same_conv(net, x, 4));
    x = net_unary(net, "Relu", net_same_conv(net, x, FEATURES));
    if (ending == DEEP)
        return deep_end(net, x);
    return ending == POOLED ? net_head(net, x) : mean_of_images(net, net_head(net, x));
}

static inline void set_up(struct rig *rig, enum ending ending)
{
    struct net *net = &rig->net;
    struct ao_rng rng;
    net_init(net, 12, SHAPE(1, 3, T, H, W));
    net_output(net, build(net, ending));
    net_finish(net);
    name_nodes(&net->graph);
    subject_init(&rig->s, &net->graph);
    rig->fill = (struct ao_fill){ 0 };
    rig->s.a.fill = &rig->fill;
    rig->s.a.run.backend = AO_BACKEND_REFERENCE_F64;
    rig->s.a.target = "1";
    ao_rng_init(&rng, 8);
    for (int i = 0; i < 3 * VOXELS; i++)
        rig->s.clip->values[i] = (float)ao_rng_range(&rng, -2, 2);
}

static inline void tear_down(struct rig *rig)
{
    subject_close(&rig->s);
    ao_graph_fini(&rig->net.graph);
}

/* Weights of node `node` from the end, [rows][columns]. */
static inline float *weights_of(struct rig *rig, size_t node)
{
    const struct ao_graph *graph = &rig->net.graph;
    const int32_t value = graph->nodes[graph->n_nodes - node].in[1];
    return (float *)(uintptr_t)graph->values[value].data;
}

#endif
