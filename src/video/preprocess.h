/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_VIDEO_PREPROCESS_H
#define AO_VIDEO_PREPROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

enum ao_resize {
    AO_RESIZE_SHORT,  /* the shorter side to resize_short, the longer in proportion, truncated */
    AO_RESIZE_SQUASH, /* to resize_h x resize_w, whatever the proportions */
    AO_RESIZE_NONE,
};

/* How half a pixel is rounded when the centre crop begins between two pixels. */
enum ao_crop {
    AO_CROP_EVEN,  /* half to even: torchvision, and so kenshohara and pytorchvideo */
    AO_CROP_FLOOR, /* mmaction2 */
};

/*
 * How a network wants its clip. Frames are decoded to RGB, resized, cropped in the centre to H x W,
 * and normalised: value = (pixel * range / 255 - mean) / std in the network's channel order.
 */
struct ao_preprocess {
    int T, H, W;            /* the network's input */
    int step;               /* frames of the source from one frame of the clip to the next */
    double mean[3], std[3]; /* in the network's channel order */
    double range;           /* what white is before mean and std: 1 or 255 */
    bool bgr;               /* the network's first channel is blue */
    enum ao_resize resize;
    int resize_short, resize_h, resize_w;
    bool antialias; /* filter grows with the reduction (Pillow), or always 2 x 2 pixels (PyTorch) */
    enum ao_crop crop;
};

/* The defaults of spec A.1: preset kenshohara, step 1, for a network of that size. */
void ao_preprocess_init(struct ao_preprocess *pre, int T, int H, int W);

/*
 * Mean, std, range, order, resize and crop of a named preset; T, H, W and step stay. Sizes in a
 * preset belong to one size of network, and are scaled to the H and W in `pre`. AOSA_ERR_ARGUMENT
 * names the presets there are.
 */
aosa_status ao_preset_find(const char *name, struct ao_preprocess *pre);

/* "112" (short side), "128x171" (height x width) or "none"; for options and model cards. */
aosa_status ao_preprocess_set_resize(struct ao_preprocess *pre, const char *text);

/* A picture somewhere in memory, 3 bytes a pixel. */
struct ao_picture {
    const uint8_t *rgb;
    size_t stride_bytes; /* from a row to the next */
    int H, W;
};

/*
 * Resizes and crops one frame to dst [H][W][3]. AOSA_ERR_SHAPE when the resized frame is smaller
 * than the network's input.
 */
aosa_status ao_frame_fit(const struct ao_preprocess *pre, const struct ao_picture *frame,
                         uint8_t *dst);

/*
 * Where that puts a point of the frame, y and x: p * scale - offset. Positions are those of pixel
 * edges, 0 being the outer edge of the first.
 */
void ao_frame_placement(const struct ao_preprocess *pre, const struct ao_picture *frame,
                        double scale[2], double offset[2]);

#endif
