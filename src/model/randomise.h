/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_MODEL_RANDOMISE_H
#define AO_MODEL_RANDOMISE_H

#include "model/model.h"

/*
 * A network like another whose layers, from the output backwards, have random weights.
 *
 * A layer is a node Conv, Gemm or MatMul with float weights that do not depend on the clip; layers
 * come in the order in which they run, the last one first. Weights and bias of a layer each become
 * normal numbers with the mean and the standard deviation that they had, so that the network still
 * computes numbers of an ordinary size; they depend on the seed and the layer alone. Normalisations
 * and other constants stay. A constant that two layers share is that of the later one.
 *
 * Thread class: confined while layers are made random, then as aosa_model.
 */
struct ao_randomised;

/* A copy with no random layer. Borrows the model, of which it shares all but the random weights.
 * AOSA_ERR_UNSUPPORTED: it has no layer. AOSA_ERR_NOMEM. */
aosa_status ao_randomised_create(const struct aosa_model *model, uint64_t seed,
                                 struct ao_randomised **randomised);
void ao_randomised_destroy(struct ao_randomised **randomised);

int ao_randomised_layers(const struct ao_randomised *randomised);

/* Makes layers random until the last n are; those that are stay so. AOSA_ERR_NOMEM. */
aosa_status ao_randomised_cascade(struct ao_randomised *randomised, int n);

const struct aosa_model *ao_randomised_model(const struct ao_randomised *randomised);

#endif
