/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_EXPLAIN_SAVE_H
#define AO_EXPLAIN_SAVE_H

#include "core/file.h"
#include "core/json.h"
#include "core/npy.h"
#include "data/clip.h"
#include "data/flow_field.h"
#include "data/mask_set.h"
#include "explain/page.h"

/* What --save can add to a result folder. */
enum {
    AO_SAVE_CLIP = 1, /* clip.npy float32 [3][T][H][W] */
    AO_SAVE_FLOW = 2, /* flow.npy float32 [T-1][H][W][2], dx dy */
    AO_SAVE_TRACKS =
        4,             /* tracks.npy int16 [N][T][3] alive y x; stack.npy int32 [M][K], -1 padded */
    AO_SAVE_MASKS = 8, /* masks.npy uint8 [M][T][H][W], 1 visible */
};

/* "clip,flow,tracks,masks" or part of it, or NULL for nothing. AOSA_ERR_ARGUMENT. */
aosa_status ao_save_parse(const char *text, unsigned *wanted);

aosa_status ao_save_artefacts(struct ao_outdir *dir, unsigned wanted, const struct aosa_clip *clip,
                              const struct ao_flow_field *flow, const struct aosa_mask_set *masks);

/* One file of a result folder; the JSON value is stolen and may be NULL (no memory). */
aosa_status ao_save_array(struct ao_outdir *dir, const char *name, enum ao_npy_type type, int rank,
                          const int64_t *dims, const void *data);
aosa_status ao_save_json(struct ao_outdir *dir, const char *name, json_t *value);

/* The same for a page, which is taken, or for what became of it. */
aosa_status ao_save_page(struct ao_outdir *dir, const char *name, struct ao_page *page);

#endif
