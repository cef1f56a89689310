/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_TESTS_SUPPORT_ODD_NET_H
#define AO_TESTS_SUPPORT_ODD_NET_H

#include <stdbool.h>

/*
 * A small network file of odd sizes with random weights, and a clip for it: Conv, Relu, MaxPool,
 * Conv, Relu, mean, fully connected. Failures fail the test.
 */
enum { ODD_T = 7, ODD_H = 37, ODD_W = 41, ODD_CLASSES = 5 };

struct odd_net {
    double sharpness; /* factor of the logits; 0: 1. Large ones make one class certain */
    bool modulo;      /* clip mod (|clip| + 1) first: Mod has no backward to its divisor */
};

void odd_net_write(const char *path, struct odd_net kind);

/* .npy uint8 [T][H][W][3]: a bright square that moves over noise. */
void odd_clip_write(const char *path);

#endif
