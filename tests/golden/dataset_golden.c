/* SPDX-License-Identifier: Apache-2.0 */
/* Lists and boxes as their authors wrote them, and a tree of UCF-101 with the few real videos. */
#define _XOPEN_SOURCE 700 /* mkdtemp, realpath */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "data/truth.h"
#include "dataset/dataset.h"
#include "explain/clip.h"
#include "support/shared.h"

#define PATH_BYTES 1024

static char tree[] = "/tmp/aosa-ucf101-XXXXXX";
static struct ao_dataset_options options;
static struct ao_dataset *dataset;

static void shared_path(char path[PATH_BYTES], const char *name)
{
    const char *shared = getenv("AOSA_SHARED");
    snprintf(path, PATH_BYTES, "%s/data/%s", shared ? shared : "../shared", name);
}

static void set(const char *name, const char *value)
{
    const struct ao_option *row = ao_options_find(ao_dataset_option_table, name);
    assert_int_equal(ao_option_set(row, &options, value), AOSA_OK);
}

static void set_shared(const char *name, const char *file)
{
    char path[PATH_BYTES];
    shared_path(path, file);
    set(name, path);
}

static void open_dataset(void)
{
    ao_dataset_close(&dataset);
    if (ao_dataset_open(&options, &dataset) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
}

/* A video of the reference data at its place in the tree. */
static void place(const char *class, const char *name, const char *source)
{
    char from[PATH_BYTES], whole[4096], to[PATH_BYTES];
    shared_path(from, source);
    assert_non_null(realpath(from, whole));
    snprintf(to, sizeof to, "%s/%s", tree, class);
    mkdir(to, 0777);
    snprintf(to, sizeof to, "%s/%s/%s", tree, class, name);
    assert_int_equal(symlink(whole, to), 0);
}

static int make_tree(void **state)
{
    (void)state;
    if (!mkdtemp(tree))
        return -1;
    place("ApplyEyeMakeup", "v_ApplyEyeMakeup_g01_c01.avi", "clips/v_ApplyEyeMakeup_g01_c01.avi");
    place("CliffDiving", "v_CliffDiving_g01_c01", "clips/v_CliffDiving_g01_c01_jpg");
    return 0;
}

static int remove_tree(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", tree);
    return system(command);
}

static int set_up(void **state)
{
    (void)state;
    const aosa_status status = ao_options_init(ao_dataset_option_table, &options);
    set("root", tree);
    return status != AOSA_OK;
}

static int tear_down(void **state)
{
    (void)state;
    ao_dataset_close(&dataset);
    ao_options_fini(ao_dataset_option_table, &options);
    return 0;
}

static const struct ao_item *find(const char *id)
{
    for (size_t i = 0; i < dataset->n; i++)
        if (!strcmp(dataset->items[i].id, id))
            return &dataset->items[i];
    fail_msg("no item %s", id);
    return NULL;
}

static size_t count_videos(void)
{
    size_t n = 0;
    for (size_t i = 0; i < dataset->n; i++)
        n += ao_path_exists(dataset->items[i].path);
    return n;
}

/* Split 1 has 9,537 videos to train on and 3,783 to test on (spec C.2), in 101 classes. */
static void the_first_split_of_ucf101_is_whole(void **state)
{
    (void)state;
    set("dataset", "kenshohara");
    set_shared("lists", "annotations/ucf101_split1_kenshohara_format.json");
    open_dataset();
    assert_int_equal(dataset->n, 3783);
    assert_int_equal(dataset->n_labels, 101);
    assert_string_equal(dataset->labels[0], "ApplyEyeMakeup");
    assert_string_equal(dataset->labels[100], "YoYo");
    assert_int_equal(count_videos(), 2);
    const struct ao_item *diving = find("CliffDiving/v_CliffDiving_g01_c01");
    assert_int_equal(diving->first, 0); /* its segment is [1, 91] */
    assert_int_equal(diving->end, 90);
    set("subset", "training");
    open_dataset();
    assert_int_equal(dataset->n, 9537);
}

static void a_list_of_kinetics_is_read(void **state)
{
    (void)state;
    set("dataset", "kinetics");
    set_shared("lists", "annotations/kinetics600_val_sample200.csv");
    open_dataset();
    assert_int_equal(dataset->n, 200);
    assert_string_equal(find("abseiling/yq_M1PMw2hY_000038_000048")->label, "abseiling");
}

/*
 * The boxes that people drew around the diver, frames 1 to 68 of 320 x 240. Frame 1 has x 162,
 * y 51, w 87, h 102; in the clip X = x 149 / 320 - 18 and Y = y 112 / 240 (spec C.2), so columns
 * 57.4 to 97.9 and rows 23.8 to 71.4, which pixels 57 to 97 and 24 to 70 have their centres in.
 */
static void boxes_of_the_diver_follow_every_clip(void **state)
{
    (void)state;
    aosa_settings *settings;
    set("dataset", "kenshohara");
    set_shared("lists", "annotations/ucf101_split1_kenshohara_format.json");
    set_shared("boxes", "annotations/ucf101_24_v_CliffDiving_g01_c01.csv");
    open_dataset();
    const struct ao_item *diving = find("CliffDiving/v_CliffDiving_g01_c01");
    assert_int_equal(diving->n_boxes, 68);
    assert_int_equal(dataset->boxes_unused, 0);
    assert_int_equal(aosa_settings_create(&settings), AOSA_OK);
    assert_int_equal(aosa_settings_set(settings, "clips", "3"), AOSA_OK);
    for (int k = 0; k < 3; k++) {
        /* The 90 frames of its segment [1, 91]: clips of 16 begin at 0, 37 and 74. */
        aosa_clip *clip;
        struct ao_truth truth;
        if (ao_clip_open_range(diving->path, NULL, settings, k, diving->first, diving->end,
                               &clip) != AOSA_OK)
            fail_msg("%s", aosa_error_message());
        assert_int_equal(clip->frames[0], 37 * k);
        assert_int_equal(ao_truth_init(&truth, clip, diving->boxes, diving->n_boxes), AOSA_OK);
        assert_int_equal(truth.n, k < 2 ? 16 : 0);
        if (k == 0) {
            const struct ao_box first = { .y0 = 24, .x0 = 57, .y1 = 71, .x1 = 98 };
            assert_memory_equal(&truth.boxes[0].box, &first, sizeof first);
        }
        ao_truth_fini(&truth);
        aosa_clip_close(&clip);
    }
    aosa_settings_destroy(&settings);
}

/* Frames 20 to 79 of the video: two clips of 16 begin at its ends, 20 and 64. */
static void a_segment_is_all_that_clips_of_a_video_are_taken_from(void **state)
{
    (void)state;
    char path[PATH_BYTES];
    aosa_settings *settings;
    aosa_clip *clip, *other;
    snprintf(path, sizeof path, "%s/ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi", tree);
    assert_int_equal(aosa_settings_create(&settings), AOSA_OK);
    assert_int_equal(aosa_settings_set(settings, "clips", "2"), AOSA_OK);
    assert_int_equal(ao_clip_open_range(path, NULL, settings, 1, 20, 80, &clip), AOSA_OK);
    assert_int_equal(clip->frames[0], 64);
    assert_int_equal(ao_clip_open_range(path, NULL, settings, 0, 64, 80, &other), AOSA_OK);
    assert_memory_equal(clip->rgb, other->rgb, 3 * ao_clip_voxels(clip)); /* the same frames */
    aosa_clip_close(&other);
    aosa_clip_close(&clip);
    assert_int_equal(ao_clip_open_range(path, NULL, settings, 0, 65, 80, &clip), AOSA_ERR_INPUT);
    aosa_settings_destroy(&settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_split_of_ucf101_is_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_list_of_kinetics_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(boxes_of_the_diver_follow_every_clip, set_up, tear_down),
        cmocka_unit_test(a_segment_is_all_that_clips_of_a_video_are_taken_from),
    };
    if (shared_is_missing())
        return EXIT_SKIPPED;
    return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
