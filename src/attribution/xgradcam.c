/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "attribution/cam.h"

/*
 * XGrad-CAM: ReLU(sum_k a_k A_k), a_k = sum_v G_k(v) A_k(v) / sum_v A_k(v), 0 where that sum is 0:
 * the mean of the gradient, weighed by the feature itself. Fu et al., BMVC 2020, eq. 7 and 8.
 */
static void formula(const struct ao_cam *cam, double *map)
{
    for (int64_t k = 0; k < cam->layer.C; k++) {
        const float *A = cam->A + (size_t)k * cam->cells, *G = cam->G + (size_t)k * cam->cells;
        double both = 0, sum = 0;
        for (size_t i = 0; i < cam->cells; i++) {
            both += (double)G[i] * (double)A[i];
            sum += (double)A[i];
        }
        for (size_t i = 0; fabs(sum) > 0 && i < cam->cells; i++)
            map[i] += both / sum * (double)A[i];
    }
    ao_cam_rectify(cam, map);
}

aosa_status ao_run_xgradcam(struct ao_attribution *attribution)
{
    return ao_cam_run(attribution, formula);
}
