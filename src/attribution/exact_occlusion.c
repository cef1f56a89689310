/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/detail.h"
#include "core/alloc.h"
#include "core/clock.h"

/* The score of every occluded clip by a forward of its own (spec A.8), then the map of A.9 and, for
 * methods that read --detail, first order inside the masks (detail.h). */

aosa_status ao_passes_masks(const struct ao_attribution *a, int n_targets, struct ao_passes *passes)
{
    const int detail = ao_detail_wanted(a) ? n_targets : 0;
    *passes =
        (struct ao_passes){ .forwards = 1 + (int64_t)a->masks->M + detail, .backwards = detail };
    return AOSA_OK;
}

static aosa_status explain_target(const struct ao_attribution *a, const float *rows,
                                  struct ao_map_result *result, double *effects)
{
    AO_TRY(ao_attribution_effects(a, result, rows, a->masks->M, 0, effects));
    return ao_attribution_from_effects(a, effects, result);
}

static aosa_status explain(struct ao_attribution *a, float *rows, double *effects)
{
    const size_t classes = (size_t)a->model->classes;
    AO_TRY(ao_detail_measure(a));
    double since = ao_now();
    AO_TRY(ao_occluder_create(a->model, &a->run, &a->occluder));
    ao_lap(&a->seconds_prepare, &since);
    AO_TRY(ao_occluder_run(a->occluder, a->clip, a->masks, a->fill, a->progress, rows));
    a->passes.forwards += 1 + a->masks->M;
    ao_lap(&a->seconds_run, &since);
    if (!a->results) {
        for (size_t c = 0; c < classes; c++)
            a->outputs[c] = rows[c];
        AO_TRY(ao_attribution_begin(a));
    }
    for (int k = 0; k < a->n_results; k++)
        AO_TRY(explain_target(a, rows + classes, &a->results[k], effects));
    ao_lap(&a->seconds_map, &since);
    return AOSA_OK;
}

aosa_status ao_run_exact_occlusion(struct ao_attribution *a)
{
    const size_t M = (size_t)a->masks->M;
    float *rows = ao_alloc(1 + M, (size_t)a->model->classes * sizeof *rows);
    double *effects = ao_alloc(M, sizeof *effects);
    const aosa_status status =
        rows && effects ? explain(a, rows, effects)
                        : ao_fail(AOSA_ERR_NOMEM, "occlusion: no memory for %zu masks", M);
    ao_free(rows);
    ao_free(effects);
    return status;
}
