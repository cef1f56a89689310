/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/heat_map.h"

#include <math.h>
#include <stdbool.h>

#include "core/alloc.h"

/* Adds w to every voxel of `sum` that mask m occludes, each once. */
static void add(const struct aosa_mask_set *masks, int m, double w, struct ao_box *boxes,
                double *sum)
{
    const size_t W = (size_t)masks->W, pixels = (size_t)masks->H * W;
    for (int t = 0; t < masks->T; t++) {
        const int n = ao_mask_boxes(masks, m, t, boxes);
        for (int b = 0; b < n; b++)
            for (int y = boxes[b].y0; y < boxes[b].y1; y++)
                for (int x = boxes[b].x0; x < boxes[b].x1; x++)
                    sum[(size_t)t * pixels + (size_t)y * W + (size_t)x] += w;
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
        add(masks, m, -w, boxes, sum);
    }
    for (size_t i = 0; i < n; i++)
        map[i] = (float)((total + sum[i]) / masks->M);
    *zero = total / masks->M;
    ao_free(sum);
    ao_free(boxes);
    return AOSA_OK;
}

aosa_status ao_heat_map_mean(const struct aosa_mask_set *masks, const double *values, float *map)
{
    const size_t n = (size_t)masks->T * (size_t)masks->H * (size_t)masks->W;
    double *sum = ao_alloc(n, sizeof *sum), *count = ao_alloc(n, sizeof *count);
    struct ao_box *boxes = ao_alloc((size_t)ao_mask_set_max_boxes(masks), sizeof *boxes);
    const bool allocated = sum && count && boxes;
    for (int m = 0; allocated && m < masks->M; m++) {
        add(masks, m, values[m], boxes, sum);
        add(masks, m, 1, boxes, count);
    }
    for (size_t i = 0; allocated && i < n; i++)
        map[i] = count[i] > 0 ? (float)(sum[i] / count[i]) : 0;
    ao_free(sum);
    ao_free(count);
    ao_free(boxes);
    return allocated ? AOSA_OK : ao_fail(AOSA_ERR_NOMEM, "heat map: no memory for %zu voxels", n);
}

aosa_status ao_heat_map_coverage(const struct aosa_mask_set *masks, const double *effects,
                                 float *map)
{
    double *values = ao_alloc((size_t)masks->M, sizeof *values);
    if (!values)
        return ao_fail(AOSA_ERR_NOMEM, "heat map: no memory for %d masks", masks->M);
    for (int m = 0; m < masks->M; m++) {
        const int64_t occluded = ao_mask_occluded(masks, m);
        values[m] = occluded > 0 ? -effects[m] / (double)occluded : 0;
    }
    const aosa_status status = ao_heat_map_mean(masks, values, map);
    ao_free(values);
    return status;
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
