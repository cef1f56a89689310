/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "aosa/explain.h"
#include "attribution/targets.h"
#include "explain/page.h"
#include "explain/settings.h"

static char diving[] = "CliffDiving", makeup[] = "Apply Eye-Makeup", push_up[] = "push-up";
static char comma[] = "a,b", number[] = "21", model_path[] = "m.onnx";
static char *labels[] = { diving, makeup, push_up, comma, number };
static struct aosa_model model = {
    .path = model_path, .labels = labels, .n_labels = 5, .classes = 5
};
static const float outputs[] = { 0.5F, 2.0F, -1.0F, 2.0F, 0.0F };

static void check_target(const char *text, int n, const int (*expected)[2])
{
    struct ao_target targets[AO_MAX_TARGETS];
    int found;
    if (ao_targets_resolve(&model, text, outputs, targets, &found) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    assert_int_equal(found, n);
    for (int i = 0; i < n; i++) {
        assert_int_equal(targets[i].a, expected[i][0]);
        assert_int_equal(targets[i].b, expected[i][1]);
    }
}

static void targets_are_numbers_labels_tops_and_contrasts(void **state)
{
    (void)state;
    check_target("2", 1, (const int[][2]){ { 2, -1 } });
    check_target("CliffDiving", 1, (const int[][2]){ { 0, -1 } });
    check_target("cliff_diving", 1, (const int[][2]){ { 0, -1 } });
    check_target("apply eye makeup", 1, (const int[][2]){ { 1, -1 } });
    check_target("push-up", 1, (const int[][2]){ { 2, -1 } });
    check_target("a,b", 1, (const int[][2]){ { 3, -1 } });
    check_target("21", 1, (const int[][2]){ { 4, -1 } }); /* a label before a number */
    check_target("top1", 1, (const int[][2]){ { 1, -1 } });
    check_target("top3", 3, (const int[][2]){ { 1, -1 }, { 3, -1 }, { 0, -1 } });
    check_target("0-2", 1, (const int[][2]){ { 0, 2 } });
    check_target("CliffDiving-push-up", 1, (const int[][2]){ { 0, 2 } });
    check_target("0,top1,1-0", 3, (const int[][2]){ { 0, -1 }, { 1, -1 }, { 1, 0 } });
}

static void wrong_targets_say_what_would_be_right(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "5", "target 5 is out of range, the classes are 0 to 4" },
        { "-1", "target -1 is out of range, the classes are 0 to 4" },
        { "diving", "target 'diving' is none of the 5 labels, such as 'CliffDiving'" },
        { "top0", "--target: top0, top1 to top5 are possible here" },
        { "top6", "--target: top6, top1 to top5 are possible here" },
        { "0-0", "--target '0-0': a contrast needs two classes" },
        { ",", "--target ',' names no class" },
    };
    struct ao_target targets[AO_MAX_TARGETS];
    int n;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(ao_targets_resolve(&model, cases[i][0], outputs, targets, &n),
                         AOSA_ERR_ARGUMENT);
        assert_string_equal(aosa_error_message(), cases[i][1]);
    }
}

static void target_names_are_labels(void **state)
{
    (void)state;
    char text[64];
    assert_string_equal(ao_target_name(&model, (struct ao_target){ 0, 2 }, text, sizeof text),
                        "CliffDiving-push-up");
    struct aosa_model bare = { .classes = 3 };
    assert_string_equal(ao_target_name(&bare, (struct ao_target){ 2, -1 }, text, sizeof text),
                        "class 2");
}

static void method_chooses_masks_unless_the_user_did(void **state)
{
    (void)state;
    aosa_settings *settings, *resolved;
    assert_int_equal(aosa_settings_create(&settings), AOSA_OK);
    assert_int_equal(aosa_settings_set(settings, "method", "osa"), AOSA_OK);
    assert_int_equal(ao_settings_resolve(settings, &resolved), AOSA_OK);
    json_t *json = ao_settings_json(resolved, NULL);
    assert_string_equal(json_string_value(json_object_get(json, "mask")), "cuboid");
    assert_true(json_integer_value(json_object_get(json, "threads")) >= 1);
    json_decref(json);
    aosa_settings_destroy(&resolved);

    assert_int_equal(aosa_settings_set(settings, "mask", "flow"), AOSA_OK);
    assert_int_equal(ao_settings_resolve(settings, &resolved), AOSA_OK);
    json = ao_settings_json(resolved, NULL);
    assert_string_equal(json_string_value(json_object_get(json, "mask")), "flow");
    json_decref(json);
    aosa_settings_destroy(&resolved);
    aosa_settings_destroy(&settings);
}

static void check_refused(const char *method, const char *option, const char *value,
                          const char *message)
{
    aosa_settings *settings;
    assert_int_equal(aosa_settings_create(&settings), AOSA_OK);
    assert_int_equal(aosa_settings_set(settings, "method", method), AOSA_OK);
    assert_int_equal(aosa_settings_set(settings, option, value), AOSA_OK);
    const aosa_status status = ao_settings_check_method(settings);
    if (message) {
        assert_int_equal(status, AOSA_ERR_ARGUMENT);
        assert_non_null(strstr(aosa_error_message(), message));
    } else {
        assert_int_equal(status, AOSA_OK);
    }
    aosa_settings_destroy(&settings);
}

static void options_that_the_method_does_not_use_are_refused(void **state)
{
    (void)state;
    check_refused("centre", "stride", "8",
                  "--stride: method centre does not use it, these do: aosa");
    check_refused("random", "fill", "mean", "--fill: method random does not use it");
    check_refused("aosa", "layer", "3", "--layer: method aosa does not use it");
    check_refused("centre", "flow", "dis", "--flow: method centre does not use it");
    check_refused("flow_magnitude", "flow", "dis", NULL);
    check_refused("random", "seed", "3", NULL);
    check_refused("osa", "seed", "3", NULL);
    check_refused("aosa", "window", "6", NULL);
    check_refused("centre", "threads", "3", NULL);
    check_refused("centre", "score", "logit", NULL);
}

/* The record of a method holds what it uses, its own score where the user named none. */
static void record_holds_what_the_method_uses(void **state)
{
    (void)state;
    int n;
    const struct ao_method *methods = ao_methods(&n);
    for (int i = 0; i < n; i++) {
        aosa_settings *settings, *resolved;
        assert_int_equal(aosa_settings_create(&settings), AOSA_OK);
        assert_int_equal(aosa_settings_set(settings, "method", methods[i].name), AOSA_OK);
        assert_int_equal(ao_settings_resolve(settings, &resolved), AOSA_OK);
        json_t *json = ao_settings_json(resolved, &methods[i]);
        const bool logit =
            !strcmp(methods[i].family, "gradient") || !strcmp(methods[i].family, "cam");
        assert_string_equal(json_string_value(json_object_get(json, "score")),
                            logit ? "logit" : "prob");
        assert_int_equal(json_object_get(json, "stride") != NULL,
                         (methods[i].needs & AO_NEEDS_MASKS) != 0);
        assert_int_equal(json_object_get(json, "layer") != NULL,
                         ao_method_reads(&methods[i], "layer"));
        json_decref(json);
        aosa_settings_destroy(&resolved);
        aosa_settings_destroy(&settings);
    }
}

/* Every word of a row's `options` names an option, so that no misspelt one passes unseen. */
static void rows_name_options_that_exist(void **state)
{
    (void)state;
    int n;
    const struct ao_method *methods = ao_methods(&n);
    for (int i = 0; i < n; i++) {
        size_t words = *methods[i].options != '\0', found = 0;
        for (const char *p = methods[i].options; *p; p++)
            words += *p == ' ';
        struct aosa_option_info info;
        for (size_t k = 0; aosa_option_at(k, &info); k++)
            found += ao_method_reads(&methods[i], info.name);
        if (found != words)
            fail_msg("%s: '%s' names %zu options, %zu exist", methods[i].name, methods[i].options,
                     words, found);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(methods[i].name, methods[j].name);
    }
}

static void unknown_methods_get_near_names(void **state)
{
    (void)state;
    aosa_settings *settings;
    assert_int_equal(aosa_settings_create(&settings), AOSA_OK);
    assert_int_equal(aosa_settings_set(settings, "method", "randon"), AOSA_ERR_ARGUMENT);
    assert_non_null(strstr(aosa_error_message(), "did you mean random?"));
    assert_int_equal(aosa_settings_set(settings, "method", "frame-difference"), AOSA_ERR_ARGUMENT);
    assert_non_null(strstr(aosa_error_message(), "did you mean frame_difference?"));
    assert_int_equal(aosa_settings_set(settings, "method", "magic"), AOSA_ERR_ARGUMENT);
    assert_null(strstr(aosa_error_message(), "did you mean"));
    aosa_settings_destroy(&settings);
}

static void lists_are_text_or_json(void **state)
{
    (void)state;
    char *text;
    assert_int_equal(aosa_list("methods", false, &text), AOSA_OK);
    assert_non_null(strstr(text, "exact occlusion by cuboids that stand still"));
    assert_null(strstr(text, "coolwarm"));
    aosa_text_free(&text);
    assert_int_equal(aosa_list(NULL, true, &text), AOSA_OK);
    assert_non_null(strstr(text, "\"colormaps\""));
    assert_non_null(strstr(text, "\"flow_vec_corr\""));
    aosa_text_free(&text);
    assert_int_equal(aosa_list("metods", true, &text), AOSA_ERR_ARGUMENT);
}

static void every_option_has_a_row_and_fits_the_record(void **state)
{
    (void)state;
    struct aosa_option_info info;
    size_t n = 0;
    for (; aosa_option_at(n, &info); n++) {
        assert_non_null(info.help);
        assert_non_null(info.group);
        struct aosa_option_info other;
        for (size_t i = 0; i < n; i++) { /* names are unique over all groups */
            assert_true(aosa_option_at(i, &other));
            assert_string_not_equal(info.name, other.name);
        }
    }
    assert_true(n > 40 && n <= AO_MAX_OPTIONS);
    aosa_settings *settings;
    assert_int_equal(aosa_settings_create(&settings), AOSA_OK);
    assert_int_equal(aosa_settings_set(settings, "colour", "red"), AOSA_ERR_ARGUMENT);
    assert_string_equal(aosa_error_message(), "--colour: unknown option");
    aosa_settings_destroy(&settings);
}

static void page_grows_and_is_handed_over(void **state)
{
    (void)state;
    struct ao_page page = { 0 };
    char *text;
    for (int i = 0; i < 1000; i++)
        ao_page_add(&page, "line %d\n", i);
    assert_int_equal(ao_page_take(&page, &text), AOSA_OK);
    assert_non_null(strstr(text, "line 999\n"));
    aosa_text_free(&text);
    assert_int_equal(ao_page_take(&page, &text), AOSA_OK);
    assert_string_equal(text, "");
    aosa_text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_are_numbers_labels_tops_and_contrasts),
        cmocka_unit_test(wrong_targets_say_what_would_be_right),
        cmocka_unit_test(target_names_are_labels),
        cmocka_unit_test(method_chooses_masks_unless_the_user_did),
        cmocka_unit_test(options_that_the_method_does_not_use_are_refused),
        cmocka_unit_test(record_holds_what_the_method_uses),
        cmocka_unit_test(rows_name_options_that_exist),
        cmocka_unit_test(unknown_methods_get_near_names),
        cmocka_unit_test(lists_are_text_or_json),
        cmocka_unit_test(every_option_has_a_row_and_fits_the_record),
        cmocka_unit_test(page_grows_and_is_handed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
