/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_MASK_GROUPS_H
#define AO_ATTRIBUTION_MASK_GROUPS_H

#include <stdbool.h>

#include "data/mask_set.h"

/*
 * Masks that share one more point of expansion (first_order.c). The place of a mask is that of its
 * own track: where and when a tube starts, the middle of a cuboid. Places are counted along each
 * axis of the grid of masks, so "the next place" is the next start point, whatever the stride.
 */
struct ao_mask_groups {
    int n;
    int32_t *first;   /* [n + 1] offsets into members */
    int32_t *members; /* [first[n]] masks, ascending in each group */
    int32_t *anchor;  /* [n] member at which the group is expanded, AO_ANCHOR_MEAN: their mean */
};
#define AO_ANCHOR_MEAN (-1)

/* splits x splits equal parts of the grid in y and x, those that hold masks, each expanded at the
 * mean of its masks; splits >= 1. AOSA_ERR_NOMEM. */
aosa_status ao_mask_groups_split(const struct aosa_mask_set *masks, int splits,
                                 struct ao_mask_groups *groups);

/*
 * The outliers of effects [M]: those above q3 + 1.5 (q3 - q1) and those below q1 - 1.5 (q3 - q1),
 * quartiles interpolated as numpy does. One group for each side, or, if `connected`, one for each
 * connected component of a side's outliers on the grid, after dilation by a box of
 * int(0.2 places + 1) in t, y and x (corners connect). Each is expanded at its extreme member.
 * AOSA_ERR_NOMEM.
 */
aosa_status ao_mask_groups_outliers(const struct aosa_mask_set *masks, const double *effects,
                                    bool connected, struct ao_mask_groups *groups);

void ao_mask_groups_fini(struct ao_mask_groups *groups);

#endif
