/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_PASSES_PASSES_H
#define AO_PASSES_PASSES_H

#include "graph/graph.h"

/*
 * From the graph as imported to the graph as executed: shapes inferred, everything that does not
 * depend on the clip computed, nothing left that has no effect.
 */

/* An operator this build does not have. */
struct ao_unsupported {
    const char *type;
    const char *node; /* the first node of that type */
    int count;
};

/* How many nodes of an operator type a file has. */
struct ao_type_count {
    const char *type;
    int nodes;
};
#define AO_MAX_TYPES 256 /* no real file has more; a hostile one is not counted for long */

/* A constant shaped like a feature map, added to the data path: the network was traced with
 * activations of an example clip in it, and is wrong for every other clip. */
struct ao_traced {
    const char *node;
    struct ao_shape shape;
};

struct ao_passes_report {
    size_t nodes_before, nodes_after;
    int folded;                  /* nodes computed at load */
    int branches;                /* If nodes replaced by the branch taken */
    int batch_norms;             /* BatchNormalization into Conv */
    int scales;                  /* Mul and Add of per-channel constants into Conv */
    int conv_pads;               /* Pad into Conv */
    int pool_pads;               /* Pad into MaxPool */
    int no_ops;                  /* Identity, Dropout, Cast, Reshape, ... without effect */
    int dead;                    /* nodes nobody reads */
    struct ao_type_count *types; /* of the nodes before, in order of appearance */
    size_t n_types, cap_types;
    struct ao_unsupported *unsupported;
    size_t n_unsupported, cap_unsupported;
    struct ao_traced *traced;
    size_t n_traced, cap_traced;
};

/*
 * Runs all passes. The report (zeroed by the caller) is filled on failure too: with
 * AOSA_ERR_UNSUPPORTED for a missing operator it lists every one of them. Texts of the report
 * belong to the graph. AOSA_ERR_FORMAT, AOSA_ERR_SHAPE and AOSA_ERR_UNSUPPORTED name the node.
 */
aosa_status ao_passes_run(struct ao_graph *graph, struct ao_passes_report *report);

/* Frees the report's lists; accepts a zeroed one. */
void ao_passes_report_fini(struct ao_passes_report *report);

/* Where an input of the file has its axes; N is 1. */
enum ao_clip_layout {
    AO_LAYOUT_GUESS, /* by which axis has 3 elements: NCTHW before NTCHW before NTHWC */
    AO_LAYOUT_NCTHW,
    AO_LAYOUT_NTCHW,
    AO_LAYOUT_NTHWC,
    AO_LAYOUT_N1CTHW, /* [N, views, 3, T, H, W] with one view */
};
const char *ao_clip_layout_name(enum ao_clip_layout layout);

/* How one input of the file is fed with frames of the clip. */
struct ao_clip_feed {
    const char *name;
    struct ao_shape shape;      /* filled by the pass: what the file declares */
    enum ao_clip_layout layout; /* resolved by the pass */
    int every;                  /* frames 0, every, 2 every, ...; 0: as `frames`, else spread */
    int64_t
        *frames; /* [n_frames], in the graph's arena; resolved by the pass, NULL when it fails */
    int64_t n_frames;
};

/*
 * Makes a network of several inputs or another layout one that takes a clip [1,3,T,H,W], by nodes
 * that select its frames and turn them; runs on the graph as imported, before ao_passes_run.
 * feeds[i] belongs to graph->inputs[i] and says what is known, all zero but the name when nothing
 * is. T is what the longest input needs. An input of fewer frames without `every` or `frames` gets
 * frames floor(j (T - 1) / (n - 1)), as PySlowFast and pytorchvideo pack their pathways. A graph
 * whose inputs are no frames of one clip is left as it is: *clip = false. AOSA_ERR_FORMAT when
 * feeds do not fit the inputs.
 */
aosa_status ao_pass_clip_input(struct ao_graph *graph, struct ao_clip_feed *feeds, bool *clip);

/* The passes, in the order of ao_passes_run; each leaves a valid graph. */

/* Removes nodes whose outputs nobody reads. */
aosa_status ao_pass_dead(struct ao_graph *graph, struct ao_passes_report *report);

/* Finds every node's operator; lists those that are missing and fails if there are any. */
aosa_status ao_pass_operators(struct ao_graph *graph, struct ao_passes_report *report);

/*
 * Infers types and shapes in order, computes every node that reads constants only, and puts the
 * branch an If takes in its place. Linear in the number of nodes.
 */
aosa_status ao_pass_fold(struct ao_graph *graph, struct ao_passes_report *report);

/*
 * Says on the axis where it is what exporters say on axis 0 after a Transpose, so that axis 0 stays
 * the batch: Transpose, Gather and the ScatterND of a slice assignment.
 */
aosa_status ao_pass_transposes(struct ao_graph *graph, struct ao_passes_report *report);

/* Removes nodes that hand their input on unchanged. */
aosa_status ao_pass_no_ops(struct ao_graph *graph, struct ao_passes_report *report);

/* Zero padding into the pads of a following Conv, or of a MaxPool where it makes no difference. */
aosa_status ao_pass_pads(struct ao_graph *graph, struct ao_passes_report *report);

/* BatchNormalization and per-channel Mul and Add into the Conv before them. */
aosa_status ao_pass_batch_norm(struct ao_graph *graph, struct ao_passes_report *report);

/* Lists feature maps baked in by tracing. */
aosa_status ao_pass_traced(struct ao_graph *graph, struct ao_passes_report *report);

/* Which values depend on the clip (ao_value.batched), and whether clips can be batched. */
aosa_status ao_pass_batch(struct ao_graph *graph, struct ao_passes_report *report);

#endif
