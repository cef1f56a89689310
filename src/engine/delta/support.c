/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/delta/internal.h"

#include <string.h>

#include "core/alloc.h"

/* Where values change: flags over a value's positions become a list of those that are set. */

const struct ao_delta_support *ao_delta_support_of(const struct ao_delta_session *session,
                                                   int32_t value)
{
    return &session->supports[session->delta->values[value].of];
}

struct ao_delta_cursor ao_delta_cursor(const struct ao_delta_session *session, int32_t value, int m)
{
    const struct ao_delta_support *support = ao_delta_support_of(session, value);
    return (struct ao_delta_cursor){ ao_delta_positions_of(session, support), support->first[m],
                                     support->first[m + 1] };
}

void ao_delta_map_into(const struct ao_delta_session *session, int32_t value, int m, uint32_t *map)
{
    const struct ao_delta_support *support = ao_delta_support_of(session, value);
    const uint32_t *positions = ao_delta_positions_of(session, support);
    const int64_t n = ao_delta_positions(&session->delta->values[value].extent);
    memset(map, 0xff, (size_t)n * sizeof *map);
    for (uint32_t r = support->first[m]; r < support->first[m + 1]; r++)
        map[positions[r]] = r;
}

void ao_delta_map(struct ao_delta_session *session, int32_t value, int m)
{
    ao_delta_map_into(session, value, m, session->map);
}

/* Flags 1 where the value changes under mask m. */
static void flag(const struct ao_delta_session *session, int32_t value, int m, uint8_t *flags)
{
    const struct ao_delta_support *support = ao_delta_support_of(session, value);
    const uint32_t *positions = ao_delta_positions_of(session, support);
    for (uint32_t r = support->first[m]; r < support->first[m + 1]; r++)
        flags[positions[r]] = 1;
}

aosa_status ao_delta_reserve_positions(struct ao_delta_session *session, size_t more)
{
    if (session->cap_positions - session->n_positions >= more)
        return AOSA_OK;
    size_t capacity = session->cap_positions * 2;
    if (capacity < session->n_positions + more)
        capacity = session->n_positions + more;
    uint32_t *grown = ao_alloc_raw(capacity, sizeof *grown);
    if (!grown)
        return ao_fail(AOSA_ERR_NOMEM, "delta walk: no memory for %zu positions", capacity);
    if (session->n_positions > 0)
        memcpy(grown, session->positions, session->n_positions * sizeof *grown);
    ao_free(session->positions);
    session->bytes += (capacity - session->cap_positions) * sizeof *grown;
    session->positions = grown;
    session->cap_positions = capacity;
    return AOSA_OK;
}

aosa_status ao_delta_append(struct ao_delta_session *session, struct ao_delta_support *support,
                            int m, uint8_t *flags, const int64_t *dims,
                            const struct ao_delta_box *box)
{
    const int64_t width = box->hi[2] - box->lo[2];
    const int64_t most = (box->hi[0] - box->lo[0]) * (box->hi[1] - box->lo[1]) * width;
    AO_TRY(ao_delta_reserve_positions(session, (size_t)most));
    uint32_t *dst = session->positions + session->n_positions;
    size_t count = 0;
    for (int64_t t = box->lo[0]; t < box->hi[0]; t++)
        for (int64_t y = box->lo[1]; y < box->hi[1]; y++) {
            const int64_t first = (t * dims[1] + y) * dims[2] + box->lo[2];
            for (int64_t p = first; p < first + width; p++) {
                dst[count] = (uint32_t)p;
                count += flags[p];
            }
            memset(flags + first, 0, (size_t)width);
        }
    session->n_positions += count;
    support->first[m + 1] = support->first[m] + (uint32_t)count;
    support->box[m] = *box;
    return AOSA_OK;
}

/* Box around what one mask occludes. */
static struct ao_delta_box box_of_mask(const struct ao_delta_mask *mask, int64_t T)
{
    struct ao_delta_box whole = { 0 };
    for (int64_t t = 0; t < T; t++)
        for (int32_t b = mask->first[t]; b < mask->first[t + 1]; b++) {
            const struct ao_box *box = &mask->boxes[b];
            const struct ao_delta_box one = { .lo = { t, box->y0, box->x0 },
                                              .hi = { t + 1, box->y1, box->x1 } };
            whole = ao_delta_box_union(whole, one);
        }
    return whole;
}

aosa_status ao_delta_support_masks(struct ao_delta_session *session,
                                   const struct ao_delta_mask *masks)
{
    const struct ao_delta *delta = session->delta;
    const int32_t input = delta->graph->inputs[0];
    const int64_t *dims = delta->values[input].extent.dims;
    struct ao_delta_support *support = &session->supports[input];
    uint8_t *flags = session->flags[0];
    session->n_positions = 0;
    *support = (struct ao_delta_support){ .at = 0 };
    for (int m = 0; m < session->n; m++) {
        const struct ao_delta_box whole = box_of_mask(&masks[m], dims[0]);
        for (int64_t t = 0; t < dims[0]; t++)
            for (int32_t b = masks[m].first[t]; b < masks[m].first[t + 1]; b++) {
                const struct ao_box *box = &masks[m].boxes[b];
                for (int32_t y = box->y0; y < box->y1 && box->x0 < box->x1; y++)
                    memset(flags + (t * dims[1] + y) * dims[2] + box->x0, 1,
                           (size_t)(box->x1 - box->x0));
            }
        AO_TRY(ao_delta_append(session, support, m, flags, dims, &whole));
    }
    return AOSA_OK;
}

static int64_t greater(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

size_t ao_delta_most_flags(const struct ao_delta *delta)
{
    int64_t most = delta->max_positions;
    for (int i = 0; i < delta->n_steps; i++) {
        const int64_t *in = delta->values[delta->steps[i].in[0]].extent.dims;
        const int64_t *out = delta->values[delta->steps[i].out].extent.dims;
        most = greater(most, greater(in[0] * in[1] * out[2], in[0] * out[1] * out[2]));
    }
    return (size_t)most;
}

static aosa_status support_window(struct ao_delta_session *session,
                                  const struct ao_delta_step *step,
                                  struct ao_delta_support *support)
{
    const struct ao_delta *delta = session->delta;
    const int64_t *in = delta->values[step->in[0]].extent.dims;
    const int64_t *out = delta->values[step->out].extent.dims;
    for (int m = 0; m < session->n; m++) {
        const struct ao_delta_box from = ao_delta_box_of(session, step->in[0], m);
        flag(session, step->in[0], m, session->flags[0]);
        struct ao_delta_box box = ao_delta_reach(session, &step->window, in, &from, out);
        if (step->add != AO_NO_VALUE) {
            flag(session, step->add, m, session->flags[0]);
            box = ao_delta_box_union(box, ao_delta_box_of(session, step->add, m));
        }
        AO_TRY(ao_delta_append(session, support, m, session->flags[0], out, &box));
    }
    return AOSA_OK;
}

/* Where any input changes; a changed factor at one position changes the product everywhere. */
static aosa_status support_union(struct ao_delta_session *session, const struct ao_delta_step *step,
                                 struct ao_delta_support *support)
{
    const struct ao_delta_value *values = session->delta->values;
    const int64_t *dims = values[step->out].extent.dims;
    const int64_t n = ao_delta_positions(&values[step->out].extent);
    for (int m = 0; m < session->n; m++) {
        struct ao_delta_box box = { 0 };
        for (int i = 0; i < step->n_in; i++) {
            const struct ao_delta_support *in = ao_delta_support_of(session, step->in[i]);
            const struct ao_delta_value *value = &values[step->in[i]];
            const bool alike = memcmp(value->extent.dims, dims, 3 * sizeof *dims) == 0;
            if (in->first[m + 1] == in->first[m])
                continue;
            if (ao_delta_positions(&value->extent) == n)
                flag(session, step->in[i], m, session->flags[0]);
            else
                memset(session->flags[0], 1, (size_t)n);
            box = ao_delta_box_union(box, alike ? ao_delta_box_of(session, step->in[i], m)
                                                : ao_delta_whole(dims));
        }
        AO_TRY(ao_delta_append(session, support, m, session->flags[0], dims, &box));
    }
    return AOSA_OK;
}

static aosa_status support_select(struct ao_delta_session *session,
                                  const struct ao_delta_step *step,
                                  struct ao_delta_support *support)
{
    const struct ao_delta_value *values = session->delta->values;
    const struct ao_delta_extent *in = &values[step->in[0]].extent;
    const int64_t *out = values[step->out].extent.dims;
    const struct ao_delta_box whole = ao_delta_whole(out);
    uint8_t *changed = session->flags[1];
    for (int m = 0; m < session->n; m++) {
        memset(changed, 0, (size_t)ao_delta_positions(in));
        flag(session, step->in[0], m, changed);
        ao_delta_select_flags(step, in->dims, changed, session->flags[0]);
        AO_TRY(ao_delta_append(session, support, m, session->flags[0], out, &whole));
    }
    return AOSA_OK;
}

/* One position, changed if anything is. */
static aosa_status support_point(struct ao_delta_session *session, const struct ao_delta_step *step,
                                 struct ao_delta_support *support)
{
    const struct ao_delta_support *in = ao_delta_support_of(session, step->in[0]);
    const int64_t *dims = session->delta->values[step->out].extent.dims;
    const struct ao_delta_box point = ao_delta_whole(dims);
    for (int m = 0; m < session->n; m++) {
        session->flags[0][0] = in->first[m + 1] > in->first[m];
        AO_TRY(ao_delta_append(session, support, m, session->flags[0], dims, &point));
    }
    return AOSA_OK;
}

static bool is_pointlike(const struct ao_delta_window *window)
{
    for (int d = 0; d < 3; d++)
        if (window->kernel[d] != 1 || window->stride[d] != 1 || window->pad[d] != 0 ||
            window->pad_hi[d] != 0)
            return false;
    return true;
}

static bool keeps_support(const struct ao_delta_session *session, const struct ao_delta_step *step)
{
    for (int i = 1; i < step->n_in; i++)
        if (ao_delta_support_of(session, step->in[i])->at !=
            ao_delta_support_of(session, step->in[0])->at)
            return false;
    switch (step->rule) {
    case AO_DELTA_RELU:
    case AO_DELTA_POINTWISE:
    case AO_DELTA_SCALE:
    case AO_DELTA_ADD:
    case AO_DELTA_CONCAT:
    case AO_DELTA_LAYER_NORM:
        return true;
    case AO_DELTA_SELECT:
        return !step->select.moves;
    case AO_DELTA_CONV:
        return is_pointlike(&step->window) &&
               (step->add == AO_NO_VALUE || ao_delta_support_of(session, step->add)->at ==
                                                ao_delta_support_of(session, step->in[0])->at);
    case AO_DELTA_MULTIPLY:
    case AO_DELTA_MAX_POOL:
    case AO_DELTA_AVERAGE:
    case AO_DELTA_FLATTEN:
        break;
    }
    return false;
}

aosa_status ao_delta_support_step(struct ao_delta_session *session,
                                  const struct ao_delta_step *step)
{
    struct ao_delta_support *support = &session->supports[step->out];
    if (keeps_support(session, step)) {
        *support = *ao_delta_support_of(session, step->in[0]);
        return AOSA_OK;
    }
    *support = (struct ao_delta_support){ .at = session->n_positions };
    switch (step->rule) {
    case AO_DELTA_CONV:
    case AO_DELTA_MAX_POOL:
    case AO_DELTA_AVERAGE:
        return support_window(session, step, support);
    case AO_DELTA_FLATTEN:
        return support_point(session, step, support);
    case AO_DELTA_SELECT:
        return support_select(session, step, support);
    case AO_DELTA_RELU:
    case AO_DELTA_POINTWISE:
    case AO_DELTA_SCALE:
    case AO_DELTA_ADD:
    case AO_DELTA_MULTIPLY:
    case AO_DELTA_CONCAT:
    case AO_DELTA_LAYER_NORM:
        break;
    }
    return support_union(session, step, support);
}
