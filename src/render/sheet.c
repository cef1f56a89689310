/* SPDX-License-Identifier: Apache-2.0 */
#include "render/sheet.h"

#include <string.h>

#include "core/alloc.h"
#include "render/canvas.h"
#include "render/furniture.h"
#include "render/panel.h"
#include "render/text.h"

#define MAX_COLUMNS 8

/* Pixels. */
#define MARGIN 28
#define LABELS 196  /* left of the panels: titles and details */
#define CAPTIONS 84 /* from the margin to the first row */
#define HEADING 34  /* above the first row of a family */
#define GAP 4
#define LEAST_WIDTH 620

struct layout {
    int n, index[MAX_COLUMNS]; /* columns and their frames */
    int panel_w, panel_h;
    double x, y; /* of the next row's first panel */
    int width, height;
};

static bool starts_family(const struct ao_sheet_row *rows, int i)
{
    return i == 0 || strcmp(rows[i].family, rows[i - 1].family) != 0;
}

static struct layout plan(const struct aosa_clip *clip, const struct ao_sheet_row *rows, int n)
{
    struct layout l = { .x = MARGIN + LABELS, .y = MARGIN + CAPTIONS };
    l.n = ao_frame_selection(clip->T, MAX_COLUMNS, l.index);
    ao_panel_size(clip->H, clip->W, 112, &l.panel_h, &l.panel_w);
    const int needed = (int)l.x + l.n * (l.panel_w + GAP) - GAP + MARGIN;
    l.width = needed > LEAST_WIDTH ? needed : LEAST_WIDTH;
    int height = (int)l.y + (n + 1) * (l.panel_h + GAP) + MARGIN;
    for (int i = 0; i < n; i++)
        height += starts_family(rows, i) ? HEADING : 0;
    l.height = height;
    return l;
}

static struct ao_rect cell(const struct layout *l, int column)
{
    return (struct ao_rect){ l->x + column * (l->panel_w + GAP), l->y, l->panel_w, l->panel_h };
}

static void draw_labels(struct ao_canvas *canvas, const struct layout *l, const char *title,
                        const char *detail)
{
    const struct ao_text_style name = { 15, true, ao_ink_text, AO_ALIGN_LEFT };
    const struct ao_text_style small = { 11.5, false, ao_ink_quiet, AO_ALIGN_LEFT };
    const double middle = l->y + l->panel_h / 2.0;
    ao_text_draw(canvas, &name, MARGIN, middle - 2, LABELS - 12, title);
    ao_text_draw(canvas, &small, MARGIN, middle + 16, LABELS - 12, detail);
}

/* The clip with the numbers of its frames. */
static aosa_status draw_input(struct ao_canvas *canvas, struct layout *l,
                              const struct aosa_clip *clip)
{
    const struct ao_text_style style = { 12, false, ao_ink_quiet, AO_ALIGN_CENTRE };
    const size_t frame = 3 * (size_t)clip->H * (size_t)clip->W;
    draw_labels(canvas, l, "input", "");
    for (int i = 0; i < l->n; i++) {
        const struct ao_rect where = cell(l, i);
        char label[AO_FRAME_LABEL_BYTES];
        ao_frame_label(clip, l->index[i], where.w, label);
        ao_text_draw(canvas, &style, where.x + where.w / 2, where.y - 8, where.w, label);
        AO_TRY(ao_canvas_image(canvas, clip->rgb + (size_t)l->index[i] * frame, clip->H, clip->W,
                               where));
    }
    l->y += l->panel_h + GAP;
    return AOSA_OK;
}

/* The family's name on a thin rule. */
static void draw_heading(struct ao_canvas *canvas, struct layout *l, const char *family)
{
    const struct ao_text_style style = { 12, false, ao_ink_mark, AO_ALIGN_LEFT };
    const double y = l->y + HEADING - 14;
    const double w = ao_text_draw(canvas, &style, MARGIN, y, LABELS - 12, family);
    const double x = MARGIN + w + 10;
    ao_canvas_fill(canvas, (struct ao_rect){ x, y - 4, l->width - MARGIN - x, 1 }, ao_ink_rule);
    l->y += HEADING;
}

static aosa_status draw_row(struct ao_canvas *canvas, struct layout *l,
                            struct ao_picture_spec *spec, struct ao_panels *panels,
                            const struct ao_sheet_row *row)
{
    draw_labels(canvas, l, row->title, row->map ? row->detail : "");
    spec->map = row->map;
    for (int i = 0; row->map && i < l->n; i++) {
        ao_panels_frame(panels, spec, l->index[i]);
        AO_TRY(ao_canvas_image(canvas, panels->blend, spec->clip->H, spec->clip->W, cell(l, i)));
    }
    if (!row->map) {
        const struct ao_text_style style = { 12, false, ao_ink_quiet, AO_ALIGN_LEFT };
        ao_text_draw(canvas, &style, l->x, l->y + l->panel_h / 2.0 + 4, l->width - l->x - MARGIN,
                     row->detail);
    }
    l->y += l->panel_h + GAP;
    return AOSA_OK;
}

/* What the colours mean, at the right end of the captions. */
static aosa_status draw_legend(struct ao_canvas *canvas, const struct layout *l,
                               const struct ao_panels *panels)
{
    const struct ao_text_style left = { 12, false, ao_ink_quiet, AO_ALIGN_LEFT };
    const struct ao_text_style right = { 12, false, ao_ink_quiet, AO_ALIGN_RIGHT };
    const struct ao_rect bar = { l->width - MARGIN - 180, MARGIN + 4, 180, 10 };
    AO_TRY(ao_canvas_image(canvas, panels->lut[0], 1, AO_COLORMAP_SIZE, bar));
    ao_canvas_outline(canvas, bar, ao_ink_rule);
    ao_text_draw(canvas, &left, bar.x, bar.y + 26, 90, "against");
    ao_text_draw(canvas, &right, bar.x + bar.w, bar.y + 26, 90, "for the class");
    return AOSA_OK;
}

static aosa_status draw_sheet(struct ao_canvas *canvas, struct layout l,
                              const struct aosa_clip *clip, struct ao_picture_spec *spec,
                              struct ao_panels *panels, const struct ao_sheet_row *rows, int n)
{
    ao_draw_captions(canvas, spec, MARGIN, MARGIN + 16, l.width - 2 * MARGIN - 200);
    AO_TRY(draw_legend(canvas, &l, panels));
    AO_TRY(draw_input(canvas, &l, clip));
    for (int i = 0; i < n; i++) {
        if (starts_family(rows, i))
            draw_heading(canvas, &l, rows[i].family);
        AO_TRY(draw_row(canvas, &l, spec, panels, &rows[i]));
    }
    return AOSA_OK;
}

/* The clip in grey, so that the only colours under a map are the map's; the caller frees rgb. */
static aosa_status grey_clip(const struct aosa_clip *clip, struct aosa_clip *grey)
{
    const size_t n = ao_clip_voxels(clip);
    *grey = *clip;
    grey->rgb = ao_alloc_raw(n, 3);
    if (!grey->rgb)
        return ao_fail(AOSA_ERR_NOMEM, "sheet: no memory for %zu pixels", n);
    for (size_t i = 0; i < n; i++) {
        const uint8_t *p = clip->rgb + 3 * i;
        /* ITU-R BT.601 */
        const uint8_t luma = (uint8_t)((299 * p[0] + 587 * p[1] + 114 * p[2] + 500) / 1000);
        for (size_t c = 0; c < 3; c++)
            grey->rgb[3 * i + c] = luma;
    }
    return AOSA_OK;
}

aosa_status ao_render_sheet(const struct ao_picture_spec *spec, const struct ao_sheet_row *rows,
                            int n, const char *png_path)
{
    struct ao_picture_spec own = *spec;
    struct aosa_clip grey;
    struct ao_panels panels = { 0 };
    struct ao_canvas canvas = { 0 };
    AO_TRY(grey_clip(spec->clip, &grey));
    own.method = NULL;
    own.clip = &grey;
    const struct layout l = plan(spec->clip, rows, n);
    aosa_status status = ao_panels_create(&own, &panels);
    if (status == AOSA_OK)
        status = ao_canvas_create(&canvas, l.width, l.height);
    if (status == AOSA_OK)
        status = draw_sheet(&canvas, l, spec->clip, &own, &panels, rows, n);
    if (status == AOSA_OK)
        status = ao_canvas_write_png(&canvas, png_path);
    ao_canvas_fini(&canvas);
    ao_panels_fini(&panels);
    ao_free(grey.rgb);
    return status;
}
