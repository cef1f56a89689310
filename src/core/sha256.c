/* SPDX-License-Identifier: Apache-2.0 */
#include "core/sha256.h"

#include <stdint.h>
#include <stdio.h>

#include <nettle/sha2.h>

void ao_sha256(const void *bytes, size_t size, char text[AO_SHA256_TEXT])
{
    struct sha256_ctx context;
    uint8_t digest[SHA256_DIGEST_SIZE];

    sha256_init(&context);
    sha256_update(&context, size, bytes);
    sha256_digest(&context, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
}
