/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/veil.h"

#include <math.h>

#include "core/clock.h"
#include "model/scorer.h"

struct veil {
    const struct ao_attribution *attribution;
    ao_veil_fn mask;
    const void *context;
};

/* One row of the veiled clip; `mask` is the row of the last channel, which is written last. */
static void write_row(const struct ao_attribution *a, const struct ao_view *input, size_t row,
                      float *mask)
{
    const size_t voxels = ao_clip_voxels(a->clip), W = (size_t)a->clip->W;
    for (size_t x = 0; x < W; x++) {
        float *last = mask + (int64_t)x * input->strides[3];
        const double m = (double)*last;
        for (size_t c = 0; c < 3; c++) {
            const size_t i = c * voxels + row * W + x;
            const float fill = a->fill->volume ? a->fill->volume[i] : a->fill->value[c];
            last[((int64_t)c - 2) * input->strides[0]] =
                (float)((double)a->clip->values[i] * m + (double)fill * (1 - m));
        }
    }
}

static void write_variant(const void *context, const struct ao_view *input, int64_t item,
                          int64_t previous)
{
    const struct veil *veil = context;
    const int64_t T = veil->attribution->clip->T, H = veil->attribution->clip->H;
    (void)previous; /* every voxel may change */
    for (int64_t t = 0; t < T; t++)
        for (int64_t y = 0; y < H; y++) {
            float *mask = (float *)input->data + 2 * input->strides[0] + t * input->strides[1] +
                          y * input->strides[2];
            veil->mask(veil->context, item, t, y, mask, input->strides[3]);
            write_row(veil->attribution, input, (size_t)(t * H + y), mask);
        }
}

aosa_status ao_veil_outputs(struct ao_attribution *a, int64_t n, ao_veil_fn mask,
                            const void *context, float *outputs)
{
    const struct veil veil = { a, mask, context };
    const struct ao_scorer_options options = {
        .backend = a->run.backend,
        .threads = a->run.threads,
        .batch = a->run.batch,
    };
    struct ao_scorer *scorer;
    double since = ao_now();
    AO_TRY(ao_scorer_create(a->model, &options, &scorer));
    ao_lap(&a->seconds_prepare, &since);
    const aosa_status status = ao_scorer_run(scorer, n, write_variant, &veil, a->progress, outputs);
    a->memory = ao_scorer_memory(scorer);
    ao_scorer_destroy(&scorer);
    a->passes.forwards += n;
    ao_lap(&a->seconds_run, &since);
    return status;
}

aosa_status ao_veil_scores(const struct ao_attribution *a, struct ao_target target, int64_t n,
                           const float *outputs, double *scores)
{
    const struct aosa_model *model = a->model;
    for (int64_t i = 0; i < n; i++) {
        const float *row = outputs + (size_t)i * (size_t)model->classes;
        scores[i] = ao_score(a->score, row, model->classes, model->probabilities, target);
        if (!isfinite(scores[i]))
            return ao_fail(AOSA_ERR_NUMERIC,
                           "the score of the clip under mask %lld is %g; try --score prob",
                           (long long)i, scores[i]);
    }
    return AOSA_OK;
}
