/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_TESTS_SUPPORT_DELTA_SCENE_H
#define AO_TESTS_SUPPORT_DELTA_SCENE_H

#include "engine/delta.h"
#include "support/delta_net.h"

/*
 * Clips and masks for the networks of delta_net.h, and the comparison of the delta walk with full
 * runs in double on the occluded clips.
 *
 * A change d is pushed through in float, so its relative error grows by a few eps per layer and
 * with the root of the number of terms: some 1e-6 here. The issue allows 1e-4 of the largest
 * difference; a wrong index or rule changes the first digit.
 */
#define SCENE_TOLERANCE 1e-4

enum { SCENE_MASKS = 19, SCENE_BOXES = 3 };

struct scene {
    float clip[3 * NET_P];
    struct ao_box boxes[SCENE_MASKS][NET_T * SCENE_BOXES];
    int32_t first[SCENE_MASKS][NET_T + 1];
    struct ao_delta_mask masks[SCENE_MASKS];
};

/* Mask 0 is empty, 1 covers everything, 2 one voxel in a corner, 3 one frame; the rest are tubes
 * that move, some of them cut by the border, some of two boxes. */
void scene_draw(struct scene *scene, struct ao_rng *rng);

/*
 * Largest error of a score difference over the largest difference. Also asserts that an empty mask
 * changes nothing and that the bits of a batch do not depend on what ran before it.
 */
double scene_check(struct net *net, uint64_t seed);

#endif
