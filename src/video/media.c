/* SPDX-License-Identifier: Apache-2.0 */
#include "video/media.h"

#include <stdio.h>
#include <string.h>

#include <libavutil/avstring.h>

#include "core/alloc.h"
#include "video/source.h"
#include "video/video.h"

/* Demuxers that read one stream of bytes and need no other file. */
static const char containers[] = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,"
                                 "m4v,asf,flv,ogg,gif,apng,ivf,nut,dv,mxf,h264,hevc,yuv4mpegpipe";

#define IO_BYTES 65536
#define PROBE_BYTES (32 << 20)
#define MAX_STREAMS 64
/* A short file may announce packets without end; no real one has so many without a frame. */
#define MAX_IDLE_PACKETS 20000

/* --- bytes ------------------------------------------------------------------------------------ */

static int read_bytes(void *opaque, uint8_t *buffer, int wanted)
{
    struct ao_media *media = opaque;
    const size_t left = media->size - media->at;
    if (left == 0)
        return AVERROR_EOF;
    const size_t n = (size_t)wanted < left ? (size_t)wanted : left;
    memcpy(buffer, media->bytes + media->at, n);
    media->at += n;
    return (int)n;
}

static int64_t seek_bytes(void *opaque, int64_t offset, int whence)
{
    struct ao_media *media = opaque;
    int64_t base = 0;
    switch (whence & ~AVSEEK_FORCE) {
    case AVSEEK_SIZE:
        return (int64_t)media->size;
    case SEEK_SET:
        break;
    case SEEK_CUR:
        base = (int64_t)media->at;
        break;
    case SEEK_END:
        base = (int64_t)media->size;
        break;
    default:
        return AVERROR(EINVAL);
    }
    int64_t target;
    if (__builtin_add_overflow(base, offset, &target) || target < 0 ||
        target > (int64_t)media->size)
        return AVERROR(EINVAL);
    media->at = (size_t)target;
    return target;
}

static int deny_open(AVFormatContext *format, AVIOContext **io, const char *url, int flags,
                     AVDictionary **options)
{
    (void)format, (void)io, (void)url, (void)flags, (void)options;
    return AVERROR(EACCES);
}

/* --- opening ---------------------------------------------------------------------------------- */

static aosa_status av_fail(const struct ao_media *media, int code, const char *what)
{
    char reason[AV_ERROR_MAX_STRING_SIZE] = "";
    av_strerror(code, reason, sizeof reason);
    return ao_fail(code == AVERROR(ENOMEM) ? AOSA_ERR_NOMEM : AOSA_ERR_FORMAT, "%s: %s: %s",
                   media->name, what, reason);
}

static aosa_status open_io(struct ao_media *media)
{
    uint8_t *buffer = av_malloc(IO_BYTES);
    if (buffer)
        media->io = avio_alloc_context(buffer, IO_BYTES, 0, media, read_bytes, NULL, seek_bytes);
    if (!media->io) {
        av_free(buffer);
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory to read it", media->name);
    }
    return AOSA_OK;
}

/* What the bytes are, by their content alone. */
static aosa_status find_container(struct ao_media *media, const AVInputFormat **found)
{
    const int score = av_probe_input_buffer2(media->io, found, "", NULL, 0, 0);
    if (score < 0 ||
        (score <= AVPROBE_SCORE_RETRY && !av_match_list((*found)->name, containers, ',')))
        return ao_fail(AOSA_ERR_FORMAT, "%s: not a video (no container is recognised)",
                       media->name);
    if (!av_match_list((*found)->name, containers, ','))
        return ao_fail(AOSA_ERR_FORMAT,
                       "%s: not a video: it is '%s'; a folder of JPEG frames, .npy, MP4, Matroska, "
                       "AVI and other video files are read",
                       media->name, (*found)->long_name ? (*found)->long_name : (*found)->name);
    return AOSA_OK;
}

static aosa_status open_container(struct ao_media *media)
{
    const AVInputFormat *container = NULL;
    AO_TRY(find_container(media, &container));

    media->format = avformat_alloc_context();
    if (!media->format)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory to open it", media->name);
    media->format->pb = media->io;
    media->format->io_open = deny_open;
    media->format->probesize = PROBE_BYTES;
    media->format->max_streams = MAX_STREAMS;

    AVDictionary *options = NULL;
    av_dict_set(&options, "format_whitelist", containers, 0);
    av_dict_set(&options, "protocol_whitelist", "none", 0);
    const int code = avformat_open_input(&media->format, "", container, &options);
    av_dict_free(&options);
    if (code < 0)
        return av_fail(media, code, "cannot be opened as video (truncated or damaged?)");
    return AOSA_OK;
}

/* FFmpeg decodes a little of each stream to learn what containers do not say. */
static aosa_status learn_streams(struct ao_media *media)
{
    const unsigned n = media->format->nb_streams;
    AVDictionary **options = n ? ao_alloc(n, sizeof *options) : NULL;
    if (n && !options)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory to open it", media->name);
    for (unsigned i = 0; i < n; i++)
        av_dict_set_int(&options[i], "max_pixels", AO_MAX_FRAME_PIXELS, 0);
    const int code = avformat_find_stream_info(media->format, options);
    for (unsigned i = 0; i < n; i++)
        av_dict_free(&options[i]);
    ao_free(options);
    return code < 0 ? av_fail(media, code, "cannot be read as video") : AOSA_OK;
}

static bool is_cover(const AVStream *stream)
{
    return (stream->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0;
}

static aosa_status choose_stream(struct ao_media *media)
{
    const int best = av_find_best_stream(media->format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    if (media->format->nb_streams == 0)
        return ao_fail(AOSA_ERR_FORMAT, "%s: holds nothing: no frames, no sound", media->name);
    if (best < 0)
        return ao_fail(AOSA_ERR_FORMAT, "%s: has no video stream, only sound or data (%u streams)",
                       media->name, media->format->nb_streams);
    if (is_cover(media->format->streams[best]))
        return ao_fail(AOSA_ERR_FORMAT, "%s: has no video stream, only sound and a cover picture",
                       media->name);
    for (unsigned i = 0; i < media->format->nb_streams; i++)
        if ((int)i != best)
            media->format->streams[i]->discard = AVDISCARD_ALL;
    media->stream = media->format->streams[best];
    return AOSA_OK;
}

static aosa_status open_decoder(struct ao_media *media)
{
    const AVCodecParameters *parameters = media->stream->codecpar;
    const AVCodec *decoder = avcodec_find_decoder(parameters->codec_id);
    if (!decoder)
        return ao_fail(AOSA_ERR_FORMAT, "%s: the linked FFmpeg has no decoder for codec '%s'",
                       media->name, avcodec_get_name(parameters->codec_id));
    media->codec = avcodec_alloc_context3(decoder);
    media->packet = av_packet_alloc();
    media->frame = av_frame_alloc();
    if (!media->codec || !media->packet || !media->frame)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for its decoder", media->name);

    int code = avcodec_parameters_to_context(media->codec, parameters);
    media->codec->thread_count = 1;
    media->codec->flags |= AV_CODEC_FLAG_BITEXACT;
    media->codec->max_pixels = AO_MAX_FRAME_PIXELS;
    media->codec->pkt_timebase = media->stream->time_base;
    if (code >= 0)
        code = avcodec_open2(media->codec, decoder, NULL);
    return code < 0 ? av_fail(media, code, "its decoder cannot start") : AOSA_OK;
}

static aosa_status open_all(struct ao_media *media)
{
    AO_TRY(open_io(media));
    AO_TRY(open_container(media));
    AO_TRY(learn_streams(media));
    AO_TRY(choose_stream(media));
    return open_decoder(media);
}

aosa_status ao_media_open(struct ao_media *media, const void *bytes, size_t size, const char *name)
{
    *media = (struct ao_media){ .name = name, .bytes = bytes, .size = size };
    if (size == 0)
        return ao_fail(AOSA_ERR_FORMAT, "%s: not a video: the file is empty", name);
    const aosa_status status = open_all(media);
    if (status != AOSA_OK)
        ao_media_close(media);
    return status;
}

void ao_media_close(struct ao_media *media)
{
    av_frame_free(&media->frame);
    av_packet_free(&media->packet);
    avcodec_free_context(&media->codec);
    avformat_close_input(&media->format);
    if (media->io)
        av_freep(&media->io->buffer);
    avio_context_free(&media->io);
}

/* --- decoding --------------------------------------------------------------------------------- */

/* Gives the decoder one packet of our stream, or tells it that there are no more. */
static aosa_status feed(struct ao_media *media)
{
    const int code = av_read_frame(media->format, media->packet);
    if (code == AVERROR(ENOMEM))
        return av_fail(media, code, "cannot be read");
    if (code < 0 || media->idle > MAX_IDLE_PACKETS) {
        media->errors += code < 0 ? code != AVERROR_EOF : 1;
        media->draining = true;
        av_packet_unref(media->packet);
        avcodec_send_packet(media->codec, NULL);
        return AOSA_OK;
    }
    media->idle++;
    if (media->packet->stream_index == media->stream->index &&
        avcodec_send_packet(media->codec, media->packet) < 0)
        media->errors++;
    av_packet_unref(media->packet);
    return AOSA_OK;
}

aosa_status ao_media_next(struct ao_media *media, bool *end)
{
    for (;;) {
        const int code = avcodec_receive_frame(media->codec, media->frame);
        if (code >= 0) {
            media->idle = 0;
            media->errors += media->frame->decode_error_flags != 0 ||
                             (media->frame->flags & AV_FRAME_FLAG_CORRUPT) != 0;
            *end = false;
            return AOSA_OK;
        }
        if (code == AVERROR(ENOMEM))
            return av_fail(media, code, "cannot be decoded");
        if (code != AVERROR(EAGAIN) && code != AVERROR_EOF)
            media->errors++;
        if (code == AVERROR_EOF || (media->draining && media->idle++ > MAX_IDLE_PACKETS)) {
            *end = true;
            return AOSA_OK;
        }
        if (!media->draining)
            AO_TRY(feed(media));
    }
}

double ao_media_fps(const struct ao_media *media)
{
    AVRational rate = media->stream->avg_frame_rate;
    if (rate.num <= 0 || rate.den <= 0)
        rate = media->stream->r_frame_rate;
    return rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 25;
}

const int32_t *ao_media_matrix(const struct ao_media *media)
{
#if LIBAVCODEC_VERSION_MAJOR >= 61 /* FFmpeg 7: side data moved to the codec parameters */
    const AVPacketSideData *data = av_packet_side_data_get(
        media->stream->codecpar->coded_side_data, media->stream->codecpar->nb_coded_side_data,
        AV_PKT_DATA_DISPLAYMATRIX);
    return data && data->size >= 9 * sizeof(int32_t) ? (const int32_t *)(void *)data->data : NULL;
#else
    size_t size = 0;
    const uint8_t *data = av_stream_get_side_data(media->stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
    return data && size >= 9 * sizeof(int32_t) ? (const int32_t *)(const void *)data : NULL;
#endif
}

const char *ao_video_library(void)
{
    static _Thread_local char text[64];
    snprintf(text, sizeof text, "FFmpeg %s", av_version_info());
    return text;
}
