/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AOSA_CLIP_H
#define AOSA_CLIP_H

#include "aosa/model.h"
#include "aosa/settings.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A network's input and the pictures it came from. Thread class: immutable. */
typedef struct aosa_clip aosa_clip;

/**
 * Reads a clip: any video FFmpeg reads, a folder of frames (image_00001.jpg, ...) or a .npy of
 * uint8 [T][H][W][3] frames or float32 [3][T][H][W] normalised values.
 *
 * Sizes and normalisation come from, in this order: the settings, the preset they name, the
 * model's card, the model's input, the default preset.
 *
 * @param path      Borrowed.
 * @param model     Borrowed; NULL for a clip of the default size (masks without a model).
 * @param settings  Borrowed; NULL for all defaults.
 * @param index     Which of the settings' --clips clips, 0-based.
 * @param clip      Owned by the caller; written on success only.
 * @return AOSA_ERR_INPUT, AOSA_ERR_FORMAT, AOSA_ERR_SHAPE (too short, wrong size),
 *         AOSA_ERR_ARGUMENT, AOSA_ERR_UNSUPPORTED (the model takes no clip), AOSA_ERR_NOMEM.
 */
AOSA_API AOSA_MUST_CHECK aosa_status aosa_clip_open(const char *path, const aosa_model *model,
                                                    const aosa_settings *settings, int index,
                                                    aosa_clip **clip);

/** Accepts NULL inside; sets *clip to NULL. */
AOSA_API void aosa_clip_close(aosa_clip **clip);

/** How many clips the settings ask for per input (--clips), at least 1. NULL: 1. */
AOSA_API int aosa_settings_clips(const aosa_settings *settings);

/** Frames, height and width. */
AOSA_API void aosa_clip_size(const aosa_clip *clip, int size[3]);

/** uint8 [T][H][W][3] RGB; valid for the clip's life. */
AOSA_API const uint8_t *aosa_clip_rgb(const aosa_clip *clip);

/** float [3][T][H][W], normalised as the network wants it; valid for the clip's life. */
AOSA_API const float *aosa_clip_values(const aosa_clip *clip);

#ifdef __cplusplus
}
#endif
#endif
