/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_VIDEO_JPEG_H
#define AO_VIDEO_JPEG_H

#include "core/file.h"
#include "video/preprocess.h"

/*
 * Decodes a JPEG file to RGB as Pillow does: libjpeg's exact integer DCT (islow) and smooth chroma
 * upsampling. Grey becomes RGB; CMYK, files that end early and more than 8192 x 8192 pixels are
 * refused with AOSA_ERR_FORMAT. *rgb [H][W][3] is owned by the caller (ao_free). *warnings counts
 * what libjpeg could work around. `name` is for the messages.
 */
aosa_status ao_jpeg_decode(const struct ao_file *file, const char *name, uint8_t **rgb, int *H,
                           int *W, int *warnings);

#endif
