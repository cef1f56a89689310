/* SPDX-License-Identifier: Apache-2.0 */
#include "dataset_fixture.h"

#include "dataset/layout.h"

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
    set("subset", "dev");
    refuse(AOSA_ERR_ARGUMENT, "--subset dev: there are train, val and test");
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
    write_file("testlist01.txt", "A/..\n");
    refuse(AOSA_ERR_FORMAT, "testlist01.txt:1: 'A/..' is not 'CLASS/VIDEO.avi'");
    write_file("testlist01.txt", "A\n");
    refuse(AOSA_ERR_FORMAT, "testlist01.txt:1: 'A' is not 'CLASS/VIDEO.avi'");
    write_file("testlist01.txt", "A/v.avi 2\n"); /* a training list, of another numbering */
    refuse(AOSA_ERR_FORMAT, "testlist01.txt:1: class 2, but A is 1 in classInd.txt");
    write_file("testlist01.txt", "A/v.avi\nB/v.avi\nA/v.avi\n");
    refuse(AOSA_ERR_FORMAT, "'A/v' twice (testlist01.txt:1 and testlist01.txt:3)");
    write_file("classInd.txt", "1 A\n2 A\n");
    refuse(AOSA_ERR_FORMAT, "classInd.txt:2: the label 'A' is there twice");
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

static void clips_of_a_video_share_its_boxes_and_have_ids_of_their_own(void **state)
{
    (void)state;
    write_file("list.csv", "path,label\nb.mp4,x\na.mp4,y\n");
    write_file("boxes.csv", "video,frame,x,y,w,h\na,5,1,2,3,4\na,6,1,2,3,4\n");
    set_path("boxes", "boxes.csv");
    open_dataset();
    assert_int_equal(ao_dataset_take_clips(dataset, 1), AOSA_OK);
    assert_string_equal(dataset->items[0].id, "a.mp4");
    assert_int_equal(ao_dataset_take_clips(dataset, 12), AOSA_OK);
    assert_int_equal(dataset->n, 24);
    assert_string_equal(dataset->items[11].id, "a.mp4#11"); /* by video, then by number */
    assert_string_equal(dataset->items[12].id, "b.mp4#0");
    assert_int_equal(dataset->items[11].clip, 11);
    assert_int_equal(dataset->items[11].n_boxes, 2);
    assert_ptr_equal(dataset->items[11].boxes, dataset->items[0].boxes);
    assert_string_equal(dataset->items[23].label, "x");
    assert_string_equal(dataset->items[23].where, "list.csv:2");
    open_dataset();
    ao_alloc_fail_at(2); /* the second id */
    assert_int_equal(ao_dataset_take_clips(dataset, 2), AOSA_ERR_NOMEM);
    ao_alloc_fail_at(0);
    assert_string_equal(dataset->items[1].id, "b.mp4");
}

static void labels_are_found_and_not_taken_twice(void **state)
{
    (void)state;
    char label[16];
    write_file("list.csv", "path,label\na,b\n");
    open_dataset();
    for (int i = 0; i < AO_MAX_LABELS; i++) {
        snprintf(label, sizeof label, "%d", i * 7919 % AO_MAX_LABELS); /* 7919 is a prime */
        assert_int_equal(ao_dataset_find_label(dataset, label), dataset->n_labels);
        assert_int_equal(ao_dataset_add_label(dataset, label), AOSA_OK);
        assert_int_equal(ao_dataset_find_label(dataset, label), i);
    }
    assert_int_equal(ao_dataset_find_label(dataset, "7919"), 1);
    assert_int_equal(ao_dataset_add_label(dataset, "0"), AOSA_ERR_FORMAT);
    assert_int_equal(ao_dataset_add_label(dataset, "one more"), AOSA_ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_list_of_ones_own_has_paths_labels_and_boxes),
        TEST(ucf101_is_found_whatever_its_case),
        TEST(wrong_lists_are_refused_with_file_and_line),
        TEST(clips_of_a_video_share_its_boxes_and_have_ids_of_their_own),
        TEST(labels_are_found_and_not_taken_twice),
        TEST(a_limit_takes_videos_evenly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
