/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <aosa/aosa.h>

#include "core/file.h"
#include "dataset/dataset.h"
#include "dataset/scene.h"
#include "support/folder.h"

#define CLIPS 11 /* one more than there are classes */

static aosa_settings *settings;

static int set_up(void **state)
{
    if (folder_make(state) || aosa_settings_create(&settings) != AOSA_OK)
        return -1;
    return aosa_settings_set(settings, "seed", "7000000") != AOSA_OK;
}

static int tear_down(void **state)
{
    aosa_settings_destroy(&settings);
    return folder_remove(state);
}

static const char *write_bench(const char *name, const char *clips)
{
    const char *path = in_folder(name);
    assert_int_equal(aosa_settings_set(settings, "clips", clips), AOSA_OK);
    if (aosa_demo_bench(settings, path, false, NULL, NULL) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    return path;
}

static struct ao_dataset *open_bench(const char *path)
{
    struct ao_dataset_options options = { 0 };
    struct ao_dataset *dataset;
    char lists[300], boxes[300];
    const char *values[][2] = {
        { "dataset", "ucf101" }, { "root", path }, { "lists", lists }, { "boxes", boxes }
    };
    snprintf(lists, sizeof lists, "%s/ucfTrainTestlist", path);
    snprintf(boxes, sizeof boxes, "%s/boxes.csv", path);
    assert_int_equal(ao_options_init(ao_dataset_option_table, &options), AOSA_OK);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        assert_int_equal(ao_option_set(ao_options_find(ao_dataset_option_table, values[i][0]),
                                       &options, values[i][1]),
                         AOSA_OK);
    if (ao_dataset_open(&options, &dataset) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    ao_options_fini(ao_dataset_option_table, &options);
    return dataset;
}

static void the_ucf101_layout_reads_every_clip_with_its_boxes(void **state)
{
    (void)state;
    static uint8_t rgb[16 * 224 * 224 * 3];
    struct ao_scene_spec spec;
    struct ao_scene_box truth[16];
    struct ao_dataset *dataset = open_bench(write_bench("bench", "11"));
    assert_int_equal(dataset->n, CLIPS);
    assert_int_equal(dataset->n_labels, 10);
    assert_int_equal(dataset->boxes_unused, 0);

    /* Ids are in order of bytes: the eleventh clip, a second `left`, stands behind the first. */
    const struct ao_item *item = NULL;
    for (size_t i = 0; i < dataset->n; i++) {
        assert_int_equal(dataset->items[i].n_boxes, 16);
        assert_true(ao_path_exists(dataset->items[i].path));
        if (!strcmp(dataset->items[i].id, "left/v_left_g02_c01"))
            item = &dataset->items[i];
    }
    assert_non_null(item);
    ao_scene_spec_init(&spec, AO_MOTION_LEFT, 7000010);
    spec.size = 224;
    assert_true(ao_scene_render(&spec, rgb, NULL, truth));
    for (int t = 0; t < 16; t++) {
        const struct ao_source_box *box = &item->boxes[t];
        assert_int_equal(box->frame, t);
        assert_int_equal((int)box->x0, truth[t].x0);
        assert_int_equal((int)box->y0, truth[t].y0);
        assert_int_equal((int)box->x1, truth[t].x1);
        assert_int_equal((int)box->y1, truth[t].y1);
    }
    ao_dataset_close(&dataset);
}

static void a_larger_bench_continues_a_smaller_one(void **state)
{
    (void)state;
    const char *small = write_bench("small", "1"), *large = write_bench("large", "2");
    char name[300];
    struct ao_file a, b;
    snprintf(name, sizeof name, "%s/left/v_left_g01_c01.mp4", small);
    assert_int_equal(ao_file_open(&a, name), AOSA_OK);
    snprintf(name, sizeof name, "%s/left/v_left_g01_c01.mp4", large);
    assert_int_equal(ao_file_open(&b, name), AOSA_OK);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.bytes, b.bytes, a.size);
    ao_file_close(&a);
    ao_file_close(&b);
}

static bool stop(void *user, const char *stage, size_t done, size_t total)
{
    (void)user, (void)stage, (void)total;
    return done < 1;
}

static void what_is_stopped_or_refused_leaves_nothing(void **state)
{
    (void)state;
    const char *path = in_folder("none");
    assert_int_equal(aosa_demo_bench(settings, path, false, stop, NULL), AOSA_ERR_CANCELLED);
    assert_false(ao_path_exists(path));
    assert_int_equal(aosa_settings_set(settings, "size", "16"), AOSA_OK);
    assert_int_equal(aosa_demo_bench(settings, path, false, NULL, NULL), AOSA_ERR_ARGUMENT);
    assert_non_null(strstr(aosa_error_message(), "--size"));
    assert_false(ao_path_exists(path));
}

static void an_older_bench_is_kept_unless_forced(void **state)
{
    (void)state;
    const char *path = write_bench("old", "1");
    assert_int_equal(aosa_demo_bench(settings, path, false, NULL, NULL), AOSA_ERR_OUTPUT);
    assert_int_equal(aosa_demo_bench(settings, path, true, NULL, NULL), AOSA_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_ucf101_layout_reads_every_clip_with_its_boxes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_larger_bench_continues_a_smaller_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_stopped_or_refused_leaves_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_older_bench_is_kept_unless_forced, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
