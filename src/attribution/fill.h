/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_FILL_H
#define AO_ATTRIBUTION_FILL_H

#include "data/clip.h"

/* What stands where the clip is occluded, in normalised values (the baseline of the literature). */
struct ao_fill {
    float value[3]; /* per channel */
    float *volume;  /* [3][T][H][W], instead of value; NULL otherwise */
};

/* Standard deviation of the blur fill: 8 pixels where the frame's short side is 112. */
#define AO_FILL_BLUR_SIGMA (8.0 / 112.0)

/*
 * Parses --fill: "zero" (0 after normalisation, the training mean; the paper's), "black" (RGB 0),
 * "mean" (the clip's own mean of each channel), "blur" (each frame under a Gaussian of
 * AO_FILL_BLUR_SIGMA of the short side, cut at 4 sigma, replicated borders), "local" (the mean of
 * the window x window pixels around a pixel of the same frame, 0 outside it; window >= 2, of which
 * (window - 1) / 2 lie before the pixel: `conditional` of the authors' code, spec A.11) or a number
 * after normalisation. AOSA_ERR_ARGUMENT, AOSA_ERR_NOMEM.
 */
aosa_status ao_fill_create(const char *text, int window, const struct aosa_clip *clip,
                           struct ao_fill *fill);
void ao_fill_fini(struct ao_fill *fill);

#endif
