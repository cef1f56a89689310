/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "ops/backward.h"
#include "ops/check.h"
#include "ops/element.h"
#include "ops/resize.h"

/* Resize by nearest neighbours or linearly along each axis. */

/* How an axis is resized: output o looks at input position `place(o)`. */
struct axis_plan {
    const char *transform;
    const char *rounding; /* NULL: linear */
    int64_t in, out;
    double scale;
};

static double place(const struct axis_plan *plan, int64_t o)
{
    const double in = (double)plan->in, out = (double)plan->out;
    const double half_pixel = ((double)o + 0.5) / plan->scale - 0.5;
    if (strcmp(plan->transform, "asymmetric") == 0)
        return (double)o / plan->scale;
    if (strcmp(plan->transform, "align_corners") == 0)
        return plan->out == 1 ? 0 : (double)o * (in - 1) / (out - 1);
    if (strcmp(plan->transform, "pytorch_half_pixel") == 0)
        return plan->out == 1 ? 0 : half_pixel;
    if (strcmp(plan->transform, "half_pixel_symmetric") == 0)
        return in / 2 * (1 - out / (plan->scale * in)) + half_pixel;
    return half_pixel;
}

/* "simple" is what Resize of opset 10 does, whose axes may become shorter and longer at once. */
static double nearest(const struct axis_plan *plan, double x)
{
    const char *rounding = plan->rounding;
    if (strcmp(rounding, "simple") == 0)
        return plan->scale < 1 ? ceil(x) : floor(x);
    if (strcmp(rounding, "round_prefer_ceil") == 0)
        return floor(x + 0.5);
    if (strcmp(rounding, "floor") == 0)
        return floor(x);
    return strcmp(rounding, "ceil") == 0 ? ceil(x) : ceil(x - 0.5);
}

/* Beyond the first and last element lies that element again. */
static int64_t clamp_index(double x, int64_t extent)
{
    return x <= 0 ? 0 : x >= (double)extent - 1 ? extent - 1 : (int64_t)x;
}

static struct ao_resize_tap tap_of(const struct axis_plan *plan, int64_t o)
{
    const double x = place(plan, o);
    struct ao_resize_tap tap = { 0 };
    if (plan->rounding) {
        tap.lo = tap.hi = clamp_index(nearest(plan, x), plan->in);
        return tap;
    }
    tap.lo = clamp_index(floor(x), plan->in);
    tap.hi = clamp_index(floor(x) + 1, plan->in);
    tap.weight = x - floor(x);
    return tap;
}

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

static aosa_status read_modes(const struct ao_node *node, struct axis_plan *plan)
{
    static const char *const transforms[] = { "half_pixel",           "asymmetric",
                                              "align_corners",        "pytorch_half_pixel",
                                              "half_pixel_symmetric", NULL };
    static const char *const roundings[] = {
        "round_prefer_floor", "round_prefer_ceil", "floor", "ceil", "simple", NULL
    };
    const char *mode = ao_node_text(node, "mode", "nearest");
    const char *policy = ao_node_text(node, "keep_aspect_ratio_policy", "stretch");
    plan->transform = ao_node_text(node, "coordinate_transformation_mode", "half_pixel");
    plan->rounding = ao_node_text(node, "nearest_mode", "round_prefer_floor");
    if (!is_one_of(plan->transform, transforms) || !is_one_of(plan->rounding, roundings) ||
        strcmp(policy, "stretch") != 0 || ao_node_int(node, "antialias", 0) != 0 ||
        (strcmp(mode, "nearest") != 0 && strcmp(mode, "linear") != 0))
        return ao_op_fail(node, AOSA_ERR_UNSUPPORTED,
                          "with mode '%s', coordinates '%s', policy '%s' is not supported", mode,
                          plan->transform, policy);
    if (strcmp(mode, "linear") == 0)
        plan->rounding = NULL;
    return AOSA_OK;
}

/* The axes that scales and sizes are for: attribute axes, or all. */
static aosa_status read_axes(const struct ao_node *node, int rank, int axes[AO_MAX_RANK], int *n)
{
    const struct ao_attr *attr = ao_node_attr(node, "axes");
    bool seen[AO_MAX_RANK];
    *n = rank;
    for (int i = 0; i < rank; i++)
        axes[i] = i;
    if (!attr)
        return AOSA_OK;
    if (attr->type != AO_ATTR_INTS)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "attribute axes is no list of integers");
    AO_TRY(ao_op_axes(node, attr->ints, attr->n, rank, seen));
    *n = (int)attr->n;
    for (int i = 0; i < *n; i++)
        axes[i] = (int)(attr->ints[i] < 0 ? attr->ints[i] + rank : attr->ints[i]);
    return AOSA_OK;
}

/* Constant input i with n numbers, or NULL when it is absent or empty. */
static aosa_status read_list(const struct ao_graph *graph, const struct ao_node *node, int i, int n,
                             enum ao_dtype dtype, const void **list)
{
    const struct ao_value *value = ao_op_in(graph, node, i);
    *list = NULL;
    if (!value || (value->data && ao_shape_count(&value->shape) == 0))
        return AOSA_OK;
    if (!value->data || value->dtype != dtype || ao_shape_count(&value->shape) != n)
        return ao_op_fail(node, AOSA_ERR_UNSUPPORTED,
                          "input %d is no constant of %d numbers, one for each axis", i, n);
    *list = value->data;
    return AOSA_OK;
}

static aosa_status plan_axis(struct ao_graph *graph, const struct ao_node *node,
                             const struct axis_plan *plan, struct ao_resize_tap **taps)
{
    if (plan->in < 1 || plan->out < 1 || plan->out > INT32_MAX)
        return ao_op_fail(node, AOSA_ERR_FORMAT,
                          "makes %" PRId64 " elements of an axis with %" PRId64, plan->out,
                          plan->in);
    *taps = ao_arena_alloc(&graph->arena, (size_t)plan->out, sizeof **taps);
    if (!*taps)
        return ao_fail(AOSA_ERR_NOMEM, "node '%s': no memory for %" PRId64 " positions", node->name,
                       plan->out);
    for (int64_t o = 0; o < plan->out; o++)
        (*taps)[o] = tap_of(plan, o);
    return AOSA_OK;
}

aosa_status ao_resize_read(struct ao_graph *graph, struct ao_node *node, struct ao_shape *resized)
{
    struct axis_plan plan;
    const void *scales, *sizes;
    int axes[AO_MAX_RANK], n;
    struct ao_resize_params *params = ao_op_params(graph, node, sizeof *params);
    if (!params)
        return AOSA_ERR_NOMEM;
    struct ao_shape shape = *resized;
    AO_TRY(read_modes(node, &plan));
    AO_TRY(read_axes(node, shape.rank, axes, &n));
    AO_TRY(read_list(graph, node, 2, n, AO_F32, &scales));
    AO_TRY(read_list(graph, node, 3, n, AO_I64, &sizes));
    if (!scales == !sizes)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "needs either scales or sizes");
    for (int i = 0; i < n; i++) {
        const double in = (double)shape.dims[axes[i]];
        const double scale =
            scales ? (double)((const float *)scales)[i] : (double)((const int64_t *)sizes)[i] / in;
        if (!(scale > 0) || !(in * scale < (double)INT32_MAX))
            return ao_op_fail(node, AOSA_ERR_FORMAT, "scales axis %d by %g", axes[i], scale);
        plan.in = shape.dims[axes[i]];
        plan.out = scales ? (int64_t)floor(in * scale) : ((const int64_t *)sizes)[i];
        plan.scale = scale;
        shape.dims[axes[i]] = plan.out;
        if (plan.in != plan.out || scale != 1)
            AO_TRY(plan_axis(graph, node, &plan, &params->taps[axes[i]]));
    }
    *resized = shape;
    return AOSA_OK;
}

static aosa_status resize_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, 1, 4, 1));
    AO_TRY(ao_op_float(graph, node, 0));
    struct ao_shape shape = ao_op_in(graph, node, 0)->shape;
    AO_TRY(ao_resize_read(graph, node, &shape));
    return ao_op_set(graph, node, 0, ao_op_in(graph, node, 0)->dtype, &shape);
}

/* Sum over the corners of the cell around the place that an output looks at. */
static double interpolate(const struct ao_view *x, const struct ao_resize_params *params,
                          const int64_t *at, int axis, int64_t offset)
{
    if (axis == x->shape.rank)
        return ao_element(x, offset);
    const int64_t step = x->strides[axis];
    if (!params->taps[axis])
        return interpolate(x, params, at, axis + 1, offset + at[axis] * step);
    const struct ao_resize_tap *tap = &params->taps[axis][at[axis]];
    const double lo = interpolate(x, params, at, axis + 1, offset + tap->lo * step);
    if (tap->weight == 0 || tap->lo == tap->hi)
        return lo;
    const double hi = interpolate(x, params, at, axis + 1, offset + tap->hi * step);
    return (1 - tap->weight) * lo + tap->weight * hi;
}

static void resize_forward(const struct ao_op_call *call)
{
    const struct ao_view *y = &call->out[0];
    int64_t at[AO_MAX_RANK] = { 0 };
    const int64_t count = ao_shape_count(&y->shape);
    for (int64_t o = 0; o < count; o++) {
        const double value = interpolate(&call->in[0], call->node->params, at, 0, 0);
        ao_row_store(y, ao_view_offset(y, o), 1, &value, 1);
        for (int a = y->shape.rank - 1; a >= 0 && ++at[a] == y->shape.dims[a]; a--)
            at[a] = 0;
    }
}

static bool resize_keeps_batch(const struct ao_graph *graph, const struct ao_node *node)
{
    return ao_op_in(graph, node, 0)->shape.rank > 0 &&
           !((const struct ao_resize_params *)node->params)->taps[0];
}

const struct ao_op ao_op_Resize = {
    .type = "Resize",
    .infer = resize_infer,
    .forward = resize_forward,
    .vjp = ao_vjp_resize,
    .batch = AO_BATCH_ASKS,
    .keeps_batch = resize_keeps_batch,
};
