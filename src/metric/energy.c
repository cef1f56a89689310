/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "metric/metric.h"

/*
 * The energy pointing game of Score-CAM: sum of max(A, 0) inside the boxes over the sum of all of
 * it, both over the frames that have a box. NaN for a map without a positive value there.
 */

static bool is_inside(const struct ao_truth *truth, size_t first, size_t end, int y, int x)
{
    for (size_t i = first; i < end; i++) {
        const struct ao_box *box = &truth->boxes[i].box;
        if (y >= box->y0 && y < box->y1 && x >= box->x0 && x < box->x1)
            return true;
    }
    return false;
}

aosa_status ao_metric_energy(struct ao_metric_call *call)
{
    const struct ao_truth *truth = call->truth;
    const size_t W = (size_t)call->clip->W, pixels = (size_t)call->clip->H * W;
    double inside = 0, all = 0;
    for (size_t first = 0, end; first < truth->n; first = end) {
        const int t = truth->boxes[first].t;
        const float *frame = call->map + (size_t)t * pixels;
        for (end = first; end < truth->n && truth->boxes[end].t == t;)
            end++;
        for (size_t i = 0; i < pixels; i++) {
            const double energy = fmax((double)frame[i], 0);
            all += energy;
            if (energy > 0 && is_inside(truth, first, end, (int)(i / W), (int)(i % W)))
                inside += energy;
        }
    }
    return ao_metric_add_value(call->answer, "energy", NULL, all > 0 ? inside / all : (double)NAN);
}
