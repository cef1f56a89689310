/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_DATA_TRUTH_H
#define AO_DATA_TRUTH_H

#include <stddef.h>

#include "data/clip.h"
#include "data/mask_set.h"

/* A box in a frame of the video as it is shown, before any resize; half-open, pixels. */
struct ao_source_box {
    int64_t frame; /* 0-based */
    double x0, y0, x1, y1;
};

struct ao_truth_box {
    int32_t t; /* frame of the clip */
    struct ao_box box;
};

/*
 * Where the object of a clip's class is, as people marked it: any number of boxes in any frame.
 * A frame without a box says nothing, and metrics leave it out.
 */
struct ao_truth {
    int T, H, W; /* of the clip, whose pixels the boxes are in */
    size_t n;
    struct ao_truth_box *boxes; /* by t, none empty */
};

/*
 * The boxes as they lie in the clip: those of its frames, through its resize and crop, cut at its
 * borders; what is outside is dropped. A pixel belongs to a box when its centre does.
 *
 * @param boxes  Borrowed, n of them in any order.
 * @param truth  Ends with ao_truth_fini. AOSA_ERR_NOMEM.
 */
aosa_status ao_truth_init(struct ao_truth *truth, const struct aosa_clip *clip,
                          const struct ao_source_box *boxes, size_t n);
void ao_truth_fini(struct ao_truth *truth);

#endif
