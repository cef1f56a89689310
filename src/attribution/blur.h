/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_BLUR_H
#define AO_ATTRIBUTION_BLUR_H

#include "core/status.h"

/* What lies around a frame: its nearest pixel, or 0. */
enum ao_border { AO_BORDER_NEAREST, AO_BORDER_ZERO };

/*
 * Frames [n][H][W] under a Gaussian of sigma pixels, cut at ceil(4 sigma); a sigma of 0 copies. The
 * bits do not depend on the number of threads. AOSA_ERR_NOMEM.
 */
aosa_status ao_blur_frames(const float *src, int n, int H, int W, double sigma,
                           enum ao_border border, int threads, float *dst);

#endif
