/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/cam.h"

#include <math.h>

#include "attribution/upsample.h"
#include "core/alloc.h"

void ao_cam_weigh(const struct ao_cam *cam, const double *weights, double *map)
{
    for (int64_t k = 0; k < cam->layer.C; k++)
        for (size_t i = 0; i < cam->cells; i++)
            map[i] += weights[k] * (double)cam->A[(size_t)k * cam->cells + i];
}

void ao_cam_rectify(const struct ao_cam *cam, double *map)
{
    for (size_t i = 0; i < cam->cells; i++)
        map[i] = fmax(map[i], 0);
}

aosa_status ao_cam_finish(const struct ao_attribution *a, const struct ao_cam *cam,
                          const double *map, struct ao_map_result *result)
{
    const struct ao_layer *layer = &cam->layer;
    const struct ao_extent from = { layer->t, layer->h, layer->w };
    const struct ao_extent to = { a->clip->T, a->clip->H, a->clip->W };
    float *rounded = ao_alloc(cam->cells, sizeof *rounded);
    result->extra = ao_layer_json(layer);
    if (!rounded || !result->extra) {
        ao_free(rounded);
        return ao_fail(AOSA_ERR_NOMEM, "layer '%s': no memory for its map", layer->name);
    }
    for (size_t i = 0; i < cam->cells; i++)
        rounded[i] = (float)map[i];
    ao_upsample(rounded, from, result->map, to);
    ao_attribution_normalise(a, result);
    ao_free(rounded);
    return AOSA_OK;
}
