/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_RENDER_CANVAS_H
#define AO_RENDER_CANVAS_H

#include <stdint.h>

#include <cairo.h>

#include "core/status.h"

/* The folder's one place that turns cairo's sticky errors into ours. */

/* Pixels, y downwards. */
struct ao_rect {
    double x, y, w, h;
};

/* Red, green, blue in [0, 1]. */
struct ao_ink {
    double r, g, b;
};

extern const struct ao_ink ao_ink_text;  /* near black */
extern const struct ao_ink ao_ink_quiet; /* grey, for second lines and ticks */
extern const struct ao_ink ao_ink_rule;  /* light grey, for frames and bars */
extern const struct ao_ink ao_ink_mark;  /* the accent: frames shown, the current frame */

/* A white sheet to draw on. Thread class: confined. */
struct ao_canvas {
    int width, height;
    cairo_surface_t *surface;
    cairo_t *cr;
};

/* AOSA_ERR_SHAPE when a side is not in 1 .. 32767 (cairo's limit); AOSA_ERR_NOMEM. */
aosa_status ao_canvas_create(struct ao_canvas *canvas, int width, int height);
void ao_canvas_fini(struct ao_canvas *canvas); /* accepts a zeroed or half-made one */

/* White again, for the next frame of a video. */
void ao_canvas_clear(struct ao_canvas *canvas);

/*
 * Draws rgb [H][W][3] over `where`: bilinear when enlarged, averaged when reduced. The picture is
 * borrowed for the call only. AOSA_ERR_NOMEM.
 */
aosa_status ao_canvas_image(struct ao_canvas *canvas, const uint8_t *rgb, int H, int W,
                            struct ao_rect where);

void ao_canvas_ink(struct ao_canvas *canvas, struct ao_ink ink);

/* A filled rectangle. */
void ao_canvas_fill(struct ao_canvas *canvas, struct ao_rect where, struct ao_ink ink);

/* A one-pixel frame just inside `where`. */
void ao_canvas_outline(struct ao_canvas *canvas, struct ao_rect where, struct ao_ink ink);

/* AOSA_ERR_NOMEM or AOSA_ERR_INTERNAL with cairo's text if any drawing so far failed. */
aosa_status ao_canvas_check(const struct ao_canvas *canvas);

/* The picture as [height][width][3], as a video encoder takes it. */
void ao_canvas_read(struct ao_canvas *canvas, uint8_t *rgb);

/*
 * Writes a PNG, whose bytes depend on the picture only. AOSA_ERR_OUTPUT names path and reason (no
 * such folder, disk full, ...), and then no partial file stays.
 */
aosa_status ao_canvas_write_png(struct ao_canvas *canvas, const char *path);

#endif
