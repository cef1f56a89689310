/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/clip.h"

#include "core/alloc.h"
#include "explain/settings.h"
#include "model/card.h"
#include "model/model.h"

/* Network input of the goldens and of kenshohara's networks, for clips without a model. */
enum { DEFAULT_FRAMES = 16, DEFAULT_SIDE = 112 };

/* Defaults, then the card's preset or the user's, then the card's values, then the user's. */
static aosa_status resolve_preprocess(const struct aosa_model *model, const aosa_settings *settings,
                                      struct ao_preprocess *pre)
{
    if (model) {
        AO_TRY(ao_model_require_clip(model));
        ao_preprocess_init(pre, model->T, model->H, model->W);
    } else {
        ao_preprocess_init(pre, DEFAULT_FRAMES, DEFAULT_SIDE, DEFAULT_SIDE);
    }
    const char *users = ao_preset_name(&settings->clip);
    const char *cards = model ? ao_card_preset(model) : NULL;
    if (cards) {
        const aosa_status status = ao_preset_find(cards, pre);
        if (status != AOSA_OK)
            return ao_fail_in(AOSA_ERR_FORMAT, "%s", model->card_source);
    }
    if (model)
        AO_TRY(ao_card_apply(model, pre));
    if (users)
        AO_TRY(ao_preset_find(users, pre));
    AO_TRY(ao_preprocess_override(pre, &settings->clip));
    if (model && pre->T != model->T)
        return ao_fail(AOSA_ERR_SHAPE, "--frames %d: the model %s takes %d frames", pre->T,
                       model->path, model->T);
    return AOSA_OK;
}

static aosa_status open_clip(const char *path, const aosa_model *model,
                             const aosa_settings *settings, int index, int64_t first, int64_t end,
                             aosa_clip **clip)
{
    struct ao_preprocess pre;
    struct ao_video_options options = settings->clip;
    options.range_first = first;
    options.range_end = end;
    AO_TRY(resolve_preprocess(model, settings, &pre));
    AO_TRY(ao_clip_read(path, &pre, &options, index, clip));
    (*clip)->path = ao_strdup(path);
    if ((*clip)->path)
        return AOSA_OK;
    ao_clip_destroy(clip);
    return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for the path", path);
}

aosa_status ao_clip_open_range(const char *path, const aosa_model *model,
                               const aosa_settings *settings, int index, int64_t first, int64_t end,
                               aosa_clip **clip)
{
    aosa_settings *resolved;
    AO_TRY(ao_settings_resolve(settings, &resolved));
    const aosa_status status = open_clip(path, model, resolved, index, first, end, clip);
    aosa_settings_destroy(&resolved);
    return status;
}

aosa_status aosa_clip_open(const char *path, const aosa_model *model, const aosa_settings *settings,
                           int index, aosa_clip **clip)
{
    return ao_clip_open_range(path, model, settings, index, 0, 0, clip);
}

void aosa_clip_close(aosa_clip **clip)
{
    ao_clip_destroy(clip);
}

int aosa_settings_clips(const aosa_settings *settings)
{
    return settings ? settings->clip.clips : 1;
}

void aosa_clip_size(const aosa_clip *clip, int size[3])
{
    size[0] = clip->T;
    size[1] = clip->H;
    size[2] = clip->W;
}

const uint8_t *aosa_clip_rgb(const aosa_clip *clip)
{
    return clip->rgb;
}

const float *aosa_clip_values(const aosa_clip *clip)
{
    return clip->values;
}
