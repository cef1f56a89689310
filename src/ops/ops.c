/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ops/check.h"
#include "ops/op.h"

#define AO_OP(type) extern const struct ao_op ao_op_##type;
#include "ops/ops.def"
#undef AO_OP

static const struct ao_op *const rows[] = {
#define AO_OP(type) &ao_op_##type,
#include "ops/ops.def"
#undef AO_OP
    NULL,
};

const struct ao_op *const *ao_op_list(void)
{
    return rows;
}

const struct ao_op *ao_op_find(const char *type)
{
    for (size_t i = 0; rows[i]; i++)
        if (strcmp(rows[i]->type, type) == 0)
            return rows[i];
    return NULL;
}

/* Only input 0 depends on the clip, and its axis 0 stays where it is. */
static bool keeps_first(const struct ao_graph *graph, const struct ao_node *node)
{
    for (int i = 1; i < node->n_in; i++)
        if (node->in[i] >= 0 && graph->values[node->in[i]].batched)
            return false;
    return graph->values[node->in[0]].shape.rank > 0;
}

/*
 * At batch N axis 0 of every batched input and of the output is N times as long, so all of them
 * must agree on it, and the constants must not have it (rank too small) or repeat along it.
 */
static bool keeps_pointwise(const struct ao_graph *graph, const struct ao_node *node)
{
    const struct ao_shape *out = &ao_op_out(graph, node, 0)->shape;
    for (int i = 0; i < node->n_in; i++) {
        const struct ao_value *in = ao_op_in(graph, node, i);
        if (!in)
            continue;
        const bool full = in->shape.rank == out->rank && out->rank > 0;
        if (in->batched && (!full || in->shape.dims[0] != out->dims[0]))
            return false;
        if (!in->batched && full && in->shape.dims[0] != 1)
            return false;
    }
    return true;
}

static bool keeps_rows(const struct ao_graph *graph, const struct ao_node *node)
{
    return ao_op_in(graph, node, 0)->shape.rank > 0 && ao_op_out(graph, node, 0)->shape.rank > 0;
}

bool ao_op_keeps_batch(const struct ao_graph *graph, const struct ao_node *node)
{
    bool batched = false;
    for (int i = 0; i < node->n_in; i++)
        batched |= node->in[i] >= 0 && graph->values[node->in[i]].batched;
    /* Without outputs there is nothing to keep apart. */
    if (!batched || (node->n_out == 1 && node->out[0] < 0))
        return true;
    switch (node->op->batch) {
    case AO_BATCH_KEEPS:
        return keeps_first(graph, node);
    case AO_BATCH_POINTWISE:
        return keeps_pointwise(graph, node);
    case AO_BATCH_ROWS:
        return keeps_rows(graph, node);
    case AO_BATCH_ASKS:
        return node->op->keeps_batch(graph, node);
    }
    return false;
}
