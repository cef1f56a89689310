/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ENGINE_DELTA_H
#define AO_ENGINE_DELTA_H

#include "data/mask_set.h"
#include "engine/engine.h"
#include "graph/graph.h"

/*
 * Exact outputs of a network for many occluded copies of one clip, computed by pushing only the
 * change through it (doc/delta.md). One dense pass keeps the inputs of every non-linear node; an
 * occlusion d = fill - x then travels as rows of channels at those positions where it is not zero.
 */

struct ao_delta;         /* graph made ready, weights packed: immutable, shared by threads */
struct ao_delta_base;    /* one clip's activations and outputs: immutable, shared by threads */
struct ao_delta_session; /* one thread's scratch: confined */

/* Masks that travel together; a call's masks are cut into batches of this size from the first on,
 * which fixes every bit of the outputs whatever the number of threads. */
#define AO_DELTA_BATCH 8

/*
 * Borrows the graph for its life; `threads` pack the weights, and run the layers of a dense pass.
 * AOSA_ERR_UNSUPPORTED, with the node and the reason, when the network cannot go this way or would
 * gain nothing by it: the input is no [1][3][T][H][W], or more than a fiftieth of the
 * multiply-accumulates stands behind a node without a delta rule. AOSA_ERR_NOMEM.
 */
aosa_status ao_delta_create(const struct ao_graph *graph, int threads, struct ao_delta **delta);
void ao_delta_destroy(struct ao_delta **delta);

/*
 * The walk down to `value` and no further: of the graph that ends there, with that value as its
 * output 0. Every path from the clip to what is asked for has to go through it. Also
 * AOSA_ERR_UNSUPPORTED when its changes are not tracked.
 */
aosa_status ao_delta_create_until(const struct ao_graph *graph, int32_t value, int threads,
                                  struct ao_delta **delta);

/* Values in one output row, batch axis left out: those of output 0 of the graph. */
int64_t ao_delta_outputs(const struct ao_delta *delta);
/* The walk's weights, and those of the dense pass, which the backend holds in its own layout. */
size_t ao_delta_weight_bytes(const struct ao_delta *delta);

/*
 * The dense pass over `clip`, float [3][T][H][W], borrowed during the call; `poll` may be NULL.
 * AOSA_ERR_NOMEM, AOSA_ERR_CANCELLED or what the dense engine answers.
 */
aosa_status ao_delta_base_create(const struct ao_delta *delta, const float *clip,
                                 const struct ao_poll *poll, struct ao_delta_base **base);
void ao_delta_base_destroy(struct ao_delta_base **base);

/* Output row of the clip itself, [ao_delta_outputs]. */
const float *ao_delta_base_output(const struct ao_delta_base *base);
size_t ao_delta_base_bytes(const struct ao_delta_base *base);

/* Borrows delta. Scratch grows to what the largest batch needed and is kept; see reserve. */
aosa_status ao_delta_session_create(const struct ao_delta *delta,
                                    struct ao_delta_session **session);
void ao_delta_session_destroy(struct ao_delta_session **session);
/* Asked between two steps of a run; borrowed until replaced, NULL asks nobody. */
void ao_delta_session_set_poll(struct ao_delta_session *session, const struct ao_poll *poll);
size_t ao_delta_session_bytes(const struct ao_delta_session *session);

/* What one mask occludes: boxes[first[t] .. first[t + 1]) in frame t, within the frame. */
struct ao_delta_mask {
    const struct ao_box *boxes;
    const int32_t *first; /* [T+1] */
};

/*
 * Memory that batches of these masks need, the larger of it and what *need says. Reserving that in
 * every session before the first run makes their runs allocate nothing.
 */
struct ao_delta_need {
    size_t block_bytes, positions;
};
aosa_status ao_delta_session_measure(struct ao_delta_session *session,
                                     const struct ao_delta_mask *masks, int n,
                                     struct ao_delta_need *need);
aosa_status ao_delta_session_reserve(struct ao_delta_session *session,
                                     const struct ao_delta_need *need);

/* What stands in the occluded voxels: `volume` [3][T][H][W] if not NULL, else `value` per channel,
 * both in the units of the network's input. */
struct ao_delta_fill {
    float value[3];
    const float *volume;
};

/*
 * outputs[m] = output 0 of the network for the clip with mask m filled, float [n][outputs].
 * Borrows everything. AOSA_ERR_NOMEM, AOSA_ERR_CANCELLED.
 */
aosa_status ao_delta_run(const struct ao_delta *delta, const struct ao_delta_base *base,
                         struct ao_delta_session *session, const struct ao_delta_mask *masks, int n,
                         const struct ao_delta_fill *fill, float *outputs);

/*
 * products[m][k] = sum over p, c of d_m(p, c) gradients[k](p, c), with d_m the exact change of
 * output 0 under mask m: the first-order change of whatever has that gradient there.
 *
 * @param gradients  [n_gradients][T][H][W][C] of output 0.
 * @param products   [n][n_gradients].
 * @return AOSA_ERR_UNSUPPORTED when changes of output 0 are not tracked, which
 *         ao_delta_create_until sees to; else those of ao_delta_run. Borrows everything.
 */
aosa_status ao_delta_project(const struct ao_delta *delta, const struct ao_delta_base *base,
                             struct ao_delta_session *session, const struct ao_delta_mask *masks,
                             int n, const struct ao_delta_fill *fill, const float *gradients,
                             int n_gradients, double *products);

/* One stage of the walk, in order; for inspect, result.json and the benchmark. */
struct ao_delta_stage {
    const char *node;    /* name of the (first) node */
    const char *what;    /* "Conv+Add+Relu", "dense tail", ... */
    double macs_dense;   /* per mask, of a full run */
    double macs_done;    /* summed over this session's masks, taps that read no change left out */
    double macs_reached; /* the same with every tap of every reached output counted */
    double rows;         /* changed output positions, summed over masks */
    double seconds;      /* of this thread's processor time, summed */
};
int ao_delta_stages(const struct ao_delta *delta);
struct ao_delta_stage ao_delta_stage(const struct ao_delta *delta,
                                     const struct ao_delta_session *session, int stage);

/*
 * Name of the first node behind which every position changes, with the reason: a gate that changes
 * everywhere (squeeze and excite), or a node without a delta rule, from which on the small rest
 * runs densely in double precision. "" and *reason untouched when there is none.
 */
const char *ao_delta_dense_from(const struct ao_delta *delta, const char **reason);

#endif
