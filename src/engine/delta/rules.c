/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/delta/internal.h"

#include <math.h>
#include <string.h>

#include "ops/conv.h"
#include "ops/move.h"
#include "ops/norm.h"
#include "ops/pointwise.h"
#include "ops/pool.h"
#include "ops/reduce.h"

/* What a rule needs to know about its node. */
struct site {
    struct ao_delta *delta;
    const struct ao_node *node;
    const struct ao_delta_extent *in; /* of input 0 */
    const char *reason;               /* why there is no rule, if so */
    bool done;
};

typedef aosa_status (*rule_fn)(struct site *site);

static aosa_status refuse(struct site *site, const char *reason)
{
    site->reason = reason;
    return AOSA_OK;
}

static aosa_status add_step(struct site *site, enum ao_delta_rule rule,
                            const struct ao_delta_extent *extent, struct ao_delta_step **step)
{
    AO_TRY(ao_delta_add_step(site->delta, site->node, rule, extent, step));
    site->done = true;
    return AOSA_OK;
}

/* The output has the same rows as the input; only its shape or its base differ. */
static aosa_status alias(struct site *site)
{
    const int32_t in = site->node->in[0];
    for (int i = 0; i < site->node->n_out; i++)
        if (site->node->out[i] >= 0)
            ao_delta_set(site->delta, site->node->out[i], site->in, site->delta->values[in].of);
    site->done = true;
    return AOSA_OK;
}

static const struct ao_value *value_in(const struct site *site, int i)
{
    return &site->delta->graph->values[site->node->in[i]];
}

static const struct ao_value *value_out(const struct site *site)
{
    return &site->delta->graph->values[site->node->out[0]];
}

/* The value's own shape is [1][C][...] with the channels and positions of its extent. */
static bool shaped_like(const struct ao_value *value, const struct ao_delta_extent *extent)
{
    struct ao_delta_extent own;
    return ao_delta_lift(&value->shape, &own) && own.C == extent->C &&
           memcmp(own.dims, extent->dims, sizeof own.dims) == 0;
}

static struct ao_delta_window window_of(const struct ao_window *window)
{
    struct ao_delta_window lifted = { .kernel = { 1, 1, 1 },
                                      .stride = { 1, 1, 1 },
                                      .dilation = { 1, 1, 1 } };
    for (int i = 0; i < window->rank; i++) {
        const int d = AO_SPATIAL - window->rank + i;
        lifted.kernel[d] = window->kernel[i];
        lifted.stride[d] = window->stride[i];
        lifted.dilation[d] = window->dilation[i];
        lifted.pad[d] = window->pad_lo[i];
        lifted.pad_hi[d] = window->pad_hi[i];
    }
    return lifted;
}

static aosa_status conv_rule(struct site *site)
{
    const struct ao_conv_params *params = site->node->params;
    struct ao_delta_extent out;
    struct ao_delta_step *step;
    if (!value_in(site, 1)->data || value_in(site, 1)->dtype != AO_F32)
        return refuse(site, "has weights that depend on the clip");
    if (!shaped_like(value_in(site, 0), site->in) || !ao_delta_lift(&value_out(site)->shape, &out))
        return refuse(site, "does not keep [1][C][T][H][W]");
    AO_TRY(add_step(site, AO_DELTA_CONV, &out, &step));
    step->window = window_of(&params->window);
    step->conv.group = params->group;
    step->conv.in = site->in->C / params->group;
    step->conv.out = out.C / params->group;
    return AOSA_OK;
}

static aosa_status pool_rule(struct site *site)
{
    const struct ao_pool_params *params = site->node->params;
    struct ao_delta_extent out;
    struct ao_delta_step *step;
    if (site->node->n_out > 1 && site->node->out[1] >= 0)
        return refuse(site, "gives the indices of its maxima");
    if (!shaped_like(value_in(site, 0), site->in) || !ao_delta_lift(&value_out(site)->shape, &out))
        return refuse(site, "does not keep [1][C][T][H][W]");
    const bool max = params->kind == AO_POOL_MAX;
    AO_TRY(add_step(site, max ? AO_DELTA_MAX_POOL : AO_DELTA_AVERAGE, &out, &step));
    step->window = window_of(&params->window);
    step->count_padding = params->count_include_pad;
    return AOSA_OK;
}

/* A mean over whole axes of T, H, W is an average over a window as large as they are. */
static aosa_status mean_rule(struct site *site)
{
    const struct ao_reduce_params *params = site->node->params;
    const struct ao_shape *shape = &value_in(site, 0)->shape;
    int64_t reduced = 1;
    for (int i = 0; i < shape->rank; i++)
        reduced *= params->axes[i] ? shape->dims[i] : 1;
    if (reduced == 1)
        return alias(site);
    if (params->axes[0] || params->axes[1] || !shaped_like(value_in(site, 0), site->in))
        return refuse(site, "is a mean over batch or channels");
    struct ao_delta_extent out = *site->in;
    struct ao_delta_window window = { .kernel = { 1, 1, 1 },
                                      .stride = { 1, 1, 1 },
                                      .dilation = { 1, 1, 1 } };
    for (int i = 2; i < shape->rank; i++)
        if (params->axes[i]) {
            const int d = 3 - shape->rank + i;
            window.kernel[d] = shape->dims[i];
            out.dims[d] = 1;
        }
    struct ao_delta_step *step;
    AO_TRY(add_step(site, AO_DELTA_AVERAGE, &out, &step));
    step->window = window;
    return AOSA_OK;
}

static aosa_status pointwise_rule(struct site *site)
{
    struct ao_delta_step *step;
    return add_step(site, AO_DELTA_POINTWISE, site->in, &step);
}

static aosa_status relu_rule(struct site *site)
{
    struct ao_delta_step *step;
    return add_step(site, AO_DELTA_RELU, site->in, &step);
}

/* Same elements in the same order: rows stay if channels stay channels. */
static aosa_status reshape_rule(struct site *site)
{
    struct ao_delta_extent out;
    const int64_t positions = ao_delta_positions(site->in);
    if (positions == 1)
        return alias(site);
    if (!shaped_like(value_in(site, 0), site->in))
        return refuse(site, "moves channels");
    if (ao_delta_lift(&value_out(site)->shape, &out) && out.C == site->in->C) {
        AO_TRY(alias(site));
        site->delta->values[site->node->out[0]].extent = out;
        return AOSA_OK;
    }
    struct ao_delta_step *step;
    out = (struct ao_delta_extent){ .C = site->in->C * positions, .dims = { 1, 1, 1 } };
    return add_step(site, AO_DELTA_FLATTEN, &out, &step);
}

static aosa_status transpose_rule(struct site *site)
{
    const struct ao_shape *shape = &value_in(site, 0)->shape;
    int wide = 0;
    for (int i = 0; i < shape->rank; i++)
        wide += shape->dims[i] > 1;
    if (wide > 1 || ao_delta_positions(site->in) > 1)
        return refuse(site, "moves channels");
    return alias(site);
}

static aosa_status identity_rule(struct site *site)
{
    return alias(site);
}

static aosa_status concat_rule(struct site *site)
{
    const struct ao_axis_params *params = site->node->params;
    struct ao_delta_extent out;
    struct ao_delta_step *step;
    for (int i = 0; i < site->node->n_in; i++) {
        const struct ao_delta_value *v = &site->delta->values[site->node->in[i]];
        if (!v->changed || !shaped_like(value_in(site, i), &v->extent))
            return refuse(site, "joins a constant");
    }
    if (params->axis != 1 || !ao_delta_lift(&value_out(site)->shape, &out))
        return refuse(site, "joins another axis than the channels");
    return add_step(site, AO_DELTA_CONCAT, &out, &step);
}

static aosa_status batch_norm_rule(struct site *site)
{
    const struct ao_norm_params *params = site->node->params;
    if (!shaped_like(value_in(site, 0), site->in))
        return refuse(site, "does not keep [1][C][T][H][W]");
    for (int i = 1; i < 5; i++)
        if (!value_in(site, i)->data || value_in(site, i)->dtype != AO_F32)
            return refuse(site, "has parameters that depend on the clip");
    struct ao_delta_step *step;
    AO_TRY(add_step(site, AO_DELTA_SCALE, site->in, &step));
    step->scale = ao_arena_alloc(&site->delta->arena, (size_t)site->in->C, sizeof *step->scale);
    if (!step->scale)
        return ao_fail(AOSA_ERR_NOMEM, "node '%s': no memory for its scale", site->node->name);
    const float *scale = value_in(site, 1)->data, *variance = value_in(site, 4)->data;
    for (int64_t c = 0; c < site->in->C; c++)
        step->scale[c] = (float)((double)scale[c] / sqrt((double)variance[c] + params->epsilon));
    return AOSA_OK;
}

static bool is_changed(const struct site *site, int i)
{
    return site->delta->values[site->node->in[i]].changed;
}

/* Constant operand that is one number, or one per channel and nothing else; 0 for other forms. */
static int64_t scale_length(const struct site *site, const struct ao_value *constant, int rank)
{
    const int64_t count = ao_shape_count(&constant->shape);
    const int channel_axis = constant->shape.rank - rank + 1;
    if (constant->dtype != AO_F32 || constant->shape.rank > rank)
        return 0;
    if (count == 1)
        return 1;
    if (ao_delta_positions(site->in) == 1 && count == site->in->C)
        return count;
    return channel_axis >= 0 && constant->shape.dims[channel_axis] == count && count == site->in->C
               ? count
               : 0;
}

static aosa_status scale_rule(struct site *site, int constant_at)
{
    const struct ao_value *constant = value_in(site, constant_at);
    const int64_t n = scale_length(site, constant, value_out(site)->shape.rank);
    const bool divide = strcmp(site->node->type, "Div") == 0;
    if (n == 0 || (divide && constant_at == 0))
        return refuse(site, "scales other than by one number per channel");
    struct ao_delta_step *step;
    AO_TRY(add_step(site, AO_DELTA_SCALE, site->in, &step));
    step->scale = ao_arena_alloc(&site->delta->arena, (size_t)site->in->C, sizeof *step->scale);
    if (!step->scale)
        return ao_fail(AOSA_ERR_NOMEM, "node '%s': no memory for its scale", site->node->name);
    for (int64_t c = 0; c < site->in->C; c++) {
        const float factor = ((const float *)constant->data)[n == 1 ? 0 : c];
        step->scale[c] = divide ? 1 / factor : factor;
    }
    return AOSA_OK;
}

static bool same_extent(const struct ao_delta_extent *a, const struct ao_delta_extent *b)
{
    return a->C == b->C && memcmp(a->dims, b->dims, sizeof a->dims) == 0;
}

/* Shapes of operand and output are equal: nothing is repeated. */
static bool keeps_shape(const struct site *site, int i)
{
    return ao_shape_equal(&value_in(site, i)->shape, &value_out(site)->shape);
}

static aosa_status binary_rule(struct site *site)
{
    struct ao_delta *delta = site->delta;
    const struct ao_delta_value *a = &delta->values[site->node->in[0]];
    const struct ao_delta_value *b = &delta->values[site->node->in[1]];
    const bool add = strcmp(site->node->type, "Add") == 0;
    const bool subtract = strcmp(site->node->type, "Sub") == 0;
    const int changed = a->changed ? 0 : 1;
    site->in = a->changed ? &a->extent : &b->extent;
    struct ao_delta_step *step;
    if (!a->changed || !b->changed) {
        if (!keeps_shape(site, changed))
            return refuse(site, "repeats a changed value");
        if (add || (subtract && a->changed)) {
            ao_delta_set(delta, site->node->out[0], site->in,
                         delta->values[site->node->in[changed]].of);
            site->done = true;
            return AOSA_OK;
        }
        return subtract ? refuse(site, "subtracts from a constant") : scale_rule(site, 1 - changed);
    }
    if (add && same_extent(&a->extent, &b->extent))
        return add_step(site, AO_DELTA_ADD, &a->extent, &step);
    const bool product = strcmp(site->node->type, "Mul") == 0;
    const bool gate = a->extent.C == b->extent.C && shaped_like(value_in(site, 0), &a->extent) &&
                      shaped_like(value_in(site, 1), &b->extent) &&
                      (ao_delta_positions(&a->extent) == 1 || ao_delta_positions(&b->extent) == 1);
    if (product && (same_extent(&a->extent, &b->extent) || gate)) {
        const bool first = ao_delta_positions(&a->extent) >= ao_delta_positions(&b->extent);
        return add_step(site, AO_DELTA_MULTIPLY, first ? &a->extent : &b->extent, &step);
    }
    return refuse(site, "joins changed values of different shapes");
}

static const struct {
    const char *type;
    rule_fn rule;
} rules[] = {
    { "Conv", conv_rule },         { "Relu", relu_rule },
    { "MaxPool", pool_rule },      { "GlobalMaxPool", pool_rule },
    { "AveragePool", pool_rule },  { "GlobalAveragePool", pool_rule },
    { "ReduceMean", mean_rule },   { "BatchNormalization", batch_norm_rule },
    { "Add", binary_rule },        { "Sub", binary_rule },
    { "Mul", binary_rule },        { "Div", binary_rule },
    { "Concat", concat_rule },     { "Flatten", reshape_rule },
    { "Reshape", reshape_rule },   { "Squeeze", reshape_rule },
    { "Unsqueeze", reshape_rule }, { "Transpose", transpose_rule },
    { "Identity", identity_rule }, { "Dropout", identity_rule },
};

static rule_fn find_rule(const char *type)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (strcmp(rules[i].type, type) == 0)
            return rules[i].rule;
    return ao_pointwise_find(type) ? pointwise_rule : NULL;
}

aosa_status ao_delta_rule_for(struct ao_delta *delta, const struct ao_node *node, bool *done,
                              const char **reason)
{
    const rule_fn rule = find_rule(node->type);
    struct site site = { .delta = delta, .node = node, .reason = "has no delta rule" };
    site.in = node->n_in > 0 && node->in[0] >= 0 ? &delta->values[node->in[0]].extent : NULL;
    const bool first_changed = site.in && (is_changed(&site, 0) || rule == binary_rule);
    if (rule && first_changed && delta->graph->values[node->out[0]].dtype == AO_F32)
        AO_TRY(rule(&site));
    *done = site.done;
    *reason = site.reason;
    return AOSA_OK;
}
