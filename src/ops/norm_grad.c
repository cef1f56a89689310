/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "ops/backward.h"
#include "ops/check.h"
#include "ops/element.h"
#include "ops/norm.h"

/*
 * LayerNormGrad(dL/dy, x, scale) and GroupNormGrad(dL/dy, x, scale), the latter for instances too,
 * with the attributes of the forward. Over each group of x with mean m and d = sqrt(variance +
 * epsilon), with z = (x - m) / d and s = dL/dy scale,
 *
 *     dL/dx = (s - mean(s) - z mean(s z)) / d
 */

/* Shapes and attributes are checked by the forward's infer, on the same inputs. */
static aosa_status norm_grad_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, 3, 3, 1));
    struct ao_node forward = *node;
    const bool layer = strcmp(node->type, "LayerNormGrad") == 0;
    int32_t in[] = { node->in[1], node->in[2], node->in[2] }, unwanted = -1;
    forward.type = layer ? "LayerNormalization" : "GroupNormalization";
    forward.in = in;
    forward.out = &unwanted;
    AO_TRY(ao_op_find(forward.type)->infer(graph, &forward));
    node->params = forward.params;
    const struct ao_value *x = ao_op_in(graph, node, 1);
    char text[2][AO_SHAPE_TEXT];
    const struct ao_shape *gy = &ao_op_in(graph, node, 0)->shape;
    AO_TRY(ao_op_float(graph, node, 0));
    AO_TRY(ao_op_float(graph, node, 1));
    if (!ao_shape_equal(gy, &x->shape))
        return ao_op_fail(node, AOSA_ERR_FORMAT, "of shape %s, the input has %s",
                          ao_shape_text(gy, text[0]), ao_shape_text(&x->shape, text[1]));
    return ao_op_set_like(graph, node);
}

/* One group: views of one shape. */
struct group {
    struct ao_view gy, x, scale, gx;
};

struct group_row {
    struct ao_walk walk;
    double s[AO_ROW], x[AO_ROW], scale[AO_ROW];
};

static void begin_rows(struct group_row *row, const struct group *group)
{
    const int64_t *const strides[] = { group->gy.strides, group->x.strides, group->scale.strides,
                                       group->gx.strides };
    ao_walk_init(&row->walk, &group->x.shape, 4, strides);
}

static bool next_row(struct group_row *row, const struct group *group)
{
    struct ao_walk *walk = &row->walk;
    if (!ao_walk_next(walk))
        return false;
    ao_row_load(row->s, &group->gy, walk->offset[0], walk->stride[0], walk->n);
    ao_row_load(row->x, &group->x, walk->offset[1], walk->stride[1], walk->n);
    ao_row_load(row->scale, &group->scale, walk->offset[2], walk->stride[2], walk->n);
    for (int64_t i = 0; i < walk->n; i++)
        row->s[i] *= row->scale[i];
    return true;
}

static void group_gradient(const struct group *group, double epsilon)
{
    struct group_row row;
    double mean, variance, sum = 0, sum_z = 0;
    ao_norm_moments(&group->x, &mean, &variance);
    const double inverse = 1 / sqrt(variance + epsilon);
    const double count = (double)ao_shape_count(&group->x.shape);
    begin_rows(&row, group);
    while (next_row(&row, group))
        for (int64_t i = 0; i < row.walk.n; i++) {
            sum += row.s[i];
            sum_z += row.s[i] * (row.x[i] - mean) * inverse;
        }
    begin_rows(&row, group);
    while (next_row(&row, group)) {
        for (int64_t i = 0; i < row.walk.n; i++) {
            const double z = (row.x[i] - mean) * inverse;
            row.s[i] = (row.s[i] - sum / count - z * sum_z / count) * inverse;
        }
        ao_row_store(&group->gx, row.walk.offset[3], row.walk.stride[3], row.s, row.walk.n);
    }
}

static void group_norm_grad_forward(const struct ao_op_call *call)
{
    const struct ao_norm_params *params = call->node->params;
    const struct ao_view *x = &call->in[1], *scale = &call->in[2];
    const int64_t n = x->shape.dims[1] / params->groups;
    for (int64_t image = 0; image < x->shape.dims[0]; image++)
        for (int64_t c = 0; c < x->shape.dims[1]; c += n) {
            struct group group = { .gy = ao_norm_channels(&call->in[0], image, c, n),
                                   .x = ao_norm_channels(x, image, c, n),
                                   .gx = ao_norm_channels(&call->out[0], image, c, n),
                                   .scale = { .dtype = scale->dtype } };
            group.scale.data = ao_element_at(scale, c * scale->strides[0]);
            group.scale.shape = group.x.shape;
            group.scale.strides[1] = scale->strides[0];
            group_gradient(&group, params->epsilon);
        }
}

static void layer_norm_grad_forward(const struct ao_op_call *call)
{
    const struct ao_norm_params *params = call->node->params;
    const struct ao_view *gy = &call->in[0], *x = &call->in[1], *gx = &call->out[0];
    struct group group = { .gy = ao_norm_behind(gy, params->axis),
                           .x = ao_norm_behind(x, params->axis),
                           .gx = ao_norm_behind(gx, params->axis) };
    group.scale = ao_view_broadcast(&call->in[2], &group.x.shape);
    struct ao_view grid[] = { *gy, *x, *gx };
    for (int i = 0; i < 3; i++)
        grid[i].shape.rank = params->axis;
    const int64_t count = ao_shape_count(&grid[1].shape);
    for (int64_t i = 0; i < count; i++) {
        group.gy.data = ao_element_at(gy, ao_view_offset(&grid[0], i));
        group.x.data = ao_element_at(x, ao_view_offset(&grid[1], i));
        group.gx.data = ao_element_at(gx, ao_view_offset(&grid[2], i));
        group_gradient(&group, params->epsilon);
    }
}

/* Zeros in the place of mean and bias. */
static int32_t zeros(struct ao_vjp *vjp, int64_t n)
{
    const struct ao_shape shape = { .rank = 1, .dims = { n } };
    return ao_vjp_expand(vjp, ao_vjp_number(vjp, 0), &shape);
}

static aosa_status refuse_parameters(const struct ao_vjp *vjp)
{
    for (int i = 1; i < vjp->node.n_in; i++)
        if (vjp->wanted[i])
            return ao_vjp_refuse(vjp, "for parameters that depend on the clip");
    for (int i = 1; i < vjp->node.n_out; i++)
        if (vjp->grad_out[i] >= 0)
            return ao_vjp_refuse(vjp, "through its statistics");
    return AOSA_OK;
}

/* dL/dx = g scale / sqrt(variance + epsilon): the normalisation itself without mean and bias. */
aosa_status ao_vjp_batch_norm(struct ao_vjp *vjp)
{
    const struct ao_node *node = &vjp->node;
    if (((const struct ao_norm_params *)node->params)->trains)
        return ao_vjp_refuse(vjp, "in training mode");
    AO_TRY(refuse_parameters(vjp));
    const int32_t none = zeros(vjp, ao_vjp_shape(vjp, node->in[1]).dims[0]);
    const int32_t in[] = { vjp->grad_out[0], node->in[1], none, none, node->in[4] };
    vjp->grad_in[0] = ao_vjp_inherit(vjp, "BatchNormalization", in, 5, NULL);
    return vjp->status;
}

static aosa_status norm_vjp(struct ao_vjp *vjp, const char *type, const struct ao_attr *extra)
{
    AO_TRY(refuse_parameters(vjp));
    const int32_t in[] = { vjp->grad_out[0], vjp->node.in[0], vjp->node.in[1] };
    vjp->grad_in[0] = ao_vjp_inherit(vjp, type, in, 3, extra);
    return vjp->status;
}

aosa_status ao_vjp_layer_norm(struct ao_vjp *vjp)
{
    return norm_vjp(vjp, "LayerNormGrad", NULL);
}

aosa_status ao_vjp_group_norm(struct ao_vjp *vjp)
{
    const struct ao_norm_params *params = vjp->node.params;
    const struct ao_attr groups = { .name = "num_groups",
                                    .type = AO_ATTR_INT,
                                    .i = params->groups };
    return norm_vjp(vjp, "GroupNormGrad", &groups);
}

#define NORM_GRAD(name, forward_fn)     \
    const struct ao_op ao_op_##name = { \
        .type = #name,                  \
        .own = true,                    \
        .infer = norm_grad_infer,       \
        .forward = forward_fn,          \
        .batch = AO_BATCH_POINTWISE,    \
    };
NORM_GRAD(LayerNormGrad, layer_norm_grad_forward)
NORM_GRAD(GroupNormGrad, group_norm_grad_forward)
