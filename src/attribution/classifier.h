/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_CLASSIFIER_H
#define AO_ATTRIBUTION_CLASSIFIER_H

#include "attribution/layer.h"

/*
 * The end of a network that averages its last feature map over y and x, and over all or some time,
 * and makes each class's logit by one weighted sum of the averaged features ("GAP + FC"): then
 * the weights of the sum also say what the features mean where they stand (CAM, Zhou et al., CVPR
 * 2016). Weights belong to the model.
 */
struct ao_classifier {
    struct ao_layer layer; /* the feature map that is averaged */
    const void *weights;   /* of class c for feature k: ao_weight(weights, c * class_stride
                              + k * feature_stride) */
    int64_t class_stride, feature_stride;
};

/*
 * Follows the graph back from the class outputs: Softmax and averages of logits, then a fully
 * connected layer (Gemm, MatMul, or Conv with a kernel of 1), then average pooling, with nothing
 * else between than changes of shape and constants added. AOSA_ERR_UNSUPPORTED names the node that
 * breaks the chain; AOSA_ERR_NOMEM.
 */
aosa_status ao_classifier_find(const struct aosa_model *model, struct ao_classifier *classifier);

#endif
