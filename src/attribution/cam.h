/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_CAM_H
#define AO_ATTRIBUTION_CAM_H

#include "attribution/layer.h"
#include "attribution/method.h"

/*
 * What the methods of the CAM family share: a layer's feature maps A [C][t][h][w] of the clip, with
 * or without the gradient G = dscore/dA of a target, become one map [t][h][w], which is upsampled
 * to the clip (upsample.h). A ReLU belongs to the map before it is upsampled.
 */
struct ao_cam {
    struct ao_layer layer;
    size_t cells;   /* t h w */
    const float *A; /* [C][cells] */
    const float *G; /* [C][cells]; NULL for the methods without gradients */
};

/* One target's map from its gradient: adds to map [cells], which is zeroed. */
typedef void (*ao_cam_fn)(const struct ao_cam *cam, double *map);

/*
 * A method that is a formula of A and G: --layer, one forward and one backward for each target,
 * `formula` for each, all results finished. Those of ao_layer_find, ao_gradients_open and
 * ao_gradients_clip.
 */
aosa_status ao_cam_run(struct ao_attribution *attribution, ao_cam_fn formula);

/*
 * A of the clip by one forward of a network that needs no backward; tells the class outputs and
 * calls ao_attribution_begin. The caller frees *A with ao_free. Those of ao_program_create;
 * AOSA_ERR_NUMERIC on a NaN or infinity in the outputs, AOSA_ERR_CANCELLED.
 */
aosa_status ao_cam_features(struct ao_attribution *attribution, const struct ao_layer *layer,
                            float **A);

/* map += sum_k weights[k] A_k. */
void ao_cam_weigh(const struct ao_cam *cam, const double *weights, double *map);

/* map = max(map, 0). */
void ao_cam_rectify(const struct ao_cam *cam, double *map);

/* Upsampled to the clip: map, normalised and extra (the layer) of the result. AOSA_ERR_NOMEM. */
aosa_status ao_cam_finish(const struct ao_attribution *attribution, const struct ao_cam *cam,
                          const double *map, struct ao_map_result *result);

#endif
