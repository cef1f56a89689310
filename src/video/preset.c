/* SPDX-License-Identifier: Apache-2.0 */
#include "video/preprocess.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "video/video.h"

struct preset {
    const char *name;
    int size;
    enum ao_resize resize;
    int resize_short, resize_h, resize_w;
    bool antialias;
    enum ao_crop crop;
    double range;
    bool bgr;
    double mean[3], std[3];
};

#define AO_PRESET(name, size, resize, short_side, h, w, antialias, crop, range, bgr, m0, m1, m2, \
                  s0, s1, s2)                                                                    \
    { #name, size, resize,         short_side,    h, w, antialias, crop,                         \
      range, bgr,  { m0, m1, m2 }, { s0, s1, s2 } },
static const struct preset presets[] = {
#include "video/presets.def"
};
#undef AO_PRESET

#define N_PRESETS ((int)(sizeof presets / sizeof presets[0]))

/* "|kenshohara|torchvision..." */
#define AO_PRESET(name, ...) "|" #name
static const char preset_choices[] = "auto"
#include "video/presets.def"
    ;
#undef AO_PRESET

const struct ao_option ao_video_option_table[] = {
    AO_OPT_INT(ao_video_options, frames, "frames", "0", 0, 4096, "N",
               "frames of a clip; 0 is what the network wants"),
    AO_OPT_INT(ao_video_options, step, "step", "0", 0, 4096, "N",
               "take every N-th frame; 0 is what the network wants"),
    AO_OPT_INT(ao_video_options, start, "start", "-1", -1, INT_MAX, "FRAME",
               "first frame, from 0; -1 is the beginning, or clips spread evenly"),
    AO_OPT_INT(ao_video_options, clips, "clips", "1", 1, 10000, "N",
               "clips of one video: one after the other from --start, or spread evenly"),
    AO_OPT_CHOICE(ao_video_options, preset, "preset", "auto", preset_choices,
                  "how the network's project prepares its frames"),
    AO_OPT_TEXT(ao_video_options, mean, "mean", NULL, "R,G,B",
                "subtracted from the channels, on the network's range of values"),
    AO_OPT_TEXT(ao_video_options, std, "std", NULL, "R,G,B", "divides the channels after --mean"),
    AO_OPT_TEXT(ao_video_options, resize, "resize", NULL, "SIZE",
                "before the centre crop: short side (112), height x width (128x171), or none"),
    AO_OPT_END,
};

const char *ao_preset_name(const struct ao_video_options *options)
{
    return options->preset > 0 && options->preset <= N_PRESETS ? presets[options->preset - 1].name
                                                               : NULL;
}

static int scaled(int length, int size, int wanted)
{
    return (int)lrint((double)length * wanted / size);
}

static void apply(const struct preset *preset, struct ao_preprocess *pre)
{
    const int side = pre->H < pre->W ? pre->H : pre->W;
    memcpy(pre->mean, preset->mean, sizeof pre->mean);
    memcpy(pre->std, preset->std, sizeof pre->std);
    pre->range = preset->range;
    pre->bgr = preset->bgr;
    pre->resize = preset->resize;
    pre->resize_short = scaled(preset->resize_short, preset->size, side);
    pre->resize_h = scaled(preset->resize_h, preset->size, pre->H);
    pre->resize_w = scaled(preset->resize_w, preset->size, pre->W);
    pre->antialias = preset->antialias;
    pre->crop = preset->crop;
}

void ao_preprocess_init(struct ao_preprocess *pre, int T, int H, int W)
{
    *pre = (struct ao_preprocess){ .T = T, .H = H, .W = W, .step = 1 };
    apply(&presets[0], pre);
}

aosa_status ao_preset_find(const char *name, struct ao_preprocess *pre)
{
    char names[160] = "";
    for (int i = 0; i < N_PRESETS; i++) {
        if (!strcmp(name, presets[i].name)) {
            apply(&presets[i], pre);
            return AOSA_OK;
        }
        const size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", presets[i].name);
    }
    return ao_fail(AOSA_ERR_ARGUMENT, "preset '%s' is unknown, there are %s", name, names);
}

/* A length of 1 .. 65535 at *text, which is moved behind it; 0 if there is none. */
static int read_length(const char **text)
{
    int value = 0;
    for (; **text >= '0' && **text <= '9' && value < 65536; (*text)++)
        value = 10 * value + (**text - '0');
    return value < 65536 ? value : 0;
}

aosa_status ao_preprocess_set_resize(struct ao_preprocess *pre, const char *text)
{
    if (!strcmp(text, "none")) {
        pre->resize = AO_RESIZE_NONE;
        return AOSA_OK;
    }
    const char *p = text;
    const int first = read_length(&p);
    if (first > 0 && *p == '\0') {
        pre->resize = AO_RESIZE_SHORT;
        pre->resize_short = first;
        return AOSA_OK;
    }
    if (first > 0 && *p == 'x') {
        p++;
        const int second = read_length(&p);
        if (second > 0 && *p == '\0') {
            pre->resize = AO_RESIZE_SQUASH;
            pre->resize_h = first;
            pre->resize_w = second;
            return AOSA_OK;
        }
    }
    return ao_fail(AOSA_ERR_ARGUMENT,
                   "--resize: '%s' is not a short side (112), height x width (128x171) or none",
                   text);
}

/* The option tables know how three numbers are written; these rows read them into `pre`. */
static const struct ao_option colour_rows[] = {
    AO_OPT_REALS3(ao_preprocess, mean, "mean", NULL, "R,G,B", ""),
    AO_OPT_REALS3(ao_preprocess, std, "std", NULL, "R,G,B", ""),
    AO_OPT_END,
};

aosa_status ao_preprocess_override(struct ao_preprocess *pre,
                                   const struct ao_video_options *options)
{
    if (options->frames > 0)
        pre->T = options->frames;
    if (options->step > 0)
        pre->step = options->step;
    if (options->mean)
        AO_TRY(ao_option_set(&colour_rows[0], pre, options->mean));
    if (options->std)
        AO_TRY(ao_option_set(&colour_rows[1], pre, options->std));
    for (int c = 0; c < 3; c++)
        if (!(pre->std[c] > 0))
            return ao_fail(AOSA_ERR_ARGUMENT, "--std: %g is not above 0", pre->std[c]);
    if (options->resize)
        AO_TRY(ao_preprocess_set_resize(pre, options->resize));
    return AOSA_OK;
}
