/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/forward.h"

#include "attribution/occlusion.h"

aosa_status ao_forward(const struct aosa_model *model, const struct aosa_clip *clip,
                       enum ao_backend backend, const struct ao_progress *progress, float *outputs,
                       struct ao_program_memory *memory)
{
    const struct ao_scorer_options options = { .backend = backend, .threads = 1, .batch = 1 };
    const struct aosa_mask_set none = { .T = clip->T, .H = clip->H, .W = clip->W };
    const struct ao_fill fill = { 0 };
    struct ao_scorer *scorer;
    AO_TRY(ao_scorer_create(model, &options, &scorer));
    const aosa_status status = ao_occlusion_outputs(scorer, clip, &none, &fill, progress, outputs);
    if (memory)
        *memory = ao_scorer_memory(scorer);
    ao_scorer_destroy(&scorer);
    return status;
}
