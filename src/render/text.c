/* SPDX-License-Identifier: Apache-2.0 */
#include "render/text.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ELLIPSIS "\xe2\x80\xa6"
#define REPLACEMENT "\xef\xbf\xbd"
#define MINUS "\xe2\x88\x92"

/*
 * Length of the well-formed sequence at p and its code point, or 0. Reads no byte beyond the first
 * wrong one, so a final NUL stops it.
 */
static size_t decode(const unsigned char *p, uint32_t *code)
{
    if (p[0] < 0x80) {
        *code = p[0];
        return 1;
    }
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 }; /* no overlong forms */
    const size_t length = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    uint32_t c = p[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3fu);
    }
    if (c < smallest[length] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *code = c;
    return length;
}

/* Well-formed, but reserved for a program's own use; cairo takes them for an error in the text. */
static bool is_noncharacter(uint32_t c)
{
    return (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe;
}

static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x2028 || c == 0x2029;
}

static bool is_hidden(uint32_t c)
{
    return c == 0xad || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x202a && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
           (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe0fff);
}

void ao_text_clean(const char *text, char clean[AO_TEXT_BYTES])
{
    const unsigned char *p = (const unsigned char *)(text ? text : "");
    const size_t room = AO_TEXT_BYTES - sizeof ELLIPSIS; /* what an ellipsis and NUL leave */
    size_t n = 0;
    while (*p) {
        uint32_t code = 0;
        const size_t length = decode(p, &code);
        const char *piece = (const char *)p;
        size_t bytes = length;
        if (length == 0 || is_noncharacter(code)) {
            piece = REPLACEMENT;
            bytes = sizeof REPLACEMENT - 1;
        } else if (is_control(code)) {
            piece = " ";
            bytes = 1;
        } else if (is_hidden(code)) {
            bytes = 0;
        }
        if (n + bytes > room) {
            memcpy(clean + n, ELLIPSIS, sizeof ELLIPSIS - 1);
            n += sizeof ELLIPSIS - 1;
            break;
        }
        memcpy(clean + n, piece, bytes);
        n += bytes;
        p += length ? length : 1;
    }
    clean[n] = '\0';
}

static double width_of(cairo_t *cr, const char *text)
{
    cairo_text_extents_t extents;
    cairo_text_extents(cr, text, &extents);
    return extents.x_advance;
}

/* Takes code points from the end, in place, until the text and its ellipsis fit. */
static double shorten(cairo_t *cr, char text[AO_TEXT_BYTES], double max_width)
{
    double width = width_of(cr, text);
    size_t n = strlen(text);
    while (width > max_width && n > 0) {
        do
            n--;
        while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80);
        memcpy(text + n, ELLIPSIS, sizeof ELLIPSIS); /* ao_text_clean left room for it */
        width = width_of(cr, text);
    }
    if (width <= max_width)
        return width;
    text[0] = '\0'; /* not even the ellipsis fits */
    return 0.0;
}

double ao_text_draw(struct ao_canvas *canvas, const struct ao_text_style *style, double x, double y,
                    double max_width, const char *text)
{
    cairo_t *cr = canvas->cr;
    char clean[AO_TEXT_BYTES];
    ao_text_clean(text, clean);
    cairo_select_font_face(cr, "sans", CAIRO_FONT_SLANT_NORMAL,
                           style->bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cr, style->size);
    const double width = shorten(cr, clean, max_width);
    const double shift[] = {
        [AO_ALIGN_LEFT] = 0.0, [AO_ALIGN_CENTRE] = 0.5, [AO_ALIGN_RIGHT] = 1.0
    };
    ao_canvas_ink(canvas, style->ink);
    cairo_move_to(cr, x - shift[style->align] * width, y);
    cairo_show_text(cr, clean);
    cairo_new_path(cr);
    return width;
}

void ao_text_draw_upwards(struct ao_canvas *canvas, const struct ao_text_style *style, double x,
                          double y, double max_width, const char *text)
{
    struct ao_text_style centred = *style;
    centred.align = AO_ALIGN_CENTRE;
    cairo_save(canvas->cr);
    cairo_translate(canvas->cr, x, y);
    cairo_rotate(canvas->cr, -acos(-1.0) / 2.0);
    ao_text_draw(canvas, &centred, 0, 0, max_width, text);
    cairo_restore(canvas->cr);
}

void ao_text_number(double value, bool plus, char text[AO_NUMBER_BYTES])
{
    const char *sign = value < 0.0 ? MINUS : plus && value > 0.0 ? "+" : "";
    snprintf(text, AO_NUMBER_BYTES, "%s%.3g", sign, fabs(value));
}
