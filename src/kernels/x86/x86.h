/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_KERNELS_X86_H
#define AO_KERNELS_X86_H

#include "kernels/kernels.h"

#if defined(__x86_64__)
#define AO_HAVE_AVX2
extern const struct ao_kernels ao_kernels_avx2; /* needs a processor with AVX2 and FMA */
#endif

#endif
