/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_VIDEO_ORIENT_H
#define AO_VIDEO_ORIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "video/preprocess.h"

/* How a stored frame becomes the one to show: axes swapped first, then reversed. */
struct ao_orient {
    bool swap, reverse_x, reverse_y;
};

/*
 * Of a display matrix [a b u; c d v; x y w] in row order, which maps a stored pixel (p, q) to
 * (a p + c q + x, b p + d q + y). Quarter turns and mirror images are followed; any other angle
 * counts as the nearest of them. NULL is upright.
 */
struct ao_orient ao_orient_of(const int32_t *matrix);
bool ao_orient_is_upright(struct ao_orient orient);

/* dst [H'][W'][3] with H' = W, W' = H when axes swap. */
void ao_orient_apply(struct ao_orient orient, const struct ao_picture *src, uint8_t *dst);

#endif
