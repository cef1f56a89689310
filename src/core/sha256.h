/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_CORE_SHA256_H
#define AO_CORE_SHA256_H

#include <stddef.h>

#define AO_SHA256_TEXT 65 /* 64 hexadecimal digits and the zero */

/* Digest of a buffer as lower-case hexadecimal text. */
void ao_sha256(const void *bytes, size_t size, char text[AO_SHA256_TEXT]);

#endif
