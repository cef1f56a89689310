/* SPDX-License-Identifier: Apache-2.0 */
#include "render/furniture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "render/text.h"

#define SEPARATOR "  \xc2\xb7  "

/* Adds "separator prefix text" to a line; what does not fit is cut, and cleaned when drawn. */
static void append(char line[AO_TEXT_BYTES], const char *prefix, const char *text)
{
    if (!text || !text[0])
        return;
    const size_t used = strlen(line);
    snprintf(line + used, AO_TEXT_BYTES - used, "%s%s%s", used ? SEPARATOR : "", prefix, text);
}

static void probability_text(double p, char *text, size_t bytes)
{
    if (isnan(p))
        text[0] = '\0';
    else
        snprintf(text, bytes, p >= 0.001 ? "p = %.3f" : "p = %.1e", p);
}

void ao_draw_captions(struct ao_canvas *canvas, const struct ao_picture_spec *spec, double x,
                      double y, double max_width)
{
    const struct ao_text_style title = { 20, true, ao_ink_text, AO_ALIGN_LEFT };
    const struct ao_text_style figure = { 20, false, ao_ink_quiet, AO_ALIGN_LEFT };
    const struct ao_text_style second = { 13, false, ao_ink_quiet, AO_ALIGN_LEFT };
    const double gap = 14, figure_width = 140;

    char probability[32];
    probability_text(spec->probability, probability, sizeof probability);
    const double title_width =
        ao_text_draw(canvas, &title, x, y, max_width - gap - figure_width, spec->class_name);
    ao_text_draw(canvas, &figure, x + title_width + (title_width > 0 ? gap : 0), y, figure_width,
                 probability);

    char line[AO_TEXT_BYTES] = "";
    append(line, "target ", spec->target);
    append(line, "", spec->method);
    append(line, "", spec->source);
    ao_text_draw(canvas, &second, x, y + 22, max_width, line);
}

void ao_frame_label(const struct aosa_clip *clip, int t, double room,
                    char label[AO_FRAME_LABEL_BYTES])
{
    const double seconds = ao_frame_seconds(clip, t);
    int n = snprintf(label, AO_FRAME_LABEL_BYTES, "frame %lld", (long long)clip->frames[t]);
    if (isfinite(seconds) && room >= 160)
        snprintf(label + n, AO_FRAME_LABEL_BYTES - (size_t)n, SEPARATOR "%.2f s", seconds);
}

/* A short line beside the bar and the score it stands for. */
static void draw_tick(struct ao_canvas *canvas, double x, double y, double value, double baseline)
{
    const struct ao_text_style style = { 13, false, ao_ink_text, AO_ALIGN_LEFT };
    char text[AO_NUMBER_BYTES];
    ao_text_number(value, true, text);
    ao_canvas_fill(canvas, (struct ao_rect){ x, y - 0.5, 5, 1 }, ao_ink_quiet);
    ao_text_draw(canvas, &style, x + 9, y + baseline, 84, text);
}

aosa_status ao_draw_bar(struct ao_canvas *canvas, const struct ao_picture_spec *spec,
                        const uint8_t lut[AO_COLORMAP_SIZE][3], struct ao_rect where)
{
    const struct ao_text_style unit = { 13, false, ao_ink_quiet, AO_ALIGN_CENTRE };
    const struct ao_rect bar = { where.x, where.y, 16, where.h };
    uint8_t column[AO_COLORMAP_SIZE][3];
    for (int i = 0; i < AO_COLORMAP_SIZE; i++)
        memcpy(column[i], lut[AO_COLORMAP_SIZE - 1 - i], 3);
    AO_TRY(ao_canvas_image(canvas, column[0], AO_COLORMAP_SIZE, 1, bar));
    ao_canvas_outline(canvas, bar, ao_ink_rule);

    const double x = bar.x + bar.w;
    draw_tick(canvas, x, bar.y + 0.5, spec->bar_max, 9);
    draw_tick(canvas, x, bar.y + bar.h / 2, spec->bar_neutral, 4.5);
    draw_tick(canvas, x, bar.y + bar.h - 0.5, spec->bar_min, 0);
    ao_text_draw_upwards(canvas, &unit, where.x + where.w - 4, bar.y + bar.h / 2, bar.h,
                         spec->unit);
    return AOSA_OK;
}

double ao_frame_importance(const struct ao_picture_spec *spec, int t)
{
    const size_t n = (size_t)spec->clip->H * (size_t)spec->clip->W;
    return spec->importance ? spec->importance[t] : ao_map_strength(spec->map + (size_t)t * n, n);
}

/* Range of the finite values, zero included. */
static void range_with_zero(const double *values, int n, double *lo, double *hi)
{
    *lo = *hi = 0.0;
    for (int i = 0; i < n; i++) {
        if (!isfinite(values[i]))
            continue;
        *lo = fmin(*lo, values[i]);
        *hi = fmax(*hi, values[i]);
    }
}

void ao_draw_importance(struct ao_canvas *canvas, int T, const double *importance,
                        const double *centre, const bool *marked, struct ao_rect where)
{
    double lo, hi;
    range_with_zero(importance, T, &lo, &hi);
    const double scale = hi > lo ? where.h / (hi - lo) : 0.0;
    const double zero = where.y + where.h + lo * scale;
    double pitch = where.w;
    for (int t = 1; t < T; t++)
        pitch = fmin(pitch, centre[t] - centre[t - 1]);
    const double width = fmax(1.0, fmin(0.7 * pitch, 48.0));
    for (int t = 0; t < T; t++) {
        const double h = isfinite(importance[t]) ? importance[t] * scale : 0.0;
        const struct ao_rect bar = { centre[t] - width / 2, h > 0 ? zero - h : zero, width,
                                     fabs(h) };
        ao_canvas_fill(canvas, bar, marked[t] ? ao_ink_mark : ao_ink_rule);
    }
    ao_canvas_fill(canvas, (struct ao_rect){ where.x, rint(zero), where.w, 1 }, ao_ink_quiet);
}
