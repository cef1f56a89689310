/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_PASSES_EDIT_H
#define AO_PASSES_EDIT_H

#include "ops/op.h"
#include "passes/passes.h"

/* Inside of passes/: what the passes share to change a graph. */

aosa_status ao_pass_no_memory(const char *what);

/* reads[v]: how often nodes, branches included, and graph outputs read value v; ao_free. NULL
 * without memory. */
int32_t *ao_pass_reads(const struct ao_graph *graph);

/* Keeps the nodes with keep[k] != 0, in order, and tells values their new producers. */
void ao_pass_keep_nodes(struct ao_graph *graph, const unsigned char *keep);
void ao_pass_set_producers(struct ao_graph *graph);

bool ao_pass_is_input(const struct ao_graph *graph, int32_t value);
bool ao_pass_is_output(const struct ao_graph *graph, int32_t value);

/* The constant that input i reads, or NULL if it is absent or no constant. */
const struct ao_value *ao_pass_constant(const struct ao_graph *graph, const struct ao_node *node,
                                        int i);

/* Sets a list of integers among the attributes. */
aosa_status ao_pass_set_ints(struct ao_graph *graph, struct ao_node *node, const char *name,
                             const int64_t *ints, int n);

/*
 * Appends a node of one output to graph->nodes and infers it. *out is the value it makes; -1 makes
 * a new one. `in` and `attr` (may be NULL) are copied, an attribute's list is not.
 */
aosa_status ao_pass_append(struct ao_graph *graph, const char *name, const char *type, int n_in,
                           const int32_t *in, const struct ao_attr *attr, int32_t *out);

/* New constant vector of integers. */
aosa_status ao_pass_new_ints(struct ao_graph *graph, const char *name, int n, const int64_t *ints,
                             int32_t *value);

/* Finds the operators of nodes, counts the missing ones in the report; see ao_pass_operators. */
aosa_status ao_pass_find_operators(const struct ao_graph *graph, struct ao_node *nodes, size_t n,
                                   struct ao_passes_report *report);

/* Removes values that nothing refers to, and numbers the others anew. */
aosa_status ao_pass_drop_values(struct ao_graph *graph);

/* Infers every node again, after values were numbered anew. */
aosa_status ao_pass_infer(struct ao_graph *graph);

#endif
