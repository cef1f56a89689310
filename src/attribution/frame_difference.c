/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "attribution/method.h"

static float difference(const uint8_t *a, const uint8_t *b)
{
    return (float)(abs(a[0] - b[0]) + abs(a[1] - b[1]) + abs(a[2] - b[2])) / 3;
}

/*
 * Control: what changes, whatever moves. With rgb in 0 .. 255,
 *     A(t, y, x) = mean over channels of |rgb(t) - rgb(t - 1)|;
 * the first frame takes the second's, a clip of one frame is 0 everywhere.
 */
aosa_status ao_run_frame_difference(struct ao_attribution *a)
{
    const size_t pixels = (size_t)a->clip->H * (size_t)a->clip->W;
    AO_TRY(ao_attribution_forward(a));
    for (int k = 0; k < a->n_results; k++) {
        float *map = a->results[k].map;
        for (size_t i = pixels; i < ao_clip_voxels(a->clip); i++)
            map[i] = difference(a->clip->rgb + 3 * i, a->clip->rgb + 3 * (i - pixels));
        for (size_t i = 0; a->clip->T > 1 && i < pixels; i++)
            map[i] = map[pixels + i];
        ao_attribution_normalise(a, &a->results[k]);
    }
    return AOSA_OK;
}
