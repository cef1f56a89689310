/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ENGINE_WINOGRAD_H
#define AO_ENGINE_WINOGRAD_H

#include "kernels/kernels.h"

/* What every engine that multiplies by Winograd's tiles shares; kernels.h has forms and formulas.
 */

/* One number of each of AO_IGEMM_COLS filters, side by side. */
typedef double ao_winograd_lanes[AO_IGEMM_COLS];

/*
 * Taps of filters, 3 per axis or 1 where n is 1, last axis fastest, become their n[0] n[1] n[2]
 * components, in place; `filter` has room for AO_WINOGRAD_MOST.
 */
void ao_winograd_filter(const size_t n[3], ao_winograd_lanes *filter);

#endif
