/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_RENDER_COLORMAP_H
#define AO_RENDER_COLORMAP_H

#include <stdint.h>

/* Colours of the values 0 .. 255; 127.5 lies between the entries 127 and 128. */
#define AO_COLORMAP_SIZE 256

/* One row of colormaps.def. Thread class: immutable. */
struct ao_colormap {
    const char *name;
    const char *summary;
    void (*ramp)(double u, double rgb[3]); /* 0 <= u <= 1 to red, green, blue in [0, 1] */
};

/* All rows, ended by one whose name is NULL. */
extern const struct ao_colormap ao_colormaps[];

/* The row of that name, or NULL. */
const struct ao_colormap *ao_colormap_find(const char *name);

/*
 * lut[i] = trunc(255 ramp(i / 255)), red, green, blue. For jet these are the bytes of
 * matplotlib's 256-entry table (spec A.10).
 */
void ao_colormap_fill(const struct ao_colormap *map, uint8_t lut[AO_COLORMAP_SIZE][3]);

#endif
