/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_KERNELS_X86_H
#define AO_KERNELS_X86_H

#include "kernels/kernels.h"

#if defined(__x86_64__)
#define AO_HAVE_X86
extern const struct ao_kernels ao_kernels_avx2;   /* needs a processor with AVX2 and FMA */
extern const struct ao_kernels ao_kernels_avx512; /* needs a processor with AVX-512F */
#endif

#ifdef AO_KERNELS_SIMDE
extern const struct ao_kernels ao_kernels_avx512_simde; /* the same code for any processor: tests */
#endif

#endif
