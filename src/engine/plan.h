/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ENGINE_PLAN_H
#define AO_ENGINE_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "graph/graph.h"

/*
 * Where the values of a graph lie in one block of memory. Time is counted in nodes: node k runs at
 * time k + 1; 0 is before the first node and n_nodes + 1 after the last.
 */
struct ao_span {
    size_t bytes;        /* 0: needs no place */
    int64_t first, last; /* alive during [first, last] */
    size_t offset;       /* answer of ao_plan_pack; a multiple of AO_ALIGNMENT */
};

/*
 * Gives every span an offset so that spans alive at the same time never share a byte: largest
 * first, each at the lowest offset that is free during its life (Pisarchyk and Lee, "Efficient
 * memory management for deep neural net inference", 2020, greedy by size). total_bytes is the
 * size of the block. AOSA_ERR_NOMEM also when sizes overflow.
 */
aosa_status ao_plan_pack(struct ao_span *spans, size_t n, size_t *total_bytes);

/* The same without an allocation; `order` is work space for 2 n spans. */
aosa_status ao_plan_pack_in(struct ao_span *spans, size_t n, struct ao_span **order,
                            size_t *total_bytes);

/*
 * Lifetimes of the graph's values, spans[value]; bytes are left to the caller (0 for values he
 * does not place). A value lives from its producer to its last reader. Inputs keep their contents
 * across runs and outputs are read after it, so both live from 0 to n_nodes + 1.
 */
void ao_plan_lifetimes(const struct ao_graph *graph, struct ao_span *spans);

#endif
