/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/again.h"

#include <string.h>

aosa_status ao_explain_again(struct ao_metric_call *call, const struct aosa_model *model,
                             const struct aosa_clip *clip, float *map, bool *defined)
{
    const struct ao_explainer *explainer = call->explainer;
    struct ao_passes passes = { 0 };
    const aosa_status status = explainer->explain(explainer->context, model, clip, map, &passes);
    call->answer->forwards += passes.forwards;
    call->answer->backwards += passes.backwards;
    *defined = status == AOSA_OK;
    if (status == AOSA_OK || status == AOSA_ERR_NUMERIC)
        return AOSA_OK;
    return ao_fail_in(status, "%s", call->metric->name);
}

aosa_status ao_clip_copy(const struct aosa_clip *clip, struct aosa_clip **copy)
{
    struct aosa_clip *made;
    const size_t n = 3 * ao_clip_voxels(clip);
    AO_TRY(ao_clip_create(clip->T, clip->H, clip->W, &made));
    memcpy(made->rgb, clip->rgb, n);
    memcpy(made->values, clip->values, n * sizeof *made->values);
    memcpy(made->frames, clip->frames, (size_t)clip->T * sizeof *made->frames);
    memcpy(made->mean, clip->mean, sizeof made->mean);
    memcpy(made->std, clip->std, sizeof made->std);
    memcpy(made->scale, clip->scale, sizeof made->scale);
    memcpy(made->offset, clip->offset, sizeof made->offset);
    made->fps = clip->fps;
    made->bgr = clip->bgr;
    *copy = made;
    return AOSA_OK;
}
