/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "core/alloc.h"
#include "render/canvas.h"
#include "render/furniture.h"
#include "render/panel.h"
#include "render/picture.h"
#include "render/text.h"

#define MAX_COLUMNS 8
#define N_ROWS 3

/* Pixels. */
#define MARGIN 24
#define ROW_TITLE 24 /* space left of the panels for the turned titles */
#define CAPTIONS 78  /* from the margin to the panels: two lines and the frame labels */
#define GAP 6
#define BAR_GAP 18
#define STRIP 52 /* height of the importance bars */
#define LEAST_WIDTH 560

static const char *const row_titles[N_ROWS] = { "input", "map", "blend" };

struct layout {
    int n, index[MAX_COLUMNS]; /* columns and their frames */
    int panel_w, panel_h;
    double x, y, w, h; /* of all panels together */
    int width, height; /* of the sheet */
};

static struct layout plan(const struct aosa_clip *clip)
{
    struct layout l = { .x = MARGIN + ROW_TITLE, .y = MARGIN + CAPTIONS };
    l.n = ao_frame_selection(clip->T, MAX_COLUMNS, l.index);
    ao_panel_size(clip->H, clip->W, 224, &l.panel_h, &l.panel_w);
    l.w = l.n * (l.panel_w + GAP) - GAP;
    l.h = N_ROWS * (l.panel_h + GAP) - GAP;
    const int needed = (int)(l.x + l.w) + BAR_GAP + AO_BAR_SPACE + MARGIN;
    l.width = needed > LEAST_WIDTH ? needed : LEAST_WIDTH;
    l.height = (int)(l.y + l.h) + BAR_GAP + STRIP + MARGIN;
    return l;
}

static struct ao_rect cell(const struct layout *l, int row, int column)
{
    return (struct ao_rect){ l->x + column * (l->panel_w + GAP), l->y + row * (l->panel_h + GAP),
                             l->panel_w, l->panel_h };
}

static aosa_status draw_column(struct ao_canvas *canvas, const struct layout *l,
                               const struct ao_picture_spec *spec, struct ao_panels *panels,
                               int column)
{
    const struct ao_text_style style = { 13, false, ao_ink_text, AO_ALIGN_CENTRE };
    const struct ao_rect top = cell(l, 0, column);
    char label[AO_FRAME_LABEL_BYTES];
    ao_frame_label(spec->clip, l->index[column], top.w, label);
    ao_text_draw(canvas, &style, top.x + top.w / 2, top.y - 8, top.w + GAP, label);

    ao_panels_frame(panels, spec, l->index[column]);
    const uint8_t *pictures[N_ROWS] = { panels->input, panels->colour, panels->blend };
    for (int row = 0; row < N_ROWS; row++)
        AO_TRY(ao_canvas_image(canvas, pictures[row], spec->clip->H, spec->clip->W,
                               cell(l, row, column)));
    return AOSA_OK;
}

/* Middle of frame t on the axis that puts each shown frame under its column. */
static double frame_centre(const struct layout *l, int t)
{
    int i = 0;
    while (i + 2 < l->n && l->index[i + 1] < t)
        i++;
    const struct ao_rect left = cell(l, 0, i);
    const double span = i + 1 < l->n ? l->index[i + 1] - l->index[i] : 1;
    return left.x + left.w / 2 + (t - l->index[i]) / span * (l->panel_w + GAP);
}

static aosa_status draw_strip(struct ao_canvas *canvas, const struct layout *l,
                              const struct ao_picture_spec *spec)
{
    const struct ao_text_style style = { 13, false, ao_ink_quiet, AO_ALIGN_LEFT };
    const int T = spec->clip->T;
    const struct ao_rect where = { l->x, l->y + l->h + BAR_GAP, l->w, STRIP };
    double *importance = ao_alloc((size_t)T, 2 * sizeof *importance);
    bool *marked = ao_alloc((size_t)T, sizeof *marked);
    if (importance && marked) {
        double *centre = importance + T;
        for (int t = 0; t < T; t++) {
            importance[t] = ao_frame_importance(spec, t);
            centre[t] = frame_centre(l, t);
        }
        for (int i = 0; i < l->n; i++)
            marked[l->index[i]] = true;
        ao_draw_importance(canvas, T, importance, centre, marked, where);
        const double x = where.x + where.w + BAR_GAP, y = where.y + STRIP / 2.0;
        ao_text_draw(canvas, &style, x, y - 2, AO_BAR_SPACE, "importance");
        ao_text_draw(canvas, &style, x, y + 14, AO_BAR_SPACE, "of each frame");
    }
    const bool enough = importance && marked;
    ao_free(importance);
    ao_free(marked);
    return enough ? AOSA_OK : ao_fail(AOSA_ERR_NOMEM, "importance of %d frames", T);
}

static aosa_status draw_sheet(struct ao_canvas *canvas, const struct layout *l,
                              const struct ao_picture_spec *spec, struct ao_panels *panels)
{
    const struct ao_text_style style = { 15, true, ao_ink_text, AO_ALIGN_CENTRE };
    ao_draw_captions(canvas, spec, l->x, MARGIN + 16, l->width - l->x - MARGIN);
    for (int column = 0; column < l->n; column++)
        AO_TRY(draw_column(canvas, l, spec, panels, column));
    for (int row = 0; row < N_ROWS; row++) {
        const struct ao_rect first = cell(l, row, 0);
        ao_text_draw_upwards(canvas, &style, first.x - 9, first.y + first.h / 2, first.h,
                             row_titles[row]);
    }
    const double bar_y = cell(l, 1, 0).y; /* beside the two rows that use its colours */
    const struct ao_rect bar = { l->x + l->w + BAR_GAP, bar_y, AO_BAR_SPACE, l->y + l->h - bar_y };
    AO_TRY(ao_draw_bar(canvas, spec, (const uint8_t(*)[3])panels->lut, bar));
    return draw_strip(canvas, l, spec);
}

aosa_status ao_render_grid(const struct ao_picture_spec *spec, const char *png_path)
{
    struct ao_panels panels;
    AO_TRY(ao_panels_create(spec, &panels));
    const struct layout l = plan(spec->clip);
    struct ao_canvas canvas;
    aosa_status status = ao_canvas_create(&canvas, l.width, l.height);
    if (status == AOSA_OK)
        status = draw_sheet(&canvas, &l, spec, &panels);
    if (status == AOSA_OK)
        status = ao_canvas_write_png(&canvas, png_path);
    ao_canvas_fini(&canvas);
    ao_panels_fini(&panels);
    return status;
}
