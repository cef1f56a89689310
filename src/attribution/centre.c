/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "attribution/method.h"

/* Gaussian of the distance of sample i from the middle of n, sigma n / 4. */
static double falloff(int i, int n)
{
    const double z = (i - 0.5 * (n - 1)) / (0.25 * n);
    return exp(-0.5 * z * z);
}

/*
 * Control: what films show is mostly in the middle. In every frame
 *     A(t, y, x) = exp(-u^2 / 2 - v^2 / 2),
 *     u = (y - (H - 1) / 2) / (H / 4),  v = (x - (W - 1) / 2) / (W / 4).
 */
aosa_status ao_run_centre(struct ao_attribution *a)
{
    const int T = a->clip->T, H = a->clip->H, W = a->clip->W;
    AO_TRY(ao_attribution_forward(a));
    for (int k = 0; k < a->n_results; k++) {
        float *map = a->results[k].map;
        for (int t = 0; t < T; t++)
            for (int y = 0; y < H; y++)
                for (int x = 0; x < W; x++)
                    *map++ = (float)(falloff(y, H) * falloff(x, W));
        ao_attribution_normalise(a, &a->results[k]);
    }
    return AOSA_OK;
}
