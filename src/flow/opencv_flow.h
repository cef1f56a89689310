/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_FLOW_OPENCV_FLOW_H
#define AO_FLOW_OPENCV_FLOW_H

#include "flow/flow.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The C face of OpenCV's video module. Motion from `src` to `dst`, gray [H][W], into d [H][W][2].
 * OpenCV's own threads are switched off, for the whole process, so that bits do not depend on
 * their number. AOSA_ERR_NOMEM or AOSA_ERR_INTERNAL carry OpenCV's text.
 */
aosa_status ao_opencv_farneback(const uint8_t *src, const uint8_t *dst, int H, int W,
                                const struct ao_flow_options *options, float *d);
aosa_status ao_opencv_dis(const uint8_t *src, const uint8_t *dst, int H, int W, int preset,
                          float *d);

#ifdef __cplusplus
}
#endif
#endif
