/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_DATA_CLIP_H
#define AO_DATA_CLIP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"

/*
 * A network's input and the pictures it came from. `rgb` is what a person sees and what optical
 * flow is computed on; `values` is what the network sees:
 * values[c][t][y][x] = (rgb / 255 - mean[c]) / std[c].
 */
struct aosa_clip {
    int T, H, W;
    uint8_t *rgb;  /* [T][H][W][3]; for a float .npy, un-normalised and rounded */
    float *values; /* [3][T][H][W] */
    double mean[3], std[3];
    int64_t *frames;            /* [T] 0-based index in the source of each frame */
    double scale[2], offset[2]; /* y, x: where p of a source frame lies, p scale - offset */
    char *path;                 /* where it came from, owned; NULL when made in memory */
    double fps;                 /* of the source, after --step; 25 when it has none */
    char source_sha256[65];
    bool bgr;          /* the network wants blue first: values[0], mean[0], std[0] are blue's */
    int decode_errors; /* of the source: what could be decoded was kept */
};

/* Allocates a zeroed clip of that size. */
aosa_status ao_clip_create(int T, int H, int W, struct aosa_clip **clip);
void ao_clip_destroy(struct aosa_clip **clip);

/* Number of voxels T * H * W; values holds three times as many. */
size_t ao_clip_voxels(const struct aosa_clip *clip);

/* values from rgb with the clip's mean and std, in float as PyTorch's ToTensor and Normalize. */
void ao_clip_normalise(struct aosa_clip *clip);

/* The way back, for clips that come as values: rgb = 255 (values std + mean), rounded, clamped. */
void ao_clip_denormalise(struct aosa_clip *clip);

/*
 * The frames that optical flow is computed on, to frames [T][H][W][3]: clip->rgb, or, if
 * `official`, what the authors' code makes of it: values are un-normalised in float and cut off
 * instead of rounded, which leaves about a third of them one level low (spec A.2, Q1).
 */
void ao_clip_flow_frames(const struct aosa_clip *clip, bool official, uint8_t *frames);

#endif
