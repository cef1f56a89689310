/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/alloc.h"
#include "core/file.h"
#include "model/card.h"
#include "model/labels.h"
#include "support/folder.h"

static const char *write_file(const char *name, const char *text)
{
    const char *path = in_folder(name);
    assert_int_equal(ao_file_write(path, text, strlen(text)), AOSA_OK);
    return path;
}

static void labels_are_read_whatever_ends_their_lines(void **state)
{
    (void)state;
    char **labels;
    int n;
    assert_int_equal(ao_labels_read(write_file("l.txt", "a\r\nb c\nd"), &labels, &n), AOSA_OK);
    assert_int_equal(n, 3);
    assert_string_equal(labels[0], "a");
    assert_string_equal(labels[2], "d");
    assert_int_equal(ao_labels_find(labels, n, "B_C"), 1);
    assert_int_equal(ao_labels_find(labels, n, "bc"), 1);
    assert_int_equal(ao_labels_find(labels, n, "b"), -1);
    ao_labels_destroy(&labels, n);
}

static void damaged_label_files_are_refused_by_line(void **state)
{
    (void)state;
    char **labels;
    int n;
    assert_int_equal(ao_labels_read(write_file("l.txt", ""), &labels, &n), AOSA_ERR_FORMAT);
    assert_int_equal(ao_labels_read(write_file("l.txt", "a\n\nb\n"), &labels, &n), AOSA_ERR_FORMAT);
    assert_non_null(strstr(aosa_error_message(), "line 2"));
    assert_null(labels);
}

/* A model that only knows where it lies: what a card needs. */
static aosa_status load_card(struct aosa_model *model, const char *card)
{
    static struct ao_onnx_model onnx;
    static char model_path[128];
    write_file("m.onnx.json", card);
    snprintf(model_path, sizeof model_path, "%s/m.onnx", folder_path());
    *model = (struct aosa_model){ .path = model_path, .onnx = &onnx };
    return ao_card_load(model);
}

static void free_card(struct aosa_model *model)
{
    json_decref(model->card);
    ao_free(model->card_source);
}

static void card_says_how_to_feed_the_network(void **state)
{
    (void)state;
    struct aosa_model model;
    struct ao_preprocess pre;
    assert_int_equal(load_card(&model, "{\"aosa_model_card\": 1, \"mean\": [0.5, 0.25, 1],"
                                       "\"std\": [1, 2, 3], \"step\": 2, \"bgr\": true,"
                                       "\"preset\": \"i3d\", \"resize\": \"128x171\","
                                       "\"range\": 255, \"labels\": \"names.txt\"}"),
                     AOSA_OK);
    ao_preprocess_init(&pre, 16, 112, 112);
    assert_string_equal(ao_card_preset(&model), "i3d");
    assert_int_equal(ao_card_apply(&model, &pre), AOSA_OK);
    assert_true(pre.mean[1] == 0.25 && pre.std[2] == 3 && pre.step == 2 && pre.bgr);
    assert_true(pre.range == 255 && pre.resize == AO_RESIZE_SQUASH && pre.resize_w == 171);
    char *labels, expected[160];
    assert_int_equal(ao_card_labels_path(&model, &labels), AOSA_OK);
    snprintf(expected, sizeof expected, "%s/names.txt", folder_path());
    assert_string_equal(labels, expected);
    ao_free(labels);
    free_card(&model);
}

static void wrong_cards_are_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "{\"mean\": [1,2,3]}", "\"aosa_model_card\" is 0, this version reads 1" },
        { "{\"aosa_model_card\": 1, \"maen\": [1,2,3]}", "'maen' is no key of a model card" },
        { "{\"aosa_model_card\": 1, \"mean\": 3}", "'mean' has the wrong type" },
        { "{\"aosa_model_card\": 1, \"step\": -1}", "step -1 is not in 1 to 4096" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct aosa_model model;
        assert_int_equal(load_card(&model, cases[i][0]), AOSA_ERR_FORMAT);
        assert_non_null(strstr(aosa_error_message(), cases[i][1]));
        free_card(&model);
    }
}

static void card_values_out_of_range_are_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "\"std\": [1, 0, 1]", "std 0 is not above 0" },
        { "\"mean\": [1, 2]", "'mean' has 2 numbers, 3 are needed" },
        { "\"mean\": [1, 2, \"x\"]", "'mean' holds something that is no number" },
        { "\"range\": -1", "range -1 is not above 0" },
        { "\"resize\": \"big\"", "'big'" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char card[128];
        struct aosa_model model;
        struct ao_preprocess pre;
        snprintf(card, sizeof card, "{\"aosa_model_card\": 1, %s}", cases[i][0]);
        assert_int_equal(load_card(&model, card), AOSA_OK);
        ao_preprocess_init(&pre, 16, 112, 112);
        assert_int_equal(ao_card_apply(&model, &pre), AOSA_ERR_FORMAT);
        assert_non_null(strstr(aosa_error_message(), cases[i][1]));
        free_card(&model);
    }
}

static void labels_outside_the_models_folder_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = { "/etc/passwd", "../x", "a/../../x", "", ".." };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char card[128], *labels;
        struct aosa_model model;
        snprintf(card, sizeof card, "{\"aosa_model_card\": 1, \"labels\": \"%s\"}", names[i]);
        assert_int_equal(load_card(&model, card), AOSA_OK);
        assert_int_equal(ao_card_labels_path(&model, &labels), AOSA_ERR_FORMAT);
        assert_null(labels);
        free_card(&model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_read_whatever_ends_their_lines),
        cmocka_unit_test(damaged_label_files_are_refused_by_line),
        cmocka_unit_test(card_says_how_to_feed_the_network),
        cmocka_unit_test(wrong_cards_are_refused),
        cmocka_unit_test(card_values_out_of_range_are_refused),
        cmocka_unit_test(labels_outside_the_models_folder_are_refused),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
