/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_VIDEO_ENCODE_H
#define AO_VIDEO_ENCODE_H

#include <stdint.h>

#include "core/status.h"

/*
 * Videos out: .mp4 with H.264 (x264, else OpenH264) where the linked FFmpeg has it, else MPEG-4
 * part 2; yuv420p in BT.709, index in front so that it plays while it loads. One thread and no
 * dates or versions in the container, so the same frames give the same bytes with the same library.
 * Thread class: confined.
 */
struct ao_encoder;

/*
 * Begins a file of frames [height][width][3] at fps_num / fps_den a second. Odd sizes are stored
 * one pixel larger, the last row or column repeated. AOSA_ERR_OUTPUT: the file cannot be written.
 * AOSA_ERR_UNSUPPORTED: the linked FFmpeg has none of the encoders.
 */
aosa_status ao_encoder_open(const char *path, int width, int height, int fps_num, int fps_den,
                            struct ao_encoder **encoder);

/* Appends one frame [height][width][3], borrowed. After an error only abort is left. */
aosa_status ao_encoder_add(struct ao_encoder *encoder, const uint8_t *rgb);

/* Finishes the file and frees the encoder, whatever it answers; a file that could not be finished
 * is removed. */
aosa_status ao_encoder_close(struct ao_encoder **encoder);

/* Frees the encoder and removes the unfinished file. Accepts NULL. */
void ao_encoder_abort(struct ao_encoder **encoder);

/* "libx264", "libopenh264" or "mpeg4". */
const char *ao_encoder_name(const struct ao_encoder *encoder);

#endif
