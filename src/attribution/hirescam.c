/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/cam.h"

/*
 * HiResCAM: sum_k G_k A_k, signed. Draelos and Carin, arXiv 2011.08891, eq. 4. Where only average
 * pooling and one fully connected layer follow, its sum over the layer is the class's logit but for
 * the bias; a ReLU would cut that sum, so there is none.
 */
static void formula(const struct ao_cam *cam, double *map)
{
    const size_t n = (size_t)cam->layer.C * cam->cells;
    for (size_t i = 0; i < n; i++)
        map[i % cam->cells] += (double)cam->G[i] * (double)cam->A[i];
}

aosa_status ao_run_hirescam(struct ao_attribution *attribution)
{
    return ao_cam_run(attribution, formula);
}
