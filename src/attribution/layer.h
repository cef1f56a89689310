/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_LAYER_H
#define AO_ATTRIBUTION_LAYER_H

#include "model/model.h"

/*
 * The feature maps of a network, from which the CAM family explains. A feature map is a float32
 * value [1][C][t][h][w] with more than one position that is computed from the clip and reaches the
 * class outputs; or [t][C][h][w], t > 1, in a network that looks at frames as at a batch of images.
 * Its axes must be known: Conv, pooling and normalisation make such maps by their definition,
 * element-wise operators, Concat, Pad, Slice and Split keep them; what comes out of a Reshape or
 * Transpose is no feature map until the next Conv.
 */
struct ao_layer {
    int32_t value;    /* of ao_model_graph */
    int index;        /* among the feature maps, in the order of the graph */
    const char *name; /* of the value, of the model */
    const char *node; /* that makes it */
    const char *type; /* of that node: "Relu" */
    int64_t C, t, h, w;
    bool whole;        /* every path from the clip to the class outputs goes through it */
    bool frames_first; /* [t][C][h][w] */
};

/* All feature maps, *n of them (0: *layers is NULL); the caller frees the array with ao_free.
 * AOSA_ERR_NOMEM. */
aosa_status ao_layers(const struct aosa_model *model, struct ao_layer **layers, int *n);

/*
 * The layer that --layer names: an index among the feature maps, from the end where it is negative,
 * or the name of a value or its node. NULL is the default: the last whole feature map with more
 * than one time step and more than one place in each, so that the explanation can say when and
 * where, and leaves nothing out (a map inside a residual branch would); without one the last in
 * time and space that is not whole, else the last of all.
 *
 * AOSA_ERR_ARGUMENT lists the feature maps there are (those alike first); AOSA_ERR_UNSUPPORTED when
 * there is none; AOSA_ERR_NOMEM.
 */
aosa_status ao_layer_find(const struct aosa_model *model, const char *text, struct ao_layer *layer);

/* Its values at batch 1, with the batch axis or without, seen as [C][t][h][w]. */
struct ao_view ao_layer_view(const struct ao_layer *layer, const struct ao_view *values);

/* { "layer": { value, node, operator, index, shape } } for result.json; NULL without memory. */
json_t *ao_layer_json(const struct ao_layer *layer);

#endif
