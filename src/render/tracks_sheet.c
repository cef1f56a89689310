/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "render/furniture.h"
#include "render/movie.h"
#include "render/panel.h"
#include "render/picture.h"
#include "render/text.h"
#include "render/tracks.h"

#define MAX_FRAMES 8
#define MAX_COLUMNS 4

/* Pixels. */
#define MARGIN 24
#define CAPTIONS 60 /* from the margin to the panels or their labels */
#define LABEL 26    /* height of a line of labels above the panels */
#define GAP 8
#define LEAST_WIDTH 560

struct sheet {
    const struct aosa_clip *clip;
    const struct aosa_mask_set *set;
    int chosen[AO_TRACKS_CHOSEN], n_chosen;
    int panel_w, panel_h;
};

static void draw_captions(struct ao_canvas *canvas, const struct sheet *s)
{
    const struct ao_text_style title = { 20, true, ao_ink_text, AO_ALIGN_LEFT };
    const struct ao_text_style second = { 13, false, ao_ink_quiet, AO_ALIGN_LEFT };
    const double radius = 19, wheel_x = canvas->width - MARGIN - radius;
    char text[AO_TEXT_BYTES];
    snprintf(text, sizeof text, "%d masks from %d tracks of %d pixels", s->set->M, s->set->N,
             s->set->size);
    ao_text_draw(canvas, &title, MARGIN, MARGIN + 16, wheel_x - radius - 2 * MARGIN, text);
    ao_text_draw(canvas, &second, MARGIN, MARGIN + 38, wheel_x - radius - 2 * MARGIN,
                 "paths coloured by direction; white: still, grey: lost; boxes of a few");
    ao_tracks_wheel(canvas, wheel_x, MARGIN + radius, radius);
}

static aosa_status draw_frame(struct ao_canvas *canvas, const struct sheet *s, int t, double x,
                              double y)
{
    const struct ao_text_style style = { 13, false, ao_ink_text, AO_ALIGN_CENTRE };
    const struct aosa_clip *clip = s->clip;
    const struct ao_rect where = { x, y + LABEL, s->panel_w, s->panel_h };
    const size_t frame_bytes = (size_t)clip->H * (size_t)clip->W * 3;
    char label[AO_FRAME_LABEL_BYTES], text[AO_TEXT_BYTES];
    ao_frame_label(clip, t, where.w, label);
    snprintf(text, sizeof text, "%s  \xc2\xb7  %d alive", label, ao_tracks_alive(s->set, t));
    ao_text_draw(canvas, &style, x + where.w / 2, where.y - 8, where.w, text);
    AO_TRY(ao_canvas_image(canvas, clip->rgb + (size_t)t * frame_bytes, clip->H, clip->W, where));
    ao_tracks_draw(canvas, s->set, s->chosen, s->n_chosen, t, where);
    return ao_canvas_check(canvas);
}

static int at_least(int width)
{
    return width > LEAST_WIDTH ? width : LEAST_WIDTH;
}

static aosa_status write_png(struct sheet *s, const char *path)
{
    int index[MAX_FRAMES];
    const int n = ao_frame_selection(s->clip->T, MAX_FRAMES, index);
    const int columns = n < MAX_COLUMNS ? n : MAX_COLUMNS, rows = (n + columns - 1) / columns;
    ao_panel_size(s->clip->H, s->clip->W, 320, &s->panel_h, &s->panel_w);
    const int step_x = s->panel_w + GAP, step_y = s->panel_h + LABEL + GAP;

    struct ao_canvas canvas;
    AO_TRY(ao_canvas_create(&canvas, at_least(2 * MARGIN + columns * step_x - GAP),
                            2 * MARGIN + CAPTIONS + rows * step_y - GAP));
    draw_captions(&canvas, s);
    aosa_status status = AOSA_OK;
    for (int i = 0; status == AOSA_OK && i < n; i++)
        status = draw_frame(&canvas, s, index[i], MARGIN + i % columns * step_x,
                            MARGIN + CAPTIONS + i / columns * step_y);
    if (status == AOSA_OK)
        status = ao_canvas_write_png(&canvas, path);
    ao_canvas_fini(&canvas);
    return status;
}

static aosa_status write_mp4(struct sheet *s, const char *path)
{
    struct ao_movie movie;
    ao_panel_size(s->clip->H, s->clip->W, 448, &s->panel_h, &s->panel_w);
    const int width = at_least(2 * MARGIN + s->panel_w);
    AO_TRY(ao_movie_begin(&movie, path, width, 2 * MARGIN + CAPTIONS + LABEL + s->panel_h,
                          s->clip->fps));
    aosa_status status = AOSA_OK;
    for (int t = 0; status == AOSA_OK && t < s->clip->T; t++) {
        draw_captions(&movie.canvas, s);
        status = draw_frame(&movie.canvas, s, t, (width - s->panel_w) / 2, MARGIN + CAPTIONS);
        if (status == AOSA_OK)
            status = ao_movie_add(&movie);
    }
    return ao_movie_end(&movie, status);
}

aosa_status ao_render_tracks(const struct aosa_clip *clip, const struct aosa_mask_set *set,
                             const char *png_path, const char *mp4_path)
{
    struct sheet s = { .clip = clip, .set = set };
    if (clip->T != set->T || clip->H != set->H || clip->W != set->W)
        return ao_fail(AOSA_ERR_SHAPE, "tracks of %d x %d x %d over a clip of %d x %d x %d", set->T,
                       set->H, set->W, clip->T, clip->H, clip->W);
    AO_TRY(ao_tracks_choose(set, s.chosen, &s.n_chosen));
    if (png_path)
        AO_TRY(write_png(&s, png_path));
    return mp4_path ? write_mp4(&s, mp4_path) : AOSA_OK;
}
