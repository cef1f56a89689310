/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_RENDER_TEXT_H
#define AO_RENDER_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "render/canvas.h"

/* Texts in pictures come from label files and file names: any bytes at all may arrive here. */

/* Bytes of a cleaned text, its final NUL included; longer ones are cut. */
#define AO_TEXT_BYTES 512

/*
 * Well-formed UTF-8 without surprises (Unicode 15, table 3-7): each byte that is not part of a
 * well-formed sequence and each noncharacter becomes U+FFFD, each control character a space, and
 * invisible characters that reorder or hide others (zero width, bidirectional controls) go. Text
 * beyond AO_TEXT_BYTES ends in an ellipsis. NULL gives "".
 */
void ao_text_clean(const char *text, char clean[AO_TEXT_BYTES]);

enum ao_align {
    AO_ALIGN_LEFT,
    AO_ALIGN_CENTRE,
    AO_ALIGN_RIGHT,
};

struct ao_text_style {
    double size; /* pixels from line to line, about */
    bool bold;
    struct ao_ink ink;
    enum ao_align align; /* which point of the text stands at x */
};

/*
 * Cleans and draws one line of text with its baseline at y, shortened with an ellipsis to
 * max_width pixels. Answers the width drawn. Failures are cairo's: ao_canvas_check tells them.
 */
double ao_text_draw(struct ao_canvas *canvas, const struct ao_text_style *style, double x, double y,
                    double max_width, const char *text);

/* The same, read from bottom to top: x is the baseline, y the middle of the text. */
void ao_text_draw_upwards(struct ao_canvas *canvas, const struct ao_text_style *style, double x,
                          double y, double max_width, const char *text);

/* A number for a label: three significant digits, a real minus sign, "+" only if asked. */
#define AO_NUMBER_BYTES 32
void ao_text_number(double value, bool plus, char text[AO_NUMBER_BYTES]);

#endif
