/* SPDX-License-Identifier: Apache-2.0 */
#include "mask/tracker.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "core/alloc.h"

static double clamp(double value, double hi)
{
    return fmin(fmax(value, 0), hi);
}

static float *motion_at(struct ao_flow_field *field, int t, int y, int x)
{
    return field->d +
           2 * (((size_t)t * (size_t)field->H + (size_t)y) * (size_t)field->W + (size_t)x);
}

/* Turns the motion of one pixel round and leaves it where the pixel arrives. */
static void send(const struct ao_flow_field *flow, int t, int y, int x, struct ao_flow_field *back)
{
    const float *d = ao_flow_at(flow, t, y, x);
    const double to_x = rint(x + (double)d[0]), to_y = rint(y + (double)d[1]);
    if (to_x < 0 || to_x > flow->W - 1 || to_y < 0 || to_y > flow->H - 1)
        return;
    float *b = motion_at(back, t, (int)to_y, (int)to_x);
    if (!isnan(b[0]) && b[0] * b[0] + b[1] * b[1] >= d[0] * d[0] + d[1] * d[1])
        return;
    b[0] = -d[0];
    b[1] = -d[1];
}

static void turn_round(const struct ao_flow_field *flow, struct ao_flow_field *back)
{
    const size_t n = 2 * (size_t)(flow->T - 1) * (size_t)flow->H * (size_t)flow->W;
    for (size_t i = 0; i < n; i++)
        back->d[i] = NAN;
    for (int t = 0; t < flow->T - 1; t++)
        for (int y = 0; y < flow->H; y++)
            for (int x = 0; x < flow->W; x++)
                send(flow, t, y, x, back);
}

aosa_status ao_tracker_create(const struct ao_flow_field *flow, struct ao_tracker *tracker)
{
    const size_t pixels = (size_t)flow->H * (size_t)flow->W;
    *tracker = (struct ao_tracker){ .flow = flow };
    AO_TRY(ao_flow_field_create(flow->T, flow->H, flow->W, &tracker->back));
    tracker->values = ao_alloc_raw(pixels, sizeof *tracker->values);
    if (!tracker->values) {
        ao_tracker_fini(tracker);
        return ao_fail(AOSA_ERR_NOMEM, "tracker: no memory for %zu pixels", pixels);
    }
    turn_round(flow, tracker->back);
    return AOSA_OK;
}

void ao_tracker_fini(struct ao_tracker *tracker)
{
    ao_flow_field_destroy(&tracker->back);
    ao_free(tracker->values);
    *tracker = (struct ao_tracker){ 0 };
}

static int ascending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Of those numbers dx (axis 0) or dy (axis 1) of a box that are known; 0 when none is. */
static double median(const struct ao_tracker *tracker, const struct ao_flow_field *field, int t,
                     struct ao_box box, int axis)
{
    float *values = tracker->values;
    size_t n = 0;
    for (int y = box.y0; y < box.y1; y++)
        for (int x = box.x0; x < box.x1; x++) {
            const float d = ao_flow_at(field, t, y, x)[axis];
            if (!isnan(d))
                values[n++] = d;
        }
    if (n == 0)
        return 0;
    qsort(values, n, sizeof *values, ascending);
    return ((double)values[(n - 1) / 2] + (double)values[n / 2]) / 2;
}

/* First row or column of a square whose middle lies at `centre`, which is between two pixels where
 * the size is even. */
static int first_pixel(double centre, int size)
{
    return (int)floor(centre - (size - 1) / 2.0 + 0.5);
}

/* As ao_track_box counts: half of the size lies before the point. */
static int16_t to_point(double centre, int size, int length)
{
    return (int16_t)clamp(first_pixel(centre, size) + size / 2, length - 1);
}

static struct ao_box square(const struct ao_flow_field *flow, double y, double x, int size)
{
    const int y0 = first_pixel(y, size), x0 = first_pixel(x, size);
    return (struct ao_box){
        .y0 = y0 > 0 ? y0 : 0,
        .x0 = x0 > 0 ? x0 : 0,
        .y1 = y0 + size < flow->H ? y0 + size : flow->H,
        .x1 = x0 + size < flow->W ? x0 + size : flow->W,
    };
}

/* From the anchor to the last frame (step 1) or to the first one (step -1). */
static void walk(const struct ao_tracker *tracker, double y, double x, int size, int anchor,
                 int step, struct ao_track_point *points)
{
    const struct ao_flow_field *flow = tracker->flow;
    const double bottom = flow->H - 1, right = flow->W - 1;
    bool alive = true;
    for (int t = anchor; t >= 0 && t < flow->T; t += step) {
        points[t] = (struct ao_track_point){ alive, to_point(y, size, flow->H),
                                             to_point(x, size, flow->W) };
        if (t + step < 0 || t + step >= flow->T)
            return;
        const struct ao_box box = square(flow, y, x, size);
        const struct ao_flow_field *field = step > 0 ? flow : tracker->back;
        const int pair = step > 0 ? t : t - 1;
        x += median(tracker, field, pair, box, 0);
        y += median(tracker, field, pair, box, 1);
        alive = alive && y >= 0 && y <= bottom && x >= 0 && x <= right;
        y = clamp(y, bottom);
        x = clamp(x, right);
    }
}

void ao_tracker_walk(const struct ao_tracker *tracker, double y, double x, int size, int anchor,
                     struct ao_track_point *points)
{
    walk(tracker, y, x, size, anchor, 1, points);
    walk(tracker, y, x, size, anchor, -1, points);
}
