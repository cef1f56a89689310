/* SPDX-License-Identifier: Apache-2.0 */
#include "render/chart.h"

#include <math.h>
#include <stdio.h>

#include "render/canvas.h"
#include "render/text.h"

/* Pixels. */
#define PLOT_LEFT 84
#define PLOT_TOP 84
#define PLOT_WIDTH 620
#define PLOT_HEIGHT 400
#define PLOT_BOTTOM 64 /* below the plot: ticks and label */
#define LEGEND 230     /* right of the plot */
#define ROW 21         /* of the legend */
#define MARGIN 28

#define TICKS 8 /* at most, but for the ends */

/* Okabe and Ito's, without the yellow that is lost on white. */
static const struct ao_ink inks[] = {
    { 0.000, 0.447, 0.698 }, { 0.835, 0.369, 0.000 }, { 0.000, 0.620, 0.451 },
    { 0.800, 0.475, 0.655 }, { 0.337, 0.706, 0.914 }, { 0.902, 0.624, 0.000 },
    { 0.000, 0.000, 0.000 }, { 0.550, 0.550, 0.550 },
};
#define N_INKS ((int)(sizeof inks / sizeof inks[0]))

struct axis {
    double lo, hi, step; /* values */
    double from, to;     /* pixels of lo and hi */
};

struct plan {
    struct axis x, y;
    int width, height;
};

static double at(const struct axis *axis, double value)
{
    return axis->from + (value - axis->lo) / (axis->hi - axis->lo) * (axis->to - axis->from);
}

/* 1, 2 or 5 times a power of ten, such that the range has at most TICKS of them. */
static double round_step(double range)
{
    const double rough = range / TICKS, power = pow(10, floor(log10(rough)));
    const double times = rough / power;
    return power * (times <= 1 ? 1 : times <= 2 ? 2 : times <= 5 ? 5 : 10);
}

/* An axis over [lo, hi] whose ends are ticks; a range that is nearly a point is widened. */
static struct axis make_axis(double lo, double hi, double from, double to)
{
    if (!(hi - lo > 1e-9 * fmax(fabs(lo), fabs(hi)))) {
        const double room = fmax(1e-3, 0.1 * fabs(lo));
        lo -= room;
        hi += room;
    }
    const double step = round_step(hi - lo);
    return (struct axis){
        .lo = step * floor(lo / step + 1e-9),
        .hi = step * ceil(hi / step - 1e-9),
        .step = step,
        .from = from,
        .to = to,
    };
}

static struct plan make_plan(const struct ao_chart *chart)
{
    double x0 = HUGE_VAL, x1 = -HUGE_VAL, y0 = HUGE_VAL, y1 = -HUGE_VAL;
    for (int i = 0; i < chart->n; i++) {
        const struct ao_chart_line *line = &chart->lines[i];
        for (size_t k = 0; k < line->n; k++) {
            x0 = fmin(x0, line->x[k]);
            x1 = fmax(x1, line->x[k]);
            y0 = fmin(y0, line->low[k * line->stride]);
            y1 = fmax(y1, line->high[k * line->stride]);
        }
    }
    const int legend = PLOT_TOP + ROW * chart->n + MARGIN;
    const int plot = PLOT_TOP + PLOT_HEIGHT + PLOT_BOTTOM;
    return (struct plan){
        .x = make_axis(x0, x1, PLOT_LEFT, PLOT_LEFT + PLOT_WIDTH),
        .y = make_axis(y0, y1, PLOT_TOP + PLOT_HEIGHT, PLOT_TOP),
        .width = PLOT_LEFT + PLOT_WIDTH + LEGEND,
        .height = plot > legend ? plot : legend,
    };
}

static void tick_text(double value, double step, char text[AO_NUMBER_BYTES])
{
    ao_text_number(fabs(value) < step / 2 ? 0 : value, false, text);
}

static void draw_axes(struct ao_canvas *canvas, const struct plan *plan,
                      const struct ao_chart *chart)
{
    const struct ao_text_style below = { 12, false, ao_ink_quiet, AO_ALIGN_CENTRE };
    const struct ao_text_style left = { 12, false, ao_ink_quiet, AO_ALIGN_RIGHT };
    const struct ao_text_style label = { 13, false, ao_ink_text, AO_ALIGN_CENTRE };
    const struct axis *x = &plan->x, *y = &plan->y;
    char text[AO_NUMBER_BYTES];
    const int nx = (int)lrint((x->hi - x->lo) / x->step),
              ny = (int)lrint((y->hi - y->lo) / y->step);
    for (int i = 0; i <= ny; i++) {
        const double value = y->lo + i * y->step, py = rint(at(y, value));
        ao_canvas_fill(canvas, (struct ao_rect){ x->from, py, x->to - x->from, 1 }, ao_ink_rule);
        tick_text(value, y->step, text);
        ao_text_draw(canvas, &left, x->from - 9, py + 4.5, 60, text);
    }
    for (int i = 0; i <= nx; i++) {
        const double value = x->lo + i * x->step, px = rint(at(x, value));
        ao_canvas_fill(canvas, (struct ao_rect){ px, y->from, 1, 5 }, ao_ink_quiet);
        tick_text(value, x->step, text);
        ao_text_draw(canvas, &below, px, y->from + 20, 90, text);
    }
    ao_canvas_fill(canvas, (struct ao_rect){ x->from, y->from, x->to - x->from, 1 }, ao_ink_quiet);
    ao_text_draw(canvas, &label, (x->from + x->to) / 2, y->from + 46, PLOT_WIDTH, chart->x_label);
    ao_text_draw_upwards(canvas, &label, MARGIN, (y->from + y->to) / 2, PLOT_HEIGHT,
                         chart->y_label);
}

static void draw_band(struct ao_canvas *canvas, const struct plan *plan,
                      const struct ao_chart_line *line, struct ao_ink ink)
{
    cairo_t *cr = canvas->cr;
    for (size_t k = 0; k < line->n; k++)
        cairo_line_to(cr, at(&plan->x, line->x[k]), at(&plan->y, line->high[k * line->stride]));
    for (size_t k = line->n; k-- > 0;)
        cairo_line_to(cr, at(&plan->x, line->x[k]), at(&plan->y, line->low[k * line->stride]));
    cairo_close_path(cr);
    cairo_set_source_rgba(cr, ink.r, ink.g, ink.b, 0.13);
    cairo_fill(cr);
}

/* Ink and dashes of line i. */
static void take_pen(struct ao_canvas *canvas, int i)
{
    static const double dashes[3][2] = { { 0, 0 }, { 7, 4 }, { 2, 3 } };
    const int style = i / N_INKS % 3;
    ao_canvas_ink(canvas, inks[i % N_INKS]);
    cairo_set_line_width(canvas->cr, 2);
    cairo_set_line_join(canvas->cr, CAIRO_LINE_JOIN_ROUND);
    cairo_set_dash(canvas->cr, dashes[style], style ? 2 : 0, 0);
}

static void draw_line(struct ao_canvas *canvas, const struct plan *plan,
                      const struct ao_chart_line *line, int i)
{
    take_pen(canvas, i);
    for (size_t k = 0; k < line->n; k++)
        cairo_line_to(canvas->cr, at(&plan->x, line->x[k]),
                      at(&plan->y, line->middle[k * line->stride]));
    cairo_stroke(canvas->cr);
}

static void draw_legend(struct ao_canvas *canvas, const struct plan *plan,
                        const struct ao_chart *chart)
{
    const struct ao_text_style style = { 13, false, ao_ink_text, AO_ALIGN_LEFT };
    const double x = plan->x.to + MARGIN;
    for (int i = 0; i < chart->n; i++) {
        const double y = PLOT_TOP + 8 + ROW * i;
        take_pen(canvas, i);
        cairo_move_to(canvas->cr, x, y);
        cairo_line_to(canvas->cr, x + 26, y);
        cairo_stroke(canvas->cr);
        ao_text_draw(canvas, &style, x + 35, y + 4.5, LEGEND - 2 * MARGIN - 35,
                     chart->lines[i].name);
    }
}

static aosa_status draw(struct ao_canvas *canvas, const struct plan *plan,
                        const struct ao_chart *chart)
{
    const struct ao_text_style title = { 20, true, ao_ink_text, AO_ALIGN_LEFT };
    const struct ao_text_style note = { 13, false, ao_ink_quiet, AO_ALIGN_LEFT };
    const double width = plan->width - 2 * MARGIN;
    ao_text_draw(canvas, &title, MARGIN, MARGIN + 16, width, chart->title);
    ao_text_draw(canvas, &note, MARGIN, MARGIN + 38, width, chart->note);
    draw_axes(canvas, plan, chart);
    for (int i = 0; i < chart->n; i++)
        draw_band(canvas, plan, &chart->lines[i], inks[i % N_INKS]);
    for (int i = 0; i < chart->n; i++)
        draw_line(canvas, plan, &chart->lines[i], i);
    draw_legend(canvas, plan, chart);
    return ao_canvas_check(canvas);
}

aosa_status ao_render_chart(const struct ao_chart *chart, const char *png_path)
{
    struct ao_canvas canvas;
    const struct plan plan = make_plan(chart);
    AO_TRY(ao_canvas_create(&canvas, plan.width, plan.height));
    aosa_status status = draw(&canvas, &plan, chart);
    if (status == AOSA_OK)
        status = ao_canvas_write_png(&canvas, png_path);
    ao_canvas_fini(&canvas);
    return status;
}
