/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_MASK_GENERATOR_H
#define AO_MASK_GENERATOR_H

#include "mask/mask.h"

struct ao_mask_job {
    int T, H, W;
    const struct ao_flow_field *flow;      /* NULL for a generator that needs none */
    const struct ao_mask_options *options; /* resolved */
    int32_t start_lo, start_hi;            /* rows where flow tracks may start, inclusive */
    int32_t row_lo, row_hi;                /* rows that a track may not leave, inclusive */
};

/* One generator, one file, one row in masks.def. */
struct ao_mask_generator {
    const char *name;
    const char *summary;
    bool needs_flow;
    /* Makes the set with its tracks, and motion if it needs flow; no masks yet. */
    aosa_status (*tracks)(const struct ao_mask_job *job, struct aosa_mask_set **set);
};

/* The rows in the order of masks.def, NULL at the end. */
const struct ao_mask_generator *const *ao_mask_generators(void);

/* Pixels where a track or cuboid starts. */
struct ao_grid {
    struct ao_grid_point {
        int16_t y, x;
    } * points;
    int n;
};

/*
 * Every `stride` pixels from `origin / 2`, y outer and x inner (spec A.5): coordinates
 * (origin + 2 stride i) / 2 < H or W. Rows outside [lo, hi] are left out. AOSA_ERR_ARGUMENT when
 * nothing is left.
 */
aosa_status ao_grid_create(int H, int W, int stride, int origin, int32_t lo, int32_t hi,
                           struct ao_grid *grid);
void ao_grid_fini(struct ao_grid *grid);

/* How a track's position becomes a pixel (Q14). */
enum ao_track_rounding {
    AO_TRACK_NEAREST, /* half to even; sums in double for the first step, then in float */
    AO_TRACK_TRUNCATE /* toward zero; sums in double */
};

/*
 * Moves track n of the set along the flow from `start` in frame t0 up to frame t1 - 1. Fills the
 * track's points, also before t0 (not alive, at the start) and from t1 (not alive, where it came
 * to), and its motion.
 */
void ao_track_walk(const struct ao_mask_job *job, struct aosa_mask_set *set, int n,
                   struct ao_grid_point start, int t0, int t1, enum ao_track_rounding rounding);

#endif
