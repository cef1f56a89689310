/* SPDX-License-Identifier: Apache-2.0 */
#include "aosa/mask.h"

#include "core/alloc.h"
#include "explain/explanation.h"
#include "explain/report.h"
#include "explain/save.h"
#include "render/picture.h"

static bool is_official(const aosa_settings *settings)
{
    return settings->explain.compat == AO_COMPAT_OFFICIAL;
}

/* The frames that motion and black bars are looked for in; the caller frees them. */
static aosa_status make_frames(const struct aosa_clip *clip, const aosa_settings *settings,
                               uint8_t **frames)
{
    *frames = ao_alloc_raw(ao_clip_voxels(clip), 3);
    if (!*frames)
        return ao_fail(AOSA_ERR_NOMEM, "flow: no memory for %zu pixels", ao_clip_voxels(clip));
    ao_clip_flow_frames(clip, is_official(settings), *frames);
    return AOSA_OK;
}

aosa_status ao_make_flow(const struct aosa_clip *clip, const aosa_settings *settings,
                         struct ao_flow_field **flow)
{
    uint8_t *frames;
    AO_TRY(make_frames(clip, settings, &frames));
    const aosa_status status = ao_flow_compute(frames, clip->T, clip->H, clip->W, &settings->flow,
                                               is_official(settings), flow);
    ao_free(frames);
    return status;
}

aosa_status ao_make_masks(const struct aosa_clip *clip, const aosa_settings *settings,
                          const struct ao_flow_field *flow, struct aosa_mask_set **masks)
{
    uint8_t *frames;
    AO_TRY(make_frames(clip, settings, &frames));
    const struct ao_mask_source source = {
        .T = clip->T,
        .H = clip->H,
        .W = clip->W,
        .flow = flow,
        .rgb = frames,
    };
    const aosa_status status =
        ao_masks_generate(&source, &settings->mask, is_official(settings), masks);
    ao_free(frames);
    return status;
}

aosa_status aosa_masks_create(const aosa_clip *clip, const aosa_settings *settings,
                              aosa_mask_set **masks)
{
    struct ao_flow_field *flow = NULL;
    aosa_settings *resolved;
    AO_TRY(ao_settings_resolve(settings, &resolved));
    aosa_status status = AOSA_OK;
    if (ao_mask_needs_flow(&resolved->mask))
        status = ao_make_flow(clip, resolved, &flow);
    if (status == AOSA_OK)
        status = ao_make_masks(clip, resolved, flow, masks);
    ao_flow_field_destroy(&flow);
    aosa_settings_destroy(&resolved);
    return status;
}

void aosa_masks_destroy(aosa_mask_set **masks)
{
    ao_mask_set_destroy(masks);
}

int aosa_masks_count(const aosa_mask_set *masks)
{
    return masks->M;
}

double aosa_masks_visible(const aosa_mask_set *masks, int m)
{
    return ao_mask_visible(masks, m);
}

void aosa_masks_paint(const aosa_mask_set *masks, int m, uint8_t *visible)
{
    const size_t n = (size_t)masks->T * (size_t)masks->H * (size_t)masks->W;
    for (size_t i = 0; i < n; i++)
        visible[i] = 1;
    ao_mask_paint(masks, m, visible);
}

/* masks.json: what was asked for and what came of it. */
static json_t *report(const aosa_mask_set *masks, const aosa_clip *clip,
                      const aosa_settings *settings)
{
    json_t *visible = json_array();
    for (int m = 0; m < masks->M; m++)
        json_array_append_new(visible, json_real(ao_mask_visible(masks, m)));
    return json_pack("{s:i, s:o, s:o, s:i, s:i, s:i, s:o}", "aosa_masks", AO_RESULT_SCHEMA, "input",
                     ao_report_clip(clip), "options", ao_settings_json(settings, NULL), "masks",
                     masks->M, "tracks", masks->N, "mask_size", masks->size, "visible", visible);
}

static aosa_status save(struct ao_outdir *dir, const aosa_mask_set *masks, const aosa_clip *clip,
                        const aosa_settings *settings, unsigned wanted)
{
    struct ao_flow_field *flow = NULL;
    /* The masks do not keep the flow they followed; who wants it pays for it once more. */
    if ((wanted & AO_SAVE_FLOW) && ao_mask_needs_flow(&settings->mask))
        AO_TRY(ao_make_flow(clip, settings, &flow));
    aosa_status status = ao_save_artefacts(dir, wanted, clip, flow, masks);
    ao_flow_field_destroy(&flow);
    char *png = ao_outdir_file(dir, "tracks.png"), *mp4 = ao_outdir_file(dir, "tracks.mp4");
    if (status == AOSA_OK && (!png || !mp4))
        status = ao_fail(AOSA_ERR_NOMEM, "tracks: no memory for their paths");
    if (status == AOSA_OK)
        status = ao_render_tracks(clip, masks, png, mp4);
    ao_free(png);
    ao_free(mp4);
    return status == AOSA_OK ? ao_save_json(dir, "masks.json", report(masks, clip, settings))
                             : status;
}

aosa_status aosa_masks_save(const aosa_mask_set *masks, const aosa_clip *clip,
                            const aosa_settings *settings, const char *folder, const char *names,
                            bool force)
{
    struct ao_outdir dir;
    unsigned wanted;
    aosa_settings *resolved;
    AO_TRY(ao_save_parse(names, &wanted));
    AO_TRY(ao_settings_resolve(settings, &resolved));
    aosa_status status = ao_outdir_begin(&dir, folder, "masks.json", force);
    if (status == AOSA_OK) {
        status = save(&dir, masks, clip, resolved, wanted);
        if (status == AOSA_OK)
            status = ao_outdir_commit(&dir);
        else
            ao_outdir_abort(&dir);
    }
    aosa_settings_destroy(&resolved);
    return status;
}
