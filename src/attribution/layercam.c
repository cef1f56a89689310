/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "attribution/cam.h"

/*
 * LayerCAM: ReLU(sum_k ReLU(G_k) A_k), every cell with a weight of its own. Jiang et al., IEEE
 * Transactions on Image Processing 30, 2021, eq. 5 to 7.
 */
static void formula(const struct ao_cam *cam, double *map)
{
    const size_t n = (size_t)cam->layer.C * cam->cells;
    for (size_t i = 0; i < n; i++)
        map[i % cam->cells] += fmax((double)cam->G[i], 0) * (double)cam->A[i];
    ao_cam_rectify(cam, map);
}

aosa_status ao_run_layercam(struct ao_attribution *attribution)
{
    return ao_cam_run(attribution, formula);
}
