/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/cam.h"

/*
 * Grad-CAM: ReLU(sum_k a_k A_k), a_k the mean over t, y, x of G_k. Selvaraju et al., ICCV 2017,
 * eq. 1 and 2, with time as one more axis of the mean.
 *
 * Its per-time form keeps the weights of every time step apart: ReLU(sum_k a_k(t) A_k(t)), a_k(t)
 * the mean over y, x of G_k(t), as Li et al., IEEE TCSVT 2021, use it on video. A feature that
 * speaks for the class in one part of the clip and against it in another is then not averaged away.
 */

/* Sums a_k A_k where weights are the means over `parts` equal parts of the cells. */
static void weigh(const struct ao_cam *cam, size_t parts, double *map)
{
    const size_t n = cam->cells / parts;
    for (size_t i = 0; i < (size_t)cam->layer.C * parts; i++) {
        const float *A = cam->A + i * n, *G = cam->G + i * n;
        double *part = map + i % parts * n;
        double sum = 0;
        for (size_t p = 0; p < n; p++)
            sum += (double)G[p];
        for (size_t p = 0; p < n; p++)
            part[p] += sum / (double)n * (double)A[p];
    }
    ao_cam_rectify(cam, map);
}

static void whole(const struct ao_cam *cam, double *map)
{
    weigh(cam, 1, map);
}

static void per_time(const struct ao_cam *cam, double *map)
{
    weigh(cam, (size_t)cam->layer.t, map);
}

aosa_status ao_run_gradcam(struct ao_attribution *attribution)
{
    return ao_cam_run(attribution, whole);
}

aosa_status ao_run_gradcam_time(struct ao_attribution *attribution)
{
    return ao_cam_run(attribution, per_time);
}
