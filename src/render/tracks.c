/* SPDX-License-Identifier: Apache-2.0 */
#include "render/tracks.h"

#include <math.h>

#include "core/alloc.h"
#include "render/panel.h"

#define MAX_DRAWN 400 /* more centres than that hide the clip */
#define TRAIL 6       /* frames of path behind a centre */
#define FADE 6        /* frames after which a lost track is gone */
#define HEADING 3     /* frames over which a direction is measured: centres are whole pixels */

static const struct ao_track_point *point(const struct aosa_mask_set *set, int track, int t)
{
    return set->points + (size_t)track * (size_t)set->T + (size_t)t;
}

/* Colour of an angle, by the hexagon of HSV at saturation 0.8. */
static struct ao_ink hue(double angle)
{
    const double sixth = angle / (2.0 * acos(-1.0)) * 6.0;
    double c[3];
    for (int i = 0; i < 3; i++) {
        const double k = fmod(5.0 - 2.0 * i + sixth + 12.0, 6.0);
        c[i] = 1.0 - 0.8 * fmax(0.0, fmin(fmin(k, 4.0 - k), 1.0));
    }
    return (struct ao_ink){ c[0], c[1], c[2] };
}

struct ao_ink ao_direction_ink(double dx, double dy)
{
    return dx == 0.0 && dy == 0.0 ? (struct ao_ink){ 1, 1, 1 } : hue(atan2(dy, dx));
}

/* The direction of a track at frame t: from where it was HEADING frames ago, if alive then. */
static struct ao_ink heading_ink(const struct aosa_mask_set *set, int track, int t)
{
    const struct ao_track_point *to = point(set, track, t), *from = to;
    for (int s = t - 1; s >= 0 && s >= t - HEADING && point(set, track, s)->alive; s--)
        from = point(set, track, s);
    return ao_direction_ink(to->x - from->x, to->y - from->y);
}

/* Pixels from the place where a track is first alive to the last. */
static double travelled(const struct aosa_mask_set *set, int track)
{
    const struct ao_track_point *first = NULL, *last = NULL;
    for (int t = 0; t < set->T; t++) {
        const struct ao_track_point *p = point(set, track, t);
        if (!p->alive)
            continue;
        first = first ? first : p;
        last = p;
    }
    return first ? hypot(last->y - first->y, last->x - first->x) : 0.0;
}

static bool is_near(const struct aosa_mask_set *set, int a, int b, double distance)
{
    const struct ao_track_point *p = point(set, a, 0), *q = point(set, b, 0);
    return hypot(p->y - q->y, p->x - q->x) < distance;
}

/* The track that travels farthest among those that start away from the chosen ones, or -1. */
static int farthest(const struct aosa_mask_set *set, const double *length, const int *chosen, int n)
{
    const double apart = 0.28 * (set->H < set->W ? set->H : set->W);
    int best = -1;
    for (int i = 0; i < set->N; i++) {
        bool near = false;
        for (int k = 0; k < n; k++)
            near = near || is_near(set, i, chosen[k], apart);
        if (!near && (best < 0 || length[i] > length[best]))
            best = i;
    }
    return best;
}

aosa_status ao_tracks_choose(const struct aosa_mask_set *set, int chosen[AO_TRACKS_CHOSEN], int *n)
{
    double *length = ao_alloc((size_t)set->N, sizeof *length);
    if (!length)
        return ao_fail(AOSA_ERR_NOMEM, "lengths of %d tracks", set->N);
    for (int i = 0; i < set->N; i++)
        length[i] = travelled(set, i);
    *n = 0;
    while (*n < AO_TRACKS_CHOSEN) {
        const int next = farthest(set, length, chosen, *n);
        if (next < 0)
            break;
        chosen[(*n)++] = next;
    }
    ao_free(length);
    return AOSA_OK;
}

int ao_tracks_alive(const struct aosa_mask_set *set, int t)
{
    int n = 0;
    for (int i = 0; i < set->N; i++)
        n += point(set, i, t)->alive != 0;
    return n;
}

/* From pixels of the clip, whose centres are at + 0.5, to the sheet. */
struct frame_map {
    double x, y, sx, sy;
};

static void path_point(cairo_t *cr, const struct frame_map *f, const struct ao_track_point *p,
                       bool first)
{
    const double x = f->x + (p->x + 0.5) * f->sx, y = f->y + (p->y + 0.5) * f->sy;
    if (first)
        cairo_move_to(cr, x, y);
    else
        cairo_line_to(cr, x, y);
}

static void stroke_over(cairo_t *cr, struct ao_ink ink, double alpha, double width)
{
    cairo_set_source_rgba(cr, 0, 0, 0, 0.45 * alpha); /* a dark rim: bright clips too */
    cairo_set_line_width(cr, width + 1.6);
    cairo_stroke_preserve(cr);
    cairo_set_source_rgba(cr, ink.r, ink.g, ink.b, alpha);
    cairo_set_line_width(cr, width);
    cairo_stroke(cr);
}

/* Last frame up to t in which the track is alive, or -1. */
static int last_alive(const struct aosa_mask_set *set, int track, int t)
{
    while (t >= 0 && !point(set, track, t)->alive)
        t--;
    return t;
}

static void draw_path(cairo_t *cr, const struct frame_map *f, const struct aosa_mask_set *set,
                      int track, int t)
{
    const int end = last_alive(set, track, t);
    const double alpha = end == t ? 1.0 : 0.8 * (1.0 - (t - end) / (double)FADE);
    if (end < 0 || alpha <= 0.0)
        return;
    const struct ao_ink lost = { 0.65, 0.65, 0.65 };
    const struct ao_ink ink = end == t ? heading_ink(set, track, end) : lost;
    for (int s = end - 1; s >= 0 && s >= end - TRAIL && point(set, track, s)->alive; s--) {
        path_point(cr, f, point(set, track, s), true);
        path_point(cr, f, point(set, track, s + 1), false);
        stroke_over(cr, ink, alpha * (1.0 - (end - 1 - s) / (double)TRAIL), 1.6);
    }
    path_point(cr, f, point(set, track, end), true);
    cairo_close_path(cr); /* a dot: round caps on a line of no length */
    stroke_over(cr, ink, alpha, 3.8);
}

static void draw_box(cairo_t *cr, const struct frame_map *f, const struct aosa_mask_set *set,
                     int track, int t)
{
    const struct ao_box box = ao_track_box(set, track, t);
    if (box.y0 >= box.y1 || box.x0 >= box.x1)
        return;
    cairo_rectangle(cr, f->x + box.x0 * f->sx, f->y + box.y0 * f->sy, (box.x1 - box.x0) * f->sx,
                    (box.y1 - box.y0) * f->sy);
    stroke_over(cr, heading_ink(set, track, t), 1.0, 2.0);
}

void ao_tracks_draw(struct ao_canvas *canvas, const struct aosa_mask_set *set, const int *chosen,
                    int n_chosen, int t, struct ao_rect where)
{
    const struct frame_map f = { where.x, where.y, where.w / set->W, where.h / set->H };
    const int every = (set->N + MAX_DRAWN - 1) / MAX_DRAWN;
    cairo_t *cr = canvas->cr;
    cairo_save(cr);
    cairo_rectangle(cr, where.x, where.y, where.w, where.h);
    cairo_clip(cr);
    cairo_set_line_cap(cr, CAIRO_LINE_CAP_ROUND);
    cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
    for (int i = 0; i < set->N; i += every)
        draw_path(cr, &f, set, i, t);
    for (int i = 0; i < n_chosen; i++) {
        draw_path(cr, &f, set, chosen[i], t);
        draw_box(cr, &f, set, chosen[i], t);
    }
    cairo_restore(cr);
}

void ao_tracks_wheel(struct ao_canvas *canvas, double x, double y, double radius)
{
    enum { N_WEDGES = 48 };
    const double step = 2.0 * acos(-1.0) / N_WEDGES;
    for (int i = 0; i < N_WEDGES; i++) {
        const double angle = i * step;
        ao_canvas_ink(canvas, hue(angle));
        cairo_move_to(canvas->cr, x, y);
        cairo_arc(canvas->cr, x, y, radius, angle - 0.6 * step, angle + 0.6 * step);
        cairo_fill(canvas->cr);
    }
    ao_canvas_ink(canvas, (struct ao_ink){ 1, 1, 1 });
    cairo_arc(canvas->cr, x, y, 0.3 * radius, 0, 2.0 * acos(-1.0));
    cairo_fill(canvas->cr);
}
