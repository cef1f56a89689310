/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_RENDER_MOVIE_H
#define AO_RENDER_MOVIE_H

#include "render/canvas.h"

/* A canvas whose drawings become the frames of a video file. Thread class: confined. */
struct ao_movie {
    struct ao_canvas canvas;
    struct ao_encoder *encoder;
    uint8_t *rgb; /* the canvas as the encoder takes it */
};

/*
 * A video of width x height that runs at source_fps held between 2 and 8 frames a second; 8 if
 * source_fps is not a positive number. Errors of the canvas and of the encoder.
 */
aosa_status ao_movie_begin(struct ao_movie *movie, const char *path, int width, int height,
                           double source_fps);

/* The canvas as it is now becomes the next frame; it is white afterwards. */
aosa_status ao_movie_add(struct ao_movie *movie);

/*
 * Finishes the file if status is AOSA_OK, otherwise removes it; frees everything either way.
 * Answers status, or the failure to finish.
 */
aosa_status ao_movie_end(struct ao_movie *movie, aosa_status status);

/* Frames a second that movies of that source run at, in thousandths. */
int ao_movie_millifps(double source_fps);

#endif
