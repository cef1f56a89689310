/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_MASK_TRACKER_H
#define AO_MASK_TRACKER_H

#include "data/flow_field.h"
#include "data/mask_set.h"

/*
 * Carries a square along by the motion of what it covers: the median of the flow over its pixels,
 * dx and dy apart, in both directions from the frame where it was put down. The median of a square
 * is steadier than the flow of its one middle pixel, and half a clip is less to drift in than all
 * of it. Positions are real numbers, integers being the middles of pixels.
 *
 * Motion from frame t + 1 back to t is the flow from t to t + 1 of the pixels that arrive there,
 * turned round: where several arrive, that of the fastest, which is in front more often than not.
 * Pixels where none arrives have no say, and a square of such pixels alone stands still.
 */
struct ao_tracker {
    const struct ao_flow_field *flow; /* borrowed */
    struct ao_flow_field *back;       /* of frame t + 1 at t; NaN where no pixel arrives */
    float *values;                    /* [H W] of a square, being sorted */
};

/* AOSA_ERR_NOMEM. */
aosa_status ao_tracker_create(const struct ao_flow_field *flow, struct ao_tracker *tracker);
void ao_tracker_fini(struct ao_tracker *tracker);

/*
 * The points of a square of `size` pixels with its middle at (y, x) of frame `anchor`, within
 * the frame. From where its middle leaves the frame on it is not alive.
 *
 * @param points  Caller's buffer, [T].
 */
void ao_tracker_walk(const struct ao_tracker *tracker, double y, double x, int size, int anchor,
                     struct ao_track_point *points);

#endif
