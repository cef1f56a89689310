/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/plan.h"

#include "core/alloc.h"

/* Larger first; equal sizes in the order of the spans, so that a plan is reproducible. By
 * insertion: the lists are short, and qsort may allocate. */
static void insert_by_size(struct ao_span **order, size_t n_order, struct ao_span *span)
{
    size_t i = n_order;
    for (; i > 0 && order[i - 1]->bytes < span->bytes; i--)
        order[i] = order[i - 1];
    order[i] = span;
}

static bool alive_together(const struct ao_span *a, const struct ao_span *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/*
 * placed[] is sorted by offset. The first gap between spans alive with this one that is long
 * enough; the block may grow at its end.
 */
static bool find_offset(struct ao_span *const *placed, size_t n_placed, struct ao_span *span)
{
    size_t at = 0, end;
    for (size_t i = 0; i < n_placed; i++) {
        if (!alive_together(placed[i], span))
            continue;
        if (placed[i]->offset >= at && placed[i]->offset - at >= span->bytes)
            break;
        if (!ao_size_add(placed[i]->offset, placed[i]->bytes, &end) ||
            !ao_size_add(end, AO_ALIGNMENT - 1, &end))
            return false;
        end -= end % AO_ALIGNMENT;
        if (end > at)
            at = end;
    }
    span->offset = at;
    return ao_size_add(at, span->bytes, &end);
}

static void insert_by_offset(struct ao_span **placed, size_t n_placed, struct ao_span *span)
{
    size_t i = n_placed;
    for (; i > 0 && placed[i - 1]->offset > span->offset; i--)
        placed[i] = placed[i - 1];
    placed[i] = span;
}

static aosa_status place_all(struct ao_span **order, size_t n, struct ao_span **placed,
                             size_t *total_bytes)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        if (!find_offset(placed, i, order[i]))
            return ao_fail(AOSA_ERR_NOMEM, "memory plan: sizes overflow");
        insert_by_offset(placed, i, order[i]);
        if (order[i]->offset + order[i]->bytes > total)
            total = order[i]->offset + order[i]->bytes;
    }
    *total_bytes = total;
    return AOSA_OK;
}

aosa_status ao_plan_pack_in(struct ao_span *spans, size_t n, struct ao_span **order,
                            size_t *total_bytes)
{
    size_t n_order = 0;
    for (size_t i = 0; i < n; i++) {
        spans[i].offset = 0;
        if (spans[i].bytes > 0)
            insert_by_size(order, n_order++, &spans[i]);
    }
    return place_all(order, n_order, order + n, total_bytes);
}

aosa_status ao_plan_pack(struct ao_span *spans, size_t n, size_t *total_bytes)
{
    struct ao_span **order = ao_alloc(2 * n + 1, sizeof *order);
    if (!order)
        return ao_fail(AOSA_ERR_NOMEM, "memory plan: no memory for %zu values", n);
    const aosa_status status = ao_plan_pack_in(spans, n, order, total_bytes);
    ao_free(order);
    return status;
}

void ao_plan_lifetimes(const struct ao_graph *graph, struct ao_span *spans)
{
    const int64_t end = (int64_t)graph->n_nodes + 1;
    for (size_t i = 0; i < graph->n_values; i++)
        spans[i] = (struct ao_span){ .first = 0, .last = 0 };
    for (int64_t k = 0; k < (int64_t)graph->n_nodes; k++) {
        const struct ao_node *node = &graph->nodes[k];
        for (int i = 0; i < node->n_out; i++)
            if (node->out[i] >= 0)
                spans[node->out[i]].first = spans[node->out[i]].last = k + 1;
        for (int i = 0; i < node->n_in; i++)
            if (node->in[i] >= 0)
                spans[node->in[i]].last = k + 1;
    }
    for (int i = 0; i < graph->n_inputs; i++)
        spans[graph->inputs[i]].last = end;
    for (int i = 0; i < graph->n_outputs; i++) {
        spans[graph->outputs[i]].first = 0;
        spans[graph->outputs[i]].last = end;
    }
}
