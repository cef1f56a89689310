/* SPDX-License-Identifier: Apache-2.0 */
#include "dataset_fixture.h"

#include "core/npy.h"
#include "core/rng.h"
#include "data/truth.h"
#include "dataset/layout.h"
#include "explain/clip.h"
#include "video/preprocess.h"

/* --- tables ------------------------------------------------------------------------------------
 */

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

static void a_table_of_tubes_has_its_class_in_the_column_label(void **state)
{
    (void)state;
    write_file("list.csv", "path,label\nv.mp4,Biking\n");
    write_file("boxes.csv", "video,tube,label,frame,x,y,w,h\nv,0,Biking,1,200,1,100,1\n"
                            "v,1,Diving,1,1,1,1,1\nother,0,Biking,1,1,1,1,1\n");
    set_path("boxes", "boxes.csv");
    open_dataset();
    assert_int_equal(dataset->items[0].n_boxes, 1);
    assert_float_equal(dataset->items[0].boxes[0].x1, 300, 0); /* more than a byte holds */
    assert_int_equal(dataset->boxes_unused, 2);                /* of another class and video */
}

/* --- MAT-files ---------------------------------------------------------------------------------
 */

/* The videos of tools/reference/annotations.py, whose files are the fuzzer's too. */
static void use_mat(const char *name)
{
    char path[128];
    write_file("list.csv", "path,label\nCliffDiving/v_CliffDiving_g01_c01.avi,CliffDiving\n"
                           "Basketball/v_Basketball_g01_c01.avi,Basketball\n");
    snprintf(path, sizeof path, "fuzz/corpus/boxes_mat/%s", name);
    set("boxes", path);
}

static void boxes_come_from_the_corrected_annotations_of_ucf101(void **state)
{
    (void)state;
    static const char *const files[] = { "annot.mat", "plain.mat" };
    for (int i = 0; i < 2; i++) {
        use_mat(files[i]);
        open_dataset();
        const struct ao_item *basketball = &dataset->items[0], *diving = &dataset->items[1];
        assert_int_equal(basketball->n_boxes, 4 + 2); /* frames 9 to 12 and 2 to 3 */
        assert_int_equal(diving->n_boxes, 4);
        /* Frame 9 of them is frame 8 of ours; its box is 9, 18 and 250 x 91, stored as bytes. */
        const struct ao_source_box first = { 8, 9, 18, 259, 109 };
        const struct ao_source_box last = { 2, 3, 6, 253, 103 }; /* of the second tube */
        assert_memory_equal(&basketball->boxes[0], &first, sizeof first);
        assert_memory_equal(&basketball->boxes[5], &last, sizeof last);
        assert_int_equal(dataset->boxes_unused, 0);
    }
    set("box-class", "Basketball");
    open_dataset();
    assert_int_equal(dataset->items[1].n_boxes, 0);
    assert_int_equal(dataset->boxes_unused, 4);
}

static void wrong_mat_files_are_refused_with_the_element(void **state)
{
    (void)state;
    static const struct {
        const char *file, *words;
    } cases[] = {
        { "few_boxes.mat", "annot(1).tubes(1): its boxes are not 4 x 4, for frames 9 to 12" },
        { "class.mat", "annot(1).tubes(1): class is not a whole number from 1 to 24" },
        { "fraction.mat", "annot(1).tubes(1): sf is not a whole number" },
        { "nan.mat", "annot(1).tubes(1): a box is not four numbers" },
        { "complex.mat", "an array that is complex or global" },
        { "cell.mat", "neither a struct nor characters nor numbers" },
        { "numbers.mat", "holds no struct 'annot'" },
        { "deep.mat", "nested too deep" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        use_mat(cases[i].file);
        refuse(AOSA_ERR_FORMAT, cases[i].words);
    }
    set_path("boxes", "none.mat");
    refuse(AOSA_ERR_INPUT, "none.mat");
    write_file("text.mat", "video,frame,x,y,w,h\n");
    set_path("boxes", "text.mat");
    refuse(AOSA_ERR_FORMAT, "not a MAT-file of version 5");
}

static size_t read_bytes(const char *path, uint8_t *bytes, size_t room)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t n = fread(bytes, 1, room, file);
    fclose(file);
    return n;
}

/* libmatio would take the first, a scalar of dimensions 1 x 0, as it is. */
static void arrays_that_belie_their_dimensions_do_not_reach_libmatio(void **state)
{
    (void)state;
    static uint8_t bytes[4096];
    static const uint8_t scalar[16] = { 5, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 1 };
    const size_t n = read_bytes("fuzz/corpus/boxes_mat/plain.mat", bytes, sizeof bytes);
    size_t i = 128;
    while (i + 16 < n && memcmp(bytes + i, scalar, sizeof scalar))
        i++;
    use_mat("plain.mat");
    set_path("boxes", "wrong.mat");
    for (uint8_t columns = 0; columns < 3; columns++) {
        bytes[i + 12] = columns;
        write_bytes("wrong.mat", bytes, n);
        if (columns == 1)
            open_dataset();
        else
            refuse(AOSA_ERR_FORMAT, "another number of values than its dimensions say");
    }
    bytes[i + 11] = 0x7f; /* rows */
    write_bytes("wrong.mat", bytes, n);
    refuse(AOSA_ERR_FORMAT, "an array is too large");
}

/* Every length and every type of the file, one after the other, made wrong: an error, or none. */
static void a_damaged_mat_file_ends_with_an_error_or_a_dataset(void **state)
{
    (void)state;
    static const char *const files[] = { "fuzz/corpus/boxes_mat/plain.mat",
                                         "fuzz/corpus/boxes_mat/annot.mat" };
    int n_refused = 0, n_read = 0;
    use_mat("plain.mat");
    set_path("boxes", "damaged.mat");
    for (int f = 0; f < 2; f++) {
        static uint8_t bytes[4096];
        const size_t n = read_bytes(files[f], bytes, sizeof bytes);
        for (size_t i = 124; i < n; i += f ? 1 : 3) {
            const uint8_t kept = bytes[i];
            bytes[i] = (uint8_t)(kept ^ (1u << i % 8));
            write_bytes("damaged.mat", bytes, i % 7 ? n : i);
            bytes[i] = kept;
            const aosa_status status = ao_dataset_open(&options, &dataset);
            assert_true(status == AOSA_OK || status == AOSA_ERR_FORMAT);
            n_refused += status != AOSA_OK;
            n_read += status == AOSA_OK;
            ao_dataset_close(&dataset);
        }
    }
    print_message("%d damaged files refused, %d read\n", n_refused, n_read);
    assert_true(n_refused > n_read && n_read > 0); /* a changed coordinate is no damage */
}

/* --- without memory ----------------------------------------------------------------------------
 */

/* Every allocation fails once: the status says so, and a leak would show in a sanitized build. */
static int count_failures(void)
{
    for (int n = 1;; n++) {
        ao_alloc_fail_at(n);
        const aosa_status status = ao_dataset_open(&options, &dataset);
        const bool failed = ao_alloc_has_failed();
        ao_alloc_fail_at(0);
        if (!failed) {
            assert_int_equal(status, AOSA_OK);
            ao_dataset_close(&dataset);
            return n - 1;
        }
        assert_int_equal(status, AOSA_ERR_NOMEM);
    }
}

static void no_layout_hides_that_memory_is_short(void **state)
{
    (void)state;
    int n = 0;
    use_mat("annot.mat");
    n += count_failures();
    write_file("boxes.csv", "video,frame,x,y,w,h\nv_Basketball_g01_c01,1,1,1,1,1\n");
    set_path("boxes", "boxes.csv");
    n += count_failures();
    set("boxes", "");
    write_file("classInd.txt", "1 A\n2 B\n");
    write_file("testlist01.txt", "A/v.avi\nB/V.avi\n");
    write_file("b/v.mp4", "");
    set("dataset", "ucf101");
    set_path("lists", ".");
    n += count_failures();
    write_file("train.csv", "label,youtube_id,time_start,time_end\nA,v,0,1\n");
    write_file("val.csv", "label,youtube_id,time_start,time_end\nA,w,0,1\n");
    set("dataset", "kinetics");
    n += count_failures();
    write_file("list.json",
               "{\"labels\": [\"A\"], \"database\": {\"v\": {\"subset\": \"validation\", "
               "\"annotations\": {\"label\": \"A\"}}}}");
    set("dataset", "kenshohara");
    set_path("lists", "list.json");
    n += count_failures();
    print_message("%d allocations failed\n", n);
}

/* --- through resize and crop -------------------------------------------------------------------
 */

enum { T = 4, SIDE = 112 };

/* Where 320 x 240 comes to lie: edges of the source are p scale - offset (y, x). */
struct geometry {
    const char *name;
    struct ao_preprocess pre;
    double scale[2], offset[2];
};

static struct geometry geometry(const char *name)
{
    struct geometry g = { .name = name };
    ao_preprocess_init(&g.pre, T, SIDE, SIDE);
    if (!strcmp(name, "squash")) /* STEP's networks: the whole frame, whatever its proportions */
        assert_int_equal(ao_preprocess_set_resize(&g.pre, "112x112"), AOSA_OK);
    else
        assert_int_equal(ao_preset_find(name, &g.pre), AOSA_OK);
    const struct ao_picture frame = { .H = 240, .W = 320 };
    ao_frame_placement(&g.pre, &frame, g.scale, g.offset);
    return g;
}

static void presets_place_a_frame_of_ucf101_as_their_authors_do(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double height, width, top, left; /* of the resized frame, and what the crop cuts off */
    } cases[] = {
        { "kenshohara", 112, 149, 0, 18 },  /* spec C.2: X = x 149 / 320 - 18, Y = y 112 / 240 */
        { "torchvision", 128, 171, 8, 30 }, /* (171 - 112) / 2 = 29.5, half to even */
        { "squash", 112, 112, 0, 0 },       /* X = 112 x / 320 */
    };
    for (int i = 0; i < 3; i++) {
        const struct geometry g = geometry(cases[i].name);
        assert_true(g.scale[0] == cases[i].height / 240 && g.scale[1] == cases[i].width / 320);
        assert_true(g.offset[0] == cases[i].top && g.offset[1] == cases[i].left);
    }
}

static bool holds(double centre, double scale, double offset, double lo, double hi)
{
    const double p = (centre + offset) / scale;
    return p >= lo && p < hi;
}

/* Every pixel of every frame, by its centre in the source, against the mapped boxes. */
static void check_pixels(const struct aosa_clip *clip, const struct ao_source_box *box)
{
    struct ao_truth truth;
    assert_int_equal(ao_truth_init(&truth, clip, box, 1), AOSA_OK);
    for (int t = 0; t < T; t++)
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++) {
                bool is = false;
                for (size_t i = 0; i < truth.n; i++) {
                    const struct ao_box b = truth.boxes[i].box;
                    is = is ||
                         (truth.boxes[i].t == t && y >= b.y0 && y < b.y1 && x >= b.x0 && x < b.x1);
                }
                const bool want =
                    clip->frames[t] == box->frame &&
                    holds(y + 0.5, clip->scale[0], clip->offset[0], box->y0, box->y1) &&
                    holds(x + 0.5, clip->scale[1], clip->offset[1], box->x0, box->x1);
                assert_int_equal(is, want);
            }
    ao_truth_fini(&truth);
}

static void a_pixel_is_in_a_box_when_its_centre_is(void **state)
{
    (void)state;
    static const char *const names[] = { "kenshohara", "torchvision", "squash" };
    struct ao_rng rng;
    struct aosa_clip *clip;
    ao_rng_init(&rng, 11);
    assert_int_equal(ao_clip_create(T, SIDE, SIDE, &clip), AOSA_OK);
    for (int t = 0; t < T; t++)
        clip->frames[t] = 7 + 2 * t; /* 7, 9, 11, 13 */
    for (int i = 0; i < 3 * 12; i++) {
        const struct geometry g = geometry(names[i / 12]);
        memcpy(clip->scale, g.scale, sizeof g.scale);
        memcpy(clip->offset, g.offset, sizeof g.offset);
        /* Whole pixels of the source, as people draw them, also over the border; before, between,
         * among and after the clip's frames. */
        struct ao_source_box box = { .frame = 6 + i % 9 };
        box.x0 = (double)ao_rng_below(&rng, 340) - 10;
        box.y0 = (double)ao_rng_below(&rng, 260) - 10;
        box.x1 = box.x0 + (double)ao_rng_below(&rng, 120);
        box.y1 = box.y0 + (double)ao_rng_below(&rng, 120);
        check_pixels(clip, &box);
    }
    ao_clip_destroy(&clip);
}

/* --- clips of a video ---------------------------------------------------------------------------
 */

/* 50 frames of 112 x 112: those that belong to a video are 10 to 39, in clips of 16. */
static void boxes_follow_the_frames_of_each_clip(void **state)
{
    (void)state;
    static const uint8_t bytes[50 * 112 * 112 * 3];
    static const struct {
        const char *start;
        int clip;
        int64_t first;
    } cases[] = { { NULL, 0, 10 }, { NULL, 1, 17 }, { NULL, 2, 24 }, { "3", 0, 13 } };
    const char *path = in_folder("v.npy");
    assert_int_equal(ao_npy_write(path, AO_NPY_U8, 4, (const int64_t[]){ 50, 112, 112, 3 }, bytes),
                     AOSA_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        aosa_settings *settings;
        aosa_clip *clip;
        struct ao_truth truth;
        assert_int_equal(aosa_settings_create(&settings), AOSA_OK);
        assert_int_equal(aosa_settings_set(settings, "clips", cases[i].start ? "1" : "3"), AOSA_OK);
        if (cases[i].start)
            assert_int_equal(aosa_settings_set(settings, "start", cases[i].start), AOSA_OK);
        if (ao_clip_open_range(path, NULL, settings, cases[i].clip, 10, 40, &clip) != AOSA_OK)
            fail_msg("%s", aosa_error_message());
        assert_int_equal(clip->frames[0], cases[i].first);
        const struct ao_source_box boxes[] = { { 12, 0, 0, 9, 9 },
                                               { 26, 0, 0, 9, 9 },
                                               { 38, 0, 0, 9, 9 } };
        assert_int_equal(ao_truth_init(&truth, clip, boxes, 3), AOSA_OK);
        for (size_t b = 0; b < truth.n; b++)
            assert_true(clip->frames[truth.boxes[b].t] == 12 ||
                        clip->frames[truth.boxes[b].t] == 26 ||
                        clip->frames[truth.boxes[b].t] == 38);
        assert_int_equal(truth.n, cases[i].first <= 12 ? 1 : cases[i].first < 23 ? 1 : 2);
        ao_truth_fini(&truth);
        aosa_clip_close(&clip);
        aosa_settings_destroy(&settings);
    }
    aosa_clip *clip;
    assert_int_equal(ao_clip_open_range(path, NULL, NULL, 0, 10, 25, &clip), AOSA_ERR_INPUT);
    assert_non_null(strstr(aosa_error_message(), "and has 25"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(wrong_boxes_are_refused_with_file_and_line),
        TEST(a_table_of_tubes_has_its_class_in_the_column_label),
        TEST(boxes_come_from_the_corrected_annotations_of_ucf101),
        TEST(wrong_mat_files_are_refused_with_the_element),
        TEST(arrays_that_belie_their_dimensions_do_not_reach_libmatio),
        TEST(a_damaged_mat_file_ends_with_an_error_or_a_dataset),
        TEST(no_layout_hides_that_memory_is_short),
        TEST(presets_place_a_frame_of_ucf101_as_their_authors_do),
        TEST(a_pixel_is_in_a_box_when_its_centre_is),
        TEST(boxes_follow_the_frames_of_each_clip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
