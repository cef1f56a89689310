/* SPDX-License-Identifier: Apache-2.0 */
#include "video/encode.h"

#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>

#include "core/alloc.h"
#include "core/file.h"
#include "video/quiet.h"

#define CRF "18"          /* visually lossless for x264 */
#define MPEG4_QUALITY 3   /* of 1 (best) to 31 */
#define FRAMES_PER_KEY 24 /* jumping in a player stays quick */

static const char *const encoders[] = { "libx264", "libopenh264", "mpeg4" };

struct ao_encoder {
    char *path, *url;
    int width, height;
    AVFormatContext *format;
    AVStream *stream; /* owned by format */
    AVCodecContext *codec;
    struct SwsContext *sws;
    AVFrame *frame;
    AVPacket *packet;
    uint8_t *padded; /* one frame of even size */
    size_t stride;
    int64_t next; /* number of the next frame */
    bool opened;  /* there is a file to remove */
};

static aosa_status av_fail(const struct ao_encoder *e, int code, const char *what)
{
    char reason[AV_ERROR_MAX_STRING_SIZE] = "";
    av_strerror(code, reason, sizeof reason);
    return ao_fail(code == AVERROR(ENOMEM) ? AOSA_ERR_NOMEM : AOSA_ERR_OUTPUT, "%s: %s: %s",
                   e->path, what, reason);
}

/* --- opening ---------------------------------------------------------------------------------- */

static void set_parameters(const struct ao_encoder *e, AVCodecContext *codec, AVRational rate)
{
    codec->width = e->width + e->width % 2;
    codec->height = e->height + e->height % 2;
    codec->pix_fmt = AV_PIX_FMT_YUV420P;
    codec->time_base = av_inv_q(rate);
    codec->framerate = rate;
    codec->gop_size = FRAMES_PER_KEY;
    codec->thread_count = 1;
    codec->flags |= AV_CODEC_FLAG_BITEXACT;
    codec->color_range = AVCOL_RANGE_MPEG;
    codec->colorspace = AVCOL_SPC_BT709;
    codec->color_primaries = AVCOL_PRI_BT709;
    codec->color_trc = AVCOL_TRC_BT709;
    if (e->format->oformat->flags & AVFMT_GLOBALHEADER)
        codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    if (codec->codec_id == AV_CODEC_ID_MPEG4) {
        codec->flags |= AV_CODEC_FLAG_QSCALE;
        codec->global_quality = FF_QP2LAMBDA * MPEG4_QUALITY;
    } else {
        av_opt_set(codec->priv_data, "crf", CRF, 0); /* x264's; OpenH264 has none and ignores it */
    }
}

/* The first encoder of the list that is there and starts. */
static aosa_status open_codec(struct ao_encoder *e, AVRational rate)
{
    for (size_t i = 0; i < sizeof encoders / sizeof encoders[0]; i++) {
        const AVCodec *found = avcodec_find_encoder_by_name(encoders[i]);
        if (!found)
            continue;
        e->codec = avcodec_alloc_context3(found);
        if (!e->codec)
            return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for its encoder", e->path);
        set_parameters(e, e->codec, rate);
        if (avcodec_open2(e->codec, found, NULL) >= 0)
            return AOSA_OK;
        avcodec_free_context(&e->codec);
    }
    return ao_fail(AOSA_ERR_UNSUPPORTED,
                   "%s: the linked FFmpeg can encode %dx%d neither as H.264 nor as MPEG-4", e->path,
                   e->width, e->height);
}

static aosa_status open_converter(struct ao_encoder *e)
{
    const int W = e->codec->width, H = e->codec->height;
    e->stride = (3 * (size_t)W + 63) / 64 * 64;
    e->padded = ao_alloc(e->stride * (size_t)H + 64, 1);
    e->packet = av_packet_alloc();
    e->frame = av_frame_alloc();
    e->sws = sws_getContext(W, H, AV_PIX_FMT_RGB24, W, H, AV_PIX_FMT_YUV420P,
                            SWS_BICUBIC | SWS_ACCURATE_RND | SWS_BITEXACT, NULL, NULL, NULL);
    if (!e->padded || !e->packet || !e->frame || !e->sws)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for frames of %dx%d", e->path, W, H);
    const int *table = sws_getCoefficients(SWS_CS_ITU709);
    sws_setColorspaceDetails(e->sws, table, 1, table, 0, 0, 1 << 16, 1 << 16);
    e->frame->format = AV_PIX_FMT_YUV420P;
    e->frame->width = W;
    e->frame->height = H;
    const int code = av_frame_get_buffer(e->frame, 0);
    return code < 0 ? av_fail(e, code, "no frame buffer") : AOSA_OK;
}

static aosa_status begin_file(struct ao_encoder *e)
{
    e->stream = avformat_new_stream(e->format, NULL);
    if (!e->stream)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for its stream", e->path);
    e->stream->time_base = e->codec->time_base;
    e->stream->avg_frame_rate = e->codec->framerate;
    int code = avcodec_parameters_from_context(e->stream->codecpar, e->codec);
    if (code < 0)
        return av_fail(e, code, "its stream cannot be described");

    code = avio_open(&e->format->pb, e->url, AVIO_FLAG_WRITE);
    if (code < 0)
        return av_fail(e, code, "cannot be written");
    e->opened = true;
    AVDictionary *options = NULL;
    av_dict_set(&options, "movflags", "+faststart", 0);
    code = avformat_write_header(e->format, &options);
    av_dict_free(&options);
    return code < 0 ? av_fail(e, code, "cannot be written") : AOSA_OK;
}

static aosa_status open_all(struct ao_encoder *e, const char *path, AVRational rate)
{
    e->path = ao_strdup(path);
    const size_t url_bytes = strlen(path) + sizeof "file:";
    e->url = ao_alloc(url_bytes, 1);
    if (!e->path || !e->url)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for its encoder", path);
    /* Without the prefix a path with a colon would be taken for another protocol. */
    memcpy(e->url, "file:", 5);
    memcpy(e->url + 5, path, url_bytes - 5);
    const int code = avformat_alloc_output_context2(&e->format, NULL, "mp4", e->url);
    if (code < 0)
        return av_fail(e, code, "the linked FFmpeg does not write MP4");
    e->format->flags |= AVFMT_FLAG_BITEXACT;
    AO_TRY(open_codec(e, rate));
    AO_TRY(open_converter(e));
    return begin_file(e);
}

aosa_status ao_encoder_open(const char *path, int width, int height, int fps_num, int fps_den,
                            struct ao_encoder **encoder)
{
    if (width < 1 || height < 1 || width > 16384 || height > 16384 || fps_num < 1 || fps_den < 1)
        return ao_fail(AOSA_ERR_ARGUMENT, "%s: a video of %dx%d at %d/%d frames a second", path,
                       width, height, fps_num, fps_den);
    struct ao_encoder *e = ao_alloc(1, sizeof *e);
    if (!e)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for its encoder", path);
    e->width = width;
    e->height = height;

    ao_quiet_begin();
    const aosa_status status = open_all(e, path, (AVRational){ fps_num, fps_den });
    ao_quiet_end();
    if (status != AOSA_OK)
        ao_encoder_abort(&e);
    else
        *encoder = e;
    return status;
}

/* --- frames ----------------------------------------------------------------------------------- */

/* Copies the frame into one of even size, its last row and column repeated. */
static void pad_frame(struct ao_encoder *e, const uint8_t *rgb)
{
    const size_t W = (size_t)e->width, H = (size_t)e->height;
    for (size_t y = 0; y < (size_t)e->codec->height; y++) {
        const uint8_t *src = rgb + (y < H ? y : H - 1) * 3 * W;
        uint8_t *dst = e->padded + y * e->stride;
        memcpy(dst, src, 3 * W);
        if (W % 2)
            memcpy(dst + 3 * W, src + 3 * (W - 1), 3);
    }
}

/* Sends a frame, or NULL at the end, and writes the packets that are ready. */
static aosa_status encode(struct ao_encoder *e, const AVFrame *frame)
{
    int code = avcodec_send_frame(e->codec, frame);
    while (code >= 0) {
        code = avcodec_receive_packet(e->codec, e->packet);
        if (code == AVERROR(EAGAIN) || code == AVERROR_EOF)
            return AOSA_OK;
        if (code < 0)
            break;
        e->packet->stream_index = e->stream->index;
        e->packet->duration = 1;
        av_packet_rescale_ts(e->packet, e->codec->time_base, e->stream->time_base);
        code = av_interleaved_write_frame(e->format, e->packet);
        if (code >= 0)
            code = e->format->pb->error;
    }
    return av_fail(e, code, "cannot be written");
}

static aosa_status add(struct ao_encoder *e, const uint8_t *rgb)
{
    const int code = av_frame_make_writable(e->frame);
    if (code < 0)
        return av_fail(e, code, "no frame buffer");
    pad_frame(e, rgb);
    const uint8_t *const planes[4] = { e->padded, NULL, NULL, NULL };
    const int strides[4] = { (int)e->stride, 0, 0, 0 };
    sws_scale(e->sws, planes, strides, 0, e->codec->height, e->frame->data, e->frame->linesize);
    e->frame->pts = e->next++;
    return encode(e, e->frame);
}

aosa_status ao_encoder_add(struct ao_encoder *encoder, const uint8_t *rgb)
{
    ao_quiet_begin();
    const aosa_status status = add(encoder, rgb);
    ao_quiet_end();
    return status;
}

/* --- the end ---------------------------------------------------------------------------------- */

static aosa_status finish(struct ao_encoder *e)
{
    AO_TRY(encode(e, NULL));
    int code = av_write_trailer(e->format);
    avio_flush(e->format->pb);
    if (code >= 0)
        code = e->format->pb->error;
    const int closed = avio_closep(&e->format->pb); /* a full disk may show only here */
    if (code >= 0)
        code = closed;
    return code < 0 ? av_fail(e, code, "cannot be finished") : AOSA_OK;
}

static void destroy(struct ao_encoder *e)
{
    if (e->format && e->format->pb)
        avio_closep(&e->format->pb);
    avformat_free_context(e->format);
    avcodec_free_context(&e->codec);
    sws_freeContext(e->sws);
    av_frame_free(&e->frame);
    av_packet_free(&e->packet);
    ao_free(e->padded);
    ao_free(e->path);
    ao_free(e->url);
    ao_free(e);
}

aosa_status ao_encoder_close(struct ao_encoder **encoder)
{
    ao_quiet_begin();
    const aosa_status status = finish(*encoder);
    if (status == AOSA_OK) {
        destroy(*encoder);
        *encoder = NULL;
    } else {
        ao_encoder_abort(encoder);
    }
    ao_quiet_end();
    return status;
}

void ao_encoder_abort(struct ao_encoder **encoder)
{
    struct ao_encoder *e = *encoder;
    if (!e)
        return;
    ao_quiet_begin();
    if (e->opened)
        ao_file_discard(e->path);
    destroy(e);
    ao_quiet_end();
    *encoder = NULL;
}

const char *ao_encoder_name(const struct ao_encoder *encoder)
{
    return encoder->codec->codec->name;
}
