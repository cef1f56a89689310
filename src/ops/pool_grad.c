/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "ops/backward.h"
#include "ops/check.h"
#include "ops/element.h"
#include "ops/pool.h"

/*
 * MaxPoolGrad(dL/dy, x): each dL/dy goes to the first maximum of its window, in the order t, y, x,
 * as PyTorch has it. AveragePoolGrad(dL/dy): each is shared by the inputs of its window; attribute
 * `extent` has the spatial extents of x. The other attributes are those of the pooling.
 */

static aosa_status check_pooled(const struct ao_graph *graph, const struct ao_node *node,
                                const struct ao_shape *pooled)
{
    const struct ao_shape *gy = &ao_op_in(graph, node, 0)->shape;
    char text[2][AO_SHAPE_TEXT];
    if (!ao_shape_equal(gy, pooled))
        return ao_op_fail(node, AOSA_ERR_FORMAT, "of shape %s, the pooling gives %s",
                          ao_shape_text(gy, text[0]), ao_shape_text(pooled, text[1]));
    return AOSA_OK;
}

static aosa_status max_grad_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, 2, 2, 1));
    AO_TRY(ao_op_float(graph, node, 0));
    AO_TRY(ao_op_float(graph, node, 1));
    const struct ao_value *x = ao_op_in(graph, node, 1);
    struct ao_shape pooled;
    AO_TRY(ao_pool_read(graph, node, AO_POOL_MAX, false, &x->shape, &pooled));
    AO_TRY(check_pooled(graph, node, &pooled));
    return ao_op_set(graph, node, 0, x->dtype, &x->shape);
}

static aosa_status average_grad_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, 1, 1, 1));
    AO_TRY(ao_op_float(graph, node, 0));
    struct ao_shape x = ao_op_in(graph, node, 0)->shape, pooled;
    if (x.rank > 2)
        AO_TRY(ao_op_attr_ints(node, "extent", x.rank - 2, 1, AO_OP_MAX_ELEMENTS, 1, x.dims + 2));
    AO_TRY(ao_pool_read(graph, node, AO_POOL_AVERAGE, false, &x, &pooled));
    AO_TRY(check_pooled(graph, node, &pooled));
    return ao_op_set(graph, node, 0, ao_op_in(graph, node, 0)->dtype, &x);
}

struct plane_grad {
    const struct ao_pool_params *params;
    struct ao_window_3d window;
    const struct ao_view *x; /* NULL: average */
    int64_t x_base;
    double *sums; /* [t][y][x] of one plane of dL/dx */
};

static void add_to_maximum(struct plane_grad *run, const int64_t o[3], double gy)
{
    const struct ao_window_3d *w = &run->window;
    double value;
    const struct ao_pool_sum window =
        ao_pool_window(run->params, w, run->x, run->x_base, o, &value);
    if (window.max == -HUGE_VAL) /* no input in it */
        return;
    run->sums[(window.at[0] * w->in[1] + window.at[1]) * w->in[2] + window.at[2]] += gy;
}

static void add_to_all(struct plane_grad *run, const int64_t o[3], double gy)
{
    const struct ao_window_3d *w = &run->window;
    struct ao_tap_range taps[3];
    const int64_t count = ao_pool_inside(run->params, w, o, taps);
    for (int64_t kt = taps[0].lo; kt < taps[0].hi; kt++)
        for (int64_t ky = taps[1].lo; ky < taps[1].hi; ky++) {
            const int64_t t = taps[0].origin + kt * w->dilation[0];
            const int64_t y = taps[1].origin + ky * w->dilation[1];
            double *row = run->sums + (t * w->in[1] + y) * w->in[2];
            for (int64_t kx = taps[2].lo; kx < taps[2].hi; kx++)
                row[taps[2].origin + kx * w->dilation[2]] += gy / (double)count;
        }
}

static void add_plane(struct plane_grad *run, const struct ao_view *gy, int64_t base)
{
    const struct ao_window_3d *w = &run->window;
    int64_t o[3];
    memset(run->sums, 0, (size_t)(w->in[0] * w->in[1] * w->in[2]) * sizeof *run->sums);
    for (o[0] = 0; o[0] < w->out[0]; o[0]++)
        for (o[1] = 0; o[1] < w->out[1]; o[1]++)
            for (o[2] = 0; o[2] < w->out[2]; o[2]++) {
                const double value =
                    ao_element(gy, base + o[0] * w->out_stride[0] + o[1] * w->out_stride[1] +
                                       o[2] * w->out_stride[2]);
                if (run->x)
                    add_to_maximum(run, o, value);
                else
                    add_to_all(run, o, value);
            }
}

/* The view of one plane, without the axes of images and channels. */
static struct ao_view plane_of(const struct ao_view *view, int64_t n, int64_t c)
{
    struct ao_view plane = *view;
    plane.data = ao_element_at(view, n * view->strides[0] + c * view->strides[1]);
    plane.shape.rank -= 2;
    for (int i = 0; i < plane.shape.rank; i++) {
        plane.shape.dims[i] = view->shape.dims[2 + i];
        plane.strides[i] = view->strides[2 + i];
    }
    return plane;
}

static void pool_grad_forward(const struct ao_op_call *call)
{
    const struct ao_view *gy = &call->in[0], *gx = &call->out[0];
    const struct ao_view *x = call->node->n_in > 1 ? &call->in[1] : NULL;
    struct plane_grad run = { .params = call->node->params, .x = x, .sums = call->scratch };
    run.window = ao_window_lift(&run.params->window, x ? x : gx, gy);
    for (int64_t n = 0; n < gx->shape.dims[0]; n++)
        for (int64_t c = 0; c < gx->shape.dims[1]; c++) {
            run.x_base = x ? n * x->strides[0] + c * x->strides[1] : 0;
            add_plane(&run, gy, n * gy->strides[0] + c * gy->strides[1]);
            const struct ao_view dst = plane_of(gx, n, c);
            const struct ao_view src = ao_view_dense(run.sums, AO_F64, &dst.shape);
            ao_view_convert(&dst, &src);
        }
}

static size_t pool_grad_scratch(const struct ao_graph *graph, const struct ao_node *node,
                                int64_t batch)
{
    const struct ao_shape *x = &ao_op_out(graph, node, 0)->shape;
    size_t bytes = sizeof(double);
    (void)batch;
    for (int i = 2; i < x->rank; i++)
        bytes *= (size_t)x->dims[i];
    return bytes;
}

/*
 * Rescale rule: what the window's maximum changes by is handed to the maxima of both clips,
 * max(y, y') - y' to that of the clip and y - max(y, y') to that of the baseline, each as a share
 * of its input's change. This is Captum's rule, but windows that overlap are summed, which it
 * overwrites; so multipliers times changes add up to the change of the output.
 */
static int32_t rescaled(struct ao_vjp *vjp, int32_t plain, const struct ao_attr *kernel)
{
    const int32_t g = vjp->grad_out[0], x = vjp->node.in[0], y = vjp->node.out[0];
    const int32_t base_x = ao_vjp_baseline(vjp, x), base_y = ao_vjp_baseline(vjp, y);
    if (base_x == x)
        return plain;
    const int32_t top = ao_vjp_two(vjp, "Max", y, base_y);
    const int32_t up = ao_vjp_two(vjp, "Mul", g, ao_vjp_two(vjp, "Sub", top, base_y));
    const int32_t down = ao_vjp_two(vjp, "Mul", g, ao_vjp_two(vjp, "Sub", y, top));
    const int32_t to_x = ao_vjp_inherit(vjp, "MaxPoolGrad", (const int32_t[]){ up, x }, 2, kernel);
    const int32_t to_base =
        ao_vjp_inherit(vjp, "MaxPoolGrad", (const int32_t[]){ down, base_x }, 2, kernel);
    return ao_vjp_quotient(vjp, ao_vjp_two(vjp, "Add", to_x, to_base), 0, plain);
}

static aosa_status max_pool(struct ao_vjp *vjp, const struct ao_attr *kernel)
{
    if (vjp->grad_out[0] < 0)
        return AOSA_OK;
    const int32_t in[] = { vjp->grad_out[0], vjp->node.in[0] };
    const int32_t plain = ao_vjp_inherit(vjp, "MaxPoolGrad", in, 2, kernel);
    vjp->grad_in[0] = rescaled(vjp, plain, kernel);
    return vjp->status;
}

aosa_status ao_vjp_max_pool(struct ao_vjp *vjp)
{
    return max_pool(vjp, NULL);
}

aosa_status ao_vjp_global_max_pool(struct ao_vjp *vjp)
{
    const struct ao_shape x = ao_vjp_shape(vjp, vjp->node.in[0]);
    const struct ao_attr kernel = {
        .name = "kernel_shape", .type = AO_ATTR_INTS, .n = x.rank - 2, .ints = x.dims + 2
    };
    return max_pool(vjp, &kernel);
}

aosa_status ao_vjp_average_pool(struct ao_vjp *vjp)
{
    const struct ao_shape x = ao_vjp_shape(vjp, vjp->node.in[0]);
    const struct ao_attr extent = {
        .name = "extent", .type = AO_ATTR_INTS, .n = x.rank - 2, .ints = x.dims + 2
    };
    vjp->grad_in[0] = ao_vjp_inherit(vjp, "AveragePoolGrad", vjp->grad_out, 1, &extent);
    return vjp->status;
}

aosa_status ao_vjp_global_average_pool(struct ao_vjp *vjp)
{
    const struct ao_shape x = ao_vjp_shape(vjp, vjp->node.in[0]);
    double count = 1;
    for (int i = 2; i < x.rank; i++)
        count *= (double)x.dims[i];
    const int32_t share = ao_vjp_two(vjp, "Div", vjp->grad_out[0], ao_vjp_number(vjp, count));
    vjp->grad_in[0] = ao_vjp_expand(vjp, share, &x);
    return vjp->status;
}

#define POOL_GRAD(name, infer_fn)       \
    const struct ao_op ao_op_##name = { \
        .type = #name,                  \
        .own = true,                    \
        .infer = infer_fn,              \
        .forward = pool_grad_forward,   \
        .scratch = pool_grad_scratch,   \
        .batch = AO_BATCH_POINTWISE,    \
    };
POOL_GRAD(MaxPoolGrad, max_grad_infer)
POOL_GRAD(AveragePoolGrad, average_grad_infer)
