/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_SMOOTH_MAP_H
#define AO_ATTRIBUTION_SMOOTH_MAP_H

#include "core/status.h"

/*
 * --smooth: every frame of a map [T][H][W] under a Gaussian, in place; `sigma` is in pixels where
 * the frame's short side is 112. Edges of masks are no edges of what matters, and a peak in the
 * middle of one is a better guess than its first pixel. Time is left alone: objects move, and
 * smoothing it made maps point worse. 0 does nothing. The bits do not depend on the number of
 * threads. AOSA_ERR_NOMEM.
 */
aosa_status ao_smooth_map(float *map, int T, int H, int W, double sigma, int threads);

#endif
