/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_VIDEO_MEDIA_H
#define AO_VIDEO_MEDIA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "core/status.h"

/*
 * A video in memory, opened: its container, its best video stream and that stream's decoder.
 *
 * The bytes may be hostile. FFmpeg reads them through our own AVIO and can open nothing else:
 * io_open is refused, and only the containers in `containers` of media.c are tried, because a
 * playlist named x.mp4 would otherwise open other files of the user. Frames have at most
 * 8192 x 8192 pixels. One decoder thread: with more, damaged video decodes differently from run
 * to run.
 */
struct ao_media {
    const char *name; /* for messages, borrowed */
    const uint8_t *bytes;
    size_t size, at;
    AVIOContext *io;
    AVFormatContext *format;
    AVStream *stream; /* owned by format */
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *frame;
    bool draining;
    int errors; /* packets or frames that could not be decoded */
    int idle;   /* packets since the last frame */
};

/* Borrows bytes and name until the close. AOSA_ERR_FORMAT: not a video; truncated before its
 * index; no video stream; a codec that the linked FFmpeg does not decode. */
aosa_status ao_media_open(struct ao_media *media, const void *bytes, size_t size, const char *name);
void ao_media_close(struct ao_media *media);

/* Decodes the next frame in order of presentation into media->frame, or sets *end. Damaged parts
 * are skipped and counted. */
aosa_status ao_media_next(struct ao_media *media, bool *end);

/* Frames per second as the container says, or 25. */
double ao_media_fps(const struct ao_media *media);

/* The nine numbers of the stream's rotation, or NULL. */
const int32_t *ao_media_matrix(const struct ao_media *media);

#endif
