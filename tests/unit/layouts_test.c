/* SPDX-License-Identifier: Apache-2.0 */
#include "dataset_fixture.h"

static void remove_file(const char *name)
{
    assert_int_equal(remove(in_folder(name)), 0);
}

/* --- JSON of kenshohara's 3D ResNets ------------------------------------------------------------
 */

static void write_json(const char *database)
{
    char text[1024];
    snprintf(text, sizeof text, "{\"labels\": [\"Zoo\", \"Ant\"], \"database\": {%s}}", database);
    write_file("list.json", text);
    set("dataset", "kenshohara");
    set_path("lists", "list.json");
}

#define ENTRY(name, subset, label, segment)                                            \
    "\"" name "\": {\"subset\": \"" subset "\", \"annotations\": {\"label\": \"" label \
    "\", \"segment\": " segment "}}"

static void json_lists_have_labels_subsets_and_segments(void **state)
{
    (void)state;
    write_json(
        ENTRY("v1", "validation", "Ant", "[1, 69]") ","  /* the whole video */
        ENTRY("v2", "training", "Zoo", "[1, 5]") ","     /* another part */
        ENTRY("v3", "validation", "Zoo", "[11, 31]") "," /* a part of a video */
        ENTRY("v4", "validation", "Zoo",
              "[1, 1]") "," /* no frames */
                        "\"v5\": {\"subset\": \"validation\", \"video_path\": \"other/v5.avi\", "
                        "\"annotations\": {\"label\": \"Ant\"}}");
    write_file("Ant/v1/image_00001.jpg", "");
    write_file("Zoo/v3.mkv", "");
    open_dataset();
    assert_int_equal(dataset->n_labels, 2);
    assert_string_equal(dataset->labels[0], "Zoo"); /* the place in `labels`, not the alphabet */
    assert_int_equal(dataset->n, 3);                /* v4 has no frames */
    const struct ao_item *item = dataset->items;
    assert_string_equal(item[0].id, "Ant/v1");
    assert_string_equal(strrchr(item[0].path, '/'), "/v1");
    assert_string_equal(item[0].where, "list.json 'v1'");
    assert_int_equal(item[0].first, 0); /* frames 1 .. 68, so 0 .. 67 from 0 */
    assert_int_equal(item[0].end, 68);
    assert_string_equal(item[1].id, "Ant/v5");
    assert_string_equal(item[1].path + strlen(folder_path()), "/other/v5.avi");
    assert_int_equal(item[1].end, 0);
    assert_string_equal(item[2].path + strlen(folder_path()), "/Zoo/v3.mkv");
    assert_int_equal(item[2].first, 10);
    assert_int_equal(item[2].end, 30);
    set("subset", "train");
    open_dataset();
    assert_int_equal(dataset->n, 1);
    assert_string_equal(dataset->items[0].id, "Zoo/v2");
}

#define AT(path)                                                                          \
    "\"v\": {\"subset\": \"validation\", \"video_path\": \"" path "\", \"annotations\": " \
    "{\"label\": \"Ant\"}}"

static void a_video_path_below_the_root_may_be_written_in_full(void **state)
{
    (void)state;
    char entry[512];
    snprintf(entry, sizeof entry, AT("%s/a/b.avi"), folder_path());
    write_json(entry);
    open_dataset();
    assert_string_equal(dataset->items[0].path + strlen(folder_path()), "/a/b.avi");
    snprintf(entry, sizeof entry, AT("%s/../b.avi"), folder_path());
    write_json(entry);
    refuse(AOSA_ERR_FORMAT, "list.json: '../b.avi' is not a path below");
    write_json(AT("/etc/passwd"));
    refuse(AOSA_ERR_FORMAT, "'/etc/passwd' is not a path below");
}

static void wrong_json_is_refused_with_the_entry(void **state)
{
    (void)state;
    set("dataset", "kenshohara");
    refuse(AOSA_ERR_ARGUMENT, "--lists FILE.json");
    write_json(ENTRY("v", "validation", "Bee", "[1, 9]"));
    refuse(AOSA_ERR_FORMAT, "'v': 'Bee' is none of the 2 labels");
    write_json(ENTRY("v", "dev", "Ant", "[1, 9]"));
    refuse(AOSA_ERR_FORMAT, "'v': 'subset' is none of training");
    write_json(ENTRY("v", "validation", "Ant", "[0, 9]"));
    refuse(AOSA_ERR_FORMAT, "'v': 'segment' is not [first");
    write_json(ENTRY("v", "validation", "Ant", "[9, 8]"));
    refuse(AOSA_ERR_FORMAT, "'v': 'segment' is not [first");
    write_json(ENTRY("v", "validation", "Ant", "[1, 9.5]"));
    refuse(AOSA_ERR_FORMAT, "'v': 'segment' is not two numbers");
    write_json(ENTRY("v", "validation", "Ant", "[1, 9223372036854775807]"));
    refuse(AOSA_ERR_FORMAT, "'v': 'segment' is not [first");
    write_json(ENTRY("../v", "validation", "Ant", "[1, 9]"));
    refuse(AOSA_ERR_FORMAT, "cannot be those of a folder and a file");
    write_json("\"v\": {\"subset\": \"testing\"}");
    refuse(AOSA_ERR_FORMAT, "none of its 1 videos is of that part");
    set("subset", "test");
    refuse(AOSA_ERR_FORMAT, "'v': has no label");
    write_file("list.json", "{\"labels\": [\"a\", \"a\"], \"database\": {}}");
    refuse(AOSA_ERR_FORMAT, "the label 'a' is there twice");
    write_file("list.json", "{\"labels\": [1], \"database\": {}}");
    refuse(AOSA_ERR_FORMAT, "labels[0] is no text");
    write_file("list.json", "{\"database\": {}}");
    refuse(AOSA_ERR_FORMAT, "has no list 'labels'");
    write_file("list.json", "{\"labels\": []}");
    refuse(AOSA_ERR_FORMAT, "has no object 'database'");
    write_file("list.json", "{\"labels\": [\n");
    refuse(AOSA_ERR_FORMAT, "list.json:2:");
}

/* --- Kinetics ----------------------------------------------------------------------------------
 */

#define HEADER "label,youtube_id,time_start,time_end,split\n"

static void kinetics_takes_its_classes_from_the_training_list(void **state)
{
    (void)state;
    write_file("lists/kinetics-700_train.csv",
               HEADER "zumba,aaaaaaaaaaa,0,10,train\nabseiling,bbbbbbbbbbb,1,11,train\n"
                      "zumba,ccccccccccc,2,12,train\n");
    write_file("lists/kinetics-700_val.csv", "split,time_end,time_start,youtube_id,label\n"
                                             "val,48,38,yq_M1PMw2hY,abseiling\n"
                                             "val,115,105,-Dash,zumba\n");
    write_file("lists/notes.csv", "");
    write_file("abseiling/yq_M1PMw2hY_000038_000048.mp4", "");
    write_file("zumba/-Dash_000105_000115/image_00001.jpg", "");
    set("dataset", "kinetics");
    set_path("lists", "lists");
    open_dataset();
    assert_int_equal(dataset->n_labels, 2);
    assert_string_equal(dataset->labels[0], "zumba"); /* first appearance, not the alphabet */
    assert_int_equal(dataset->n, 2);
    assert_string_equal(dataset->items[0].id, "abseiling/yq_M1PMw2hY_000038_000048");
    assert_string_equal(dataset->items[0].path + strlen(folder_path()),
                        "/abseiling/yq_M1PMw2hY_000038_000048.mp4");
    assert_string_equal(dataset->items[0].where, "kinetics-700_val.csv:2");
    assert_string_equal(dataset->items[1].path + strlen(folder_path()),
                        "/zumba/-Dash_000105_000115");
    set("subset", "train");
    open_dataset();
    assert_int_equal(dataset->n, 3);
    set("subset", "");
    set_path("lists", "lists/kinetics-700_val.csv"); /* one list: no order of its own */
    open_dataset();
    assert_int_equal(dataset->n, 2);
    assert_int_equal(dataset->n_labels, 0);
}

static void wrong_lists_of_kinetics_are_refused_with_file_and_line(void **state)
{
    (void)state;
    set("dataset", "kinetics");
    refuse(AOSA_ERR_ARGUMENT, "--lists FOLDER");
    set_path("lists", ".");
    refuse(AOSA_ERR_INPUT, "holds 0 files such as train.csv, not one");
    write_file("train.csv", HEADER "a,id,0,10,train\n");
    write_file("old_train.csv", HEADER);
    refuse(AOSA_ERR_INPUT, "holds 2 files such as train.csv, not one");
    remove_file("old_train.csv");
    write_file("test.csv", "youtube_id,time_start,time_end,split\nid,0,10,test\n");
    set("subset", "test");
    refuse(AOSA_ERR_FORMAT, "test.csv: its first line names no column 'label'; a list without");
    set("subset", "val");
    write_file("validate.csv", HEADER "a,id,0,10,validate\na,id2,0,10,train\n");
    refuse(AOSA_ERR_FORMAT, "validate.csv:3: is of another part: 'train'");
    write_file("validate.csv", HEADER "b,id,0,10,val\n");
    refuse(AOSA_ERR_FORMAT, "validate.csv:2: the training list has no label 'b'");
    write_file("validate.csv", HEADER "a,../id,0,10,val\n");
    refuse(AOSA_ERR_FORMAT, "validate.csv:2: a video's id cannot be '../id'");
    write_file("validate.csv", HEADER "..,id,0,10,val\n");
    refuse(AOSA_ERR_FORMAT, "validate.csv:2: a label cannot be '..'");
    write_file("validate.csv", HEADER "a,id,0.5,10,val\n");
    refuse(AOSA_ERR_FORMAT, "validate.csv:2: not a whole number of seconds: '0.5'");
    write_file("validate.csv", HEADER "a,id,-1,10,val\n");
    refuse(AOSA_ERR_FORMAT, "validate.csv:2: not a whole number of seconds: '-1'");
    write_file("validate.csv", "label,youtube_id,time_start\n");
    refuse(AOSA_ERR_FORMAT, "names no column 'time_end'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(json_lists_have_labels_subsets_and_segments),
        TEST(a_video_path_below_the_root_may_be_written_in_full),
        TEST(wrong_json_is_refused_with_the_entry),
        TEST(kinetics_takes_its_classes_from_the_training_list),
        TEST(wrong_lists_of_kinetics_are_refused_with_file_and_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
