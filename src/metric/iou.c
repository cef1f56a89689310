/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "metric/boxes.h"
#include "metric/metric.h"
#include "metric/stretch.h"

/*
 * Intersection over union of the map's peak with the boxes, over the frames that have any (REVEX,
 * arXiv 2401.11796): where the map, stretched to [0, 1] over the whole clip, exceeds
 * --iou-threshold; opened, if asked for, by a square of 2 --iou-opening + 1 pixels in each frame,
 * which takes specks away; grown to each frame's bounding box with --iou-box.
 *     iou, and iou.hit = 1 for iou >= --iou-hit, else 0
 * NaN for a map that has no range to be stretched. Outside of a frame there is nothing that an
 * opening could wear away.
 */

/* Lines of pixels along one axis. */
struct lines {
    size_t n, next;      /* from a line to the next one */
    size_t length, step; /* from a pixel to the next one */
};

/* Each pixel becomes `value` where one at most `radius` away along its line has it. */
static void spread(const uint8_t *src, uint8_t *dst, struct lines l, size_t radius, uint8_t value)
{
    for (size_t line = 0; line < l.n; line++)
        for (size_t i = 0; i < l.length; i++) {
            const size_t first = i > radius ? i - radius : 0;
            uint8_t found = !value;
            for (size_t k = first; k < l.length && k <= i + radius && found != value; k++)
                found = src[line * l.next + k * l.step];
            dst[line * l.next + i * l.step] = found;
        }
}

static void open_mask(uint8_t *mask, uint8_t *scratch, size_t H, size_t W, size_t radius)
{
    const struct lines rows = { .n = H, .next = W, .length = W, .step = 1 };
    const struct lines columns = { .n = W, .next = 1, .length = H, .step = W };
    for (int value = 0; value <= 1; value++) { /* 0 spreads: erosion; then 1: dilation */
        spread(mask, scratch, rows, radius, (uint8_t)value);
        spread(scratch, mask, columns, radius, (uint8_t)value);
    }
}

static void fill_bounds(uint8_t *mask, size_t H, size_t W)
{
    size_t y0 = H, y1 = 0, x0 = W, x1 = 0;
    for (size_t i = 0; i < H * W; i++)
        if (mask[i]) {
            const size_t y = i / W, x = i % W;
            y0 = y < y0 ? y : y0;
            x0 = x < x0 ? x : x0;
            y1 = y + 1;
            x1 = x + 1 > x1 ? x + 1 : x1;
        }
    for (size_t y = y0; y < y1; y++)
        memset(mask + y * W + x0, 1, x1 - x0);
}

struct overlap {
    float *map;                       /* [T][H][W] stretched */
    uint8_t *mask, *in_box, *scratch; /* [H][W] */
};

static double measure(const struct ao_metric_call *call, const struct overlap *o)
{
    const struct ao_metric_options *options = call->options;
    const struct ao_truth *truth = call->truth;
    const size_t H = (size_t)call->clip->H, W = (size_t)call->clip->W;
    size_t both = 0, any = 0;
    for (size_t i = 0, next; i < truth->n; i = next) {
        const float *frame = o->map + (size_t)truth->boxes[i].t * H * W;
        next = ao_boxes_paint(truth, i, o->in_box);
        for (size_t p = 0; p < H * W; p++)
            o->mask[p] = (double)frame[p] > options->iou_threshold;
        if (options->iou_opening > 0)
            open_mask(o->mask, o->scratch, H, W, (size_t)options->iou_opening);
        if (options->iou_box)
            fill_bounds(o->mask, H, W);
        for (size_t p = 0; p < H * W; p++) {
            both += o->mask[p] & o->in_box[p];
            any += o->mask[p] | o->in_box[p];
        }
    }
    return (double)both / (double)any; /* boxes are not empty */
}

aosa_status ao_metric_iou(struct ao_metric_call *call)
{
    const size_t n = ao_clip_voxels(call->clip), pixels = n / (size_t)call->clip->T;
    struct overlap o = { .map = ao_alloc_raw(n, sizeof *o.map), .mask = ao_alloc(3, pixels) };
    const bool allocated = o.map && o.mask;
    double iou = (double)NAN;
    if (allocated) {
        o.in_box = o.mask + pixels;
        o.scratch = o.in_box + pixels;
        if (ao_stretch((enum ao_metric_stretch)call->options->stretch, call->map, n, o.map))
            iou = measure(call, &o);
    }
    ao_free(o.map);
    ao_free(o.mask);
    if (!allocated)
        return ao_fail(AOSA_ERR_NOMEM, "iou: no memory for %zu voxels", n);
    const double hit = isnan(iou) ? iou : iou >= call->options->iou_hit;
    AO_TRY(ao_metric_add_value(call->answer, "iou", NULL, iou));
    return ao_metric_add_value(call->answer, "iou", "hit", hit);
}
