/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/forward.h"
#include "core/alloc.h"
#include "explain/explanation.h"
#include "explain/report.h"
#include "explain/page.h"

aosa_status aosa_predict(const aosa_model *model, const aosa_clip *clip,
                         const aosa_settings *settings, float *probabilities)
{
    aosa_settings *resolved;
    AO_TRY(ao_model_require_clip(model));
    AO_TRY(ao_clip_fits(clip, model));
    AO_TRY(ao_settings_resolve(settings, &resolved));
    float *outputs = ao_alloc((size_t)model->classes, sizeof *outputs);
    aosa_status status =
        outputs
            ? ao_forward(model, clip, (enum ao_backend)resolved->run.backend, NULL, outputs, NULL)
            : ao_fail(AOSA_ERR_NOMEM, "prediction: no memory for %d classes", model->classes);
    for (int c = 0; status == AOSA_OK && c < model->classes; c++) {
        const struct ao_target target = { .a = c, .b = -1 };
        probabilities[c] =
            (float)ao_score(AO_SCORE_PROB, outputs, model->classes, model->probabilities, target);
    }
    ao_free(outputs);
    aosa_settings_destroy(&resolved);
    return status;
}

static void write_page(struct ao_page *page, const struct aosa_model *model,
                       const struct aosa_clip *clip, const float *probabilities)
{
    int top[5];
    const int n = model->classes < 5 ? model->classes : 5;
    ao_top_classes(probabilities, model->classes, n, top);
    for (int i = 0; i < n; i++) {
        char label[300];
        ao_page_add(page, "%6.4f  %s\n", (double)probabilities[top[i]],
                    ao_model_label(model, top[i], label, sizeof label));
    }
    ao_page_add(page, "fed as %d frames (%lld to %lld) of %d x %d, mean %g %g %g, std %g %g %g\n",
                clip->T, (long long)clip->frames[0], (long long)clip->frames[clip->T - 1], clip->H,
                clip->W, clip->mean[0], clip->mean[1], clip->mean[2], clip->std[0], clip->std[1],
                clip->std[2]);
}

/* The probabilities are a softmax's already, whatever the network ends in. */
static json_t *top_of_probabilities(const struct aosa_model *model, const float *probabilities)
{
    int top[5];
    const int n = model->classes < 5 ? model->classes : 5;
    json_t *list = json_array();
    ao_top_classes(probabilities, model->classes, n, top);
    for (int i = 0; i < n; i++) {
        char label[300];
        ao_model_label(model, top[i], label, sizeof label);
        json_array_append_new(list, json_pack("{s:i, s:o, s:f}", "class", top[i], "label",
                                              ao_json_text(label), "probability",
                                              (double)probabilities[top[i]]));
    }
    return list;
}

aosa_status aosa_prediction_text(const aosa_model *model, const aosa_clip *clip,
                                 const float *probabilities, bool json, char **text)
{
    if (json)
        return ao_report_text(json_pack("{s:i, s:o, s:o, s:o}", "aosa_prediction", AO_RESULT_SCHEMA,
                                        "model", ao_report_model(model), "input",
                                        ao_report_clip(clip), "top5",
                                        top_of_probabilities(model, probabilities)),
                              text);
    struct ao_page page = { 0 };
    write_page(&page, model, clip, probabilities);
    return ao_page_take(&page, text);
}
