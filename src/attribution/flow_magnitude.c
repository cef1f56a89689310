/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "attribution/method.h"

/*
 * Control: how fast it moves. With (dx, dy) the flow from frame t to t + 1, in pixels,
 *     A(t, y, x) = sqrt(dx^2 + dy^2);
 * the last frame takes the one before, a clip of one frame is 0 everywhere.
 */
aosa_status ao_run_flow_magnitude(struct ao_attribution *a)
{
    const int T = a->clip->T, H = a->clip->H, W = a->clip->W;
    AO_TRY(ao_attribution_forward(a));
    for (int k = 0; k < a->n_results; k++) {
        float *map = a->results[k].map;
        for (int t = 0; T > 1 && t < T; t++)
            for (int y = 0; y < H; y++)
                for (int x = 0; x < W; x++) {
                    const float *d = ao_flow_at(a->flow, t < T - 1 ? t : T - 2, y, x);
                    *map++ = hypotf(d[0], d[1]);
                }
        ao_attribution_normalise(a, &a->results[k]);
    }
    return AOSA_OK;
}
