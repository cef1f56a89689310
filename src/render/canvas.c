/* SPDX-License-Identifier: Apache-2.0 */
#include "render/canvas.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "core/file.h"

#define MAX_SIDE 32767

const struct ao_ink ao_ink_text = { 0.11, 0.12, 0.14 };
const struct ao_ink ao_ink_quiet = { 0.40, 0.42, 0.45 };
const struct ao_ink ao_ink_rule = { 0.80, 0.81, 0.83 };
const struct ao_ink ao_ink_mark = { 0.13, 0.33, 0.60 };

static aosa_status cairo_failure(cairo_status_t status, const char *what)
{
    return ao_fail(status == CAIRO_STATUS_NO_MEMORY ? AOSA_ERR_NOMEM : AOSA_ERR_INTERNAL,
                   "%s: cairo: %s", what, cairo_status_to_string(status));
}

/* No hinting: the shape of a letter then does not depend on where it stands. */
static void set_font_options(cairo_t *cr)
{
    cairo_font_options_t *options = cairo_font_options_create();
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_set_font_options(cr, options);
    cairo_font_options_destroy(options);
}

aosa_status ao_canvas_create(struct ao_canvas *canvas, int width, int height)
{
    *canvas = (struct ao_canvas){ .width = width, .height = height };
    if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE)
        return ao_fail(AOSA_ERR_SHAPE, "picture of %d x %d pixels: sides must be 1 to %d", width,
                       height, MAX_SIDE);
    canvas->surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
    canvas->cr = cairo_create(canvas->surface);
    set_font_options(canvas->cr);
    ao_canvas_clear(canvas);
    const aosa_status status = ao_canvas_check(canvas);
    if (status != AOSA_OK)
        ao_canvas_fini(canvas);
    return status;
}

void ao_canvas_fini(struct ao_canvas *canvas)
{
    if (canvas->cr)
        cairo_destroy(canvas->cr);
    if (canvas->surface)
        cairo_surface_destroy(canvas->surface);
    *canvas = (struct ao_canvas){ 0 };
}

void ao_canvas_clear(struct ao_canvas *canvas)
{
    cairo_set_source_rgb(canvas->cr, 1, 1, 1);
    cairo_paint(canvas->cr);
}

aosa_status ao_canvas_check(const struct ao_canvas *canvas)
{
    const cairo_status_t status = cairo_status(canvas->cr);
    return status == CAIRO_STATUS_SUCCESS ? AOSA_OK : cairo_failure(status, "drawing a picture");
}

/* cairo's RGB24 is a native-endian 32-bit word, red in bits 16 to 23. */
static void pack_row(const uint8_t *rgb, int W, uint32_t *row)
{
    for (int x = 0; x < W; x++)
        row[x] = (uint32_t)rgb[3 * x] << 16 | (uint32_t)rgb[3 * x + 1] << 8 | rgb[3 * x + 2];
}

static void paint_scaled(struct ao_canvas *canvas, cairo_surface_t *image, int H, int W,
                         struct ao_rect where)
{
    cairo_t *cr = canvas->cr;
    cairo_save(cr);
    cairo_rectangle(cr, where.x, where.y, where.w, where.h);
    cairo_clip(cr);
    cairo_translate(cr, where.x, where.y);
    cairo_scale(cr, where.w / W, where.h / H);
    cairo_set_source_surface(cr, image, 0, 0);
    cairo_pattern_t *pattern = cairo_get_source(cr);
    cairo_pattern_set_extend(pattern, CAIRO_EXTEND_PAD); /* no white bleeding in at the borders */
    cairo_pattern_set_filter(pattern, CAIRO_FILTER_GOOD);
    cairo_paint(cr);
    cairo_restore(cr);
}

aosa_status ao_canvas_image(struct ao_canvas *canvas, const uint8_t *rgb, int H, int W,
                            struct ao_rect where)
{
    cairo_surface_t *image = cairo_image_surface_create(CAIRO_FORMAT_RGB24, W, H);
    const cairo_status_t status = cairo_surface_status(image);
    if (status != CAIRO_STATUS_SUCCESS) {
        cairo_surface_destroy(image);
        return cairo_failure(status, "a frame of the picture");
    }
    cairo_surface_flush(image);
    unsigned char *data = cairo_image_surface_get_data(image);
    const size_t stride = (size_t)cairo_image_surface_get_stride(image);
    for (int y = 0; y < H; y++)
        pack_row(rgb + (size_t)y * (size_t)W * 3, W,
                 (uint32_t *)(void *)(data + (size_t)y * stride));
    cairo_surface_mark_dirty(image);
    paint_scaled(canvas, image, H, W, where);
    cairo_surface_destroy(image); /* the drawing is done: an image surface draws at once */
    return ao_canvas_check(canvas);
}

void ao_canvas_ink(struct ao_canvas *canvas, struct ao_ink ink)
{
    cairo_set_source_rgb(canvas->cr, ink.r, ink.g, ink.b);
}

void ao_canvas_fill(struct ao_canvas *canvas, struct ao_rect where, struct ao_ink ink)
{
    ao_canvas_ink(canvas, ink);
    cairo_rectangle(canvas->cr, where.x, where.y, where.w, where.h);
    cairo_fill(canvas->cr);
}

void ao_canvas_outline(struct ao_canvas *canvas, struct ao_rect where, struct ao_ink ink)
{
    ao_canvas_ink(canvas, ink);
    cairo_set_line_width(canvas->cr, 1.0);
    cairo_rectangle(canvas->cr, where.x + 0.5, where.y + 0.5, where.w - 1.0, where.h - 1.0);
    cairo_stroke(canvas->cr);
}

void ao_canvas_read(struct ao_canvas *canvas, uint8_t *rgb)
{
    cairo_surface_flush(canvas->surface);
    const unsigned char *data = cairo_image_surface_get_data(canvas->surface);
    const size_t stride = (size_t)cairo_image_surface_get_stride(canvas->surface);
    for (int y = 0; y < canvas->height; y++) {
        const uint32_t *row = (const uint32_t *)(const void *)(data + (size_t)y * stride);
        for (int x = 0; x < canvas->width; x++) {
            *rgb++ = (uint8_t)(row[x] >> 16);
            *rgb++ = (uint8_t)(row[x] >> 8);
            *rgb++ = (uint8_t)row[x];
        }
    }
}

struct png_sink {
    FILE *stream;
    int error; /* errno of the first write that failed */
};

static cairo_status_t write_some(void *closure, const unsigned char *data, unsigned int length)
{
    struct png_sink *sink = closure;
    if (fwrite(data, 1, length, sink->stream) == length)
        return CAIRO_STATUS_SUCCESS;
    sink->error = errno;
    return CAIRO_STATUS_WRITE_ERROR;
}

aosa_status ao_canvas_write_png(struct ao_canvas *canvas, const char *path)
{
    AO_TRY(ao_canvas_check(canvas));
    struct png_sink sink = { .stream = fopen(path, "wb") };
    if (!sink.stream)
        return ao_fail(AOSA_ERR_OUTPUT, "cannot write '%s': %s", path, strerror(errno));

    const cairo_status_t status =
        cairo_surface_write_to_png_stream(canvas->surface, write_some, &sink);
    if (fclose(sink.stream) != 0 && sink.error == 0) /* the last block is written here */
        sink.error = errno;
    if (status == CAIRO_STATUS_SUCCESS && sink.error == 0)
        return AOSA_OK;
    ao_file_discard(path);
    if (sink.error)
        return ao_fail(AOSA_ERR_OUTPUT, "cannot write '%s': %s", path, strerror(sink.error));
    return cairo_failure(status, path);
}
