/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_FUZZ_FUZZ_H
#define AO_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* One run over arbitrary bytes; answers 0. libFuzzer calls it, and so does replay.c. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
