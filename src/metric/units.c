/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/units.h"

#include "core/alloc.h"
#include "mask/supervoxels.h"

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* Answers the number of blocks; of[i] gets the one that voxel i is in. */
static size_t find_blocks(const struct aosa_clip *clip, int side, uint32_t *of)
{
    const uint32_t rows = (uint32_t)((clip->H - 1) / side + 1);
    const uint32_t columns = (uint32_t)((clip->W - 1) / side + 1);
    for (uint32_t t = 0; t < (uint32_t)clip->T; t++)
        for (int y = 0; y < clip->H; y++)
            for (int x = 0; x < clip->W; x++)
                *of++ = (t * rows + (uint32_t)(y / side)) * columns + (uint32_t)(x / side);
    return (size_t)clip->T * rows * columns;
}

static aosa_status find_segments(const struct aosa_clip *clip,
                                 const struct ao_metric_options *options, uint32_t *of, size_t *n)
{
    const struct ao_slic slic = {
        .n = options->segments,
        .compactness = options->compactness,
        .frame_px = (double)smaller(clip->H, clip->W) / clip->T, /* as long as it is wide */
        .per_frame = options->unit == AO_UNIT_SUPERPIXEL,
    };
    struct ao_supervoxels s;
    const aosa_status status = ao_supervoxels_slic(clip->rgb, clip->T, clip->H, clip->W, &slic, &s);
    if (status != AOSA_OK)
        return ao_fail_in(status, "--unit-segments %d", options->segments);
    for (size_t i = 0; i < ao_clip_voxels(clip); i++)
        of[i] = (uint32_t)s.label[i];
    *n = (size_t)s.n;
    ao_supervoxels_fini(&s);
    return AOSA_OK;
}

/* Voxels by unit, a counting sort, and sums of the map. */
static void gather(struct ao_units *u, const float *map, size_t n_voxels, const uint32_t *of)
{
    for (size_t i = 0; i < n_voxels; i++) {
        u->value[of[i]] += (double)map[i];
        u->first[of[i] + 1]++;
    }
    for (size_t unit = 0; unit < u->n; unit++)
        u->first[unit + 1] += u->first[unit];
    for (size_t i = n_voxels; i-- > 0;) /* first[unit + 1] counts down to where `unit` starts */
        u->voxels[--u->first[of[i] + 1]] = (uint32_t)i;
    for (size_t unit = 0; unit < u->n; unit++)
        u->first[unit] = u->first[unit + 1];
    u->first[u->n] = (uint32_t)n_voxels;
}

static aosa_status fill(struct ao_units *u, const struct aosa_clip *clip, const float *map,
                        const struct ao_metric_options *options, uint32_t *of)
{
    const size_t n_voxels = ao_clip_voxels(clip);
    const int side = options->unit == AO_UNIT_VOXEL ? 1 : options->block;
    const bool is_block = options->unit == AO_UNIT_VOXEL || options->unit == AO_UNIT_BLOCK;
    if (is_block)
        u->n = find_blocks(clip, side, of);
    else
        AO_TRY(find_segments(clip, options, of, &u->n));
    u->value = ao_alloc(u->n, sizeof *u->value);
    u->first = ao_alloc(u->n + 1, sizeof *u->first);
    u->voxels = ao_alloc_raw(n_voxels, sizeof *u->voxels);
    if (!u->value || !u->first || !u->voxels)
        return ao_fail(AOSA_ERR_NOMEM, "units: no memory for %zu of %zu voxels", u->n, n_voxels);
    gather(u, map, n_voxels, of);
    for (size_t unit = 0; is_block && unit < u->n; unit++)
        u->value[unit] /= (double)(u->first[unit + 1] - u->first[unit]);
    return AOSA_OK;
}

aosa_status ao_units_init(struct ao_units *u, const struct aosa_clip *clip, const float *map,
                          const struct ao_metric_options *options)
{
    const size_t n = ao_clip_voxels(clip);
    *u = (struct ao_units){ 0 };
    if (n >= UINT32_MAX)
        return ao_fail(AOSA_ERR_SHAPE, "units: a clip of %zu voxels, at most %u", n,
                       UINT32_MAX - 1);
    uint32_t *of = ao_alloc_raw(n, sizeof *of);
    const aosa_status status = of ? fill(u, clip, map, options, of)
                                  : ao_fail(AOSA_ERR_NOMEM, "units: no memory for %zu voxels", n);
    ao_free(of);
    if (status != AOSA_OK)
        ao_units_fini(u);
    return status;
}

void ao_units_fini(struct ao_units *u)
{
    ao_free(u->value);
    ao_free(u->first);
    ao_free(u->voxels);
    *u = (struct ao_units){ 0 };
}
