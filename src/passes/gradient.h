/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_PASSES_GRADIENT_H
#define AO_PASSES_GRADIENT_H

#include "ops/vjp.h"

/*
 * A network and its backward pass as one graph (ops/vjp.h):
 *
 *     inputs   clip, [the baseline's clip with `rescale`,] seed = dL/d(first output)
 *     outputs  the network's first output, [dL/dclip,] for every tap its value and dL/dvalue
 *
 * Nodes [0, n_forward) are the network's own, up to its first output; the rest is backward. A
 * program with options.pause = n_forward stops between the two, when the seed can be chosen from
 * the output (engine.h).
 */
struct ao_gradient_options {
    enum ao_relu_rule relu;
    bool rescale;        /* DeepLIFT, two clips */
    bool clip;           /* whether dL/dclip is wanted; taps alone end the backward walk early */
    const int32_t *taps; /* values of the network */
    int n_taps;
};

struct ao_gradient {
    struct ao_graph graph; /* own arena; constants are borrowed from the network */
    size_t n_forward;
    int clip_input, baseline_input, seed_input; /* indices in graph.inputs, -1: none */
    int clip_output;                            /* index in graph.outputs of dL/dclip, -1 */
    int first_tap; /* outputs first_tap + 2 k and + 2 k + 1: tap k's value and its gradient */
};

/*
 * Borrows the network, which is unchanged, for the result's life. AOSA_ERR_UNSUPPORTED names the
 * operators without a backward that lie between clip (or taps) and output; AOSA_ERR_NOMEM.
 */
aosa_status ao_gradient_create(const struct ao_graph *network,
                               const struct ao_gradient_options *options,
                               struct ao_gradient **gradient);
void ao_gradient_destroy(struct ao_gradient **gradient);

/* Whether it can be made: the same statuses, and nothing kept. */
aosa_status ao_gradient_check(const struct ao_graph *network,
                              const struct ao_gradient_options *options);

#endif
