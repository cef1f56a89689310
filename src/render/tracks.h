/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_RENDER_TRACKS_H
#define AO_RENDER_TRACKS_H

#include "data/mask_set.h"
#include "render/canvas.h"

/* Tracks drawn over a frame; tracks_sheet.c makes pictures of them. */

#define AO_TRACKS_CHOSEN 6 /* tracks whose boxes are drawn, at most */

/*
 * Tracks that travel far and start apart from each other, farthest first; ties go to the smaller
 * index. AOSA_ERR_NOMEM.
 */
aosa_status ao_tracks_choose(const struct aosa_mask_set *set, int chosen[AO_TRACKS_CHOSEN], int *n);

/* Tracks that are alive in frame t. */
int ao_tracks_alive(const struct aosa_mask_set *set, int t);

/*
 * Colour of a motion: the hue of its direction (red right, yellow-green down, cyan left,
 * violet up); white when there is none.
 */
struct ao_ink ao_direction_ink(double dx, double dy);

/* Paths and centres up to frame t, and the boxes of the chosen tracks, over a frame at `where`. */
void ao_tracks_draw(struct ao_canvas *canvas, const struct aosa_mask_set *set, const int *chosen,
                    int n_chosen, int t, struct ao_rect where);

/* The legend of ao_direction_ink, around a centre. */
void ao_tracks_wheel(struct ao_canvas *canvas, double x, double y, double radius);

#endif
