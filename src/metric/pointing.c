/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "metric/metric.h"

/*
 * The pointing game (spec B.2). pointing.spatial is the share of hits among the frames that have a
 * box: the largest value of that frame's map lies in or near any of its boxes. pointing.clip is 1
 * when the largest value of the whole map lies in or near a box of its own frame, else 0. Ties: the
 * first in reading order, so a constant map points at the upper left corner, or, with --peak
 * centroid, the centre of the plateau (REVEX), which need not be on it.
 */

struct peak {
    int t, y, x;
};

/* Where frames [first, end) have their largest value: the first such voxel, or the mean place of
 * all of them, rounded half up. */
static struct peak find_peak(const struct ao_metric_call *call, int first, int end)
{
    const size_t W = (size_t)call->clip->W, pixels = (size_t)call->clip->H * W;
    const bool centroid = call->options->peak == AO_PEAK_CENTROID;
    size_t best = (size_t)first * pixels;
    for (size_t i = best; i < (size_t)end * pixels; i++)
        if (call->map[i] > call->map[best])
            best = i;
    double t = 0, y = 0, x = 0, n = 0;
    for (size_t i = best; i < (centroid ? (size_t)end * pixels : best + 1); i++)
        if (call->map[i] == call->map[best]) {
            t += (double)(i / pixels);
            y += (double)(i % pixels / W);
            x += (double)(i % W);
            n++;
        }
    return (struct peak){
        .t = (int)floor(t / n + 0.5),
        .y = (int)floor(y / n + 0.5),
        .x = (int)floor(x / n + 0.5),
    };
}

/* Pixels from a half-open range, 0 inside. */
static int outside(int p, int lo, int hi)
{
    return p < lo ? lo - p : p >= hi ? p - hi + 1 : 0;
}

static bool is_near(const struct ao_metric_call *call, struct ao_box box, struct peak peak)
{
    const int shorter = call->clip->H < call->clip->W ? call->clip->H : call->clip->W;
    const double tolerance = call->options->tolerance * shorter / 112;
    const double dy = outside(peak.y, box.y0, box.y1), dx = outside(peak.x, box.x0, box.x1);
    const double far = call->options->distance == AO_POINTING_BOX ? fmax(dy, dx) : hypot(dy, dx);
    return far <= tolerance;
}

/* Whether frame peak.t has boxes, and one at the peak. */
static bool has_hit(const struct ao_metric_call *call, struct peak peak, bool *any)
{
    const struct ao_truth *truth = call->truth;
    bool hit = false;
    *any = false;
    for (size_t i = 0; i < truth->n; i++) {
        if (truth->boxes[i].t != peak.t)
            continue;
        *any = true;
        hit = hit || is_near(call, truth->boxes[i].box, peak);
    }
    return hit;
}

aosa_status ao_metric_pointing(struct ao_metric_call *call)
{
    int hits = 0, frames = 0;
    bool any;
    for (int t = 0; t < call->clip->T; t++) {
        hits += has_hit(call, find_peak(call, t, t + 1), &any);
        frames += any;
    }
    const bool clip_hit = has_hit(call, find_peak(call, 0, call->clip->T), &any);
    AO_TRY(ao_metric_add_value(call->answer, "pointing", "spatial", (double)hits / frames));
    return ao_metric_add_value(call->answer, "pointing", "clip", clip_hit);
}
