/* SPDX-License-Identifier: Apache-2.0 */
#include "model/slot.h"

#include "core/alloc.h"
#include "ops/element.h"

aosa_status ao_slot_init(struct ao_slot *slot, const struct ao_view *input)
{
    const struct ao_view clip = ao_view_item(input, 0);
    const size_t n = (size_t)ao_shape_count(&clip.shape);
    slot->held = -1;
    if (input->dtype == AO_F32)
        return AOSA_OK;
    slot->floats = ao_alloc_raw(n, sizeof *slot->floats);
    return slot->floats ? AOSA_OK : ao_fail(AOSA_ERR_NOMEM, "clip: no memory for %zu values", n);
}

void ao_slot_fini(struct ao_slot *slot)
{
    ao_free(slot->floats);
    slot->floats = NULL;
}

void ao_slot_write(struct ao_slot *slot, const struct ao_view *input, int64_t index,
                   ao_variant_fn write, const void *context, int64_t variant)
{
    const struct ao_view clip = ao_view_item(input, index);
    const struct ao_view floats =
        slot->floats ? ao_view_dense(slot->floats, AO_F32, &clip.shape) : clip;
    write(context, &floats, variant, slot->held);
    slot->held = variant;
    if (slot->floats)
        ao_view_convert(&clip, &floats);
}
