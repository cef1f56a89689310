/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "attribution/cam.h"
#include "attribution/upsample.h"
#include "attribution/veil.h"
#include "core/alloc.h"
#include "core/clock.h"

/*
 * Score-CAM: ReLU(sum_k a_k A_k), a = softmax over k of the score of the clip seen through feature
 * k alone,
 *     s_k = f(x H_k + fill (1 - H_k)),   H_k = (U_k - min U_k) / (max U_k - min U_k),
 * U_k being A_k upsampled to the clip; H = 0 for a constant feature. Wang et al., CVPR workshops
 * 2020, algorithm 1, with fill = 0. The paper subtracts f of the fill from every s_k, which a
 * softmax does not see. Others take s_k itself as the weight, and H_k for A_k (spec D).
 *
 * No gradient, C + 1 forwards for all targets together.
 */

struct scorecam {
    const struct ao_attribution *attribution;
    struct ao_cam cam;
    float *A;                  /* of cam */
    double *lowest, *spread;   /* [C] min U_k, max U_k - min U_k */
    float *outputs;            /* [C][classes] of the masked clips */
    double *weights;           /* [C] */
    double *map;               /* [cells] */
    struct ao_extent from, to; /* layer, clip */
};

static aosa_status find_ranges(struct scorecam *s)
{
    const size_t voxels = ao_clip_voxels(s->attribution->clip);
    float *U = ao_alloc_raw(voxels, sizeof *U);
    if (!U)
        return ao_fail(AOSA_ERR_NOMEM, "scorecam: no memory for %zu voxels", voxels);
    for (int64_t k = 0; k < s->cam.layer.C; k++) {
        ao_upsample(s->A + (size_t)k * s->cam.cells, s->from, U, s->to);
        float high = U[0], low = U[0];
        for (size_t i = 1; i < voxels; i++) {
            high = U[i] > high ? U[i] : high;
            low = U[i] < low ? U[i] : low;
        }
        s->lowest[k] = (double)low;
        s->spread[k] = (double)high - (double)low;
    }
    ao_free(U);
    return AOSA_OK;
}

/* One row of H_k. */
static void mask_row(const void *context, int64_t k, int64_t t, int64_t y, float *mask,
                     int64_t stride)
{
    const struct scorecam *s = context;
    const double low = s->lowest[k], spread = s->spread[k];
    ao_upsample_row(s->A + (size_t)k * s->cam.cells, s->from, s->to, t, y, mask, stride);
    for (int64_t x = 0; x < s->to.w; x++)
        mask[x * stride] = spread > 0 ? (float)(((double)mask[x * stride] - low) / spread) : 0;
}

/* weights = softmax over k of the scores of one target. */
static aosa_status find_weights(const struct scorecam *s, struct ao_target target)
{
    const int64_t C = s->cam.layer.C;
    double top = -HUGE_VAL, sum = 0;
    AO_TRY(ao_veil_scores(s->attribution, target, C, s->outputs, s->weights));
    for (int64_t k = 0; k < C; k++)
        top = fmax(top, s->weights[k]);
    for (int64_t k = 0; k < C; k++)
        sum += s->weights[k] = exp(s->weights[k] - top);
    for (int64_t k = 0; k < C; k++)
        s->weights[k] /= sum;
    return AOSA_OK;
}

static aosa_status explain_target(const struct scorecam *s, struct ao_map_result *result)
{
    AO_TRY(find_weights(s, result->target));
    for (size_t i = 0; i < s->cam.cells; i++)
        s->map[i] = 0;
    ao_cam_weigh(&s->cam, s->weights, s->map);
    ao_cam_rectify(&s->cam, s->map);
    return ao_cam_finish(s->attribution, &s->cam, s->map, result);
}

static aosa_status allocate(struct scorecam *s, int classes)
{
    const size_t C = (size_t)s->cam.layer.C;
    s->lowest = ao_alloc(C, sizeof *s->lowest);
    s->spread = ao_alloc(C, sizeof *s->spread);
    s->weights = ao_alloc(C, sizeof *s->weights);
    s->outputs = ao_alloc(C, (size_t)classes * sizeof *s->outputs);
    s->map = ao_alloc(s->cam.cells, sizeof *s->map);
    if (s->lowest && s->spread && s->weights && s->outputs && s->map)
        return AOSA_OK;
    return ao_fail(AOSA_ERR_NOMEM, "scorecam: no memory for %zu features", C);
}

static aosa_status explain(struct scorecam *s, struct ao_attribution *a)
{
    AO_TRY(ao_cam_features(a, &s->cam.layer, &s->A));
    s->cam.A = s->A;
    AO_TRY(allocate(s, a->model->classes));
    AO_TRY(find_ranges(s));
    AO_TRY(ao_veil_outputs(a, s->cam.layer.C, mask_row, s, s->outputs));
    double since = ao_now();
    for (int k = 0; k < a->n_results; k++)
        AO_TRY(explain_target(s, &a->results[k]));
    ao_lap(&a->seconds_map, &since);
    return AOSA_OK;
}

aosa_status ao_run_scorecam(struct ao_attribution *a)
{
    struct scorecam s = { .attribution = a, .to = { a->clip->T, a->clip->H, a->clip->W } };
    const struct ao_layer *layer = &s.cam.layer;
    AO_TRY(ao_layer_find(a->model, a->options->layer, &s.cam.layer));
    s.from = (struct ao_extent){ layer->t, layer->h, layer->w };
    s.cam.cells = (size_t)(layer->t * layer->h * layer->w);
    const aosa_status status = explain(&s, a);
    ao_free(s.A);
    ao_free(s.lowest);
    ao_free(s.spread);
    ao_free(s.weights);
    ao_free(s.outputs);
    ao_free(s.map);
    return status;
}

aosa_status ao_passes_scorecam(const struct ao_attribution *a, int n_targets,
                               struct ao_passes *passes)
{
    struct ao_layer layer;
    (void)n_targets;
    AO_TRY(ao_layer_find(a->model, a->options->layer, &layer));
    *passes = (struct ao_passes){ .forwards = 1 + layer.C };
    return AOSA_OK;
}
