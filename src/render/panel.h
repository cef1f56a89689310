/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_RENDER_PANEL_H
#define AO_RENDER_PANEL_H

#include <stddef.h>

#include "render/picture.h"

/* The pixels of the map and blend panels, at the clip's resolution. */

/* rgb[i] = lut[(uint8_t)map[i]] (truncated, spec A.10) for n pixels; NaN takes entry 127. */
void ao_map_colour(const uint8_t lut[AO_COLORMAP_SIZE][3], const float *map, size_t n,
                   uint8_t *rgb);

/* dst = (a + b) / 2, halves rounded to even, for n bytes. */
void ao_blend_half(const uint8_t *a, const uint8_t *b, size_t n, uint8_t *dst);

/*
 * dst = frame + w (colour - frame), rounded, for n pixels of 3 bytes, with
 * w = 0.85 s (2 - s), s = |map - 127.5| / 127.5.
 */
void ao_blend_strength(const uint8_t *frame, const uint8_t *colour, const float *map, size_t n,
                       uint8_t *dst);

/* One frame of a spec as three pictures [H][W][3]. */
struct ao_panels {
    uint8_t lut[AO_COLORMAP_SIZE][3];
    const uint8_t *input;    /* borrowed from the clip */
    uint8_t *colour, *blend; /* owned */
};

/* AOSA_ERR_SHAPE for a clip without pixels, AOSA_ERR_NOMEM. */
aosa_status ao_panels_create(const struct ao_picture_spec *spec, struct ao_panels *panels);
void ao_panels_fini(struct ao_panels *panels); /* accepts a zeroed one */

/* Fills the three pictures with frame t. */
void ao_panels_frame(struct ao_panels *panels, const struct ao_picture_spec *spec, int t);

/*
 * Readable size of a picture of H x W: the smallest whole multiple at least `least` pixels high. A
 * picture over 1.5 least high is reduced to `least`, and one that would be over 4 least wide to
 * that width; no side is below one pixel.
 */
void ao_panel_size(int H, int W, int least, int *height, int *width);

/*
 * Indices of min(T, most) frames, evenly spread over 0 .. T-1 with both ends, ascending. Answers
 * their number.
 */
int ao_frame_selection(int T, int most, int *index);

/* Seconds from the start of the source to frame t; needs the clip's fps. */
double ao_frame_seconds(const struct aosa_clip *clip, int t);

/* Mean of |map - 127.5| / 127.5 over n pixels, 0 .. 1; NaN counts as neutral. */
double ao_map_strength(const float *map, size_t n);

#endif
