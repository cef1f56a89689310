/* SPDX-License-Identifier: Apache-2.0 */
/* Sources that are no videos: folders of frames and arrays, good and bad. */
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/npy.h"
#include "core/sha256.h"
#include "video_fixture.h"

/* --- folders ---------------------------------------------------------------------------------- */

static void folders_of_frames_are_read_in_the_order_of_their_numbers(void **state)
{
    (void)state;
    const struct ao_preprocess pre = network(12, 8, 8);
    MAKE_FRAMES("image", "image_%05d.jpg", 1, 12);
    MAKE_FRAMES("plain", "%d.JPG", 0, 11);
    MAKE_FRAMES("img", "img-%03d.jpeg", 1, 13);
    write_file(in_folder("img/notes.txt"), "x", 1);
    write_file(in_folder("img/._img-001.jpeg"), "x", 1);
    write_file(in_folder("img/cover.jpg"), "x", 1);
    static const char *const names[] = { "image", "plain", "img" };
    for (int i = 0; i < 3; i++) {
        struct ao_source_info info;
        struct aosa_clip *clip = read_good(in_folder(names[i]), &pre, &defaults, 0);
        assert_int_equal(clip->rgb[0], 199);
        assert_true(clip->fps == 25);
        ao_clip_destroy(&clip);
        assert_int_equal(ao_source_probe(in_folder(names[i]), &info), AOSA_OK);
        assert_int_equal(info.frames, i == 2 ? 13 : 12);
        assert_true(info.H == 8 && info.W == 8);
    }
}

/* cd ten; sha256sum image_00003.jpg image_00005.jpg | sha256sum */
static void the_hash_of_a_folder_is_that_of_its_checksum_list(void **state)
{
    (void)state;
    const struct ao_preprocess pre = network(2, 8, 8);
    const struct ao_video_options options = { .start = 2, .step = 2, .clips = 1 };
    char digest[AO_SHA256_TEXT], list[256], wanted[AO_SHA256_TEXT];
    MAKE_FRAMES("ten", "image_%05d.jpg", 1, 10);
    struct aosa_clip *clip = read_good(in_folder("ten"), &pre, &options, 0);
    ao_sha256(small_jpeg, sizeof small_jpeg, digest);
    const int n =
        snprintf(list, sizeof list, "%s  image_00003.jpg\n%s  image_00005.jpg\n", digest, digest);
    ao_sha256(list, (size_t)n, wanted);
    assert_string_equal(clip->source_sha256, wanted);
    ao_clip_destroy(&clip);
}

static void gaps_in_the_numbering_name_the_missing_file(void **state)
{
    (void)state;
    const struct ao_preprocess pre = network(4, 8, 8);
    MAKE_FRAMES("gap", "image_%05d.jpg", 1, 9);
    assert_int_equal(unlink(in_folder("gap/image_00007.jpg")), 0);
    assert_refused(in_folder("gap"), &pre, &defaults, AOSA_ERR_FORMAT, "image_00007.jpg is missing",
                   NULL);
    MAKE_FRAMES("late", "image_%05d.jpg", 3, 9);
    assert_refused(in_folder("late"), &pre, &defaults, AOSA_ERR_FORMAT,
                   "image_00001.jpg is missing", NULL);
    MAKE_FRAMES("unpadded", "f%d.jpg", 1, 8);
    write_file(in_folder("unpadded/f10.jpg"), small_jpeg, sizeof small_jpeg);
    assert_refused(in_folder("unpadded"), &pre, &defaults, AOSA_ERR_FORMAT, "f9.jpg is missing",
                   NULL);
}

static void folders_that_are_no_clip_are_refused(void **state)
{
    (void)state;
    const struct ao_preprocess pre = network(4, 8, 8);
    MAKE_FRAMES("empty", "x%d", 1, 0);
    assert_refused(in_folder("empty"), &pre, &defaults, AOSA_ERR_FORMAT, "no frames", NULL);
    MAKE_FRAMES("twice", "image_%05d.jpg", 1, 5);
    write_file(in_folder("twice/image_3.jpg"), small_jpeg, sizeof small_jpeg);
    assert_refused(in_folder("twice"), &pre, &defaults, AOSA_ERR_FORMAT, "frame 3 is there twice",
                   NULL);
    MAKE_FRAMES("two", "image_%05d.jpg", 1, 5);
    write_file(in_folder("two/flow_00003.jpg"), small_jpeg, sizeof small_jpeg);
    assert_refused(in_folder("two"), &pre, &defaults, AOSA_ERR_FORMAT, "two sequences", NULL);
    MAKE_FRAMES("short", "image_%05d.jpg", 1, 3);
    assert_refused(in_folder("short"), &pre, &defaults, AOSA_ERR_INPUT, "needs 4", "has 3");

    uint8_t narrow[sizeof small_jpeg];
    memcpy(narrow, small_jpeg, sizeof narrow);
    narrow[SMALL_JPEG_SIZE_AT + 3] = 7;
    MAKE_FRAMES("sizes", "image_%05d.jpg", 1, 4);
    write_file(in_folder("sizes/image_00003.jpg"), narrow, sizeof narrow);
    assert_refused(in_folder("sizes"), &pre, &defaults, AOSA_ERR_FORMAT,
                   "image_00003.jpg: is 7x8, the frames before it are 8x8", NULL);
    write_file(in_folder("sizes/image_00003.jpg"), small_jpeg, 200);
    assert_refused(in_folder("sizes"), &pre, &defaults, AOSA_ERR_FORMAT,
                   "image_00003.jpg: not a usable JPEG", NULL);
}

/* --- arrays ----------------------------------------------------------------------------------- */

static void frames_in_an_array_are_taken_as_they_are(void **state)
{
    (void)state;
    enum { T = 9, H = 6, W = 7 };
    uint8_t rgb[T * H * W * 3];
    for (size_t i = 0; i < sizeof rgb; i++)
        rgb[i] = (uint8_t)(i * 31);
    const char *path = in_folder("frames.npy");
    const struct ao_preprocess pre = network(3, H, W);
    const struct ao_video_options options = { .start = 1, .step = 3, .clips = 1 };
    assert_int_equal(ao_npy_write(path, AO_NPY_U8, 4, (int64_t[]){ T, H, W, 3 }, rgb), AOSA_OK);
    struct aosa_clip *clip = read_good(path, &pre, &options, 0);
    for (int t = 0; t < 3; t++)
        assert_memory_equal(clip->rgb + t * H * W * 3, rgb + (1 + 3 * t) * H * W * 3, H * W * 3);
    const float wanted = ((float)clip->rgb[2] / 255.0f - 0.3775f) / 0.2737f;
    assert_true(clip->values[2 * 3 * H * W] == wanted);
    ao_clip_destroy(&clip);
}

static void values_in_an_array_reach_the_network_untouched(void **state)
{
    (void)state;
    enum { T = 5, H = 2, W = 4, N = 3 * T * H * W };
    float values[N];
    for (int i = 0; i < N; i++)
        values[i] = (float)(i % 50) * 0.07f - 1.5f;
    const char *path = in_folder("values.npy");
    const struct ao_preprocess pre = network(2, H, W);
    const struct ao_video_options options = { .start = 1, .step = 2, .clips = 1 };
    const int64_t dims[] = { 3, T, H, W };
    assert_int_equal(ao_npy_write(path, AO_NPY_F32, 4, dims, values), AOSA_OK);
    struct aosa_clip *clip = read_good(path, &pre, &options, 0);
    for (int c = 0; c < 3; c++)
        for (int t = 0; t < 2; t++)
            assert_memory_equal(clip->values + (c * 2 + t) * H * W,
                                values + (c * T + 1 + 2 * t) * H * W, H * W * sizeof(float));
    const double shown = ((double)clip->values[0] * 0.2768 + 0.4345) * 255;
    assert_int_equal(clip->rgb[0], shown < 0 ? 0 : lrint(shown));
    ao_clip_destroy(&clip);

    values[1 * T * H * W + 3 * H * W] = NAN;
    assert_int_equal(ao_npy_write(path, AO_NPY_F32, 4, dims, values), AOSA_OK);
    assert_refused(path, &pre, &options, AOSA_ERR_NUMERIC, "nan", NULL);
}

static void arrays_of_another_type_or_shape_are_refused_with_both(void **state)
{
    (void)state;
    static const uint8_t zeros[4096];
    const char *path = in_folder("wrong.npy");
    const struct ao_preprocess pre = network(4, 6, 7);
    static const struct {
        enum ao_npy_type type;
        int64_t dims[4];
        int rank;
        aosa_status status;
        const char *found;
    } wrong[] = {
        { AO_NPY_F64, { 3, 4, 6, 7 }, 4, AOSA_ERR_SHAPE, "float64 [3,4,6,7]" },
        { AO_NPY_U8, { 4, 6, 8, 3 }, 4, AOSA_ERR_SHAPE, "uint8 [4,6,8,3]" },
        { AO_NPY_U8, { 4, 5, 7, 3 }, 4, AOSA_ERR_SHAPE, "uint8 [4,5,7,3]" },
        { AO_NPY_U8, { 4, 6, 7 }, 3, AOSA_ERR_SHAPE, "uint8 [4,6,7]" },
        { AO_NPY_F32, { 4, 6, 7, 3 }, 4, AOSA_ERR_SHAPE, "float32 [4,6,7,3]" },
        { AO_NPY_U8, { 3, 6, 7, 3 }, 4, AOSA_ERR_INPUT, "has 3" },
        { AO_NPY_U8, { 0, 6, 7, 3 }, 4, AOSA_ERR_INPUT, "has no frames" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(ao_npy_write(path, wrong[i].type, wrong[i].rank, wrong[i].dims, zeros), 0);
        assert_refused(path, &pre, &defaults, wrong[i].status, wrong[i].found,
                       wrong[i].status == AOSA_ERR_SHAPE ? "uint8 [4,6,7,3]" : NULL);
    }
    write_file(path, "text", 4);
    assert_refused(path, &pre, &defaults, AOSA_ERR_FORMAT, "not a .npy file", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_of_frames_are_read_in_the_order_of_their_numbers),
        cmocka_unit_test(the_hash_of_a_folder_is_that_of_its_checksum_list),
        cmocka_unit_test(gaps_in_the_numbering_name_the_missing_file),
        cmocka_unit_test(folders_that_are_no_clip_are_refused),
        cmocka_unit_test(frames_in_an_array_are_taken_as_they_are),
        cmocka_unit_test(values_in_an_array_reach_the_network_untouched),
        cmocka_unit_test(arrays_of_another_type_or_shape_are_refused_with_both),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
