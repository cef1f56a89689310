/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_METRIC_SIMILARITY_H
#define AO_METRIC_SIMILARITY_H

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"

/* How alike two maps are. */

/* Pearson's correlation; NaN where either is constant. */
double ao_pearson(const double *a, const double *b, size_t n);

/*
 * Ranks 1 to n of the values, or of their absolute values, equal ones sharing the mean of theirs.
 * Pearson's correlation of ranks is Spearman's. AOSA_ERR_NOMEM.
 */
aosa_status ao_ranks(const float *values, size_t n, bool absolute, double *ranks);

/*
 * Structural similarity of two maps [T][H][W] in [0, 1], of each frame by itself, averaged (Wang et
 * al., IEEE TIP 2004):
 *
 *     SSIM = (2 m_a m_b + c1) (2 s_ab + c2) / ((m_a^2 + m_b^2 + c1) (s_a^2 + s_b^2 + c2))
 *
 * with means, variances and covariance under a Gaussian window of 11 x 11 and sigma 1.5, at every
 * place where the window is inside the frame, c1 = 0.01^2 and c2 = 0.03^2. In a frame that is
 * smaller the window is as large as fits. AOSA_ERR_NOMEM.
 */
aosa_status ao_ssim(const float *a, const float *b, int T, int H, int W, double *ssim);

/*
 * Pearson's correlation of the histograms of oriented gradients of two maps [T][H][W] (Dalal and
 * Triggs, CVPR 2005), all frames together: 9 unsigned orientations in cells of 16 x 16 pixels (a
 * third of the short side, if that is less), blocks of 3 x 3 cells normalised by L2-Hys. NaN where
 * either is constant. AOSA_ERR_NOMEM.
 */
aosa_status ao_hog_correlation(const float *a, const float *b, int T, int H, int W, double *r);

#endif
