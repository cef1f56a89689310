/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "core/alloc.h"
#include "dataset/csv.h"
#include "dataset/dataset.h"

static char folder[] = "/tmp/aosa-dataset-XXXXXX";
static struct ao_dataset_options options;
static struct ao_dataset *dataset;

static void write_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    for (char *p = path + strlen(folder) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        mkdir(path, 0777);
        *p = '/';
    }
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void set(const char *name, const char *value)
{
    const struct ao_option *row = ao_options_find(ao_dataset_option_table, name);
    assert_non_null(row);
    assert_int_equal(ao_option_set(row, &options, value), AOSA_OK);
}

static void set_path(const char *name, const char *file)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    set(name, path);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/aosa-dataset-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    assert_int_equal(ao_options_init(ao_dataset_option_table, &options), AOSA_OK);
    set("root", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[64];
    ao_dataset_close(&dataset);
    ao_options_fini(ao_dataset_option_table, &options);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static void open_dataset(void)
{
    ao_dataset_close(&dataset);
    if (ao_dataset_open(&options, &dataset) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
}

static void refuse(aosa_status want, const char *words)
{
    ao_dataset_close(&dataset);
    assert_int_equal(ao_dataset_open(&options, &dataset), want);
    if (!strstr(aosa_error_message(), words))
        fail_msg("'%s' is not in '%s'", words, aosa_error_message());
}

static void a_list_of_ones_own_has_paths_labels_and_boxes(void **state)
{
    (void)state;
    write_file("list.csv", "\xEF\xBB\xBFlabel,path,boxes\r\n\"a, b \"\"c\"\"\",b/two.avi,\r\n\r\n"
                           "down,one.mp4,one.csv\r\n");
    write_file("one.csv", "frame,x,y,w,h,class\n1,10,20,5,6,Down\n3,1.5,2,3,4,up\n");
    open_dataset();
    assert_int_equal(dataset->n, 2);
    assert_string_equal(dataset->items[0].id, "b/two.avi"); /* in order of ids */
    assert_string_equal(dataset->items[0].label, "a, b \"c\"");
    const struct ao_item *one = &dataset->items[1];
    assert_int_equal(one->n_boxes, 1);
    const struct ao_source_box box = { 0, 10, 20, 15, 26 };
    assert_memory_equal(one->boxes, &box, sizeof box);
    assert_int_equal(dataset->boxes_unused, 1);
    set("box-class", "any");
    open_dataset();
    assert_int_equal(dataset->items[1].n_boxes, 2);
    assert_int_equal(dataset->items[1].boxes[1].frame, 2);
}

static void ucf101_is_found_whatever_its_case(void **state)
{
    (void)state;
    write_file("lists/classInd.txt", "1 CliffDiving\n2 HandstandPushups\n");
    write_file("lists/testlist01.txt", "HandStandPushups/v_HandStandPushups_g01_c01.avi\r\n"
                                       "CliffDiving/v_CliffDiving_g01_c01.avi\r\n"
                                       "CliffDiving/v_CliffDiving_g01_c02.avi\r\n");
    write_file("lists/trainlist02.txt", "CliffDiving/v_CliffDiving_g09_c01.avi 1\n");
    write_file("HandstandPushups/v_HandstandPushups_g01_c01.avi", "");
    write_file("CliffDiving/v_CliffDiving_g01_c01/image_00001.jpg", "");
    write_file("boxes.csv", "video,frame,x,y,w,h\nv_CliffDiving_g01_c02,1,0,0,9,9\n"
                            "CliffDiving/v_CliffDiving_g01_c02,2,0,0,9,9\nv_Other,2,0,0,9,9\n");
    set("dataset", "ucf101");
    refuse(AOSA_ERR_ARGUMENT, "--lists FOLDER");
    set_path("lists", "lists");
    set_path("boxes", "boxes.csv");
    open_dataset();
    assert_int_equal(dataset->n, 3);
    assert_int_equal(dataset->n_labels, 2);
    assert_string_equal(dataset->items[0].id, "CliffDiving/v_CliffDiving_g01_c01");
    assert_string_equal(strrchr(dataset->items[0].path, '/'), "/v_CliffDiving_g01_c01");
    assert_string_equal(strrchr(dataset->items[1].path, '/'), "/v_CliffDiving_g01_c02.avi");
    assert_int_equal(dataset->items[1].n_boxes, 2);
    assert_string_equal(dataset->items[2].label, "HandstandPushups");
    assert_string_equal(strrchr(dataset->items[2].path, '/'), "/v_HandstandPushups_g01_c01.avi");
    assert_int_equal(dataset->boxes_unused, 1);
    set("split", "2");
    set("subset", "train");
    open_dataset();
    assert_int_equal(dataset->n, 1);
    set("subset", "val");
    refuse(AOSA_ERR_ARGUMENT, "ucf101 has test and train");
}

static void wrong_lists_are_refused_with_file_and_line(void **state)
{
    (void)state;
    refuse(AOSA_ERR_INPUT, "list.csv");
    write_file("list.csv", "path\na.mp4\n");
    refuse(AOSA_ERR_FORMAT, "no column 'label'");
    write_file("list.csv", "path,label\na.mp4,x\n../b.mp4,x\n");
    refuse(AOSA_ERR_FORMAT, "list.csv:3: '../b.mp4' is not a path below");
    write_file("list.csv", "path,label\na.mp4,x\na.mp4,y\n");
    refuse(AOSA_ERR_FORMAT, "names 'a.mp4' twice");
    write_file("list.csv", "path,label\na.mp4\n");
    refuse(AOSA_ERR_FORMAT, "list.csv:2: 1 fields, the header has 2");
    write_file("list.csv", "path,label\n\"a.mp4,x\n");
    refuse(AOSA_ERR_FORMAT, "list.csv:2: a field's quotes do not end");
    write_file("list.csv", "path,label\n");
    refuse(AOSA_ERR_FORMAT, "names no video");
    set("subset", "test");
    refuse(AOSA_ERR_ARGUMENT, "--subset");
    set("subset", "");
    set("dataset", "ucf101");
    set_path("lists", ".");
    write_file("classInd.txt", "1 A\n3 B\n");
    refuse(AOSA_ERR_FORMAT, "classInd.txt:2: '3 B' is not '2 CLASS'");
    write_file("classInd.txt", "1 A\n2 B\n");
    write_file("testlist01.txt", "A/v.avi\nC/v.avi\n");
    refuse(AOSA_ERR_FORMAT, "testlist01.txt:2: 'C' is none of the 2 classes");
    write_file("testlist01.txt", "A/../../etc\n");
    refuse(AOSA_ERR_FORMAT, "testlist01.txt:1");
}

static void wrong_boxes_are_refused_with_file_and_line(void **state)
{
    (void)state;
    write_file("list.csv", "path,label\na/v.mp4,x\nb/v.mp4,x\n");
    set_path("boxes", "boxes.csv");
    refuse(AOSA_ERR_INPUT, "boxes.csv");
    write_file("boxes.csv", "frame,x,y,w,h\n1,1,1,1,1\n");
    refuse(AOSA_ERR_FORMAT, "no column 'video'");
    write_file("boxes.csv", "video,frame,x,y,w,h\na/v.mp4,0,1,1,1,1\n");
    refuse(AOSA_ERR_FORMAT, "boxes.csv:2: frame 0, where frames are numbered from 1");
    write_file("boxes.csv", "video,frame,x,y,w,h\na/v.mp4,1,nan,1,1,1\n");
    refuse(AOSA_ERR_FORMAT, "boxes.csv:2: x is 'nan', not a number");
    write_file("boxes.csv", "video,frame,x,y,w,h\na/v.mp4,1,1,1,-1,1\n");
    refuse(AOSA_ERR_FORMAT, "a box of -1 x 1");
    write_file("boxes.csv", "video,frame,x,y,w,h\nv,1,1,1,1,1\n");
    refuse(AOSA_ERR_FORMAT, "'v' is 'a/v.mp4' or 'b/v.mp4'");
}

static void a_limit_takes_videos_evenly(void **state)
{
    (void)state;
    char list[1024] = "path,label\n";
    for (int i = 0; i < 20; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%02d.mp4,x\n", i);
    write_file("list.csv", list);
    set("limit", "3");
    open_dataset();
    assert_int_equal(dataset->n, 3);
    assert_string_equal(dataset->items[0].id, "00.mp4");
    assert_string_equal(dataset->items[1].id, "06.mp4");
    assert_string_equal(dataset->items[2].id, "13.mp4");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_list_of_ones_own_has_paths_labels_and_boxes),
        TEST(ucf101_is_found_whatever_its_case),
        TEST(wrong_lists_are_refused_with_file_and_line),
        TEST(wrong_boxes_are_refused_with_file_and_line),
        TEST(a_limit_takes_videos_evenly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
