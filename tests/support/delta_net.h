/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_TESTS_SUPPORT_DELTA_NET_H
#define AO_TESTS_SUPPORT_DELTA_NET_H

#include "core/rng.h"
#include "onnx/onnx.h"
#include "support/onnx_writer.h"

/*
 * Small random networks that together use every delta rule, on odd sizes, with asymmetric pads,
 * strides, dilations and groups. Layers are appended one by one; `dims` follows the positions.
 */

enum { NET_T = 5, NET_H = 13, NET_W = 11, NET_P = NET_T * NET_H * NET_W, NET_CLASSES = 6 };

struct net {
    struct wire graph;
    struct ao_rng rng;
    int n;       /* values so far: the last is v<n> */
    int C;       /* its channels */
    int dims[3]; /* its extents */
};

/* An input of 3 x NET_T x NET_H x NET_W. */
void net_begin(struct net *net, uint64_t seed);
int net_pick(struct net *net, int lo, int hi);

/* Appends a node that reads `inputs` and makes the next value. */
void net_append(struct net *net, const char *type, const char *inputs, struct wire *attrs);
void net_append_unary(struct net *net, const char *type);

/* Weights for a Conv of value `from`, and its node; the caller has moved net->dims. */
void net_finish_conv(struct net *net, int from, int out, int group, const int64_t *kernel,
                     struct wire *attrs);
/* 3x3x3 with padding 1, the most common layer. */
void net_conv_same(struct net *net, int out);
void net_pool(struct net *net, bool max, bool strided);
void net_residual(struct net *net);
void net_skip_add(struct net *net);
void net_inception(struct net *net);
void net_swish(struct net *net);
/* x * Sigmoid(Conv(mean(x))): everything changes from here. */
void net_squeeze_excite(struct net *net);
/* Elements start, start + step, ... of one axis, which is 1 to 4. */
void net_slice(struct net *net, int axis);
/* A list of elements of one axis, some of them twice, some counted from the end. */
void net_gather(struct net *net, int axis);
/* Split along the channels in two, one through ReLU, joined the other way round. */
void net_split(struct net *net);
/* x + MatMul(Tanh(MatMul(LayerNorm(x)))) with the channels last, as in ConvNeXt. */
void net_layer_norm(struct net *net);
/* The mean of everything, or everything flattened, then Gemm and perhaps Softmax. */
void net_head(struct net *net, bool flatten, bool softmax);

/* A network of all of these. */
void net_draw(struct net *net, uint64_t seed);
/* The network as read from its bytes, which go to *file, and passed. */
struct ao_onnx_model *net_load(struct net *net, struct wire *file);

#endif
