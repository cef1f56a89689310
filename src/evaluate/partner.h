/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_EVALUATE_PARTNER_H
#define AO_EVALUATE_PARTNER_H

#include "evaluate/run.h"

/*
 * A clip of another class, for metrics that need one (AO_METRIC_NEEDS_PARTNER): that of the next
 * item with another label, in the order of the dataset and around its end, that can be read; a
 * few are tried. So it depends on the dataset alone.
 *
 * @param partner  Owned by the caller (aosa_clip_close); NULL where there is none.
 * @return What ends a run (AOSA_ERR_NOMEM); not that a video is damaged.
 */
aosa_status ao_partner_open(const struct ao_run_plan *plan, const struct ao_item *item,
                            struct aosa_clip **partner);

#endif
