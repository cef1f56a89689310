/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_MODEL_SLOT_H
#define AO_MODEL_SLOT_H

#include "model/scorer.h"

/*
 * A place in a session's input that variants of a clip are written to, one after another. It knows
 * which one is there and, where the backend computes in double, stands between the writers, which
 * know floats only, and the input.
 */
struct ao_slot {
    int64_t held;  /* variant that is there, -1: none yet */
    float *floats; /* [3][T][H][W] what the input holds as double; NULL for an input of floats */
};

/* Into a zeroed slot, for the input of a program's session; AOSA_ERR_NOMEM. */
aosa_status ao_slot_init(struct ao_slot *slot, const struct ao_view *input);
void ao_slot_fini(struct ao_slot *slot);

/* Makes item `index` of the input's batch hold that variant. */
void ao_slot_write(struct ao_slot *slot, const struct ao_view *input, int64_t index,
                   ao_variant_fn write, const void *context, int64_t variant);

#endif
