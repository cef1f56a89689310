/* SPDX-License-Identifier: Apache-2.0 */
#include "model/model.h"

#include "aosa/model.h"
#include "explain/settings.h"

struct ao_model_options ao_settings_model_options(const aosa_settings *settings)
{
    return (struct ao_model_options){
        .frames = settings->clip.frames,
        .frame_height = settings->run.frame_height,
        .frame_width = settings->run.frame_width,
        .allow_nonfinite = settings->run.allow_nonfinite,
        .allow_traced = settings->run.allow_traced,
        .max_gmacs = settings->run.max_gmacs,
        .max_memory = (size_t)settings->run.max_memory * 1000000,
        .labels = settings->run.labels,
    };
}

aosa_status aosa_model_open(const char *path, const aosa_settings *settings, aosa_model **model)
{
    aosa_settings *resolved;
    AO_TRY(ao_settings_resolve(settings, &resolved));
    const struct ao_model_options options = ao_settings_model_options(resolved);
    const aosa_status status = ao_model_open(path, &options, model);
    aosa_settings_destroy(&resolved);
    return status;
}

void aosa_model_close(aosa_model **model)
{
    ao_model_close(model);
}

int aosa_model_classes(const aosa_model *model)
{
    return model->classes;
}
