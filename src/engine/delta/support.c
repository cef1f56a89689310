/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/delta/internal.h"

#include <string.h>

#include "core/alloc.h"

/*
 * Where values change. The reach of a window is separable: an output changes if some t, y and x of
 * its window do, so flags are widened along x, then y, then t.
 */

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
                            int m, uint8_t *flags, size_t n)
{
    AO_TRY(ao_delta_reserve_positions(session, n));
    uint32_t *dst = session->positions + session->n_positions;
    size_t count = 0;
    for (size_t p = 0; p < n; p++) {
        dst[count] = (uint32_t)p;
        count += flags[p];
    }
    memset(flags, 0, n);
    session->n_positions += count;
    support->first[m + 1] = support->first[m] + (uint32_t)count;
    return AOSA_OK;
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
        for (int64_t t = 0; t < dims[0]; t++)
            for (int32_t b = masks[m].first[t]; b < masks[m].first[t + 1]; b++) {
                const struct ao_box *box = &masks[m].boxes[b];
                for (int32_t y = box->y0; y < box->y1 && box->x0 < box->x1; y++)
                    memset(flags + (t * dims[1] + y) * dims[2] + box->x0, 1,
                           (size_t)(box->x1 - box->x0));
            }
        AO_TRY(ao_delta_append(session, support, m, flags, (size_t)(dims[0] * dims[1] * dims[2])));
    }
    return AOSA_OK;
}

/* dst[o] |= src[o * stride - pad + k * dilation] over k along an axis of n_in and n_out lines of
 * `width` flags each. */
static void widen(const uint8_t *src, uint8_t *dst, const struct ao_delta_window *window, int axis,
                  int64_t n_in, int64_t n_out, int64_t width)
{
    memset(dst, 0, (size_t)(n_out * width));
    for (int64_t o = 0; o < n_out; o++)
        for (int64_t k = 0; k < window->kernel[axis]; k++) {
            const int64_t i =
                o * window->stride[axis] - window->pad[axis] + k * window->dilation[axis];
            if (i < 0 || i >= n_in)
                continue;
            uint8_t *to = dst + o * width;
            const uint8_t *from = src + i * width;
            for (int64_t x = 0; x < width; x++)
                to[x] |= from[x];
        }
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

/* flags[0] over `in` become flags[0] over `out`. */
static void reach(struct ao_delta_session *session, const struct ao_delta_window *window,
                  const int64_t *in, const int64_t *out)
{
    uint8_t *const *flags = session->flags;
    for (int64_t line = 0; line < in[0] * in[1]; line++)
        widen(flags[0] + line * in[2], flags[1] + line * out[2], window, 2, in[2], out[2], 1);
    for (int64_t t = 0; t < in[0]; t++)
        widen(flags[1] + t * in[1] * out[2], flags[2] + t * out[1] * out[2], window, 1, in[1],
              out[1], out[2]);
    memset(flags[0], 0, (size_t)(in[0] * in[1] * in[2]));
    widen(flags[2], flags[0], window, 0, in[0], out[0], out[1] * out[2]);
}

static aosa_status support_window(struct ao_delta_session *session,
                                  const struct ao_delta_step *step,
                                  struct ao_delta_support *support)
{
    const struct ao_delta *delta = session->delta;
    const struct ao_delta_extent *in = &delta->values[step->in[0]].extent;
    const struct ao_delta_extent *out = &delta->values[step->out].extent;
    for (int m = 0; m < session->n; m++) {
        flag(session, step->in[0], m, session->flags[0]);
        reach(session, &step->window, in->dims, out->dims);
        if (step->add != AO_NO_VALUE)
            flag(session, step->add, m, session->flags[0]);
        AO_TRY(ao_delta_append(session, support, m, session->flags[0],
                               (size_t)ao_delta_positions(out)));
    }
    return AOSA_OK;
}

/* Where any input changes; a changed factor at one position changes the product everywhere. */
static aosa_status support_union(struct ao_delta_session *session, const struct ao_delta_step *step,
                                 struct ao_delta_support *support)
{
    const struct ao_delta_value *values = session->delta->values;
    const size_t n = (size_t)ao_delta_positions(&values[step->out].extent);
    for (int m = 0; m < session->n; m++) {
        for (int i = 0; i < step->n_in; i++) {
            const struct ao_delta_support *in = ao_delta_support_of(session, step->in[i]);
            if (ao_delta_positions(&values[step->in[i]].extent) == (int64_t)n)
                flag(session, step->in[i], m, session->flags[0]);
            else if (in->first[m + 1] > in->first[m])
                memset(session->flags[0], 1, n);
        }
        AO_TRY(ao_delta_append(session, support, m, session->flags[0], n));
    }
    return AOSA_OK;
}

static aosa_status support_select(struct ao_delta_session *session,
                                  const struct ao_delta_step *step,
                                  struct ao_delta_support *support)
{
    const struct ao_delta_value *values = session->delta->values;
    const struct ao_delta_extent *in = &values[step->in[0]].extent;
    uint8_t *changed = session->flags[1];
    for (int m = 0; m < session->n; m++) {
        memset(changed, 0, (size_t)ao_delta_positions(in));
        flag(session, step->in[0], m, changed);
        ao_delta_select_flags(step, in->dims, changed, session->flags[0]);
        AO_TRY(ao_delta_append(session, support, m, session->flags[0],
                               (size_t)ao_delta_positions(&values[step->out].extent)));
    }
    return AOSA_OK;
}

/* One position, changed if anything is. */
static aosa_status support_point(struct ao_delta_session *session, const struct ao_delta_step *step,
                                 struct ao_delta_support *support)
{
    const struct ao_delta_support *in = ao_delta_support_of(session, step->in[0]);
    for (int m = 0; m < session->n; m++) {
        session->flags[0][0] = in->first[m + 1] > in->first[m];
        AO_TRY(ao_delta_append(session, support, m, session->flags[0], 1));
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
