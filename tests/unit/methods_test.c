/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "attribution/detail.h"
#include "explain/explanation.h"
#include "support/folder.h"
#include "support/odd_net.h"

/*
 * What every row of methods.def promises, tested for all of them: a new row needs no test of its
 * own here. The bundled network and clip, and a network of odd sizes with random weights.
 */

static aosa_model *demo_model, *odd_model;
static aosa_clip *demo_clip, *odd_clip;

static void open_pair(const char *model_path, aosa_model **model, const char *clip_path,
                      aosa_clip **clip)
{
    if (aosa_model_open(model_path, NULL, model) != AOSA_OK ||
        aosa_clip_open(clip_path, *model, NULL, 0, clip) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
}

static int open_all(void **state)
{
    if (folder_make(state))
        return -1;
    const char *net = in_folder("odd.onnx"), *clip = in_folder("odd.npy");
    odd_net_write(net, (struct odd_net){ 0 });
    odd_clip_write(clip);
    open_pair(net, &odd_model, clip, &odd_clip);
    open_pair("demo/model.onnx", &demo_model, "demo/clip.mp4", &demo_clip);
    return 0;
}

static int close_all(void **state)
{
    aosa_clip_close(&demo_clip);
    aosa_clip_close(&odd_clip);
    aosa_model_close(&demo_model);
    aosa_model_close(&odd_model);
    return folder_remove(state);
}

static void set(aosa_settings *settings, const char *name, const char *value)
{
    if (aosa_settings_set(settings, name, value) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
}

/* The method with little work: few masks, samples, steps and supervoxels. */
static aosa_settings *settings_of(const struct ao_method *method, const char *threads)
{
    /* Group, an option that the method must use, option, value. */
    static const char *const little[][4] = {
        { "masks", "stride", "stride", "28" },
        { "masks", "time-stride", "time-stride", "8" },
        { "method", "samples", "samples", "2" },
        { "method", "steps", "steps", "2" },
        { "method", "iterations", "iterations", "3" },
        { "method", "cells", "cells", "1x3x3" },
        { "method", "segments", "samples", "20" }, /* kernelshap's least for 9 segments */
    };
    aosa_settings *settings;
    assert_int_equal(aosa_settings_create(&settings), AOSA_OK);
    set(settings, "method", method->name);
    set(settings, "threads", threads);
    set(settings, "target", "top2");
    for (size_t i = 0; i < sizeof little / sizeof little[0]; i++)
        if (ao_method_uses(method, little[i][0], little[i][1]) &&
            ao_method_uses(method, little[i][0], little[i][2]) &&
            (method->mask || strcmp(little[i][0], "masks")))
            set(settings, little[i][2], little[i][3]);
    return settings;
}

static aosa_explanation *explain(const struct ao_method *method, const aosa_model *model,
                                 const aosa_clip *clip, const char *threads)
{
    aosa_settings *settings = settings_of(method, threads);
    aosa_explanation *explanation = NULL;
    if (aosa_explain(model, clip, settings, NULL, NULL, &explanation) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    aosa_settings_destroy(&settings);
    return explanation;
}

static void check_map(const struct ao_map_result *result, size_t voxels)
{
    float low = result->map[0], high = low;
    for (size_t i = 0; i < voxels; i++) {
        assert_true(isfinite(result->map[i]));
        assert_true(result->normalised[i] >= 0 && result->normalised[i] <= 255);
        low = fminf(low, result->map[i]);
        high = fmaxf(high, result->map[i]);
    }
    if (!(high > low))
        fail_msg("the map is %g everywhere", (double)low);
    assert_true(isfinite(result->base));
    assert_true(result->probability >= 0 && result->probability <= 1);
}

static void check_explanation(const aosa_explanation *e)
{
    const struct ao_attribution *a = &e->attribution;
    assert_int_equal(aosa_explanation_targets(e), 2);
    for (int k = 0; k < 2; k++) {
        size_t n;
        check_map(&a->results[k], ao_clip_voxels(a->clip));
        const float *scores = aosa_explanation_scores(e, k, &n);
        assert_int_equal(n > 0, (a->method->needs & AO_NEEDS_MASKS) != 0);
        for (size_t i = 0; i < n; i++)
            assert_true(isfinite(scores[i]));
    }
    assert_true(a->results[0].probability >= a->results[1].probability);
    assert_true(a->passes.forwards >= 1);
    assert_int_equal(a->passes.backwards > 0,
                     (a->method->needs & AO_NEEDS_GRADIENT) != 0 || ao_detail_wanted(a));
}

static void same_bits(const aosa_explanation *a, const aosa_explanation *b)
{
    const size_t bytes = ao_clip_voxels(a->attribution.clip) * sizeof(float);
    for (int k = 0; k < 2; k++) {
        assert_memory_equal(aosa_explanation_map(a, k), aosa_explanation_map(b, k), bytes);
        assert_memory_equal(aosa_explanation_normalised(a, k), aosa_explanation_normalised(b, k),
                            bytes);
    }
}

static void gives_two_finite_maps_with_the_same_bits_at_two_threads(void **state)
{
    const struct ao_method *method = *state;
    aosa_explanation *first = explain(method, demo_model, demo_clip, "1");
    aosa_explanation *threaded = explain(method, demo_model, demo_clip, "2");
    check_explanation(first);
    same_bits(first, threaded);
    aosa_explanation_destroy(&first);
    aosa_explanation_destroy(&threaded);
}

static void works_on_a_network_of_odd_sizes(void **state)
{
    aosa_explanation *e = explain(*state, odd_model, odd_clip, "2");
    check_explanation(e);
    aosa_explanation_destroy(&e);
}

static bool stop(void *user, const char *stage, size_t done, size_t total)
{
    (void)user, (void)stage, (void)done, (void)total;
    return false;
}

static void stops_when_the_callback_says_so(void **state)
{
    aosa_settings *settings = settings_of(*state, "2");
    aosa_explanation *e = NULL;
    assert_int_equal(aosa_explain(demo_model, demo_clip, settings, stop, NULL, &e),
                     AOSA_ERR_CANCELLED);
    assert_null(e);
    aosa_settings_destroy(&settings);
}

/* --dry-run tells the passes that the run then counts. */
static void plan_counts_the_passes_that_are_run(void **state)
{
    const struct ao_method *method = *state;
    aosa_explanation *e = explain(method, odd_model, odd_clip, "1");
    struct ao_passes planned;
    assert_int_equal(method->passes(&e->attribution, 2, &planned), AOSA_OK);
    assert_int_equal(planned.forwards, e->attribution.passes.forwards);
    assert_int_equal(planned.backwards, e->attribution.passes.backwards);
    aosa_explanation_destroy(&e);
}

static void report_and_plan_are_made(void **state)
{
    aosa_settings *settings = settings_of(*state, "1");
    aosa_explanation *e;
    char *text;
    if (aosa_explain_plan(odd_model, odd_clip, settings, true, &text) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    assert_non_null(strstr(text, "\"forwards\""));
    aosa_text_free(&text);
    assert_int_equal(aosa_explain(odd_model, odd_clip, settings, NULL, NULL, &e), AOSA_OK);
    assert_int_equal(aosa_explanation_text(e, true, &text), AOSA_OK);
    assert_non_null(strstr(text, "\"importance_per_frame\""));
    aosa_text_free(&text);
    assert_int_equal(aosa_explanation_text(e, false, &text), AOSA_OK);
    aosa_text_free(&text);
    aosa_explanation_destroy(&e);
    aosa_settings_destroy(&settings);
}

static const struct promise {
    const char *words;
    CMUnitTestFunction check;
} promises[] = {
    { "gives two finite maps with the same bits at two threads",
      gives_two_finite_maps_with_the_same_bits_at_two_threads },
    { "works on a network of odd sizes", works_on_a_network_of_odd_sizes },
    { "stops when the callback says so", stops_when_the_callback_says_so },
    { "counts in a plan the passes that are run", plan_counts_the_passes_that_are_run },
    { "gets a report and a plan", report_and_plan_are_made },
};
#define N_PROMISES (sizeof promises / sizeof promises[0])

int main(void)
{
    int n;
    const struct ao_method *methods = ao_methods(&n);
    const size_t n_tests = (size_t)n * N_PROMISES;
    struct CMUnitTest *tests = calloc(n_tests, sizeof *tests);
    char(*names)[128] = calloc(n_tests, sizeof *names);
    if (!tests || !names)
        return EXIT_FAILURE;
    for (size_t i = 0; i < n_tests; i++) {
        const struct ao_method *method = &methods[i / N_PROMISES];
        const struct promise *promise = &promises[i % N_PROMISES];
        snprintf(names[i], sizeof names[i], "%s %s", method->name, promise->words);
        tests[i] = (struct CMUnitTest){ .name = names[i],
                                        .test_func = promise->check,
                                        .initial_state = (void *)(uintptr_t)method };
    }
    const int failed = _cmocka_run_group_tests("methods", tests, n_tests, open_all, close_all);
    free(tests);
    free(names);
    return failed;
}
