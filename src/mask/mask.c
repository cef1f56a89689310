/* SPDX-License-Identifier: Apache-2.0 */
#include "mask/mask.h"

#include "mask/generator.h"
#include "mask/stacking.h"

#define AO_MASK(name) extern const struct ao_mask_generator ao_mask_##name;
#include "mask/masks.def"
#undef AO_MASK
#define AO_STACK(name) extern const struct ao_mask_stacking ao_stack_##name;
#include "mask/stacks.def"
#undef AO_STACK

const struct ao_mask_generator *const *ao_mask_generators(void)
{
    static const struct ao_mask_generator *const rows[] = {
#define AO_MASK(name) &ao_mask_##name,
#include "mask/masks.def"
#undef AO_MASK
        NULL,
    };
    return rows;
}

const struct ao_mask_stacking *const *ao_mask_stackings(void)
{
    static const struct ao_mask_stacking *const rows[] = {
#define AO_STACK(name) &ao_stack_##name,
#include "mask/stacks.def"
#undef AO_STACK
        NULL,
    };
    return rows;
}

bool ao_clip_has_letterbox(const uint8_t *rgb, int T, int H, int W)
{
    const size_t row = 3 * (size_t)W;
    const int n_rows = H < 3 ? H : 3;
    int64_t sum = 0;
    for (int t = 0; t < T; t++)
        for (int i = 0; i < 2 * n_rows; i++) {
            const int y = i < n_rows ? i : H - 1 - (i - n_rows);
            const uint8_t *values = rgb + ((size_t)t * (size_t)H + (size_t)y) * row;
            for (size_t x = 0; x < row; x++)
                sum += values[x];
        }
    const int64_t n_values = (int64_t)T * 2 * n_rows * 3 * W;
    return sum * 32256 < 500000 * n_values;
}

/* round(share H / 112): the authors' rows, which are those of 112 pixels, at any height (Q12). */
static int32_t scaled_row(int share, int H)
{
    return (int32_t)((share * H + 56) / 112);
}

static struct ao_mask_job make_job(const struct ao_mask_source *source,
                                   const struct ao_mask_options *resolved)
{
    const int H = source->H;
    struct ao_mask_job job = {
        .T = source->T,
        .H = H,
        .W = source->W,
        .flow = source->flow,
        .options = resolved,
        .start_hi = H - 1,
        .row_hi = H - 1,
    };
    if (!resolved->no_letterbox && source->rgb &&
        ao_clip_has_letterbox(source->rgb, source->T, H, source->W)) {
        job.start_lo = scaled_row(12, H);
        job.start_hi = scaled_row(100, H);
        job.row_lo = scaled_row(16, H);
        job.row_hi = scaled_row(96, H);
    }
    return job;
}

static aosa_status check_flow(const struct ao_mask_source *source,
                              const struct ao_mask_generator *generator)
{
    const struct ao_flow_field *flow = source->flow;
    if (!generator->needs_flow)
        return AOSA_OK;
    if (!flow)
        return ao_fail(AOSA_ERR_SHAPE, "--mask %s follows the motion, and no flow was given",
                       generator->name);
    if (flow->T != source->T || flow->H != source->H || flow->W != source->W)
        return ao_fail(AOSA_ERR_SHAPE,
                       "flow of %d frames of %d x %d pixels does not fit a clip of %d frames of "
                       "%d x %d",
                       flow->T, flow->H, flow->W, source->T, source->H, source->W);
    return AOSA_OK;
}

static aosa_status make_masks(const struct ao_mask_options *resolved, bool official,
                              struct aosa_mask_set *set)
{
    if (resolved->stack == AO_STACK_NONE)
        return ao_mask_set_single(set);
    if (resolved->partners >= set->N)
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "--partners %d, but there are %d tracks, so a track has at most %d others",
                       resolved->partners, set->N, set->N - 1);
    return ao_mask_stackings()[resolved->stack - 2]->stack(resolved, official, set);
}

bool ao_mask_needs_flow(const struct ao_mask_options *options)
{
    return ao_mask_generators()[options->mask]->needs_flow;
}

aosa_status ao_masks_generate(const struct ao_mask_source *source,
                              const struct ao_mask_options *options, bool official,
                              struct aosa_mask_set **set)
{
    struct ao_mask_options resolved;
    AO_TRY(ao_mask_options_resolve(options, source->T, source->H, source->W, official, &resolved));
    const struct ao_mask_generator *generator = ao_mask_generators()[resolved.mask];
    AO_TRY(check_flow(source, generator));
    const struct ao_mask_job job = make_job(source, &resolved);
    struct aosa_mask_set *made = NULL;
    AO_TRY(generator->tracks(&job, &made));
    const aosa_status status = make_masks(&resolved, official, made);
    if (status != AOSA_OK) {
        ao_mask_set_destroy(&made);
        return status;
    }
    *set = made;
    return AOSA_OK;
}
