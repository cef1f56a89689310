/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_VIDEO_DECODE_H
#define AO_VIDEO_DECODE_H

#include "video/source.h"

/*
 * Decodes a video that lies in memory and hands the sampled frames, turned upright, to `take`. It
 * stops after the last of them; with sampling->n = 0 it goes to the end. info->frames counts the
 * frames decoded: all of the video's where fewer than n were taken. Edit lists are followed as the
 * demuxer applies them, alpha is dropped, pixels are taken as square. Colours without a matrix in
 * the stream are BT.601, as in FFmpeg and OpenCV.
 *
 * `name` is for the messages. AOSA_ERR_FORMAT: not a video, or one without a video stream.
 */
aosa_status ao_video_decode(const void *bytes, size_t size, const char *name,
                            const struct ao_sampling *sampling, ao_frame_fn take, void *context,
                            struct ao_source_info *info);

#endif
