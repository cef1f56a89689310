/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate/partner.h"

#include <strings.h>

#include "evaluate/item.h"
#include "explain/clip.h"

#define MOST_TRIES 8

aosa_status ao_partner_open(const struct ao_run_plan *plan, const struct ao_item *item,
                            struct aosa_clip **partner)
{
    const struct ao_dataset *dataset = plan->dataset;
    const size_t at = (size_t)(item - dataset->items);
    *partner = NULL;
    for (size_t i = 1, tries = 0; i < dataset->n && tries < MOST_TRIES; i++) {
        const struct ao_item *other = &dataset->items[(at + i) % dataset->n];
        if (!strcasecmp(other->label, item->label))
            continue;
        const aosa_status status =
            ao_clip_open_range(other->path, plan->model, plan->settings, other->clip, other->first,
                               other->end, partner);
        if (status == AOSA_OK || !ao_item_can_fail(status))
            return status;
        tries++;
    }
    return AOSA_OK;
}
