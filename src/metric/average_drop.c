/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "core/alloc.h"
#include "metric/stretch.h"
#include "metric/variant.h"

/*
 * What is left of a clip that is seen through its map (Grad-CAM++, Chattopadhay et al., WACV 2018;
 * gain: Opti-CAM, Zhang et al., CVIU 2024). With S the map in [0, 1], y = f(x) and
 * o = f(S x + (1 - S) base), in percent, means over clips being those of the names:
 *     drop      100 max(0, y - o) / y          NaN for y <= 0
 *     increase  100 where o > y, else 0
 *     gain      100 max(0, o - y) / (1 - y)    NaN for y >= 1
 */
struct dimming {
    const struct aosa_clip *clip;
    struct ao_fill base;
    float *seen; /* [T][H][W] S */
};

/* Variant 0 is the clip, variant 1 the one that is seen through the map. */
static void write_variant(const void *context, const struct ao_view *input, int64_t item,
                          int64_t previous)
{
    (void)previous;
    const struct dimming *d = context;
    const struct aosa_clip *clip = d->clip;
    const int64_t *s = input->strides;
    const size_t n = ao_clip_voxels(clip);
    size_t i = 0;
    ao_variant_put_all(input, clip, NULL);
    for (int t = 0; item == 1 && t < clip->T; t++)
        for (int y = 0; y < clip->H; y++)
            for (int x = 0; x < clip->W; x++, i++)
                for (size_t c = 0; c < 3; c++) {
                    const float base =
                        d->base.volume ? d->base.volume[c * n + i] : d->base.value[c];
                    ((float *)input->data)[(int64_t)c * s[0] + t * s[1] + y * s[2] + x * s[3]] =
                        d->seen[i] * clip->values[c * n + i] + (1 - d->seen[i]) * base;
                }
}

static aosa_status report(struct ao_metric_answer *answer, double y, double o)
{
    const double drop = y > 0 ? 100 * fmax(0, y - o) / y : (double)NAN;
    const double gain = y < 1 ? 100 * fmax(0, o - y) / (1 - y) : (double)NAN;
    AO_TRY(ao_metric_add_value(answer, "average_drop", "drop", drop));
    AO_TRY(ao_metric_add_value(answer, "average_drop", "increase", o > y ? 100 : 0));
    return ao_metric_add_value(answer, "average_drop", "gain", gain);
}

aosa_status ao_metric_average_drop(struct ao_metric_call *call)
{
    const size_t n = ao_clip_voxels(call->clip);
    struct dimming d = { .clip = call->clip, .seen = ao_alloc_raw(n, sizeof *d.seen) };
    double scores[2];
    if (!d.seen)
        return ao_fail(AOSA_ERR_NOMEM, "average_drop: no memory for %zu voxels", n);
    ao_stretch((enum ao_metric_stretch)call->options->stretch, call->map, n, d.seen);
    aosa_status status = ao_variant_base(call, false, &d.base);
    if (status == AOSA_OK)
        status = ao_variant_scores(call, 2, write_variant, &d, scores);
    ao_fill_fini(&d.base);
    ao_free(d.seen);
    return status == AOSA_OK ? report(call->answer, scores[0], scores[1]) : status;
}
