/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens to one frame: JPEG decoding, orientation, resize, crop, presets, normalisation.
 * Digests were made with Pillow 13 and torchvision on the pattern of pattern(): the arithmetic is
 * theirs, bit for bit, so a digest says it all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/alloc.h"
#include "core/rng.h"
#include "core/sha256.h"
#include "small_jpeg.h"
#include "video/jpeg.h"
#include "video/orient.h"
#include "video/resize.h"
#include "video/video.h"

static uint8_t *pattern(int H, int W)
{
    uint8_t *rgb = ao_alloc((size_t)H * (size_t)W, 3);
    assert_non_null(rgb);
    for (int y = 0, i = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int c = 0; c < 3; c++)
                rgb[i++] = (uint8_t)(x * 37 + y * 91 + c * 53 + x * y % 17 * 11);
    return rgb;
}

static void assert_digest(const void *bytes, size_t size, const char *wanted)
{
    char got[AO_SHA256_TEXT];
    ao_sha256(bytes, size, got);
    assert_string_equal(got, wanted);
}

/* --- resize ----------------------------------------------------------------------------------- */

/* torchvision fuses some multiplications: of random frames 6 bytes in a million differ by a level.
 */
static const struct {
    int h, w, H, W;
    const char *pillow, *torch;
} resizes[] = {
    { 20, 32, 9, 13, "f5fd554ba7c20e18e68fc44fd09fe9a92221180ff00f4bd8fd470fe2141d761f",
      "1bd8657af45957a190a17cc98bfde8f90f2aa11c46117703dc8b836e2dfefa5c" },
    { 17, 11, 40, 25, "779d0398f30a0e7d83ad57642cfb7108e14cbea5a44d4641680d2eaaa6713b7e", NULL },
    { 240, 320, 112, 149, "c32723eb54e7507fa08e0f3149bf8624f5be70833190fd1ea780ed5c80c8245d",
      "6241a1756cf520c731231a48da658bf8af793e7db1f8740fd53a2b639e847555" },
};

static void resizing_is_that_of_pillow_and_of_torchvision(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof resizes / sizeof resizes[0]; i++) {
        const int H = resizes[i].H, W = resizes[i].W;
        const size_t bytes = (size_t)H * (size_t)W * 3;
        uint8_t *rgb = pattern(resizes[i].h, resizes[i].w);
        const struct ao_picture src = { rgb, 3 * (size_t)resizes[i].w, resizes[i].h, resizes[i].w };
        uint8_t *dst = ao_alloc(bytes, 1);
        assert_non_null(dst);
        assert_int_equal(ao_resize_antialiased(&src, H, W, dst), AOSA_OK);
        assert_digest(dst, bytes, resizes[i].pillow);
        assert_int_equal(ao_resize_bilinear(&src, H, W, dst), AOSA_OK);
        if (resizes[i].torch)
            assert_digest(dst, bytes, resizes[i].torch);
        ao_free(dst);
        ao_free(rgb);
    }
}

static void the_same_size_changes_nothing(void **state)
{
    (void)state;
    uint8_t *rgb = pattern(13, 21), *dst = ao_alloc(13 * 21, 3);
    const struct ao_picture src = { rgb, 3 * 21, 13, 21 };
    assert_int_equal(ao_resize_antialiased(&src, 13, 21, dst), AOSA_OK);
    assert_memory_equal(dst, rgb, 13 * 21 * 3);
    assert_int_equal(ao_resize_bilinear(&src, 13, 21, dst), AOSA_OK);
    assert_memory_equal(dst, rgb, 13 * 21 * 3);
    ao_free(dst);
    ao_free(rgb);
}

/* --- whole frames ----------------------------------------------------------------------------- */

/* One frame of the pattern through everything, as a clip. */
static struct aosa_clip *fit_pattern(const struct ao_preprocess *pre, int h, int w)
{
    uint8_t *rgb = pattern(h, w);
    struct aosa_clip *clip = NULL;
    assert_int_equal(ao_clip_create(1, pre->H, pre->W, &clip), AOSA_OK);
    if (ao_frame_fit(pre, &(struct ao_picture){ rgb, 3 * (size_t)w, h, w }, clip->rgb) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    for (int c = 0; c < 3; c++) {
        clip->mean[c] = pre->mean[c] / pre->range;
        clip->std[c] = pre->std[c] / pre->range;
    }
    clip->bgr = pre->bgr;
    ao_clip_normalise(clip);
    ao_free(rgb);
    return clip;
}

static void preset_kenshohara_gives_torchvisions_tensor_bit_for_bit(void **state)
{
    (void)state;
    struct ao_preprocess pre;
    ao_preprocess_init(&pre, 1, 112, 112);
    struct aosa_clip *clip = fit_pattern(&pre, 240, 320);
    assert_digest(clip->values, 3 * ao_clip_voxels(clip) * sizeof(float),
                  "c6a49f6ad26ef3e589daae15353340b2d20276fd8d23d82cefdbb07b854b2d1e");
    ao_clip_destroy(&clip);
}

static void preset_torchvision_gives_its_own_tensor_bit_for_bit(void **state)
{
    (void)state;
    struct ao_preprocess pre;
    ao_preprocess_init(&pre, 1, 112, 112);
    assert_int_equal(ao_preset_find("torchvision", &pre), AOSA_OK);
    struct aosa_clip *clip = fit_pattern(&pre, 240, 320);
    assert_digest(clip->rgb, 3 * ao_clip_voxels(clip),
                  "54131cd66594bd1104cf4781d92311a7a0fa2d78cc52c799a83b36da0329a984");
    assert_digest(clip->values, 3 * ao_clip_voxels(clip) * sizeof(float),
                  "6a8bccaab38dd39cc3d201cb06f9a4c2df139a8a1a19cff5c3c73fb2f29ba48e");
    ao_clip_destroy(&clip);
}

static void preset_sizes_follow_the_networks_size(void **state)
{
    (void)state;
    struct ao_preprocess pre;
    ao_preprocess_init(&pre, 8, 224, 224);
    assert_int_equal(pre.resize_short, 224);
    assert_int_equal(ao_preset_find("torchvision", &pre), AOSA_OK);
    assert_int_equal(pre.resize_h, 256);
    assert_int_equal(pre.resize_w, 342);
    assert_int_equal(ao_preset_find("pytorchvideo", &pre), AOSA_OK);
    assert_int_equal(pre.resize_short, 256);
    assert_int_equal(ao_preset_find("c3d", &pre), AOSA_OK);
    assert_int_equal(pre.resize_short, 256);
    assert_true(pre.range == 255 && pre.mean[2] == 128);
    assert_int_equal(pre.T, 8);

    assert_int_equal(ao_preset_find("resnet", &pre), AOSA_ERR_ARGUMENT);
    assert_non_null(strstr(aosa_error_message(),
                           "'resnet' is unknown, there are kenshohara, torchvision, pytorchvideo, "
                           "i3d, c3d, mmaction2"));
}

/* i3d maps 0..255 to -1..1; a range of 255 with std 1 keeps the levels. */
static void ranges_of_values_are_those_of_the_networks(void **state)
{
    (void)state;
    static const struct {
        const char *preset;
        double black, white; /* of the first channel */
    } ranges[] = {
        { "i3d", -1, 1 },
        { "c3d", -104, 151 },
        { "mmaction2", -123.675 / 58.395, (255 - 123.675) / 58.395 },
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        struct ao_preprocess pre;
        struct aosa_clip *clip = NULL;
        ao_preprocess_init(&pre, 1, 1, 2);
        assert_int_equal(ao_preset_find(ranges[i].preset, &pre), AOSA_OK);
        pre.resize = AO_RESIZE_NONE;
        const uint8_t rgb[] = { 0, 0, 0, 255, 255, 255 };
        assert_int_equal(ao_clip_create(1, 1, 2, &clip), AOSA_OK);
        assert_int_equal(ao_frame_fit(&pre, &(struct ao_picture){ rgb, 6, 1, 2 }, clip->rgb), 0);
        for (int c = 0; c < 3; c++) {
            clip->mean[c] = pre.mean[c] / pre.range;
            clip->std[c] = pre.std[c] / pre.range;
        }
        ao_clip_normalise(clip);
        /* Four roundings to float of numbers up to 255: 4 * 255 * 2^-24. */
        assert_float_equal(clip->values[0], (float)ranges[i].black, 6.1e-5f);
        assert_float_equal(clip->values[1], (float)ranges[i].white, 6.1e-5f);
        ao_clip_destroy(&clip);
    }
}

static void blue_comes_first_where_the_network_wants_it(void **state)
{
    (void)state;
    struct aosa_clip *clip = NULL;
    assert_int_equal(ao_clip_create(1, 1, 1, &clip), AOSA_OK);
    memcpy(clip->rgb, (uint8_t[]){ 51, 102, 204 }, 3);
    clip->bgr = true;
    ao_clip_normalise(clip);
    assert_true(clip->values[0] == 0.8f && clip->values[1] == 0.4f && clip->values[2] == 0.2f);
    memset(clip->rgb, 0, 3);
    ao_clip_denormalise(clip);
    assert_memory_equal(clip->rgb, ((uint8_t[]){ 51, 102, 204 }), 3);
    ao_clip_destroy(&clip);
}

static void every_level_survives_normalisation_and_back(void **state)
{
    (void)state;
    struct ao_preprocess pre;
    struct aosa_clip *clip = NULL;
    ao_preprocess_init(&pre, 1, 16, 16);
    assert_int_equal(ao_clip_create(1, 16, 16, &clip), AOSA_OK);
    memcpy(clip->mean, pre.mean, sizeof pre.mean);
    memcpy(clip->std, pre.std, sizeof pre.std);
    for (int i = 0; i < 3 * 256; i++)
        clip->rgb[i] = (uint8_t)(i / 3);
    ao_clip_normalise(clip);
    memset(clip->rgb, 0, 3 * 256);
    ao_clip_denormalise(clip);
    for (int i = 0; i < 3 * 256; i++)
        assert_int_equal(clip->rgb[i], i / 3);
    ao_clip_destroy(&clip);
}

static void half_pixels_of_the_crop_round_as_each_project_rounds(void **state)
{
    (void)state;
    /* 4 wide, crop 1: 1.5 goes to 2 (even) or 1 (floor); 6 wide: 2.5 goes to 2 both ways. */
    static const uint8_t row[] = { 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5 };
    struct ao_preprocess pre;
    uint8_t pixel[3];
    ao_preprocess_init(&pre, 1, 1, 1);
    pre.resize = AO_RESIZE_NONE;
    assert_int_equal(ao_frame_fit(&pre, &(struct ao_picture){ row, 18, 1, 4 }, pixel), AOSA_OK);
    assert_int_equal(pixel[0], 2);
    assert_int_equal(ao_frame_fit(&pre, &(struct ao_picture){ row, 18, 1, 6 }, pixel), AOSA_OK);
    assert_int_equal(pixel[0], 2);
    pre.crop = AO_CROP_FLOOR;
    assert_int_equal(ao_frame_fit(&pre, &(struct ao_picture){ row, 18, 1, 4 }, pixel), AOSA_OK);
    assert_int_equal(pixel[0], 1);
}

static void frames_that_do_not_cover_the_network_are_refused(void **state)
{
    (void)state;
    struct ao_preprocess pre;
    uint8_t *rgb = pattern(20, 30), dst[3 * 112 * 112];
    const struct ao_picture frame = { rgb, 90, 20, 30 };
    ao_preprocess_init(&pre, 1, 112, 112);
    assert_int_equal(ao_preprocess_set_resize(&pre, "none"), AOSA_OK);
    assert_int_equal(ao_frame_fit(&pre, &frame, dst), AOSA_ERR_SHAPE);
    assert_non_null(strstr(aosa_error_message(), "30x20 is 30x20 after resizing"));
    assert_non_null(strstr(aosa_error_message(), "--resize 112x112"));
    assert_int_equal(ao_preprocess_set_resize(&pre, "65000x65000"), AOSA_OK);
    assert_int_equal(ao_frame_fit(&pre, &frame, dst), AOSA_ERR_SHAPE);
    ao_free(rgb);
}

static void texts_for_resize_are_read_or_refused(void **state)
{
    (void)state;
    struct ao_preprocess pre;
    ao_preprocess_init(&pre, 1, 112, 112);
    assert_int_equal(ao_preprocess_set_resize(&pre, "128x171"), AOSA_OK);
    assert_true(pre.resize == AO_RESIZE_SQUASH && pre.resize_h == 128 && pre.resize_w == 171);
    assert_int_equal(ao_preprocess_set_resize(&pre, "256"), AOSA_OK);
    assert_true(pre.resize == AO_RESIZE_SHORT && pre.resize_short == 256);
    static const char *const bad[] = {
        "", "0", "-5", "12x", "x12", "12x0", "1e3", "99999", "5x5x5"
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(ao_preprocess_set_resize(&pre, bad[i]), AOSA_ERR_ARGUMENT);
}

static void given_options_replace_a_preset(void **state)
{
    (void)state;
    struct ao_preprocess pre;
    struct ao_video_options options = { 0 };
    ao_preprocess_init(&pre, 16, 112, 112);
    assert_int_equal(ao_options_init(ao_video_option_table, &options), AOSA_OK);
    assert_null(ao_preset_name(&options));
    const struct ao_preprocess before = pre;
    assert_int_equal(ao_preprocess_override(&pre, &options), AOSA_OK);
    assert_memory_equal(&pre, &before, sizeof pre);

    const struct ao_option *row = ao_options_find(ao_video_option_table, "preset");
    assert_int_equal(ao_option_set(row, &options, "mmaction2"), AOSA_OK);
    assert_string_equal(ao_preset_name(&options), "mmaction2");
    row = ao_options_find(ao_video_option_table, "mean");
    assert_int_equal(ao_option_set(row, &options, "0.1,0.2,0.3"), AOSA_OK);
    options.frames = 8;
    options.step = 3;
    assert_int_equal(ao_preprocess_override(&pre, &options), AOSA_OK);
    assert_true(pre.mean[0] == 0.1 && pre.mean[2] == 0.3 && pre.std[0] == before.std[0]);
    assert_true(pre.T == 8 && pre.step == 3);

    assert_int_equal(ao_option_set(row, &options, "1,2"), AOSA_OK);
    assert_int_equal(ao_preprocess_override(&pre, &options), AOSA_ERR_ARGUMENT);
    assert_int_equal(ao_option_set(row, &options, "0"), AOSA_OK);
    row = ao_options_find(ao_video_option_table, "std");
    assert_int_equal(ao_option_set(row, &options, "1,0,1"), AOSA_OK);
    assert_int_equal(ao_preprocess_override(&pre, &options), AOSA_ERR_ARGUMENT);
    ao_options_fini(ao_video_option_table, &options);
}

/* --- orientation ------------------------------------------------------------------------------ */

/* A 2 x 3 frame of pixels 1 .. 6, turned; pixels of the result row by row. */
static void assert_turned(const int32_t matrix[9], int H, int W, const char *wanted)
{
    uint8_t src[18], dst[18];
    for (int i = 0; i < 18; i++)
        src[i] = (uint8_t)('1' + i / 3);
    const struct ao_orient orient = ao_orient_of(matrix);
    ao_orient_apply(orient, &(struct ao_picture){ src, 9, 2, 3 }, dst);
    assert_int_equal(orient.swap ? 3 : 2, H);
    assert_int_equal(orient.swap ? 2 : 3, W);
    for (int i = 0; i < 6; i++)
        assert_int_equal(dst[3 * i + 1], wanted[i]);
}

static void display_matrices_turn_and_mirror_frames(void **state)
{
    (void)state;
    enum { ONE = 1 << 16 };
    assert_true(ao_orient_is_upright(ao_orient_of(NULL)));
    assert_turned((int32_t[]){ ONE, 0, 0, 0, ONE, 0, 0, 0, 0 }, 2, 3, "123456");
    assert_turned((int32_t[]){ -ONE, 0, 0, 0, -ONE, 0, 0, 0, 0 }, 2, 3, "654321");
    assert_turned((int32_t[]){ -ONE, 0, 0, 0, ONE, 0, 0, 0, 0 }, 2, 3, "321654");
    /* x' = -y, y' = x: a phone held upright, a quarter turn clockwise. */
    assert_turned((int32_t[]){ 0, ONE, 0, -ONE, 0, 0, 0, 0, 0 }, 3, 2, "415263");
    assert_turned((int32_t[]){ 0, -ONE, 0, ONE, 0, 0, 0, 0, 0 }, 3, 2, "362514");
    assert_turned((int32_t[]){ ONE - 900, 5000, 0, -5000, ONE - 900, 0, 0, 0, 0 }, 2, 3, "123456");
}

/* --- JPEG ------------------------------------------------------------------------------------- */

static aosa_status decode(const uint8_t *bytes, size_t size, uint8_t **rgb, int *H, int *W)
{
    int warnings = 0;
    const struct ao_file file = { bytes, size };
    return ao_jpeg_decode(&file, "x.jpg", rgb, H, W, &warnings);
}

static void a_jpeg_decodes_to_pillows_pixels(void **state)
{
    (void)state;
    uint8_t *rgb = NULL;
    int H = 0, W = 0;
    assert_int_equal(decode(small_jpeg, sizeof small_jpeg, &rgb, &H, &W), AOSA_OK);
    assert_true(H == 8 && W == 8);
    assert_digest(rgb, 192, "eacec7014cb620011734eab6577d88c8b0196e62071c998498af5ed1b43cab2f");
    ao_free(rgb);
}

static void truncated_jpegs_are_refused(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof small_jpeg - 8; n++) {
        uint8_t *part = malloc(n ? n : 1), *rgb = NULL;
        int H, W;
        assert_non_null(part);
        memcpy(part, small_jpeg, n);
        assert_int_equal(decode(part, n, &rgb, &H, &W), AOSA_ERR_FORMAT);
        assert_int_equal(strncmp(aosa_error_message(), "x.jpg: ", 7), 0);
        free(part);
    }
}

static void damaged_jpegs_are_survived(void **state)
{
    (void)state;
    struct ao_rng rng;
    ao_rng_init(&rng, 11);
    int decoded = 0;
    for (int i = 0; i < 3000; i++) {
        uint8_t changed[sizeof small_jpeg], *rgb = NULL;
        int H, W;
        memcpy(changed, small_jpeg, sizeof changed);
        for (uint64_t k = 0; k <= ao_rng_below(&rng, 4); k++)
            changed[2 + ao_rng_below(&rng, sizeof changed - 2)] = (uint8_t)ao_rng_next(&rng);
        /* Sizes stay small here: a frame of 8192 x 8192 takes a second each. */
        memcpy(changed + SMALL_JPEG_SIZE_AT, small_jpeg + SMALL_JPEG_SIZE_AT, 4);
        if (decode(changed, sizeof changed, &rgb, &H, &W) == AOSA_OK)
            decoded++;
        ao_free(rgb);
    }
    assert_true(decoded > 0 && decoded < 3000);
}

static void a_jpeg_that_claims_to_be_huge_is_refused(void **state)
{
    (void)state;
    uint8_t huge[sizeof small_jpeg], *rgb = NULL;
    int H, W;
    memcpy(huge, small_jpeg, sizeof huge);
    memset(huge + SMALL_JPEG_SIZE_AT, 0xf0, 4);
    assert_int_equal(decode(huge, sizeof huge, &rgb, &H, &W), AOSA_ERR_FORMAT);
    assert_non_null(strstr(aosa_error_message(), "8192x8192"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resizing_is_that_of_pillow_and_of_torchvision),
        cmocka_unit_test(the_same_size_changes_nothing),
        cmocka_unit_test(preset_kenshohara_gives_torchvisions_tensor_bit_for_bit),
        cmocka_unit_test(preset_torchvision_gives_its_own_tensor_bit_for_bit),
        cmocka_unit_test(preset_sizes_follow_the_networks_size),
        cmocka_unit_test(ranges_of_values_are_those_of_the_networks),
        cmocka_unit_test(blue_comes_first_where_the_network_wants_it),
        cmocka_unit_test(every_level_survives_normalisation_and_back),
        cmocka_unit_test(half_pixels_of_the_crop_round_as_each_project_rounds),
        cmocka_unit_test(frames_that_do_not_cover_the_network_are_refused),
        cmocka_unit_test(texts_for_resize_are_read_or_refused),
        cmocka_unit_test(given_options_replace_a_preset),
        cmocka_unit_test(display_matrices_turn_and_mirror_frames),
        cmocka_unit_test(a_jpeg_decodes_to_pillows_pixels),
        cmocka_unit_test(truncated_jpegs_are_refused),
        cmocka_unit_test(damaged_jpegs_are_survived),
        cmocka_unit_test(a_jpeg_that_claims_to_be_huge_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
