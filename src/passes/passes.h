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

/* A constant shaped like a feature map, added to the data path: the network was traced with
 * activations of an example clip in it, and is wrong for every other clip. */
struct ao_traced {
    const char *node;
    struct ao_shape shape;
};

struct ao_passes_report {
    size_t nodes_before, nodes_after;
    int folded;      /* nodes computed at load */
    int branches;    /* If nodes replaced by the branch taken */
    int batch_norms; /* BatchNormalization into Conv */
    int scales;      /* Mul and Add of per-channel constants into Conv */
    int conv_pads;   /* Pad into Conv */
    int pool_pads;   /* Pad into MaxPool */
    int no_ops;      /* Identity, Dropout, Cast, Reshape, ... without effect */
    int dead;        /* nodes nobody reads */
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
