/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aosa/aosa.h"
#include "core/file.h"
#include "core/json.h"
#include "support/folder.h"
#include "support/odd_net.h"

/* What a network does not allow, and what it makes meaningless, is said. */

static int write_files(void **state)
{
    if (folder_make(state))
        return -1;
    odd_net_write(in_folder("modulo.onnx"), (struct odd_net){ .modulo = true });
    odd_net_write(in_folder("certain.onnx"), (struct odd_net){ .sharpness = 1000 });
    odd_clip_write(in_folder("clip.npy"));
    return 0;
}

/* A model of the folder, the clip, and settings of a method. */
struct bench {
    aosa_model *model;
    aosa_clip *clip;
    aosa_settings *settings;
};

static void bench_open(struct bench *bench, const char *model, const char *method,
                       const char *score)
{
    *bench = (struct bench){ 0 };
    if (aosa_model_open(in_folder(model), NULL, &bench->model) != AOSA_OK ||
        aosa_clip_open(in_folder("clip.npy"), bench->model, NULL, 0, &bench->clip) != AOSA_OK ||
        aosa_settings_create(&bench->settings) != AOSA_OK ||
        aosa_settings_set(bench->settings, "method", method) != AOSA_OK ||
        (score && aosa_settings_set(bench->settings, "score", score) != AOSA_OK))
        fail_msg("%s", aosa_error_message());
}

static void bench_close(struct bench *bench)
{
    aosa_settings_destroy(&bench->settings);
    aosa_clip_close(&bench->clip);
    aosa_model_close(&bench->model);
}

/* Status of the method on a model; the warning is copied. */
static aosa_status run(const char *model, const char *method, const char *score, char warning[256])
{
    struct bench bench;
    aosa_explanation *e = NULL;
    bench_open(&bench, model, method, score);
    const aosa_status status =
        aosa_explain(bench.model, bench.clip, bench.settings, NULL, NULL, &e);
    if (status == AOSA_OK && warning)
        snprintf(warning, 256, "%s", aosa_explanation_warning(e));
    aosa_explanation_destroy(&e);
    bench_close(&bench);
    return status;
}

static void operator_without_a_backward_is_named_and_the_rest_works(void **state)
{
    (void)state;
    char warning[256];
    assert_int_equal(run("modulo.onnx", "gradient", NULL, NULL), AOSA_ERR_UNSUPPORTED);
    assert_non_null(strstr(aosa_error_message(), "Mod (node 'wrap')"));
    assert_int_equal(run("modulo.onnx", "aosa-fast", NULL, NULL), AOSA_ERR_UNSUPPORTED);
    assert_int_equal(run("modulo.onnx", "aosa", NULL, warning), AOSA_OK);
    assert_non_null(strstr(warning, "no --detail"));
    assert_non_null(strstr(warning, "Mod (node 'wrap')"));
    assert_int_equal(run("modulo.onnx", "centre", NULL, NULL), AOSA_OK);
    /* The layer that Grad-CAM weighs lies behind it. */
    assert_int_equal(run("modulo.onnx", "gradcam", NULL, NULL), AOSA_OK);
}

static bool works(const json_t *page, const char *method, const char **why)
{
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(page, "methods"), i,
                       row) if (!strcmp(json_string_value(json_object_get(row, "name")), method))
    {
        *why = json_string_value(json_object_get(row, "why"));
        return json_is_true(json_object_get(row, "works"));
    }
    fail_msg("inspect says nothing of %s", method);
    return false;
}

static void inspect_tells_which_methods_work(void **state)
{
    (void)state;
    const char *why;
    char *text;
    assert_int_equal(aosa_inspect(in_folder("modulo.onnx"), NULL, true, &text), AOSA_OK);
    json_t *page = json_loads(text, 0, NULL);
    assert_non_null(page);
    assert_true(works(page, "aosa", &why) && works(page, "gradcam", &why));
    assert_false(works(page, "smoothgrad", &why));
    assert_non_null(strstr(why, "Mod (node 'wrap')"));
    json_decref(page);
    aosa_text_free(&text);

    assert_int_equal(aosa_inspect(in_folder("modulo.onnx"), NULL, false, &text), AOSA_OK);
    assert_non_null(strstr(text, "methods    aosa osa "));
    assert_non_null(strstr(text, "not        "));
    aosa_text_free(&text);
}

static void comparison_lists_what_does_not_work(void **state)
{
    (void)state;
    struct bench bench;
    char output[160], *text;
    bench_open(&bench, "modulo.onnx", "aosa", NULL);
    aosa_settings_destroy(&bench.settings);
    snprintf(output, sizeof output, "%s/compared", folder_path());
    if (aosa_compare(bench.model, bench.clip, NULL, "gradient,centre", NULL, NULL, output, false,
                     false, &text) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    assert_non_null(strstr(text, "Mod (node 'wrap')"));
    aosa_text_free(&text);
    assert_true(ao_path_exists(in_folder("compared/sheet.png")));
    assert_true(ao_path_exists(in_folder("compared/centre/result.json")));
    assert_false(ao_path_exists(in_folder("compared/gradient")));

    snprintf(output, sizeof output, "%s/nothing", folder_path());
    assert_int_equal(aosa_compare(bench.model, bench.clip, NULL, "gradient,vargrad", NULL, NULL,
                                  output, false, false, &text),
                     AOSA_ERR_UNSUPPORTED);
    assert_false(ao_path_exists(output));
    bench_close(&bench);
}

static void flat_softmax_is_warned_of(void **state)
{
    (void)state;
    static const char *const methods[] = { "gradient", "aosa-fast", "gradcam" };
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        char warning[256];
        assert_int_equal(run("certain.onnx", methods[i], "prob", warning), AOSA_OK);
        print_message("%s: %s\n", methods[i], warning);
        assert_non_null(strstr(warning, "--score logit"));
        assert_int_equal(run("certain.onnx", methods[i], "logit", warning), AOSA_OK);
        assert_string_equal(warning, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operator_without_a_backward_is_named_and_the_rest_works),
        cmocka_unit_test(inspect_tells_which_methods_work),
        cmocka_unit_test(comparison_lists_what_does_not_work),
        cmocka_unit_test(flat_softmax_is_warned_of),
    };
    return cmocka_run_group_tests(tests, write_files, folder_remove);
}
