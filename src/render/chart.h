/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_RENDER_CHART_H
#define AO_RENDER_CHART_H

#include <stddef.h>

#include "core/status.h"

/* A line with a band around it. Everything is borrowed. */
struct ao_chart_line {
    const char *name;
    size_t n;
    const double *x;                   /* [n] ascending, finite */
    const double *middle, *low, *high; /* [n] finite, each `stride` doubles from the one before */
    size_t stride;
};

struct ao_chart {
    const char *title, *note; /* note: in small type below the title */
    const char *x_label, *y_label;
    const struct ao_chart_line *lines;
    int n; /* >= 1 */
};

/*
 * A chart of lines over one pair of axes with round ticks, bands in the lines' colours, and a
 * legend beside it. Eight colours that colour-blind people can tell apart (Okabe and Ito 2008);
 * further lines repeat them dashed, then dotted. Errors as ao_render_grid.
 */
aosa_status ao_render_chart(const struct ao_chart *chart, const char *png_path);

#endif
