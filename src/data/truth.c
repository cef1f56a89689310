/* SPDX-License-Identifier: Apache-2.0 */
#include "data/truth.h"

#include <math.h>

#include "core/alloc.h"

/* First pixel whose centre is not before `edge` of the source, within [0, size]. */
static int32_t map_edge(double edge, double scale, double offset, int size)
{
    const double first = ceil(edge * scale - offset - 0.5);
    return (int32_t)fmin(fmax(first, 0), size);
}

static struct ao_box map_box(const struct aosa_clip *clip, const struct ao_source_box *box)
{
    return (struct ao_box){
        .y0 = map_edge(box->y0, clip->scale[0], clip->offset[0], clip->H),
        .x0 = map_edge(box->x0, clip->scale[1], clip->offset[1], clip->W),
        .y1 = map_edge(box->y1, clip->scale[0], clip->offset[0], clip->H),
        .x1 = map_edge(box->x1, clip->scale[1], clip->offset[1], clip->W),
    };
}

/* Appends the boxes of frame t where `dst` is not NULL; answers how many there are. */
static size_t map_frame(const struct aosa_clip *clip, int t, const struct ao_source_box *boxes,
                        size_t n, struct ao_truth_box *dst)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        const struct ao_box box = map_box(clip, &boxes[i]);
        if (boxes[i].frame != clip->frames[t] || box.y0 >= box.y1 || box.x0 >= box.x1)
            continue;
        if (dst)
            dst[found] = (struct ao_truth_box){ .t = t, .box = box };
        found++;
    }
    return found;
}

aosa_status ao_truth_init(struct ao_truth *truth, const struct aosa_clip *clip,
                          const struct ao_source_box *boxes, size_t n)
{
    size_t total = 0;
    *truth = (struct ao_truth){ .T = clip->T, .H = clip->H, .W = clip->W };
    for (int t = 0; t < clip->T; t++)
        total += map_frame(clip, t, boxes, n, NULL);
    if (total == 0)
        return AOSA_OK;
    truth->boxes = ao_alloc(total, sizeof *truth->boxes);
    if (!truth->boxes)
        return ao_fail(AOSA_ERR_NOMEM, "truth: no memory for %zu boxes", total);
    for (int t = 0; t < clip->T; t++)
        truth->n += map_frame(clip, t, boxes, n, truth->boxes + truth->n);
    return AOSA_OK;
}

void ao_truth_fini(struct ao_truth *truth)
{
    ao_free(truth->boxes);
    *truth = (struct ao_truth){ 0 };
}
