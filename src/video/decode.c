/* SPDX-License-Identifier: Apache-2.0 */
#include "video/decode.h"

#include <string.h>

#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#include "core/alloc.h"
#include "video/media.h"
#include "video/orient.h"
#include "video/quiet.h"

#define MAX_FRAMES INT64_C(10000000)

/* Turns decoded frames into upright RGB; sizes and formats may change in mid-stream. */
struct converter {
    const char *name;
    struct SwsContext *sws;
    struct ao_orient orient;
    uint8_t *rgb, *turned;
    size_t rgb_bytes, turned_bytes;
};

static void converter_fini(struct converter *converter)
{
    sws_freeContext(converter->sws);
    ao_free(converter->rgb);
    ao_free(converter->turned);
}

static bool reserve(uint8_t **buffer, size_t *capacity, size_t bytes)
{
    if (bytes <= *capacity)
        return true;
    ao_free(*buffer);
    *buffer = ao_alloc_raw(bytes, 1);
    *capacity = *buffer ? bytes : 0;
    return *buffer != NULL;
}

/*
 * The generic path of swscale, because the fast ones round differently from machine to machine:
 * accurate rounding, C and SIMD alike, chroma interpolated at every pixel.
 */
static aosa_status prepare(struct converter *converter, const AVFrame *frame)
{
    const int flags =
        SWS_BICUBIC | SWS_ACCURATE_RND | SWS_BITEXACT | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP;
    const enum AVPixelFormat format = (enum AVPixelFormat)frame->format;
    if (!sws_isSupportedInput(format)) {
        const char *format_name = av_get_pix_fmt_name(format);
        return ao_fail(AOSA_ERR_FORMAT, "%s: pixel format '%s' cannot be converted to RGB",
                       converter->name, format_name ? format_name : "unknown");
    }
    converter->sws =
        sws_getCachedContext(converter->sws, frame->width, frame->height, format, frame->width,
                             frame->height, AV_PIX_FMT_RGB24, flags, NULL, NULL, NULL);
    if (!converter->sws)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory to convert frames of %dx%d", converter->name,
                       frame->width, frame->height);

    int *inverse, *table, full_in, full_out, brightness, contrast, saturation;
    if (sws_getColorspaceDetails(converter->sws, &inverse, &full_in, &table, &full_out, &brightness,
                                 &contrast, &saturation) >= 0) {
        if (frame->color_range == AVCOL_RANGE_JPEG)
            full_in = 1;
        sws_setColorspaceDetails(converter->sws, sws_getCoefficients((int)frame->colorspace),
                                 full_in, table, full_out, brightness, contrast, saturation);
    }
    return AOSA_OK;
}

static aosa_status convert(struct converter *converter, const AVFrame *frame,
                           struct ao_picture *picture)
{
    const int64_t pixels = (int64_t)frame->width * frame->height;
    if (frame->width < 1 || frame->height < 1 || pixels > AO_MAX_FRAME_PIXELS)
        return ao_fail(AOSA_ERR_FORMAT, "%s: a frame of %dx%d, at most 8192x8192 pixels are read",
                       converter->name, frame->width, frame->height);
    AO_TRY(prepare(converter, frame));

    /* swscale writes whole vectors: rows end on 64 bytes. */
    const size_t stride = (3 * (size_t)frame->width + 63) / 64 * 64;
    if (!reserve(&converter->rgb, &converter->rgb_bytes, stride * (size_t)frame->height + 64))
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for a frame", converter->name);
    uint8_t *const planes[4] = { converter->rgb, NULL, NULL, NULL };
    const int strides[4] = { (int)stride, 0, 0, 0 };
    if (sws_scale(converter->sws, (const uint8_t *const *)frame->data, frame->linesize, 0,
                  frame->height, planes, strides) != frame->height)
        return ao_fail(AOSA_ERR_FORMAT, "%s: a frame cannot be converted to RGB", converter->name);
    *picture = (struct ao_picture){ converter->rgb, stride, frame->height, frame->width };
    if (ao_orient_is_upright(converter->orient))
        return AOSA_OK;

    if (!reserve(&converter->turned, &converter->turned_bytes, 3 * (size_t)pixels))
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for a frame", converter->name);
    ao_orient_apply(converter->orient, picture, converter->turned);
    const int H = converter->orient.swap ? frame->width : frame->height;
    const int W = converter->orient.swap ? frame->height : frame->width;
    *picture = (struct ao_picture){ converter->turned, 3 * (size_t)W, H, W };
    return AOSA_OK;
}

/* True when frame number `at` is the taken-th that is wanted. */
static bool is_wanted(const struct ao_sampling *sampling, int64_t at, int taken)
{
    return taken < sampling->n && at == sampling->start + taken * sampling->step;
}

static aosa_status decode_frames(struct ao_media *media, struct converter *converter,
                                 const struct ao_sampling *sampling, ao_frame_fn take,
                                 void *context, struct ao_source_info *info)
{
    int taken = 0;
    while ((sampling->n == 0 || taken < sampling->n) && info->frames < MAX_FRAMES) {
        bool end;
        AO_TRY(ao_media_next(media, &end));
        if (end)
            break;
        if (info->frames == 0) {
            info->H = converter->orient.swap ? media->frame->width : media->frame->height;
            info->W = converter->orient.swap ? media->frame->height : media->frame->width;
        }
        if (is_wanted(sampling, info->frames++, taken)) {
            struct ao_picture picture;
            AO_TRY(convert(converter, media->frame, &picture));
            AO_TRY(take(context, taken++, &picture));
        }
        av_frame_unref(media->frame);
    }
    return AOSA_OK;
}

static aosa_status decode_quietly(const void *bytes, size_t size, const char *name,
                                  const struct ao_sampling *sampling, ao_frame_fn take,
                                  void *context, struct ao_source_info *info)
{
    struct ao_media media;
    AO_TRY(ao_media_open(&media, bytes, size, name));
    struct converter converter = { .name = name, .orient = ao_orient_of(ao_media_matrix(&media)) };
    *info = (struct ao_source_info){ .fps = ao_media_fps(&media) };
    const aosa_status status = decode_frames(&media, &converter, sampling, take, context, info);
    info->decode_errors = media.errors;
    converter_fini(&converter);
    ao_media_close(&media);
    return status;
}

aosa_status ao_video_decode(const void *bytes, size_t size, const char *name,
                            const struct ao_sampling *sampling, ao_frame_fn take, void *context,
                            struct ao_source_info *info)
{
    ao_quiet_begin();
    const aosa_status status = decode_quietly(bytes, size, name, sampling, take, context, info);
    ao_quiet_end();
    return status;
}
