/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/smooth_map.h"

#include <string.h>

#include "attribution/blur.h"
#include "core/alloc.h"

aosa_status ao_smooth_map(float *map, int T, int H, int W, double sigma, int threads)
{
    const size_t n = (size_t)T * (size_t)H * (size_t)W;
    const double side = (H < W ? H : W) / 112.0;
    if (sigma <= 0)
        return AOSA_OK;
    float *copy = ao_alloc_raw(n, sizeof *copy);
    if (!copy)
        return ao_fail(AOSA_ERR_NOMEM, "smooth: no memory for %zu voxels", n);
    memcpy(copy, map, n * sizeof *copy);
    const aosa_status status =
        ao_blur_frames(copy, T, H, W, sigma * side, AO_BORDER_NEAREST, threads, map);
    ao_free(copy);
    return status;
}
