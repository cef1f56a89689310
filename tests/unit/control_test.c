/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "attribution/method.h"
#include "core/rng.h"
#include "explain/explanation.h"

/* The controls against their formulas, on the bundled network and clip. */

static aosa_model *model;
static aosa_clip *clip;

static int open_demo(void **state)
{
    (void)state;
    if (aosa_model_open("demo/model.onnx", NULL, &model) != AOSA_OK ||
        aosa_clip_open("demo/clip.mp4", model, NULL, 0, &clip) != AOSA_OK)
        return -1;
    return 0;
}

static int close_demo(void **state)
{
    (void)state;
    aosa_clip_close(&clip);
    aosa_model_close(&model);
    return 0;
}

static aosa_explanation *explain(const char *method, const char *seed)
{
    aosa_settings *settings;
    aosa_explanation *e = NULL;
    assert_int_equal(aosa_settings_create(&settings), AOSA_OK);
    assert_int_equal(aosa_settings_set(settings, "method", method), AOSA_OK);
    if (seed)
        assert_int_equal(aosa_settings_set(settings, "seed", seed), AOSA_OK);
    if (aosa_explain(model, clip, settings, NULL, NULL, &e) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    aosa_settings_destroy(&settings);
    return e;
}

static size_t voxel(int t, int y, int x)
{
    return ((size_t)t * (size_t)clip->H + (size_t)y) * (size_t)clip->W + (size_t)x;
}

/* Of n uniform numbers mean and variance stray by sqrt(1/12 / n) and sqrt(1/180 / n); six of those.
 */
static void random_is_uniform_and_follows_the_seed(void **state)
{
    (void)state;
    aosa_explanation *a = explain("random", "7"), *b = explain("random", "8");
    const float *map = aosa_explanation_map(a, 0);
    const size_t n = ao_clip_voxels(clip);
    double sum = 0, squares = 0;
    struct ao_rng rng;
    ao_rng_init(&rng, 7);
    for (size_t i = 0; i < n; i++) {
        assert_true(map[i] == (float)ao_rng_uniform(&rng));
        sum += (double)map[i];
        squares += ((double)map[i] - 0.5) * ((double)map[i] - 0.5);
    }
    assert_true(fabs(sum / (double)n - 0.5) < 6 * sqrt(1.0 / 12 / (double)n));
    assert_true(fabs(squares / (double)n - 1.0 / 12) < 6 * sqrt(1.0 / 180 / (double)n));
    assert_memory_not_equal(map, aosa_explanation_map(b, 0), n * sizeof *map);
    aosa_explanation_destroy(&a);
    aosa_explanation_destroy(&b);
}

static void centre_is_a_gaussian_of_a_quarter_of_the_side(void **state)
{
    (void)state;
    aosa_explanation *e = explain("centre", NULL);
    const float *map = aosa_explanation_map(e, 0);
    const double H = clip->H, W = clip->W;
    for (int y = 0; y < clip->H; y += 7)
        for (int x = 0; x < clip->W; x += 5) {
            const double u = (y - (H - 1) / 2) / (H / 4), v = (x - (W - 1) / 2) / (W / 4);
            /* exp(a) exp(b) for exp(a + b), in double, then one rounding to float */
            assert_true(fabs((double)map[voxel(3, y, x)] - exp(-0.5 * (u * u + v * v))) < 1e-7);
            assert_true(map[voxel(3, y, x)] == map[voxel(11, clip->H - 1 - y, clip->W - 1 - x)]);
        }
    aosa_explanation_destroy(&e);
}

static void frame_difference_is_the_mean_over_channels(void **state)
{
    (void)state;
    aosa_explanation *e = explain("frame_difference", NULL);
    const float *map = aosa_explanation_map(e, 0);
    for (int t = 0; t < clip->T; t++)
        for (int y = 0; y < clip->H; y += 3)
            for (int x = 0; x < clip->W; x += 3) {
                const int at = t ? t : 1;
                int sum = 0;
                for (size_t c = 0; c < 3; c++)
                    sum += abs(clip->rgb[3 * voxel(at, y, x) + c] -
                               clip->rgb[3 * voxel(at - 1, y, x) + c]);
                assert_true(map[voxel(t, y, x)] == (float)sum / 3);
            }
    aosa_explanation_destroy(&e);
}

static void flow_magnitude_is_the_length_of_the_flow(void **state)
{
    (void)state;
    aosa_explanation *e = explain("flow_magnitude", NULL);
    const float *map = aosa_explanation_map(e, 0);
    for (int t = 0; t < clip->T; t++)
        for (int y = 0; y < clip->H; y += 3)
            for (int x = 0; x < clip->W; x += 3) {
                const float *d = ao_flow_at(e->flow, t < clip->T - 1 ? t : t - 1, y, x);
                const double length =
                    sqrt((double)d[0] * (double)d[0] + (double)d[1] * (double)d[1]);
                /* hypotf is right to one unit in the last place */
                assert_true(fabs((double)map[voxel(t, y, x)] - length) <= 1.2e-7 * length);
            }
    aosa_explanation_destroy(&e);
}

static void display_keeps_zero_neutral_and_the_largest_at_an_end(void **state)
{
    (void)state;
    float map[] = { 0, 2, -4, 1 }, normalised[4];
    struct aosa_clip four = { .T = 1, .H = 2, .W = 2 };
    const struct ao_attribution attribution = { .clip = &four };
    struct ao_map_result result = { .map = map, .normalised = normalised };
    ao_attribution_normalise(&attribution, &result);
    assert_true(normalised[0] == 127.5F && normalised[1] == 191.25F);
    assert_true(normalised[2] == 0 && normalised[3] == 159.375F);
    memset(map, 0, sizeof map);
    ao_attribution_normalise(&attribution, &result);
    assert_true(normalised[0] == 127.5F && normalised[3] == 127.5F);
}

/* 3000 voxels, so the three largest are cut. */
static void display_is_not_ruled_by_a_few_voxels(void **state)
{
    (void)state;
    static float map[3000], normalised[3000];
    struct aosa_clip many = { .T = 3, .H = 10, .W = 100 };
    const struct ao_attribution attribution = { .clip = &many };
    struct ao_map_result result = { .map = map, .normalised = normalised };
    for (int i = 0; i < 2997; i++)
        map[i] = (float)((i * 7919) % 2997 + 1) / 2997 * (i % 2 ? 1 : -1);
    map[2997] = 50;
    map[2998] = -60;
    map[2999] = 1e30F;
    assert_true(ao_attribution_scale(&attribution, &result) == 1);
    ao_attribution_normalise(&attribution, &result);
    assert_true(normalised[2997] == 255 && normalised[2998] == 0 && normalised[2999] == 255);
    memset(map, 0, sizeof map);
    map[5] = -3; /* all others are 0, so the largest rules */
    assert_true(ao_attribution_scale(&attribution, &result) == 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_is_uniform_and_follows_the_seed),
        cmocka_unit_test(centre_is_a_gaussian_of_a_quarter_of_the_side),
        cmocka_unit_test(frame_difference_is_the_mean_over_channels),
        cmocka_unit_test(flow_magnitude_is_the_length_of_the_flow),
        cmocka_unit_test(display_keeps_zero_neutral_and_the_largest_at_an_end),
        cmocka_unit_test(display_is_not_ruled_by_a_few_voxels),
    };
    return cmocka_run_group_tests(tests, open_demo, close_demo);
}
