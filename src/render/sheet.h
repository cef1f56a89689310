/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_RENDER_SHEET_H
#define AO_RENDER_SHEET_H

#include "render/picture.h"

/* One method's line of a comparison. Everything is borrowed. */
struct ao_sheet_row {
    const char *family; /* a heading stands where it changes */
    const char *title;
    const char *detail; /* in small type below the title: "197 forward · 2.1 s" */
    const float *map;   /* [T][H][W] as ao_picture_spec's; NULL: `detail` says why there is none */
};

/*
 * Methods side by side: a row each, up to 8 frames as columns, the colours of the map over the
 * frame in grey; the clip itself on top. Of `spec`, map, method and bar are not used. Errors as
 * ao_render_grid.
 */
aosa_status ao_render_sheet(const struct ao_picture_spec *spec, const struct ao_sheet_row *rows,
                            int n, const char *png_path);

#endif
