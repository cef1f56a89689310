/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_EVALUATE_CONTENT_H
#define AO_EVALUATE_CONTENT_H

#include "core/sha256.h"
#include "core/status.h"

/* What a video holds: a file, or a folder of frames. */

/*
 * SHA-256 of the file's bytes, or of a folder the names and digests of its files in order.
 * AOSA_ERR_INPUT, AOSA_ERR_NOMEM.
 */
aosa_status ao_content_digest(const char *path, char text[AO_SHA256_TEXT]);

/*
 * SHA-256 of names, sizes and times of change instead: what tells without reading that the bytes
 * are most likely the same as before. AOSA_ERR_INPUT, AOSA_ERR_NOMEM.
 */
aosa_status ao_content_stamp(const char *path, char text[AO_SHA256_TEXT]);

#endif
