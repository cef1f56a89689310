/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/boxes.h"

#include <string.h>

size_t ao_boxes_paint(const struct ao_truth *truth, size_t first, uint8_t *inside)
{
    const size_t W = (size_t)truth->W;
    size_t i = first;
    memset(inside, 0, (size_t)truth->H * W);
    for (; i < truth->n && truth->boxes[i].t == truth->boxes[first].t; i++) {
        const struct ao_box box = truth->boxes[i].box;
        for (int y = box.y0; y < box.y1; y++)
            memset(inside + (size_t)y * W + box.x0, 1, (size_t)(box.x1 - box.x0));
    }
    return i;
}
