/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_EXPLAIN_CLIP_H
#define AO_EXPLAIN_CLIP_H

#include "aosa/clip.h"

/*
 * As aosa_clip_open, of the frames first <= f < end of the source only, end 0 being its last. The
 * clip's frames keep their numbers in the source.
 */
aosa_status ao_clip_open_range(const char *path, const aosa_model *model,
                               const aosa_settings *settings, int index, int64_t first, int64_t end,
                               aosa_clip **clip);

#endif
