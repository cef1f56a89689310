/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "attribution/cam.h"

/*
 * Grad-CAM++: ReLU(sum_k w_k A_k) with
 *     w_k = sum_v alpha_k(v) ReLU(G_k(v)),
 *     alpha_k(v) = G^2 / (2 G^2 + (sum_u A_k(u)) G^3),  0 where the denominator is 0,
 * sums over all cells v of the layer. Chattopadhyay et al., WACV 2018, eq. 5, 7 and 19: the score
 * of the class there is exp(y), which leaves only powers of G = dy/dA; so y is a logit.
 */

/* alpha ReLU(G): one factor G^2 cancels. */
static double term(double g, double sum)
{
    const double below = 2 + sum * g;
    return g > 0 && fabs(below) > 0 ? g / below : 0;
}

static void formula(const struct ao_cam *cam, double *map)
{
    for (int64_t k = 0; k < cam->layer.C; k++) {
        const float *A = cam->A + (size_t)k * cam->cells, *G = cam->G + (size_t)k * cam->cells;
        double sum = 0, weight = 0;
        for (size_t i = 0; i < cam->cells; i++)
            sum += (double)A[i];
        for (size_t i = 0; i < cam->cells; i++)
            weight += term((double)G[i], sum);
        for (size_t i = 0; i < cam->cells; i++)
            map[i] += weight * (double)A[i];
    }
    ao_cam_rectify(cam, map);
}

aosa_status ao_run_gradcam_pp(struct ao_attribution *attribution)
{
    return ao_cam_run(attribution, formula);
}
