/* SPDX-License-Identifier: Apache-2.0 */
#include "mask/generator.h"

#include "core/alloc.h"

/* Coordinates (origin + 2 stride i) / 2 below length, of which [lo, hi] count. */
static int count_on_axis(int length, int stride, int origin, int32_t lo, int32_t hi)
{
    int n = 0;
    for (int64_t twice = origin; twice < 2 * (int64_t)length; twice += 2 * (int64_t)stride)
        n += twice / 2 >= lo && twice / 2 <= hi;
    return n;
}

static void fill_points(int H, int W, int stride, int origin, int32_t lo, int32_t hi,
                        struct ao_grid_point *point)
{
    for (int64_t y2 = origin; y2 < 2 * (int64_t)H; y2 += 2 * (int64_t)stride) {
        if (y2 / 2 < lo || y2 / 2 > hi)
            continue;
        for (int64_t x2 = origin; x2 < 2 * (int64_t)W; x2 += 2 * (int64_t)stride)
            *point++ = (struct ao_grid_point){ (int16_t)(y2 / 2), (int16_t)(x2 / 2) };
    }
}

aosa_status ao_grid_create(int H, int W, int stride, int origin, int32_t lo, int32_t hi,
                           struct ao_grid *grid)
{
    const int n_y = count_on_axis(H, stride, origin, lo, hi);
    const int n_x = count_on_axis(W, stride, origin, 0, W - 1);
    if (n_y == 0 || n_x == 0)
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "--stride %d leaves no start point in rows %d to %d of a frame of %d x %d "
                       "pixels: take a smaller one",
                       stride, lo, hi, H, W);
    grid->n = n_y * n_x; /* sides have 15 bits */
    grid->points = ao_alloc_raw((size_t)grid->n, sizeof *grid->points);
    if (!grid->points)
        return ao_fail(AOSA_ERR_NOMEM, "masks: no memory for %d start points", grid->n);
    fill_points(H, W, stride, origin, lo, hi, grid->points);
    return AOSA_OK;
}

void ao_grid_fini(struct ao_grid *grid)
{
    ao_free(grid->points);
    grid->points = NULL;
    grid->n = 0;
}
