/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_RENDER_PICTURE_H
#define AO_RENDER_PICTURE_H

#include "core/status.h"
#include "data/clip.h"
#include "data/mask_set.h"
#include "render/colormap.h"

/* How the colours of the map lie over the frame. */
enum ao_blend {
    AO_BLEND_HALF,     /* frame / 2 + colour / 2, halves to even: the authors' figures, spec A.10 */
    AO_BLEND_STRENGTH, /* as opaque as the value is far from neutral: the video stays visible */
};

/*
 * What is explained and how to show it. Everything is borrowed. Texts may hold any bytes (they
 * come from label files and file names): they are cleaned and shortened to fit. NULL leaves a text
 * out.
 */
struct ao_picture_spec {
    const struct aosa_clip *clip;
    const float *map; /* [T][H][W], 0 .. 255 with 127.5 neutral (spec A.9); NaN shows as neutral */
    const struct ao_colormap *colormap;
    enum ao_blend blend;
    const char *class_name; /* of the target */
    double probability;     /* of the target on the whole clip; NaN leaves it out */
    const char *target;     /* as the user asked for it, such as "top1" */
    const char *method;
    const char *source;                   /* name of the video */
    const char *unit;                     /* of the colour bar, "drop of p when hidden" */
    double bar_min, bar_neutral, bar_max; /* scores that 0, 127.5 and 255 of the map stand for */
    const double *importance;             /* [T]; NULL: mean of |map - 127.5| / 127.5 */
};

/*
 * A contact sheet: up to 8 frames as columns, evenly spread with the first and the last, by the
 * rows input, map and blend; title, colour bar, importance of every frame. Panels are at least 224
 * pixels high. AOSA_ERR_OUTPUT if the file cannot be written (no partial file stays),
 * AOSA_ERR_NOMEM, AOSA_ERR_SHAPE for a clip without pixels.
 */
aosa_status ao_render_grid(const struct ao_picture_spec *spec, const char *png_path);

/*
 * Every frame as input | map | blend side by side, H.264 where FFmpeg can, at the clip's rate but
 * between 2 and 8 frames a second so that a person can follow. Errors as ao_render_grid, and those
 * of the encoder.
 */
aosa_status ao_render_overlay(const struct ao_picture_spec *spec, const char *mp4_path);

/*
 * What the masks follow, before paying for it: each track's centre and its path so far, coloured
 * by direction of motion, grey and fading once it is lost, and the boxes of a few tracks that move
 * far. A contact sheet and a video; either path may be NULL. At most 400 tracks are drawn, evenly
 * taken. Errors as ao_render_overlay; AOSA_ERR_SHAPE if set and clip differ in size.
 */
aosa_status ao_render_tracks(const struct aosa_clip *clip, const struct aosa_mask_set *set,
                             const char *png_path, const char *mp4_path);

#endif
