/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/flow.h"

#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "core/file.h"
#include "flow/backend.h"

#define AO_FLOW(name) extern const struct ao_flow_backend ao_flow_##name;
#include "flow/flows.def"
#undef AO_FLOW

const struct ao_flow_backend *const *ao_flow_backends(void)
{
    static const struct ao_flow_backend *const rows[] = {
#define AO_FLOW(name) &ao_flow_##name,
#include "flow/flows.def"
#undef AO_FLOW
        NULL,
    };
    return rows;
}

#define OPTIONS ao_flow_options
const struct ao_option ao_flow_option_table[] = {
    AO_OPT_TEXT(OPTIONS, source, "flow", "farneback", "farneback|dis|none|FILE",
                "motion between frames; FILE: .npy [T-1][H][W][2], a folder of %05d.flo, or a "
                "pattern such as flow/%04d.flo"),
    AO_OPT_FLAG(OPTIONS, median, "median", "smooth the motion with a 3x3 median"),
    AO_OPT_REAL(OPTIONS, pyramid_scale, "flow-pyramid-scale", "0.5", 0.1, 0.95, "FACTOR",
                "farneback: size of a pyramid level relative to the finer one"),
    AO_OPT_INT(OPTIONS, levels, "flow-levels", "3", 1, 16, "COUNT",
               "farneback: most pyramid levels; none below 32 pixels"),
    AO_OPT_INT(OPTIONS, window, "flow-window", "15", 1, 255, "PIXELS",
               "farneback: side of the averaging window"),
    AO_OPT_INT(OPTIONS, iterations, "flow-iterations", "3", 1, 100, "COUNT",
               "farneback: iterations at each level"),
    AO_OPT_INT(OPTIONS, poly_n, "flow-poly-n", "5", 3, 15, "PIXELS",
               "farneback: reach of the polynomial expansion"),
    AO_OPT_REAL(OPTIONS, poly_sigma, "flow-poly-sigma", "1.2", 0.1, 10, "PIXELS",
                "farneback: sigma of the weights of the expansion"),
    AO_OPT_CHOICE(OPTIONS, dis_preset, "dis-preset", "medium", "ultrafast|fast|medium",
                  "dis: speed against quality"),
    AO_OPT_END,
};
#undef OPTIONS

void ao_flow_gray(const uint8_t *rgb, size_t n, bool official, uint8_t *gray)
{
    const int red = official ? 3735 : 9798, blue = official ? 9798 : 3735;
    for (size_t i = 0; i < n; i++) {
        const int sum = red * rgb[3 * i] + 19235 * rgb[3 * i + 1] + blue * rgb[3 * i + 2];
        gray[i] = (uint8_t)((sum + (1 << 14)) >> 15);
    }
}

/* The row of that name; every other text is a path, whatever the file behind it is. */
static aosa_status find_backend(const char *source, const struct ao_flow_backend **backend)
{
    const struct ao_flow_backend *file = NULL;
    for (const struct ao_flow_backend *const *row = ao_flow_backends(); *row; row++) {
        if (!strcmp((*row)->name, "file"))
            file = *row;
        else if (!strcmp((*row)->name, source)) {
            *backend = *row;
            return AOSA_OK;
        }
    }
    if (!strchr(source, '%') && !ao_path_exists(source))
        return ao_fail(
            AOSA_ERR_ARGUMENT,
            "--flow: '%s' is neither farneback, dis, none nor an existing file or folder", source);
    *backend = file;
    return AOSA_OK;
}

static aosa_status check_size(const struct ao_flow_backend *backend, int H, int W)
{
    if (H >= backend->min_side && W >= backend->min_side)
        return AOSA_OK;
    return ao_fail(AOSA_ERR_ARGUMENT,
                   "--flow %s needs frames of at least %d x %d pixels, these are %d x %d: take "
                   "--flow farneback or larger frames",
                   backend->name, backend->min_side, backend->min_side, H, W);
}

/* Middlebury files mark unknown motion with values above 1e9. */
static aosa_status check_known(const struct ao_flow_field *field, const char *source)
{
    for (int t = 0; t < field->T - 1; t++)
        for (int y = 0; y < field->H; y++)
            for (int x = 0; x < field->W; x++) {
                const float *d = ao_flow_at(field, t, y, x);
                if (fabsf(d[0]) <= 1e9f && fabsf(d[1]) <= 1e9f)
                    continue;
                return ao_fail(AOSA_ERR_NUMERIC,
                               "flow '%s', pair %d: motion (%g, %g) at row %d, column %d is "
                               "unknown or not a number; fill such pixels or use --flow farneback",
                               source, t, (double)d[0], (double)d[1], y, x);
            }
    return AOSA_OK;
}

static aosa_status fill(const struct ao_flow_backend *backend, const uint8_t *rgb,
                        const struct ao_flow_options *options, bool official_gray,
                        struct ao_flow_field *field)
{
    uint8_t *gray = NULL;
    if (backend->needs_gray) {
        const size_t n = (size_t)field->T * (size_t)field->H * (size_t)field->W;
        gray = ao_alloc_raw(n, 1);
        if (!gray)
            return ao_fail(AOSA_ERR_NOMEM, "flow: no memory for %zu gray pixels", n);
        ao_flow_gray(rgb, n, official_gray, gray);
    }
    const aosa_status status = backend->compute(gray, options, field);
    ao_free(gray);
    AO_TRY(status);
    AO_TRY(check_known(field, options->source));
    return options->median ? ao_flow_median(field) : AOSA_OK;
}

aosa_status ao_flow_compute(const uint8_t *rgb, int T, int H, int W,
                            const struct ao_flow_options *options, bool official_gray,
                            struct ao_flow_field **field)
{
    const struct ao_flow_backend *backend = NULL;
    if (!options->source)
        return ao_fail(AOSA_ERR_ARGUMENT, "--flow: the name is empty");
    AO_TRY(find_backend(options->source, &backend));
    AO_TRY(check_size(backend, H, W));
    struct ao_flow_field *made = NULL;
    AO_TRY(ao_flow_field_create(T, H, W, &made));
    const aosa_status status = fill(backend, rgb, options, official_gray, made);
    if (status != AOSA_OK) {
        ao_flow_field_destroy(&made);
        return status;
    }
    *field = made;
    return AOSA_OK;
}
