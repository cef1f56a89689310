/* SPDX-License-Identifier: Apache-2.0 */
#include "mask/export.h"

#include <string.h>

#include "core/alloc.h"
#include "core/npy.h"

aosa_status ao_mask_set_save_tracks(const struct aosa_mask_set *set, const char *path)
{
    _Static_assert(sizeof(struct ao_track_point) == 3 * sizeof(int16_t),
                   "points are written as is");
    const int64_t dims[] = { set->N, set->T, 3 };
    return ao_npy_write(path, AO_NPY_I16, 3, dims, set->points);
}

aosa_status ao_mask_set_save_stack(const struct aosa_mask_set *set, const char *path)
{
    int32_t most = 0;
    for (int m = 0; m < set->M; m++) {
        const int32_t n = set->first[m + 1] - set->first[m];
        most = n > most ? n : most;
    }
    const size_t width = (size_t)most;
    int32_t *stack = ao_alloc_raw((size_t)set->M, width * sizeof *stack);
    if (!stack)
        return ao_fail(AOSA_ERR_NOMEM, "'%s': no memory for %d masks", path, set->M);
    memset(stack, -1, (size_t)set->M * width * sizeof *stack);
    for (int m = 0; m < set->M; m++)
        memcpy(stack + (size_t)m * width, set->members + set->first[m],
               (size_t)(set->first[m + 1] - set->first[m]) * sizeof *stack);
    const int64_t dims[] = { set->M, most };
    const aosa_status status = ao_npy_write(path, AO_NPY_I32, 2, dims, stack);
    ao_free(stack);
    return status;
}

aosa_status ao_mask_set_save_masks(const struct aosa_mask_set *set, const char *path)
{
    const int64_t dims[] = { set->M, set->T, set->H, set->W };
    const size_t voxels = (size_t)set->T * (size_t)set->H * (size_t)set->W;
    int64_t count;
    uint8_t *visible = ao_count(dims, 4, &count) ? ao_alloc_raw((size_t)count, 1) : NULL;
    if (!visible)
        return ao_fail(AOSA_ERR_NOMEM, "'%s': no memory for %d masks of %zu voxels", path, set->M,
                       voxels);
    memset(visible, 1, (size_t)count);
    for (int m = 0; m < set->M; m++)
        ao_mask_paint(set, m, visible + (size_t)m * voxels);
    const aosa_status status = ao_npy_write(path, AO_NPY_U8, 4, dims, visible);
    ao_free(visible);
    return status;
}
