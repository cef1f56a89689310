/* SPDX-License-Identifier: Apache-2.0 */
#include "mask/supervoxels.h"

#include "core/alloc.h"

static aosa_status check_axis(const char *axis, int cells, int voxels)
{
    if (cells >= 1 && cells <= voxels)
        return AOSA_OK;
    return ao_fail(AOSA_ERR_ARGUMENT,
                   "supervoxels: %d cells along %s, the clip has %d; take 1 to %d", cells, axis,
                   voxels, voxels);
}

aosa_status ao_supervoxels_grid(int T, int H, int W, const int cells[3],
                                struct ao_supervoxels *supervoxels)
{
    AO_TRY(check_axis("t", cells[0], T));
    AO_TRY(check_axis("y", cells[1], H));
    AO_TRY(check_axis("x", cells[2], W));
    int32_t *label = ao_alloc_raw((size_t)T * (size_t)H, (size_t)W * sizeof *label);
    if (!label)
        return ao_fail(AOSA_ERR_NOMEM, "supervoxels: no memory for %d x %d x %d voxels", T, H, W);
    *supervoxels = (struct ao_supervoxels){ T, H, W, cells[0] * cells[1] * cells[2], label };
    for (int64_t t = 0; t < T; t++)
        for (int64_t y = 0; y < H; y++)
            for (int64_t x = 0; x < W; x++)
                *label++ = (int32_t)((t * cells[0] / T * cells[1] + y * cells[1] / H) * cells[2] +
                                     x * cells[2] / W);
    return AOSA_OK;
}

void ao_supervoxels_fini(struct ao_supervoxels *supervoxels)
{
    ao_free(supervoxels->label);
    *supervoxels = (struct ao_supervoxels){ 0 };
}
