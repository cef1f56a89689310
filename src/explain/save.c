/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/save.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "core/npy.h"
#include "explain/explanation.h"
#include "explain/report.h"
#include "mask/export.h"
#include "render/picture.h"

static const char *const artefacts[] = { "clip", "flow", "tracks", "masks" };

aosa_status ao_save_parse(const char *text, unsigned *wanted)
{
    *wanted = 0;
    while (text && *text) {
        const size_t n = strcspn(text, ",");
        unsigned bit = 0;
        for (size_t i = 0; i < sizeof artefacts / sizeof artefacts[0]; i++)
            if (strlen(artefacts[i]) == n && !strncmp(text, artefacts[i], n))
                bit = 1U << i;
        if (!bit)
            return ao_fail(AOSA_ERR_ARGUMENT,
                           "--save: '%.*s' is unknown, choose from clip,flow,tracks,masks", (int)n,
                           text);
        *wanted |= bit;
        text += n + (text[n] == ',');
    }
    return AOSA_OK;
}

aosa_status ao_save_array(struct ao_outdir *dir, const char *name, enum ao_npy_type type, int rank,
                          const int64_t *dims, const void *data)
{
    char *path = ao_outdir_file(dir, name);
    if (!path)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for its path", name);
    const aosa_status status = ao_npy_write(path, type, rank, dims, data);
    ao_free(path);
    return status;
}

/* A mask array through one of mask/export.h's writers. */
static aosa_status save_masks(struct ao_outdir *dir, const char *name,
                              aosa_status (*write)(const struct aosa_mask_set *, const char *),
                              const struct aosa_mask_set *masks)
{
    char *path = ao_outdir_file(dir, name);
    if (!path)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for its path", name);
    const aosa_status status = write(masks, path);
    ao_free(path);
    return status;
}

aosa_status ao_save_artefacts(struct ao_outdir *dir, unsigned wanted, const struct aosa_clip *clip,
                              const struct ao_flow_field *flow, const struct aosa_mask_set *masks)
{
    const int64_t clip_dims[] = { 3, clip->T, clip->H, clip->W };
    const int64_t flow_dims[] = { clip->T - 1, clip->H, clip->W, 2 };
    if (wanted & AO_SAVE_CLIP)
        AO_TRY(ao_save_array(dir, "clip.npy", AO_NPY_F32, 4, clip_dims, clip->values));
    if ((wanted & AO_SAVE_FLOW) && !flow)
        return ao_fail(AOSA_ERR_ARGUMENT, "--save flow: nothing here follows a flow");
    if (wanted & AO_SAVE_FLOW)
        AO_TRY(ao_save_array(dir, "flow.npy", AO_NPY_F32, 4, flow_dims, flow->d));
    if ((wanted & (AO_SAVE_TRACKS | AO_SAVE_MASKS)) && !masks)
        return ao_fail(AOSA_ERR_ARGUMENT, "--save tracks, masks: this method uses no masks");
    if (wanted & AO_SAVE_TRACKS) {
        AO_TRY(save_masks(dir, "tracks.npy", ao_mask_set_save_tracks, masks));
        AO_TRY(save_masks(dir, "stack.npy", ao_mask_set_save_stack, masks));
    }
    if (wanted & AO_SAVE_MASKS)
        AO_TRY(save_masks(dir, "masks.npy", ao_mask_set_save_masks, masks));
    return AOSA_OK;
}

/* One array over the targets: the target axis is left out when there is one. */
static aosa_status save_per_target(struct ao_outdir *dir, const char *name,
                                   const aosa_explanation *e, size_t offset, int rank,
                                   const int64_t *dims)
{
    const int n = e->attribution.n_results;
    int64_t all[5] = { n };
    int64_t count = 1;
    for (int a = 0; a < rank; a++)
        count *= all[a + 1] = dims[a];
    float *data = ao_alloc_raw((size_t)n * (size_t)count, sizeof *data);
    if (!data)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for %d targets", name, n);
    for (int k = 0; k < n; k++) {
        const float *const *source =
            (const float *const *)(const void *)((const char *)&e->attribution.results[k] + offset);
        memcpy(data + (size_t)k * (size_t)count, *source, (size_t)count * sizeof *data);
    }
    const bool one = n == 1;
    const aosa_status status =
        ao_save_array(dir, name, AO_NPY_F32, one ? rank : rank + 1, one ? dims : all, data);
    ao_free(data);
    return status;
}

/* What 0, 127.5 and 255 of the normalised map stand for. */
static void set_bar(const aosa_explanation *e, const struct ao_map_result *r,
                    struct ao_picture_spec *spec)
{
    static const char *const drops[] = { "drop of p", "drop of logit", "drop of log-odds" };
    double scale = fmax(r->most, -r->least);
    spec->unit = drops[e->settings->explain.score];
    if (!ao_attribution_shows_drops(&e->attribution, r)) {
        spec->unit = "attribution";
        scale = ao_attribution_scale(&e->attribution, r);
    }
    spec->bar_min = -scale;
    spec->bar_max = scale;
}

static aosa_status save_pictures(struct ao_outdir *dir, const aosa_explanation *e, int k)
{
    const struct ao_attribution *a = &e->attribution;
    const struct ao_map_result *r = &a->results[k];
    const bool official = e->settings->explain.compat == AO_COMPAT_OFFICIAL;
    char name[600], grid[32], overlay[32];
    struct ao_picture_spec spec = {
        .clip = a->clip,
        .map = r->normalised,
        .colormap = ao_colormap_find(official ? "jet" : "coolwarm"),
        .blend = official ? AO_BLEND_HALF : AO_BLEND_STRENGTH,
        .class_name = ao_target_name(a->model, r->target, name, sizeof name),
        .probability = r->probability,
        .target = a->target,
        .method = a->method->name,
        .source = ao_path_base(a->clip->path),
    };
    set_bar(e, r, &spec);
    /* One target keeps the plain names; more are numbered in their order. */
    snprintf(grid, sizeof grid, a->n_results == 1 ? "grid.png" : "grid.%d.png", k);
    snprintf(overlay, sizeof overlay, a->n_results == 1 ? "overlay.mp4" : "overlay.%d.mp4", k);
    char *grid_path = ao_outdir_file(dir, grid), *overlay_path = ao_outdir_file(dir, overlay);
    aosa_status status;
    if (!grid_path || !overlay_path)
        status = ao_fail(AOSA_ERR_NOMEM, "pictures: no memory for their paths");
    else
        status = ao_render_grid(&spec, grid_path);
    if (status == AOSA_OK)
        status = ao_render_overlay(&spec, overlay_path);
    ao_free(grid_path);
    ao_free(overlay_path);
    return status;
}

aosa_status ao_save_json(struct ao_outdir *dir, const char *name, json_t *value)
{
    char *path = ao_outdir_file(dir, name);
    aosa_status status;
    if (!path || !value)
        status = ao_fail(AOSA_ERR_NOMEM, "%s: no memory", name);
    else
        status = ao_json_write(path, value);
    ao_free(path);
    json_decref(value);
    return status;
}

aosa_status ao_save_page(struct ao_outdir *dir, const char *name, struct ao_page *page)
{
    char *text, *path = ao_outdir_file(dir, name);
    aosa_status status = ao_page_take(page, &text);
    if (status == AOSA_OK) {
        status = path ? ao_file_write(path, text, strlen(text))
                      : ao_fail(AOSA_ERR_NOMEM, "%s: no memory for its path", name);
        ao_free(text);
    }
    ao_free(path);
    return status;
}

static aosa_status save_all(struct ao_outdir *dir, const aosa_explanation *e, unsigned wanted)
{
    const struct aosa_clip *clip = e->attribution.clip;
    const int64_t map_dims[] = { clip->T, clip->H, clip->W };
    const int64_t score_dims[] = { e->masks ? e->masks->M : 0 };
    AO_TRY(save_per_target(dir, "map.npy", e, offsetof(struct ao_map_result, map), 3, map_dims));
    AO_TRY(save_per_target(dir, "map_normalised.npy", e, offsetof(struct ao_map_result, normalised),
                           3, map_dims));
    if (e->masks)
        AO_TRY(save_per_target(dir, "scores.npy", e, offsetof(struct ao_map_result, scores), 1,
                               score_dims));
    AO_TRY(ao_save_artefacts(dir, wanted, clip, e->flow, e->masks));
    for (int k = 0; k < e->attribution.n_results; k++)
        AO_TRY(save_pictures(dir, e, k));
    return ao_save_json(dir, "result.json", ao_report_explanation(e));
}

aosa_status aosa_output_check(const char *folder, bool force)
{
    struct ao_outdir dir;
    AO_TRY(ao_outdir_begin(&dir, folder, "result.json", force));
    ao_outdir_abort(&dir);
    return AOSA_OK;
}

aosa_status aosa_explanation_save(const aosa_explanation *explanation, const char *folder,
                                  const char *save, bool force)
{
    struct ao_outdir dir;
    unsigned wanted;
    AO_TRY(ao_save_parse(save, &wanted));
    AO_TRY(ao_outdir_begin(&dir, folder, "result.json", force));
    const aosa_status status = save_all(&dir, explanation, wanted);
    if (status != AOSA_OK) {
        ao_outdir_abort(&dir);
        return status;
    }
    return ao_outdir_commit(&dir);
}
