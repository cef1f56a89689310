/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_MASK_MASK_H
#define AO_MASK_MASK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/options.h"
#include "data/flow_field.h"
#include "data/mask_set.h"

/*
 * What is occluded. Zero means "from the clip's size" where it is said so; defaults are those of
 * the authors' code (spec A.0), scaled: a mask of 16 pixels every 8 at 112 pixels, 16 frames long,
 * starting every 2 of 16 frames.
 */
struct ao_mask_options {
    int mask;        /* row of masks.def */
    int size;        /* side of the square, pixels; 0: round(16 min(H, W) / 112), at least 1 */
    int stride;      /* between start points, pixels; 0: round(8 min(H, W) / 112), at least 1 */
    int time_size;   /* cuboid, flow: frames one mask lasts; 0: T */
    int time_stride; /* cuboid, flow: between start times; 0: round(T / 8), at least 1 */
    int stack;       /* AO_STACK_AUTO, AO_STACK_NONE or 2 + row of stacks.def */
    int partners;    /* tracks merged into each mask; 0: none */
    int clusters;    /* k_means: at most; no more than there are moving tracks */
    int seed;        /* random, k_means */
    int mask_sets;   /* random: times each track is used */
    bool no_delete_point;    /* flow: start new tracks beside living ones too */
    bool no_delete_outside;  /* a track that leaves the frame stays at its border */
    bool no_letterbox;       /* treat black bars like picture */
    bool stop_dead;          /* Q4: a deleted track stands still and has no motion */
    bool exclude_self;       /* Q5: n real partners, none for a track without motion */
    bool exact_delete_point; /* Q15: delete_point looks at living tracks, at the start's time */
};

enum { AO_STACK_AUTO, AO_STACK_NONE };

extern const struct ao_option ao_mask_option_table[];

/* What masks are made from; everything is borrowed. */
struct ao_mask_source {
    int T, H, W;
    const struct ao_flow_field *flow; /* of the same size; cuboid needs none */
    const uint8_t *rgb; /* [T][H][W][3] to look for black bars in; NULL: there are none */
};

/*
 * Checks the options for a clip of that size and fills in what is left to it: zeros become numbers
 * and AO_STACK_AUTO becomes flow_vec_corr or AO_STACK_NONE. `official` refuses the fixes of the
 * authors' quirks. AOSA_ERR_ARGUMENT names the option and both numbers.
 */
aosa_status ao_mask_options_resolve(const struct ao_mask_options *options, int T, int H, int W,
                                    bool official, struct ao_mask_options *resolved);

/* Whether these masks follow the motion; ao_masks_generate wants a flow then. */
bool ao_mask_needs_flow(const struct ao_mask_options *options);

/*
 * Tracks and masks of spec A.5 to A.7 at any clip size. options need not be resolved. `official`
 * (--compat official): random and k_means merge p tracks, as the authors' N_stack_mask = p does,
 * instead of a track and its p partners. The caller destroys *set, written on success only.
 *
 * AOSA_ERR_ARGUMENT: options that do not fit the clip or each other. AOSA_ERR_SHAPE: the flow is
 * missing or of another size. AOSA_ERR_NOMEM.
 */
aosa_status ao_masks_generate(const struct ao_mask_source *source,
                              const struct ao_mask_options *options, bool official,
                              struct aosa_mask_set **set);

/*
 * Whether a clip has black bars: the mean of its first and last three rows, over all frames and
 * channels, is below 500000 / 32256, the authors' limit for 16 frames of 112 pixels (spec A.4).
 */
bool ao_clip_has_letterbox(const uint8_t *rgb, int T, int H, int W);

#endif
