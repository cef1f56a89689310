/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_VIDEO_VIDEO_H
#define AO_VIDEO_VIDEO_H

#include <stdbool.h>
#include <stdint.h>

#include "core/options.h"
#include "core/status.h"
#include "data/clip.h"
#include "video/preprocess.h"

/*
 * Clips in. A source is one of
 *   a folder   of frames NAME<number>.jpg, numbered from 0 or 1 without gaps (image_%05d.jpg);
 *   x.npy      uint8 [T][H][W][3], RGB frames of the network's size, taken as they are, or
 *              float32 [3][T][H][W], already normalised: what the network sees;
 *   a video    in one of the containers named in video/decode.c.
 *
 * Frames of a source are counted from 0 in the order of presentation. Clip k of a source is the T
 * frames s + i * step, i = 0 .. T-1, where
 *   with --start f        s = f + k * T * step: windows follow each other without a gap, as the
 *                         authors' clip k is frames 16 k .. 16 k + 15;
 *   without it, 1 clip    s = 0;
 *   without it, n clips   s = round(k * (frames - span) / (n - 1)), span = (T - 1) * step + 1: the
 *                         clips are spread evenly from the first frame to the last.
 * A range makes its frames the whole source, but for their numbers: s is from its first one on.
 */

struct ao_video_options {
    int frames;                /* of a clip; 0: what the network wants */
    int step;                  /* from one frame to the next; 0: what the network wants */
    int start;                 /* 0-based; -1: not given */
    int clips;                 /* of one source */
    int preset;                /* index in the choices; 0: not given. ao_preset_name() */
    char *mean, *std, *resize; /* NULL: not given */
    /* Not an option: frames that belong to the video, half-open; end 0: to its last. */
    int64_t range_first, range_end;
};

extern const struct ao_option ao_video_option_table[];

/* "kenshohara", ..., or NULL when no preset was given. */
const char *ao_preset_name(const struct ao_video_options *options);

/*
 * What the user gave replaces what is in `pre`: frames, step, mean, std and resize (not the preset,
 * which comes below a model card). AOSA_ERR_ARGUMENT for a text that is not numbers or a std of 0.
 */
aosa_status ao_preprocess_override(struct ao_preprocess *pre,
                                   const struct ao_video_options *options);

/*
 * Clip `clip_index`, 0 <= clip_index < options->clips, of a source as the network wants it. The
 * caller owns *clip (ao_clip_destroy).
 *
 * A damaged video gives the frames that can be decoded, and clip->decode_errors counts what could
 * not. source_sha256 is of the file; of a folder it is what `sha256sum FRAMES... | sha256sum` says
 * inside the folder for the frames used, in their order.
 *
 * AOSA_ERR_INPUT: missing, unreadable, too few frames. AOSA_ERR_FORMAT: not a video, damaged beyond
 * use, gaps in the numbering, frames of several sizes. AOSA_ERR_SHAPE: an array of another size, or
 * a frame smaller than the crop. AOSA_ERR_ARGUMENT: clip_index, or a window that overflows.
 * AOSA_ERR_NUMERIC: a NaN or infinity in a float array.
 */
aosa_status ao_clip_read(const char *path, const struct ao_preprocess *pre,
                         const struct ao_video_options *options, int clip_index,
                         struct aosa_clip **clip);

struct ao_source_info {
    int64_t frames;
    int H, W;   /* of the first frame, after rotation */
    double fps; /* 25 when the source has none */
    int decode_errors;
};

/* Looks at the whole source (a video is decoded to its end). Errors as ao_clip_read. */
aosa_status ao_source_probe(const char *path, struct ao_source_info *info);

/* The library that decodes and encodes, with its version, such as "FFmpeg 5.1.9-0+deb12u1". */
const char *ao_video_library(void);

#endif
