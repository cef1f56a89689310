/* SPDX-License-Identifier: Apache-2.0 */
#include "video/jpeg.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#include "core/alloc.h"
#include "video/source.h"

/* A progressive file may ask for scans without end; no encoder writes more than a few dozen. */
#define MAX_SCANS 200

/*
 * libjpeg reports errors by a call that must not return. Everything that has to survive the jump
 * lives in this struct, not in local variables.
 */
struct decoder {
    struct jpeg_decompress_struct info; /* first: its callbacks cast it back */
    struct jpeg_error_mgr error;
    struct jpeg_progress_mgr progress;
    jmp_buf fail;
    char text[JMSG_LENGTH_MAX];
    aosa_status status; /* of the failure */
    uint8_t *rgb;
    int warnings;
};

static void on_error(j_common_ptr info)
{
    struct decoder *d = (struct decoder *)(void *)info;
    info->err->format_message(info, d->text);
    d->status = info->err->msg_code == JERR_OUT_OF_MEMORY ? AOSA_ERR_NOMEM : AOSA_ERR_FORMAT;
    longjmp(d->fail, 1);
}

/* Warnings come here with a negative level; an early end would leave the rest of the frame grey. */
static void on_message(j_common_ptr info, int level)
{
    struct decoder *d = (struct decoder *)(void *)info;
    if (level >= 0)
        return;
    if (info->err->msg_code == JWRN_JPEG_EOF || info->err->msg_code == JWRN_HIT_MARKER)
        on_error(info);
    d->warnings++;
}

static void on_output(j_common_ptr info)
{
    (void)info; /* libjpeg would print to stderr */
}

static void fail_with(struct decoder *d, aosa_status status, const char *text)
{
    snprintf(d->text, sizeof d->text, "%s", text);
    d->status = status;
    longjmp(d->fail, 1);
}

static void on_progress(j_common_ptr info)
{
    struct decoder *d = (struct decoder *)(void *)info;
    if (d->info.input_scan_number > MAX_SCANS)
        fail_with(d, AOSA_ERR_FORMAT, "too many scans");
}

static void read_rows(struct decoder *d)
{
    const size_t stride = 3 * (size_t)d->info.output_width;
    while (d->info.output_scanline < d->info.output_height) {
        JSAMPROW row = d->rgb + d->info.output_scanline * stride;
        jpeg_read_scanlines(&d->info, &row, 1);
    }
}

/* The whole decoding; leaves by longjmp when anything is wrong. */
static void decode(struct decoder *d, const struct ao_file *file)
{
    jpeg_create_decompress(&d->info);
    d->info.progress = &d->progress;
    jpeg_mem_src(&d->info, file->bytes, (unsigned long)file->size);
    jpeg_read_header(&d->info, TRUE);
    if ((uint64_t)d->info.image_width * d->info.image_height > AO_MAX_FRAME_PIXELS)
        fail_with(d, AOSA_ERR_FORMAT, "more than 8192x8192 pixels");
    if (d->info.jpeg_color_space == JCS_CMYK || d->info.jpeg_color_space == JCS_YCCK)
        fail_with(d, AOSA_ERR_FORMAT, "CMYK colours, RGB or grey is needed");
    d->info.out_color_space = JCS_RGB;
    d->info.dct_method = JDCT_ISLOW;
    d->info.do_fancy_upsampling = TRUE;
    jpeg_start_decompress(&d->info);
    d->rgb = ao_alloc_raw((size_t)d->info.output_width * d->info.output_height, 3);
    if (!d->rgb)
        fail_with(d, AOSA_ERR_NOMEM, "no memory for its pixels");
    read_rows(d);
    jpeg_finish_decompress(&d->info);
}

aosa_status ao_jpeg_decode(const struct ao_file *file, const char *name, uint8_t **rgb, int *H,
                           int *W, int *warnings)
{
    if (file->size == 0)
        return ao_fail(AOSA_ERR_FORMAT, "%s: empty file", name);
    struct decoder *d = ao_alloc(1, sizeof *d);
    if (!d)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for a JPEG decoder", name);
    d->info.err = jpeg_std_error(&d->error);
    d->error.error_exit = on_error;
    d->error.emit_message = on_message;
    d->error.output_message = on_output;
    d->progress.progress_monitor = on_progress;

    aosa_status status = AOSA_OK;
    if (setjmp(d->fail)) {
        status = ao_fail(d->status, "%s: not a usable JPEG: %s", name, d->text);
        ao_free(d->rgb);
    } else {
        decode(d, file);
        *rgb = d->rgb;
        *H = (int)d->info.output_height;
        *W = (int)d->info.output_width;
        *warnings = d->warnings;
    }
    jpeg_destroy_decompress(&d->info);
    ao_free(d);
    return status;
}
