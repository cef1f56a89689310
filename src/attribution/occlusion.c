/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/occlusion.h"

struct occlusion {
    const struct aosa_clip *clip;
    const struct aosa_mask_set *masks;
    const struct ao_fill *fill;
    int64_t first; /* variant of item 0 */
};

/* Writes clip or fill into the voxels of a box in frame t of the network's input. */
static void write_box(const struct occlusion *o, const struct ao_view *input, int t,
                      struct ao_box box, bool occlude)
{
    const struct aosa_clip *clip = o->clip;
    const int64_t *strides = input->strides;
    for (int c = 0; c < 3; c++) {
        const float *volume = occlude ? o->fill->volume : clip->values;
        for (int y = box.y0; y < box.y1; y++) {
            const size_t row =
                (((size_t)c * (size_t)clip->T + (size_t)t) * (size_t)clip->H + (size_t)y) *
                (size_t)clip->W;
            float *dst = (float *)input->data + c * strides[0] + t * strides[1] + y * strides[2];
            for (int x = box.x0; x < box.x1; x++)
                dst[x * strides[3]] = volume ? volume[row + (size_t)x] : o->fill->value[c];
        }
    }
}

/* Variant 0 is the clip itself, variant i + 1 the clip under mask i. */
static void write_mask(const struct occlusion *o, const struct ao_view *input, int64_t variant,
                       bool occlude)
{
    const struct aosa_mask_set *masks = o->masks;
    if (variant == 0)
        return;
    /* Boxes of single tracks may be rewritten, so no list of disjoint ones (and no memory) here. */
    const int m = (int)variant - 1;
    for (int k = masks->first[m]; k < masks->first[m + 1]; k++)
        for (int t = 0; t < masks->T; t++)
            write_box(o, input, t, ao_track_box(masks, masks->members[k], t), occlude);
}

static void write_variant(const void *context, const struct ao_view *input, int64_t item,
                          int64_t previous)
{
    const struct occlusion *o = context;
    const struct ao_box whole = { 0, 0, o->clip->H, o->clip->W };
    if (previous < 0)
        for (int t = 0; t < o->clip->T; t++)
            write_box(o, input, t, whole, false);
    else
        write_mask(o, input, o->first + previous, false);
    write_mask(o, input, o->first + item, true);
}

aosa_status ao_occlusion_outputs(struct ao_scorer *scorer, const struct aosa_clip *clip,
                                 const struct aosa_mask_set *masks, const struct ao_fill *fill,
                                 const struct ao_progress *progress, float *outputs)
{
    const struct occlusion o = { .clip = clip, .masks = masks, .fill = fill };
    return ao_scorer_run(scorer, 1 + (int64_t)masks->M, write_variant, &o, progress, outputs);
}

aosa_status ao_occlusion_masks(struct ao_scorer *scorer, const struct aosa_clip *clip,
                               const struct aosa_mask_set *masks, const struct ao_fill *fill,
                               const struct ao_progress *progress, float *outputs)
{
    const struct occlusion o = { .clip = clip, .masks = masks, .fill = fill, .first = 1 };
    return ao_scorer_run(scorer, masks->M, write_variant, &o, progress, outputs);
}
