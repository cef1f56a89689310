/* SPDX-License-Identifier: Apache-2.0 */
#include "render/colormap.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

static double clamp01(double v)
{
    return v < 0.0 ? 0.0 : v > 1.0 ? 1.0 : v;
}

/* A ramp that is straight between knots; the first knot is at 0 and the last at 1. */
struct knot {
    double u, v;
};

/* The knots are scaled to table positions before the quotient, and so rounded, as matplotlib
 * does: the truncated bytes depend on it. */
static double piecewise(const struct knot *knots, double u)
{
    const double last = AO_COLORMAP_SIZE - 1;
    while (u > knots[1].u && knots[1].u < 1.0)
        knots++;
    const double lo = knots[0].u * last, hi = knots[1].u * last;
    const double part = (u * last - lo) / (hi - lo);
    return part * (knots[1].v - knots[0].v) + knots[0].v;
}

/* matplotlib's jet by its published segment data (spec A.10). */
static void ramp_jet(double u, double rgb[3])
{
    static const struct knot red[] = { { 0, 0 }, { .35, 0 }, { .66, 1 }, { .89, 1 }, { 1, .5 } };
    static const struct knot green[] = { { 0, 0 },   { .125, 0 }, { .375, 1 },
                                         { .64, 1 }, { .91, 0 },  { 1, 0 } };
    static const struct knot blue[] = { { 0, .5 }, { .11, 1 }, { .34, 1 }, { .65, 0 }, { 1, 0 } };
    rgb[0] = piecewise(red, u);
    rgb[1] = piecewise(green, u);
    rgb[2] = piecewise(blue, u);
}

static double srgb_gamma(double linear)
{
    return linear <= 0.0031308 ? 12.92 * linear : 1.055 * pow(linear, 1.0 / 2.4) - 0.055;
}

/* The cube of CIE L*a*b*'s compressed axis, with its straight part near black. */
static double lab_expand(double f)
{
    return f > 6.0 / 29.0 ? f * f * f : 3.0 * (6.0 / 29.0) * (6.0 / 29.0) * (f - 4.0 / 29.0);
}

/* Msh, polar CIE L*a*b* (magnitude, saturation angle, hue angle), under D65 to sRGB. */
static void msh_to_rgb(double m, double s, double h, double rgb[3])
{
    const double fy = (m * cos(s) + 16.0) / 116.0;
    const double x = 0.9505 * lab_expand(fy + m * sin(s) * cos(h) / 500.0);
    const double y = lab_expand(fy);
    const double z = 1.089 * lab_expand(fy - m * sin(s) * sin(h) / 200.0);
    rgb[0] = clamp01(srgb_gamma(3.2406 * x - 1.5372 * y - 0.4986 * z));
    rgb[1] = clamp01(srgb_gamma(-0.9689 * x + 1.8758 * y + 0.0415 * z));
    rgb[2] = clamp01(srgb_gamma(0.0557 * x - 0.2040 * y + 1.0570 * z));
}

/*
 * K. Moreland, "Diverging Color Maps for Scientific Visualization", ISVC 2009: straight lines in
 * Msh from a blue and a red of equal magnitude and saturation to an unsaturated middle. Towards the
 * middle the hue spins away from purple by the angle of section 5 of the paper.
 */
static void ramp_coolwarm(double u, double rgb[3])
{
    const double m_end = 80.0, s_end = 1.08, m_middle = 88.0;
    const double hue = u < 0.5 ? -1.1 : 0.5;
    const double spin = s_end * sqrt(m_middle * m_middle - m_end * m_end) / (m_end * sin(s_end));
    const double to_end = fabs(2.0 * u - 1.0);
    const double hue_middle = hue > -acos(-1.0) / 3.0 ? hue + spin : hue - spin;
    msh_to_rgb(m_middle + to_end * (m_end - m_middle), to_end * s_end,
               hue_middle + to_end * (hue - hue_middle), rgb);
}

static double polynomial(const double c[6], double u)
{
    return c[0] + u * (c[1] + u * (c[2] + u * (c[3] + u * (c[4] + u * c[5]))));
}

/*
 * J. R. Nunez, C. R. Anderton, R. S. Renslow, "Optimizing colormaps with consideration for color
 * vision deficiency", PLoS ONE 13(7), 2018; the first author's fifth-order fit of its table, whose
 * values are levels of 255.
 */
static void ramp_cividis(double u, double rgb[3])
{
    static const double fit[3][6] = {
        { -4.54, -35.34, 2381.73, -6402.70, 7024.72, -2710.57 },
        { 32.49, 170.73, 52.82, -131.46, 176.58, -67.37 },
        { 81.24, 442.36, -2482.43, 6167.24, -6614.94, 2475.67 },
    };
    for (int c = 0; c < 3; c++)
        rgb[c] = clamp01(polynomial(fit[c], u) / 255.0);
}

const struct ao_colormap ao_colormaps[] = {
#define AO_COLORMAP(name, summary) { #name, summary, ramp_##name },
#include "render/colormaps.def"
#undef AO_COLORMAP
    { NULL, NULL, NULL },
};

const struct ao_colormap *ao_colormap_find(const char *name)
{
    for (const struct ao_colormap *map = ao_colormaps; map->name; map++)
        if (strcmp(map->name, name) == 0)
            return map;
    return NULL;
}

void ao_colormap_fill(const struct ao_colormap *map, uint8_t lut[AO_COLORMAP_SIZE][3])
{
    for (int i = 0; i < AO_COLORMAP_SIZE; i++) {
        double rgb[3];
        map->ramp((double)i / (AO_COLORMAP_SIZE - 1), rgb);
        for (int c = 0; c < 3; c++)
            lut[i][c] = (uint8_t)(255.0 * rgb[c]);
    }
}
