/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_TESTS_SUPPORT_RUN_GRAPH_H
#define AO_TESTS_SUPPORT_RUN_GRAPH_H

#include "graph/graph.h"

/*
 * Runs a graph node by node with the operators' own loops, dense and at batch 1: `input` is fed to
 * input 0, the first output (float32) is copied out. Answers the number of its elements; aborts the
 * test without memory.
 */
int64_t run_graph(struct ao_graph *graph, const float *input, float *output);

#endif
