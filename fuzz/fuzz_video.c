/* SPDX-License-Identifier: Apache-2.0 */
/* Videos through the same memory reader as files, and JPEG frames, which begin with FF D8. */
#include "core/alloc.h"
#include "fuzz.h"
#include "video/decode.h"
#include "video/jpeg.h"

static aosa_status fit(void *context, int i, const struct ao_picture *frame)
{
    static uint8_t dst[16 * 16 * 3];
    (void)i;
    return ao_frame_fit(context, frame, dst);
}

static void try_jpeg(const uint8_t *data, size_t size)
{
    const struct ao_file file = { data, size };
    uint8_t *rgb = NULL;
    int H, W, warnings;
    if (ao_jpeg_decode(&file, "fuzz.jpg", &rgb, &H, &W, &warnings) == AOSA_OK)
        ao_free(rgb);
}

static void try_video(const uint8_t *data, size_t size)
{
    const struct ao_sampling sampling = { .start = 1, .step = 2, .n = 3 };
    struct ao_source_info info;
    struct ao_preprocess pre;
    ao_preprocess_init(&pre, 3, 16, 16);
    if (ao_video_decode(data, size, "fuzz.mp4", &sampling, fit, &pre, &info) != AOSA_OK)
        return;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 2 && data[0] == 0xff && data[1] == 0xd8)
        try_jpeg(data, size);
    else
        try_video(data, size);
    return 0;
}
