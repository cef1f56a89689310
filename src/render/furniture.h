/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_RENDER_FURNITURE_H
#define AO_RENDER_FURNITURE_H

#include "render/canvas.h"
#include "render/panel.h"

/* What stands around the panels: captions, colour bar, importance of the frames. */

/* "CliffDiving   p = 0.985" and, quieter, "target top1 · aosa · clip.avi", baselines at y and y
 * + 22. */
void ao_draw_captions(struct ao_canvas *canvas, const struct ao_picture_spec *spec, double x,
                      double y, double max_width);

/*
 * "frame 36 · 1.20 s", or only "frame 36" where `room` pixels are too few for both; the frame is
 * the 0-based one of the source.
 */
#define AO_FRAME_LABEL_BYTES 64
void ao_frame_label(const struct aosa_clip *clip, int t, double room,
                    char label[AO_FRAME_LABEL_BYTES]);

/* Pixels that a colour bar and its labels need to the right of the panels. */
#define AO_BAR_SPACE 128

/*
 * The colour map upright, its strongest colour on top, with the scores of its ends and its middle,
 * and their unit. `where` holds the bar, its labels and the unit.
 */
aosa_status ao_draw_bar(struct ao_canvas *canvas, const struct ao_picture_spec *spec,
                        const uint8_t lut[AO_COLORMAP_SIZE][3], struct ao_rect where);

/* Importance of frame t: the spec's, or the map's mean strength. */
double ao_frame_importance(const struct ao_picture_spec *spec, int t);

/*
 * A bar for every frame, centred at centre[t] (ascending, pixels), marked[t] ones in the accent
 * colour. Bars grow from zero; the largest fills the height. importance and the others: [T].
 */
void ao_draw_importance(struct ao_canvas *canvas, int T, const double *importance,
                        const double *centre, const bool *marked, struct ao_rect where);

#endif
