/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "ops/backward.h"
#include "ops/check.h"
#include "ops/element.h"
#include "ops/move.h"

/* The constant inputs of one Slice, all of one length. */
struct bounds {
    const int64_t *starts, *ends, *axes, *steps; /* axes: NULL is 0, 1, ...; steps: NULL is 1 */
    int64_t n;
};

static aosa_status read_bounds(struct ao_graph *graph, struct ao_node *node, int rank,
                               struct bounds *bounds)
{
    int64_t n_ends, n_axes, n_steps;
    AO_TRY(ao_op_ints(graph, node, 1, "starts", &bounds->starts, &bounds->n));
    AO_TRY(ao_op_ints(graph, node, 2, "ends", &bounds->ends, &n_ends));
    AO_TRY(ao_op_ints(graph, node, 3, "axes", &bounds->axes, &n_axes));
    AO_TRY(ao_op_ints(graph, node, 4, "steps", &bounds->steps, &n_steps));
    const int64_t n = bounds->n;
    if (n_ends != n || (ao_op_in(graph, node, 3) && n_axes != n) ||
        (ao_op_in(graph, node, 4) && n_steps != n) || n > rank)
        return ao_op_fail(node, AOSA_ERR_FORMAT,
                          "has %" PRId64 " starts, %" PRId64 " ends, %" PRId64 " axes and %" PRId64
                          " steps for an input of %d axes",
                          n, n_ends, n_axes, n_steps, rank);
    return AOSA_OK;
}

static int64_t clamp(int64_t x, int64_t lo, int64_t hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

/*
 * Negative positions count from the end; then both are clamped to the positions a step can stand
 * on: [0, extent] going up, [-1, extent - 1] going down. Answers how many elements are taken.
 */
static int64_t resolve_axis(int64_t extent, int64_t start, int64_t end, int64_t step,
                            int64_t *first)
{
    const int64_t down = step < 0;
    *first = 0;
    if (extent == 0)
        return 0;
    if (start < 0)
        start = start < -extent ? -1 : start + extent;
    if (end < 0)
        end = end < -extent ? -1 : end + extent;
    start = clamp(start, 0, extent - down);
    end = clamp(end, -down, extent - down);
    *first = start;
    const int64_t span = down ? start - end : end - start;
    if (span <= 0)
        return 0;
    /* |step| as unsigned: INT64_MIN is a step too. */
    const uint64_t size = down ? 0 - (uint64_t)step : (uint64_t)step;
    return (int64_t)(((uint64_t)span - 1) / size + 1);
}

static aosa_status slice_infer(struct ao_graph *graph, struct ao_node *node)
{
    struct bounds bounds;
    bool used[AO_MAX_RANK] = { false };
    AO_TRY(ao_op_arity(node, 3, 5, 1));
    const struct ao_value *x = ao_op_in(graph, node, 0);
    struct ao_shape shape = x->shape;
    AO_TRY(read_bounds(graph, node, shape.rank, &bounds));
    struct ao_slice_params *params = ao_op_params(graph, node, sizeof *params);
    if (!params)
        return AOSA_ERR_NOMEM;
    for (int i = 0; i < AO_MAX_RANK; i++)
        params->step[i] = 1;
    for (int64_t i = 0; i < bounds.n; i++) {
        int axis = 0;
        AO_TRY(ao_op_axis(node, bounds.axes ? bounds.axes[i] : i, shape.rank, &axis));
        const int64_t step = bounds.steps ? bounds.steps[i] : 1;
        if (step == 0 || used[axis])
            return ao_op_fail(node, AOSA_ERR_FORMAT,
                              step == 0 ? "has step 0 on axis %d" : "names axis %d twice", axis);
        used[axis] = true;
        shape.dims[axis] = resolve_axis(x->shape.dims[axis], bounds.starts[i], bounds.ends[i], step,
                                        &params->start[axis]);
        /* The step of a single element is never taken; a huge one must not be multiplied. */
        params->step[axis] = shape.dims[axis] > 1 ? step : 1;
    }
    return ao_op_set(graph, node, 0, x->dtype, &shape);
}

static void slice_forward(const struct ao_op_call *call)
{
    const struct ao_slice_params *params = call->node->params;
    const struct ao_view *x = &call->in[0], *y = &call->out[0];
    struct ao_view part = { .dtype = x->dtype, .shape = y->shape };
    int64_t offset = 0;
    if (ao_shape_count(&y->shape) == 0)
        return;
    for (int i = 0; i < y->shape.rank; i++) {
        offset += params->start[i] * x->strides[i];
        part.strides[i] = x->strides[i] * params->step[i];
    }
    part.data = ao_element_at(x, offset);
    ao_view_copy(y, &part);
}

static bool slice_keeps_batch(const struct ao_graph *graph, const struct ao_node *node)
{
    const struct ao_slice_params *params = node->params;
    const struct ao_shape *x = &ao_op_in(graph, node, 0)->shape;
    const struct ao_shape *y = &ao_op_out(graph, node, 0)->shape;
    return x->rank > 0 && params->start[0] == 0 && params->step[0] == 1 && x->dims[0] == y->dims[0];
}

const struct ao_op ao_op_Slice = {
    .type = "Slice",
    .infer = slice_infer,
    .forward = slice_forward,
    .vjp = ao_vjp_slice,
    .batch = AO_BATCH_ASKS,
    .keeps_batch = slice_keeps_batch,
};
