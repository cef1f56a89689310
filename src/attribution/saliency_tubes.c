/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/cam.h"
#include "attribution/classifier.h"
#include "core/alloc.h"
#include "core/clock.h"

/*
 * Saliency tubes: sum_k W[c][k] A_k over the feature maps that are averaged for the classifier,
 * with its weights W. Stergiou et al., ICIP 2019: the class activation map (Zhou et al., CVPR 2016)
 * of a 3-D network. Signed, without bias; for a contrast the weights are subtracted. One forward,
 * no gradient.
 */

static double weight(const struct ao_classifier *c, int class, int64_t k)
{
    return (double)ao_weight(c->weights, class * c->class_stride + k * c->feature_stride);
}

static aosa_status explain_target(const struct ao_attribution *a, const struct ao_cam *cam,
                                  const struct ao_classifier *c, struct ao_map_result *result)
{
    const struct ao_target target = result->target;
    double *map = ao_alloc(cam->cells, sizeof *map);
    double *weights = ao_alloc((size_t)cam->layer.C, sizeof *weights);
    aosa_status status = AOSA_OK;
    if (!map || !weights)
        status = ao_fail(AOSA_ERR_NOMEM, "saliency_tubes: no memory for %zu cells", cam->cells);
    for (int64_t k = 0; status == AOSA_OK && k < cam->layer.C; k++)
        weights[k] = weight(c, target.a, k) - (target.b < 0 ? 0 : weight(c, target.b, k));
    if (status == AOSA_OK) {
        ao_cam_weigh(cam, weights, map);
        status = ao_cam_finish(a, cam, map, result);
    }
    ao_free(map);
    ao_free(weights);
    return status;
}

aosa_status ao_run_saliency_tubes(struct ao_attribution *a)
{
    struct ao_classifier classifier;
    float *A;
    AO_TRY(ao_classifier_find(a->model, &classifier));
    AO_TRY(ao_cam_features(a, &classifier.layer, &A));
    const struct ao_layer *layer = &classifier.layer;
    const struct ao_cam cam = {
        .layer = *layer,
        .cells = (size_t)(layer->t * layer->h * layer->w),
        .A = A,
    };
    double since = ao_now();
    aosa_status status = AOSA_OK;
    for (int k = 0; status == AOSA_OK && k < a->n_results; k++)
        status = explain_target(a, &cam, &classifier, &a->results[k]);
    ao_lap(&a->seconds_map, &since);
    ao_free(A);
    return status;
}

/* One forward, and before it the reason where the network does not end in GAP + FC. */
aosa_status ao_passes_saliency_tubes(const struct ao_attribution *a, int n_targets,
                                     struct ao_passes *passes)
{
    struct ao_classifier classifier;
    AO_TRY(ao_classifier_find(a->model, &classifier));
    return ao_passes_one_forward(a, n_targets, passes);
}
