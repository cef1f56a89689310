/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "render/furniture.h"
#include "render/movie.h"
#include "render/panel.h"
#include "render/picture.h"
#include "render/text.h"

#define N_PANELS 3

/* Pixels. */
#define MARGIN 20
#define CAPTIONS 72 /* from the margin to the panels: two lines and the panel titles */
#define GAP 8
#define STRIP_GAP 14
#define STRIP 36
#define LEAST_WIDTH 560

static const char *const titles[N_PANELS] = { "input", "map", "blend" };

struct scene {
    const struct ao_picture_spec *spec;
    struct ao_panels panels;
    struct ao_movie movie;
    int panel_w, panel_h;
    double *importance, *centre; /* [T], one block */
    bool *marked;                /* [T]: the current frame only */
};

static struct ao_rect panel(const struct scene *s, int i)
{
    return (struct ao_rect){ MARGIN + i * (s->panel_w + GAP), MARGIN + CAPTIONS, s->panel_w,
                             s->panel_h };
}

static struct ao_rect strip(const struct scene *s)
{
    const struct ao_rect first = panel(s, 0), last = panel(s, N_PANELS - 1);
    return (struct ao_rect){ first.x, first.y + first.h + STRIP_GAP, last.x + last.w - first.x,
                             STRIP };
}

static aosa_status measure_importance(struct scene *s)
{
    const int T = s->spec->clip->T;
    const struct ao_rect where = strip(s);
    s->importance = ao_alloc((size_t)T, 2 * sizeof *s->importance);
    s->marked = ao_alloc((size_t)T, sizeof *s->marked);
    if (!s->importance || !s->marked)
        return ao_fail(AOSA_ERR_NOMEM, "importance of %d frames", T);
    s->centre = s->importance + T;
    for (int t = 0; t < T; t++) {
        s->importance[t] = ao_frame_importance(s->spec, t);
        s->centre[t] = where.x + (t + 0.5) * where.w / T;
    }
    return AOSA_OK;
}

/* Captions with the frame's number and time at their right end. */
static void draw_header(struct scene *s, int t)
{
    const struct ao_text_style style = { 14, true, ao_ink_text, AO_ALIGN_RIGHT };
    struct ao_canvas *canvas = &s->movie.canvas;
    const double y = MARGIN + 16, right = canvas->width - MARGIN;
    char label[AO_FRAME_LABEL_BYTES];
    ao_frame_label(s->spec->clip, t, right - MARGIN, label);
    const double taken = ao_text_draw(canvas, &style, right, y, right - MARGIN, label);
    ao_draw_captions(canvas, s->spec, MARGIN, y, right - taken - 2 * MARGIN);
}

static void draw_footer(struct scene *s, int t)
{
    const struct ao_text_style style = { 13, false, ao_ink_quiet, AO_ALIGN_LEFT };
    struct ao_canvas *canvas = &s->movie.canvas;
    const struct ao_rect where = strip(s);
    const double x = where.x + where.w + STRIP_GAP, room = canvas->width - x - 4;
    s->marked[t] = true;
    ao_draw_importance(canvas, s->spec->clip->T, s->importance, s->centre, s->marked, where);
    s->marked[t] = false;
    ao_text_draw(canvas, &style, x, where.y + 14, room, "importance");
    ao_text_draw(canvas, &style, x, where.y + 30, room, "of each frame");
}

static aosa_status draw_frame(struct scene *s, int t)
{
    const struct ao_text_style title = { 14, true, ao_ink_text, AO_ALIGN_CENTRE };
    const struct ao_picture_spec *spec = s->spec;
    struct ao_canvas *canvas = &s->movie.canvas;
    draw_header(s, t);
    ao_panels_frame(&s->panels, spec, t);
    const uint8_t *pictures[N_PANELS] = { s->panels.input, s->panels.colour, s->panels.blend };
    for (int i = 0; i < N_PANELS; i++) {
        const struct ao_rect where = panel(s, i);
        ao_text_draw(canvas, &title, where.x + where.w / 2, where.y - 8, where.w, titles[i]);
        AO_TRY(ao_canvas_image(canvas, pictures[i], spec->clip->H, spec->clip->W, where));
    }
    const struct ao_rect last = panel(s, N_PANELS - 1);
    const struct ao_rect bar = { last.x + last.w + STRIP_GAP, last.y, AO_BAR_SPACE, last.h };
    AO_TRY(ao_draw_bar(canvas, spec, (const uint8_t(*)[3])s->panels.lut, bar));
    draw_footer(s, t);
    return ao_movie_add(&s->movie);
}

static aosa_status begin_movie(struct scene *s, const char *path)
{
    const struct aosa_clip *clip = s->spec->clip;
    ao_panel_size(clip->H, clip->W, 288, &s->panel_h, &s->panel_w);
    const struct ao_rect where = strip(s);
    const double width = where.x + where.w + STRIP_GAP + AO_BAR_SPACE + MARGIN;
    AO_TRY(measure_importance(s));
    return ao_movie_begin(&s->movie, path, (int)fmax(width, LEAST_WIDTH),
                          (int)(where.y + where.h) + MARGIN, clip->fps);
}

aosa_status ao_render_overlay(const struct ao_picture_spec *spec, const char *mp4_path)
{
    struct scene s = { .spec = spec };
    AO_TRY(ao_panels_create(spec, &s.panels));
    aosa_status status = begin_movie(&s, mp4_path);
    for (int t = 0; status == AOSA_OK && t < spec->clip->T; t++)
        status = draw_frame(&s, t);
    status = ao_movie_end(&s.movie, status);
    ao_free(s.importance);
    ao_free(s.marked);
    ao_panels_fini(&s.panels);
    return status;
}
