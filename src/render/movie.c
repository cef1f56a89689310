/* SPDX-License-Identifier: Apache-2.0 */
#include "render/movie.h"

#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "video/encode.h"

int ao_movie_millifps(double source_fps)
{
    const double slowest = 2.0, fastest = 8.0;
    if (!(source_fps > 0.0))
        return (int)(1000 * fastest);
    return (int)lrint(1000.0 * fmin(fmax(source_fps, slowest), fastest));
}

static aosa_status begin(struct ao_movie *movie, const char *path, int width, int height,
                         double source_fps)
{
    AO_TRY(ao_canvas_create(&movie->canvas, width, height));
    movie->rgb = ao_alloc_raw((size_t)width * (size_t)height, 3);
    if (!movie->rgb)
        return ao_fail(AOSA_ERR_NOMEM, "video of %d x %d pixels", width, height);
    return ao_encoder_open(path, width, height, ao_movie_millifps(source_fps), 1000,
                           &movie->encoder);
}

aosa_status ao_movie_begin(struct ao_movie *movie, const char *path, int width, int height,
                           double source_fps)
{
    *movie = (struct ao_movie){ 0 };
    const aosa_status status = begin(movie, path, width, height, source_fps);
    return status == AOSA_OK ? AOSA_OK : ao_movie_end(movie, status);
}

aosa_status ao_movie_add(struct ao_movie *movie)
{
    AO_TRY(ao_canvas_check(&movie->canvas));
    ao_canvas_read(&movie->canvas, movie->rgb);
    ao_canvas_clear(&movie->canvas);
    return ao_encoder_add(movie->encoder, movie->rgb);
}

aosa_status ao_movie_end(struct ao_movie *movie, aosa_status status)
{
    if (status == AOSA_OK)
        status = ao_encoder_close(&movie->encoder);
    else
        ao_encoder_abort(&movie->encoder);
    ao_canvas_fini(&movie->canvas);
    ao_free(movie->rgb);
    *movie = (struct ao_movie){ 0 };
    return status;
}
