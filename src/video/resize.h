/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_VIDEO_RESIZE_H
#define AO_VIDEO_RESIZE_H

#include "video/preprocess.h"

/*
 * Bilinear with a filter that grows with the reduction, in Pillow's arithmetic, bit for bit
 * (src/libImaging/Resample.c): weights of 22 fractional bits, the horizontal pass first and rounded
 * to bytes. (Pillow 13 takes the vertical pass first for some sizes that are tall and made wide,
 * which no frame kept in proportion is; the rounding then differs by one level.)
 * dst is [H][W][3].
 */
aosa_status ao_resize_antialiased(const struct ao_picture *src, int H, int W, uint8_t *dst);

/*
 * Bilinear between the 2 x 2 nearest pixels, half-pixel centres, in float, rounded half to even:
 * torch.nn.functional.interpolate(align_corners=False, antialias=False) on bytes.
 */
aosa_status ao_resize_bilinear(const struct ao_picture *src, int H, int W, uint8_t *dst);

#endif
