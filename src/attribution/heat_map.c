/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/heat_map.h"

#include <math.h>

#include "core/alloc.h"

/* Subtracts w from every voxel of `sum` that mask m occludes, each once. */
static void subtract(const struct aosa_mask_set *masks, int m, double w, struct ao_box *boxes,
                     double *sum)
{
    const size_t W = (size_t)masks->W, pixels = (size_t)masks->H * W;
    for (int t = 0; t < masks->T; t++) {
        const int n = ao_mask_boxes(masks, m, t, boxes);
        for (int b = 0; b < n; b++)
            for (int y = boxes[b].y0; y < boxes[b].y1; y++)
                for (int x = boxes[b].x0; x < boxes[b].x1; x++)
                    sum[(size_t)t * pixels + (size_t)y * W + (size_t)x] -= w;
    }
}

aosa_status ao_heat_map(const struct aosa_mask_set *masks, const double *effects, float *map,
                        double *zero)
{
    const size_t n = (size_t)masks->T * (size_t)masks->H * (size_t)masks->W;
    double *sum = ao_alloc(n, sizeof *sum);
    struct ao_box *boxes = ao_alloc((size_t)ao_mask_set_max_boxes(masks), sizeof *boxes);
    if (!sum || !boxes) {
        ao_free(sum);
        ao_free(boxes);
        return ao_fail(AOSA_ERR_NOMEM, "heat map: no memory for %zu voxels", n);
    }
    double total = 0;
    for (int m = 0; m < masks->M; m++) {
        const double visible = ao_mask_visible(masks, m);
        if (visible <= 0)
            continue;
        const double w = effects[m] / visible;
        total += w;
        subtract(masks, m, w, boxes, sum);
    }
    for (size_t i = 0; i < n; i++)
        map[i] = (float)((total + sum[i]) / masks->M);
    *zero = total / masks->M;
    ao_free(sum);
    ao_free(boxes);
    return AOSA_OK;
}

void ao_heat_map_normalise(const struct aosa_mask_set *masks, const double *effects,
                           const float *map, float *normalised)
{
    const size_t n = (size_t)masks->T * (size_t)masks->H * (size_t)masks->W;
    double low = (double)map[0], high = low, min_x = effects[0], max_x = min_x;
    for (size_t i = 0; i < n; i++) {
        const double a = (double)map[i];
        low = a < low ? a : low; /* fmin would be a call for every voxel */
        high = a > high ? a : high;
    }
    for (int m = 0; m < masks->M; m++) {
        min_x = fmin(min_x, effects[m]);
        max_x = fmax(max_x, effects[m]);
    }
    /* B runs from -maxX (least important) to -minX (most). */
    const double scale = fmax(fabs(min_x), fabs(max_x));
    const double spread = high - low;
    for (size_t i = 0; i < n; i++) {
        if (spread <= 0 || scale <= 1e-10) {
            normalised[i] = 127.5F;
            continue;
        }
        const double b = ((double)map[i] - low) / spread * (max_x - min_x) - max_x;
        normalised[i] = (float)(b / scale * 127.5 + 127.5);
    }
}
