/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AOSA_MASK_H
#define AOSA_MASK_H

#include "aosa/clip.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Masks of a clip, held as the boxes of tracks. Thread class: immutable. */
typedef struct aosa_mask_set aosa_mask_set;

/**
 * Optical flow, tracks and stacking of a clip as the settings say (spec A.3 to A.7).
 *
 * @param masks  Owned by the caller; written on success only.
 * @return AOSA_ERR_ARGUMENT (sizes that do not fit the clip), AOSA_ERR_INPUT and AOSA_ERR_FORMAT
 *         (flow from a file), AOSA_ERR_NOMEM, AOSA_ERR_INTERNAL.
 */
AOSA_API AOSA_MUST_CHECK aosa_status aosa_masks_create(const aosa_clip *clip,
                                                       const aosa_settings *settings,
                                                       aosa_mask_set **masks);

/** Accepts NULL inside; sets *masks to NULL. */
AOSA_API void aosa_masks_destroy(aosa_mask_set **masks);

/** Number of masks. */
AOSA_API int aosa_masks_count(const aosa_mask_set *masks);

/** Fraction of the clip that mask m leaves visible, 0 <= m < count. */
AOSA_API double aosa_masks_visible(const aosa_mask_set *masks, int m);

/** Writes mask m as uint8 [T][H][W], 1 visible and 0 occluded, to the caller's buffer. */
AOSA_API void aosa_masks_paint(const aosa_mask_set *masks, int m, uint8_t *visible);

/**
 * Writes tracks.png and tracks.mp4 (the tubes over the clip) and masks.json into a folder, and
 * the arrays named in `save`.
 *
 * @param save   "clip,flow,tracks,masks" or part of it, or NULL.
 * @param force  Replace an older result.
 * @return AOSA_ERR_OUTPUT, AOSA_ERR_ARGUMENT (unknown name in save), AOSA_ERR_NOMEM; nothing is
 *         left behind then.
 */
AOSA_API AOSA_MUST_CHECK aosa_status aosa_masks_save(const aosa_mask_set *masks,
                                                     const aosa_clip *clip,
                                                     const aosa_settings *settings,
                                                     const char *folder, const char *save,
                                                     bool force);

#ifdef __cplusplus
}
#endif
#endif
