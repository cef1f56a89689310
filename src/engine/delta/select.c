/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/delta/site.h"

#include <string.h>

#include "ops/element.h"
#include "ops/move.h"

/*
 * Slice, Gather and Split: along each axis, channels included, the output lists elements of the
 * input. Changes move through the lists.
 */

/* List number of an axis of the input: 0 is channels, 1 to 3 are T, H, W; -1 for the batch axis. */
static int list_of(const struct ao_delta_site *site, int axis)
{
    return axis == 0 ? -1 : axis == 1 ? 0 : 4 - ao_delta_in(site, 0)->shape.rank + axis;
}

static aosa_status list(struct ao_delta_site *site, struct ao_delta_select *select, int d,
                        int64_t n, int64_t start, int64_t step)
{
    select->index[d] = ao_arena_alloc(&site->delta->arena, (size_t)n, sizeof *select->index[d]);
    if (!select->index[d])
        return ao_fail(AOSA_ERR_NOMEM, "node '%s': no memory for %lld indices", site->node->name,
                       (long long)n);
    select->n[d] = n;
    for (int64_t i = 0; i < n; i++)
        select->index[d][i] = (int32_t)(start + i * step);
    return AOSA_OK;
}

/* Everything of every axis. */
static aosa_status list_all(struct ao_delta_site *site, struct ao_delta_select *select)
{
    AO_TRY(list(site, select, 0, site->in->C, 0, 1));
    for (int d = 0; d < 3; d++)
        AO_TRY(list(site, select, 1 + d, site->in->dims[d], 0, 1));
    return AOSA_OK;
}

/* The step for one output; its shape must show the selected channels and positions. */
static aosa_status add_step(struct ao_delta_site *site, int output,
                            const struct ao_delta_select *select)
{
    struct ao_delta_extent out;
    struct ao_delta_step *step;
    const int64_t positions = select->n[1] * select->n[2] * select->n[3];
    if (!ao_delta_lift(&ao_delta_out(site, output)->shape, &out) || out.C != select->n[0] ||
        ao_delta_positions(&out) != positions)
        return ao_delta_refuse(site, "takes channels or clips apart");
    AO_TRY(ao_delta_site_step(site, output, AO_DELTA_SELECT, &out, &step));
    step->select = *select;
    for (int d = 0; d < 3; d++) {
        step->select.moves |= select->n[1 + d] != site->in->dims[d];
        for (int64_t i = 0; i < select->n[1 + d]; i++)
            step->select.moves |= select->index[1 + d][i] != i;
    }
    return AOSA_OK;
}

aosa_status ao_delta_slice_rule(struct ao_delta_site *site)
{
    const struct ao_slice_params *params = site->node->params;
    const struct ao_shape *shape = &ao_delta_in(site, 0)->shape;
    struct ao_delta_select select = { .moves = false };
    if (!ao_delta_shaped_like(ao_delta_in(site, 0), site->in))
        return ao_delta_refuse(site, "does not keep [1][C][T][H][W]");
    AO_TRY(list_all(site, &select));
    for (int i = 1; i < shape->rank; i++)
        AO_TRY(list(site, &select, list_of(site, i), ao_delta_out(site, 0)->shape.dims[i],
                    params->start[i], params->step[i]));
    return add_step(site, 0, &select);
}

aosa_status ao_delta_gather_rule(struct ao_delta_site *site)
{
    const struct ao_axis_params *params = site->node->params;
    const struct ao_value *indices = ao_delta_in(site, 1);
    const int d = list_of(site, params->axis);
    struct ao_delta_select select = { .moves = false };
    if (!ao_delta_shaped_like(ao_delta_in(site, 0), site->in))
        return ao_delta_refuse(site, "does not keep [1][C][T][H][W]");
    if (!indices->data || indices->shape.rank > 1 || d < 0 || (d == 0 && indices->shape.rank == 0))
        return ao_delta_refuse(site, "takes other than a constant list along one axis");
    const struct ao_view view =
        ao_view_dense((void *)(uintptr_t)indices->data, indices->dtype, &indices->shape);
    const int64_t extent = ao_delta_in(site, 0)->shape.dims[params->axis];
    AO_TRY(list_all(site, &select));
    AO_TRY(list(site, &select, d, ao_shape_count(&indices->shape), 0, 1));
    for (int64_t i = 0; i < select.n[d]; i++) {
        const int64_t at = ao_element_int(&view, i);
        select.index[d][i] = (int32_t)(at < 0 ? at + extent : at);
    }
    return add_step(site, 0, &select);
}

aosa_status ao_delta_split_rule(struct ao_delta_site *site)
{
    const struct ao_split_params *params = site->node->params;
    const int d = list_of(site, params->axis);
    if (!ao_delta_shaped_like(ao_delta_in(site, 0), site->in) || d < 0)
        return ao_delta_refuse(site, "does not keep [1][C][T][H][W]");
    for (int i = 0; i < site->node->n_out; i++)
        if (site->node->out[i] >= 0 && ao_shape_count(&ao_delta_out(site, i)->shape) == 0)
            return ao_delta_refuse(site, "has an empty output");
    for (int i = 0; i < site->node->n_out; i++) {
        struct ao_delta_select select = { .moves = false };
        if (site->node->out[i] < 0)
            continue;
        AO_TRY(list_all(site, &select));
        AO_TRY(list(site, &select, d, ao_delta_out(site, i)->shape.dims[params->axis],
                    params->first[i], 1));
        AO_TRY(add_step(site, i, &select));
    }
    return AOSA_OK;
}

/* Input position of an output position. */
static uint32_t source_position(const struct ao_delta_select *select, const int64_t *in, int64_t p)
{
    const int64_t *n = select->n + 1;
    const int64_t t = select->index[1][p / (n[1] * n[2])];
    const int64_t y = select->index[2][p / n[2] % n[1]], x = select->index[3][p % n[2]];
    return (uint32_t)((t * in[1] + y) * in[2] + x);
}

void ao_delta_select_flags(const struct ao_delta_step *step, const int64_t *in,
                           const uint8_t *changed, uint8_t *flags)
{
    const int64_t *n = step->select.n + 1, positions = n[0] * n[1] * n[2];
    for (int64_t p = 0; p < positions; p++)
        flags[p] = changed[source_position(&step->select, in, p)];
}

void ao_delta_run_select(struct ao_delta_session *session, const struct ao_delta_step *step)
{
    const struct ao_delta_value *values = session->delta->values;
    const struct ao_delta_extent *in = &values[step->in[0]].extent;
    const struct ao_delta_support *out = ao_delta_support_of(session, step->out);
    const uint32_t *positions = ao_delta_positions_of(session, out);
    const float *rows = ao_delta_rows(session, step->in[0]);
    const size_t C = (size_t)step->select.n[0];
    float *dst = ao_delta_rows(session, step->out);
    for (int m = 0; m < session->n; m++) {
        ao_delta_map(session, step->in[0], m);
        for (uint32_t r = out->first[m]; r < out->first[m + 1]; r++) {
            const uint32_t row =
                session->map[source_position(&step->select, in->dims, positions[r])];
            const float *src = rows + (size_t)row * (size_t)in->C;
            for (size_t c = 0; c < C; c++)
                dst[r * C + c] = src[step->select.index[0][c]];
        }
    }
}
