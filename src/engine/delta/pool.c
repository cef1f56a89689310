/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/delta/internal.h"

#include <string.h>

/* Taps of one window that lie inside the input: tap range per axis and its first input. */
struct inside {
    int64_t lo[3], hi[3]; /* taps [lo, hi) */
    int64_t origin[3];    /* input of tap 0, may be outside */
};

static struct inside taps_inside(const struct ao_delta_window *w, const int64_t *in,
                                 const int64_t *out, int64_t position)
{
    const int64_t o[3] = { position / (out[1] * out[2]), position / out[2] % out[1],
                           position % out[2] };
    struct inside inside;
    for (int d = 0; d < 3; d++) {
        const int64_t origin = o[d] * w->stride[d] - w->pad[d], step = w->dilation[d];
        inside.origin[d] = origin;
        inside.lo[d] = origin < 0 ? (step - 1 - origin) / step : 0;
        inside.hi[d] = w->kernel[d];
        while (inside.hi[d] > inside.lo[d] && origin + (inside.hi[d] - 1) * step >= in[d])
            inside.hi[d]--;
    }
    return inside;
}

/* Calls `visit` with the position of every tap inside. */
typedef void (*visit_fn)(void *context, int64_t position);

static void visit_taps(const struct ao_delta_window *w, const int64_t *in,
                       const struct inside *inside, visit_fn visit, void *context)
{
    for (int64_t kt = inside->lo[0]; kt < inside->hi[0]; kt++) {
        const int64_t t = inside->origin[0] + kt * w->dilation[0];
        for (int64_t ky = inside->lo[1]; ky < inside->hi[1]; ky++) {
            const int64_t y = inside->origin[1] + ky * w->dilation[1];
            for (int64_t kx = inside->lo[2]; kx < inside->hi[2]; kx++)
                visit(context, (t * in[1] + y) * in[2] + inside->origin[2] + kx * w->dilation[2]);
        }
    }
}

struct max_run {
    const uint32_t *map;
    uint32_t *at, *row; /* of the taps so far */
    size_t n_taps;
    uint32_t zero; /* row of no change */
    bool forward;  /* the dense pass: rows are values, over a base of zeros */
};

static void visit_max(void *context, int64_t position)
{
    struct max_run *run = context;
    const uint32_t row = run->map[position];
    run->at[run->n_taps] = run->forward ? run->zero : (uint32_t)position;
    run->row[run->n_taps++] = row == AO_NO_ROW ? run->zero : row;
}

void ao_delta_run_max_pool(struct ao_delta_session *session, const struct ao_delta_base *base,
                           const struct ao_delta_step *step)
{
    const struct ao_delta_value *values = session->delta->values;
    const struct ao_delta_value *in = &values[step->in[0]], *out = &values[step->out];
    const struct ao_delta_support *support = ao_delta_support_of(session, step->out);
    const uint32_t *positions = ao_delta_positions_of(session, support);
    const size_t C = (size_t)in->extent.C;
    struct max_run run = {
        .map = session->map,
        .at = session->taps[0],
        .row = session->taps[1],
        .zero = ao_delta_support_of(session, step->in[0])->first[session->n],
        .forward = session->forward != NULL,
    };
    const float *rows = ao_delta_rows(session, step->in[0]);
    float *dst = ao_delta_rows(session, step->out);
    for (int m = 0; m < session->n; m++) {
        ao_delta_map(session, step->in[0], m);
        for (uint32_t r = support->first[m]; r < support->first[m + 1]; r++) {
            const struct inside inside =
                taps_inside(&step->window, in->extent.dims, out->extent.dims, positions[r]);
            run.n_taps = 0;
            visit_taps(&step->window, in->extent.dims, &inside, visit_max, &run);
            session->delta->kernels->max_pool(&(struct ao_max_pool){
                .y = run.forward ? rows : base->floats + in->keep,
                .d = rows,
                .at = run.at,
                .row = run.row,
                .n_taps = run.n_taps,
                .channels = C,
                .dst = dst + r * C,
            });
        }
    }
}

struct average_run {
    const struct ao_kernels *kernels;
    const uint32_t *map;
    const float *rows;
    float *sum;
    size_t C;
};

static void visit_average(void *context, int64_t position)
{
    const struct average_run *run = context;
    const uint32_t row = run->map[position];
    if (row != AO_NO_ROW)
        run->kernels->add(run->sum, run->rows + row * run->C, run->C);
}

/* What an average divides by at this place; see ops/pool.h. */
static int64_t average_count(const struct ao_delta_step *step, const int64_t *in,
                             const struct inside *inside)
{
    const struct ao_delta_window *w = &step->window;
    int64_t count = 1;
    for (int d = 0; d < 3; d++) {
        int64_t n = inside->hi[d] - inside->lo[d];
        if (step->count_padding) {
            n = w->kernel[d];
            while (n > 0 && inside->origin[d] + (n - 1) * w->dilation[d] >= in[d] + w->pad_hi[d])
                n--;
        }
        count *= n;
    }
    return count;
}

void ao_delta_run_average(struct ao_delta_session *session, const struct ao_delta_step *step)
{
    const struct ao_delta_value *values = session->delta->values;
    const struct ao_delta_value *in = &values[step->in[0]], *out = &values[step->out];
    const struct ao_delta_support *support = ao_delta_support_of(session, step->out);
    const uint32_t *positions = ao_delta_positions_of(session, support);
    struct average_run run = {
        .kernels = session->delta->kernels,
        .map = session->map,
        .rows = ao_delta_rows(session, step->in[0]),
        .C = (size_t)in->extent.C,
    };
    float *dst = ao_delta_rows(session, step->out);
    for (int m = 0; m < session->n; m++) {
        ao_delta_map(session, step->in[0], m);
        for (uint32_t r = support->first[m]; r < support->first[m + 1]; r++) {
            const struct inside inside =
                taps_inside(&step->window, in->extent.dims, out->extent.dims, positions[r]);
            run.sum = dst + r * run.C;
            memset(run.sum, 0, run.C * sizeof *run.sum);
            visit_taps(&step->window, in->extent.dims, &inside, visit_average, &run);
            const float count = (float)average_count(step, in->extent.dims, &inside);
            for (size_t c = 0; c < run.C; c++)
                run.sum[c] /= count;
        }
    }
}
