/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_MASK_EXPORT_H
#define AO_MASK_EXPORT_H

#include "data/mask_set.h"

/* --save tracks, masks: .npy files. AOSA_ERR_OUTPUT names path and reason; AOSA_ERR_NOMEM. */

/* int16 [N][T][3]: alive, y, x. */
aosa_status ao_mask_set_save_tracks(const struct aosa_mask_set *set, const char *path);

/* int32 [M][K]: tracks of each mask, padded with -1 to the most that a mask has. */
aosa_status ao_mask_set_save_stack(const struct aosa_mask_set *set, const char *path);

/* uint8 [M][T][H][W]: 1 is visible. */
aosa_status ao_mask_set_save_masks(const struct aosa_mask_set *set, const char *path);

#endif
