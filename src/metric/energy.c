/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "core/alloc.h"
#include "metric/boxes.h"
#include "metric/metric.h"

/*
 * The energy pointing game of Score-CAM: sum of max(A, 0) inside the boxes over the sum of all of
 * it, both over the frames that have a box. NaN for a map without a positive value there.
 */
aosa_status ao_metric_energy(struct ao_metric_call *call)
{
    const struct ao_truth *truth = call->truth;
    const size_t pixels = (size_t)call->clip->H * (size_t)call->clip->W;
    uint8_t *in_box = ao_alloc_raw(pixels, sizeof *in_box);
    if (!in_box)
        return ao_fail(AOSA_ERR_NOMEM, "energy: no memory for %zu pixels", pixels);
    double inside = 0, all = 0;
    for (size_t i = 0, next; i < truth->n; i = next) {
        const float *frame = call->map + (size_t)truth->boxes[i].t * pixels;
        next = ao_boxes_paint(truth, i, in_box);
        for (size_t p = 0; p < pixels; p++) {
            const double energy = fmax((double)frame[p], 0);
            all += energy;
            inside += in_box[p] ? energy : 0;
        }
    }
    ao_free(in_box);
    return ao_metric_add_value(call->answer, "energy", NULL, all > 0 ? inside / all : (double)NAN);
}
