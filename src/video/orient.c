/* SPDX-License-Identifier: Apache-2.0 */
#include "video/orient.h"

#include <stdlib.h>
#include <string.h>

struct ao_orient ao_orient_of(const int32_t *matrix)
{
    if (!matrix)
        return (struct ao_orient){ false, false, false };
    const int64_t a = matrix[0], b = matrix[1], c = matrix[3], d = matrix[4];
    if (llabs(b) + llabs(c) > llabs(a) + llabs(d))
        return (struct ao_orient){ .swap = true, .reverse_x = c < 0, .reverse_y = b < 0 };
    return (struct ao_orient){ .swap = false, .reverse_x = a < 0, .reverse_y = d < 0 };
}

bool ao_orient_is_upright(struct ao_orient orient)
{
    return !orient.swap && !orient.reverse_x && !orient.reverse_y;
}

void ao_orient_apply(struct ao_orient orient, const struct ao_picture *src, uint8_t *dst)
{
    const size_t H = (size_t)(orient.swap ? src->W : src->H);
    const size_t W = (size_t)(orient.swap ? src->H : src->W);
    for (size_t y = 0; y < H; y++)
        for (size_t x = 0; x < W; x++) {
            const size_t v = orient.reverse_y ? H - 1 - y : y;
            const size_t u = orient.reverse_x ? W - 1 - x : x;
            const size_t row = orient.swap ? u : v;
            const size_t column = orient.swap ? v : u;
            memcpy(dst, src->rgb + row * src->stride_bytes + 3 * column, 3);
            dst += 3;
        }
}
