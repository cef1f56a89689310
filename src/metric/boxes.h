/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_METRIC_BOXES_H
#define AO_METRIC_BOXES_H

#include "data/truth.h"

/*
 * The boxes of one frame as pixels: 1 in any of them, 0 elsewhere. Frames that have any, in
 * order:
 *     for (size_t i = 0, next; i < truth->n; i = next) {
 *         next = ao_boxes_paint(truth, i, inside);   // of frame truth->boxes[i].t
 *
 * @param first   The first box of the frame.
 * @param inside  Caller's buffer [H][W].
 * @return The first box of the next frame, or truth->n.
 */
size_t ao_boxes_paint(const struct ao_truth *truth, size_t first, uint8_t *inside);

#endif
