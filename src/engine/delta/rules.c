/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/delta/site.h"

#include <math.h>
#include <string.h>

#include "ops/conv.h"
#include "ops/move.h"
#include "ops/norm.h"
#include "ops/pointwise.h"
#include "ops/pool.h"
#include "ops/reduce.h"

aosa_status ao_delta_refuse(struct ao_delta_site *site, const char *reason)
{
    site->reason = reason;
    return AOSA_OK;
}

aosa_status ao_delta_site_step(struct ao_delta_site *site, int output, enum ao_delta_rule rule,
                               const struct ao_delta_extent *extent, struct ao_delta_step **step)
{
    AO_TRY(ao_delta_add_step(site->delta, site->node, output, rule, extent, step));
    site->delta->values[site->node->out[output]].last = site->last;
    site->done = true;
    return AOSA_OK;
}

static aosa_status add_step(struct ao_delta_site *site, enum ao_delta_rule rule,
                            const struct ao_delta_extent *extent, struct ao_delta_step **step)
{
    return ao_delta_site_step(site, 0, rule, extent, step);
}

aosa_status ao_delta_alias(struct ao_delta_site *site)
{
    const int32_t in = site->node->in[0];
    for (int i = 0; i < site->node->n_out; i++)
        if (site->node->out[i] >= 0) {
            ao_delta_set(site->delta, site->node->out[i], site->in, site->delta->values[in].of);
            site->delta->values[site->node->out[i]].last = site->last;
        }
    site->done = true;
    return AOSA_OK;
}

bool ao_delta_shaped_like(const struct ao_value *value, const struct ao_delta_extent *extent)
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

static aosa_status conv_rule(struct ao_delta_site *site)
{
    const struct ao_conv_params *params = site->node->params;
    struct ao_delta_extent out;
    struct ao_delta_step *step;
    if (!ao_delta_in(site, 1)->data || ao_delta_in(site, 1)->dtype != AO_F32)
        return ao_delta_refuse(site, "has weights that depend on the clip");
    if (!ao_delta_shaped_like(ao_delta_in(site, 0), site->in) ||
        !ao_delta_lift(&ao_delta_out(site, 0)->shape, &out))
        return ao_delta_refuse(site, "does not keep [1][C][T][H][W]");
    AO_TRY(add_step(site, AO_DELTA_CONV, &out, &step));
    step->window = window_of(&params->window);
    step->conv.group = params->group;
    step->conv.in = site->in->C / params->group;
    step->conv.out = out.C / params->group;
    return AOSA_OK;
}

static aosa_status pool_rule(struct ao_delta_site *site)
{
    const struct ao_pool_params *params = site->node->params;
    struct ao_delta_extent out;
    struct ao_delta_step *step;
    if (site->node->n_out > 1 && site->node->out[1] >= 0)
        return ao_delta_refuse(site, "gives the indices of its maxima");
    if (!ao_delta_shaped_like(ao_delta_in(site, 0), site->in) ||
        !ao_delta_lift(&ao_delta_out(site, 0)->shape, &out))
        return ao_delta_refuse(site, "does not keep [1][C][T][H][W]");
    const bool max = params->kind == AO_POOL_MAX;
    AO_TRY(add_step(site, max ? AO_DELTA_MAX_POOL : AO_DELTA_AVERAGE, &out, &step));
    step->window = window_of(&params->window);
    step->count_padding = params->count_include_pad;
    return AOSA_OK;
}

/* A mean over whole axes of T, H, W is an average over a window as large as they are. */
static aosa_status mean_rule(struct ao_delta_site *site)
{
    const struct ao_reduce_params *params = site->node->params;
    const struct ao_shape *shape = &ao_delta_in(site, 0)->shape;
    int64_t reduced = 1;
    for (int i = 0; i < shape->rank; i++)
        reduced *= params->axes[i] ? shape->dims[i] : 1;
    if (reduced == 1)
        return ao_delta_alias(site);
    if (params->axes[0] || params->axes[1] || !ao_delta_shaped_like(ao_delta_in(site, 0), site->in))
        return ao_delta_refuse(site, "is a mean over batch or channels");
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

static aosa_status pointwise_rule(struct ao_delta_site *site)
{
    struct ao_delta_step *step;
    return add_step(site, AO_DELTA_POINTWISE, site->in, &step);
}

static aosa_status relu_rule(struct ao_delta_site *site)
{
    struct ao_delta_step *step;
    return add_step(site, AO_DELTA_RELU, site->in, &step);
}

/* Same elements in the same order: rows stay if channels stay channels. */
static aosa_status reshape_rule(struct ao_delta_site *site)
{
    struct ao_delta_extent out;
    const int64_t positions = ao_delta_positions(site->in);
    if (positions == 1)
        return ao_delta_alias(site);
    if (!ao_delta_shaped_like(ao_delta_in(site, 0), site->in))
        return ao_delta_refuse(site, "moves channels");
    if (ao_delta_lift(&ao_delta_out(site, 0)->shape, &out) && out.C == site->in->C) {
        AO_TRY(ao_delta_alias(site));
        site->delta->values[site->node->out[0]].extent = out;
        return AOSA_OK;
    }
    struct ao_delta_step *step;
    out = (struct ao_delta_extent){ .C = site->in->C * positions, .dims = { 1, 1, 1 } };
    return add_step(site, AO_DELTA_FLATTEN, &out, &step);
}

static aosa_status concat_rule(struct ao_delta_site *site)
{
    const struct ao_axis_params *params = site->node->params;
    struct ao_delta_extent out;
    struct ao_delta_step *step;
    for (int i = 0; i < site->node->n_in; i++) {
        const struct ao_delta_value *v = &site->delta->values[site->node->in[i]];
        if (!v->changed || !ao_delta_shaped_like(ao_delta_in(site, i), &v->extent))
            return ao_delta_refuse(site, "joins a constant");
    }
    if (params->axis != 1 || !ao_delta_lift(&ao_delta_out(site, 0)->shape, &out))
        return ao_delta_refuse(site, "joins another axis than the channels");
    return add_step(site, AO_DELTA_CONCAT, &out, &step);
}

static aosa_status batch_norm_rule(struct ao_delta_site *site)
{
    const struct ao_norm_params *params = site->node->params;
    if (!ao_delta_shaped_like(ao_delta_in(site, 0), site->in))
        return ao_delta_refuse(site, "does not keep [1][C][T][H][W]");
    for (int i = 1; i < 5; i++)
        if (!ao_delta_in(site, i)->data || ao_delta_in(site, i)->dtype != AO_F32)
            return ao_delta_refuse(site, "has parameters that depend on the clip");
    struct ao_delta_step *step;
    AO_TRY(add_step(site, AO_DELTA_SCALE, site->in, &step));
    step->scale = ao_arena_alloc(&site->delta->arena, (size_t)site->in->C, sizeof *step->scale);
    if (!step->scale)
        return ao_fail(AOSA_ERR_NOMEM, "node '%s': no memory for its scale", site->node->name);
    const float *scale = ao_delta_in(site, 1)->data, *variance = ao_delta_in(site, 4)->data;
    const float *bias = ao_delta_in(site, 2)->data, *mean = ao_delta_in(site, 3)->data;
    step->shift = ao_arena_alloc(&site->delta->arena, (size_t)site->in->C, sizeof *step->shift);
    if (!step->shift)
        return ao_fail(AOSA_ERR_NOMEM, "node '%s': no memory for its shift", site->node->name);
    for (int64_t c = 0; c < site->in->C; c++) {
        const double factor = (double)scale[c] / sqrt((double)variance[c] + params->epsilon);
        step->scale[c] = (float)factor;
        step->shift[c] = (float)((double)bias[c] - (double)mean[c] * factor);
    }
    return AOSA_OK;
}

static bool is_changed(const struct ao_delta_site *site, int i)
{
    return site->delta->values[site->node->in[i]].changed;
}

/* Constant operand that is one number, or one per channel and nothing else; 0 for other forms. */
static int64_t scale_length(const struct ao_delta_site *site, const struct ao_value *constant,
                            int rank)
{
    const int64_t count = ao_shape_count(&constant->shape);
    const int channel_axis = constant->shape.rank - rank + 1;
    if (constant->dtype != AO_F32 || constant->shape.rank > rank)
        return 0;
    if (count == 1)
        return 1;
    if (site->last)
        return constant->shape.dims[constant->shape.rank - 1] == count && count == site->in->C
                   ? count
                   : 0;
    if (ao_delta_positions(site->in) == 1 && count == site->in->C)
        return count;
    return channel_axis >= 0 && constant->shape.dims[channel_axis] == count && count == site->in->C
               ? count
               : 0;
}

static aosa_status scale_rule(struct ao_delta_site *site, int constant_at)
{
    const struct ao_value *constant = ao_delta_in(site, constant_at);
    const int64_t n = scale_length(site, constant, ao_delta_out(site, 0)->shape.rank);
    const bool divide = strcmp(site->node->type, "Div") == 0;
    if (n == 0 || (divide && constant_at == 0))
        return ao_delta_refuse(site, "scales other than by one number per channel");
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
static bool keeps_shape(const struct ao_delta_site *site, int i)
{
    return ao_shape_equal(&ao_delta_in(site, i)->shape, &ao_delta_out(site, 0)->shape);
}

static aosa_status binary_rule(struct ao_delta_site *site)
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
            return ao_delta_refuse(site, "repeats a changed value");
        if (add || (subtract && a->changed)) {
            ao_delta_set(delta, site->node->out[0], site->in,
                         delta->values[site->node->in[changed]].of);
            delta->values[site->node->out[0]].last = site->last;
            delta->shifts = true;
            site->done = true;
            return AOSA_OK;
        }
        return subtract ? ao_delta_refuse(site, "subtracts from a constant")
                        : scale_rule(site, 1 - changed);
    }
    const bool alike = same_extent(&a->extent, &b->extent) && a->last == b->last &&
                       keeps_shape(site, 0) && keeps_shape(site, 1);
    if (add && alike)
        return add_step(site, AO_DELTA_ADD, &a->extent, &step);
    const bool product = strcmp(site->node->type, "Mul") == 0;
    const bool gate = !site->last && a->extent.C == b->extent.C &&
                      ao_delta_shaped_like(ao_delta_in(site, 0), &a->extent) &&
                      ao_delta_shaped_like(ao_delta_in(site, 1), &b->extent) &&
                      (ao_delta_positions(&a->extent) == 1 || ao_delta_positions(&b->extent) == 1);
    if (product && (alike || gate)) {
        const bool first = ao_delta_positions(&a->extent) >= ao_delta_positions(&b->extent);
        AO_TRY(add_step(site, AO_DELTA_MULTIPLY, first ? &a->extent : &b->extent, &step));
        step->everywhere = !alike;
        return AOSA_OK;
    }
    return ao_delta_refuse(site, "joins changed values of different shapes");
}

static const struct {
    const char *type;
    ao_delta_rule_fn rule;
    bool last; /* also for values with their channels last */
} rules[] = {
    { "Conv", conv_rule, false },
    { "Relu", relu_rule, true },
    { "MaxPool", pool_rule, false },
    { "GlobalMaxPool", pool_rule, false },
    { "AveragePool", pool_rule, false },
    { "GlobalAveragePool", pool_rule, false },
    { "ReduceMean", mean_rule, false },
    { "BatchNormalization", batch_norm_rule, false },
    { "LayerNormalization", ao_delta_layer_norm_rule, true },
    { "Add", binary_rule, true },
    { "Sub", binary_rule, true },
    { "Mul", binary_rule, true },
    { "Div", binary_rule, true },
    { "Concat", concat_rule, false },
    { "Slice", ao_delta_slice_rule, false },
    { "Gather", ao_delta_gather_rule, false },
    { "Split", ao_delta_split_rule, false },
    { "Flatten", reshape_rule, false },
    { "Reshape", reshape_rule, false },
    { "Squeeze", reshape_rule, false },
    { "Unsqueeze", reshape_rule, false },
    { "Transpose", ao_delta_transpose_rule, true },
    { "Identity", ao_delta_alias, true },
    { "Dropout", ao_delta_alias, true },
};

/* NULL when there is none; for channels last if `last`. */
static ao_delta_rule_fn find_rule(const char *type, bool last)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (strcmp(rules[i].type, type) == 0)
            return rules[i].last || !last ? rules[i].rule : NULL;
    return ao_pointwise_find(type) ? pointwise_rule : NULL;
}

aosa_status ao_delta_rule_for(struct ao_delta *delta, const struct ao_node *node, bool *done,
                              const char **reason)
{
    struct ao_delta_site site = { .delta = delta, .node = node, .reason = "has no delta rule" };
    for (int i = 0; i < node->n_in; i++)
        site.last |= node->in[i] >= 0 && delta->values[node->in[i]].last;
    const ao_delta_rule_fn rule = find_rule(node->type, site.last);
    site.in = node->n_in > 0 && node->in[0] >= 0 ? &delta->values[node->in[0]].extent : NULL;
    const bool first_changed = site.in && (is_changed(&site, 0) || rule == binary_rule);
    bool floats = true;
    for (int i = 0; i < node->n_out; i++)
        floats &= node->out[i] < 0 || delta->graph->values[node->out[i]].dtype == AO_F32;
    if (rule && first_changed && floats)
        AO_TRY(rule(&site));
    *done = site.done;
    *reason = site.reason;
    return AOSA_OK;
}
