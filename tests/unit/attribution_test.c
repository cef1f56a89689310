/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "attribution/fill.h"
#include "attribution/heat_map.h"
#include "attribution/score.h"
#include "attribution/smooth_map.h"
#include "core/alloc.h"
#include "mask/mask.h"

/* cmocka compares as float; these are doubles. */
#define assert_near(a, b, bound) assert_true(fabs((double)(a) - (double)(b)) <= (bound))

enum { T = 4, H = 8, W = 8, PIXELS = H * W, VOXELS = T * PIXELS };

static const struct ao_target class0 = { .a = 0, .b = -1 };
static const struct ao_target class1 = { .a = 1, .b = -1 };

static void probability_is_the_softmax_also_of_huge_logits(void **state)
{
    (void)state;
    const float z[] = { 1000.0F, 1001.0F, 999.0F };
    const double p = 1 / (1 + exp(-1) + exp(-2));
    /* exp and log each err by an ulp or so: 8 eps covers the four roundings. */
    assert_near(ao_score(AO_SCORE_PROB, z, 3, false, class1), p, 8 * 2.3e-16);
    assert_near(ao_score(AO_SCORE_LOGIT, z, 3, false, class1), 1001, 0);
}

static void log_odds_keep_their_digits_near_one(void **state)
{
    (void)state;
    const float z[] = { 60.0F, 0.0F };
    /* p rounds to 1 here, so log(p / (1 - p)) would be infinite; the difference of logits is not.
     */
    assert_near(ao_score(AO_SCORE_PROB, z, 2, false, class0), 1, 0);
    assert_near(ao_score(AO_SCORE_LOG_ODDS, z, 2, false, class0), 60, 1e-12);
}

static void scores_of_probabilities_agree_with_those_of_logits(void **state)
{
    (void)state;
    const float z[] = { 0.5F, -1.25F, 2.0F };
    float p[3];
    for (int c = 0; c < 3; c++)
        p[c] = (float)ao_score(AO_SCORE_PROB, z, 3, false, (struct ao_target){ .a = c, .b = -1 });
    /* p is rounded to float: log-odds move by eps / (p (1 - p)) <= 6e-8 / 0.03. */
    for (int c = 0; c < 3; c++) {
        const struct ao_target target = { .a = c, .b = -1 };
        assert_near(ao_score(AO_SCORE_LOG_ODDS, p, 3, true, target),
                    ao_score(AO_SCORE_LOG_ODDS, z, 3, false, target), 4e-6);
    }
}

static void contrast_is_a_difference_of_scores(void **state)
{
    (void)state;
    const float z[] = { 0.5F, -1.25F, 2.0F };
    const struct ao_target contrast = { .a = 2, .b = 1 };
    assert_near(ao_score(AO_SCORE_LOGIT, z, 3, false, contrast), 3.25, 0);
}

/* Spec A.13, case 4: four quadrants that move differently, 3 x 3 squares every 4 pixels. */
static struct aosa_mask_set *quadrant_masks(void)
{
    struct ao_flow_field *flow;
    struct aosa_mask_set *masks;
    struct ao_mask_options options = { 0 };
    assert_int_equal(ao_flow_field_create(T, H, W, &flow), AOSA_OK);
    for (int t = 0; t < T - 1; t++)
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++) {
                float *d = flow->d + 2 * ((t * H + y) * W + x);
                d[0] = y < 4 ? 1.0F : x < 4 ? -1.0F : 0.0F;
                d[1] = y < 4 && x >= 4 ? 0.2F : 0.0F;
            }
    assert_int_equal(ao_options_init(ao_mask_option_table, &options), AOSA_OK);
    options.size = 3;
    options.stride = 4;
    const struct ao_mask_source source = { .T = T, .H = H, .W = W, .flow = flow };
    assert_int_equal(ao_masks_generate(&source, &options, false, &masks), AOSA_OK);
    ao_options_fini(ao_mask_option_table, &options);
    ao_flow_field_destroy(&flow);
    return masks;
}

static void heat_map_equals_the_test_vector(void **state)
{
    (void)state;
    static const double effects[] = { -0.4, -0.1, 0.05, 0.0 };
    static const struct {
        int y, x;
        double value;
    } expected[] = { { 0, 0, 126.763 },
                     { 2, 2, 255.0 },
                     { 2, 6, 156.0287 },
                     { 6, 2, 111.5625 },
                     { 6, 6, 126.763 } };
    float map[VOXELS], normalised[VOXELS];
    double zero;
    struct aosa_mask_set *masks = quadrant_masks();
    assert_int_equal(masks->M, 4);
    assert_int_equal(ao_heat_map(masks, effects, map, &zero), AOSA_OK);
    ao_heat_map_normalise(masks, effects, map, normalised);

    float low = map[0], high = map[0];
    for (int i = 0; i < VOXELS; i++) {
        low = fminf(low, map[i]);
        high = fmaxf(high, map[i]);
    }
    /* The vector is printed with 8 decimals; the map is stored as float. */
    assert_near(low, -0.14291965, 1e-8 + 0.15 * 6e-8);
    assert_near(high, -0.01276291, 1e-8 + 0.15 * 6e-8);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_near(normalised[expected[i].y * W + expected[i].x], expected[i].value, 1e-3);
    ao_mask_set_destroy(&masks);
}

/* The definition: (1/M) sum_i w_i m_i(v) over painted masks. */
static void heat_map_equals_its_definition_for_stacked_masks(void **state)
{
    (void)state;
    static const double effects[] = { -0.3, 0.2, -0.7, 0.01 };
    float map[VOXELS];
    double sum[VOXELS] = { 0 }, zero, weights = 0;
    struct aosa_mask_set *masks = quadrant_masks();
    int32_t *first = ao_alloc(5, sizeof *first), *members = ao_alloc(8, sizeof *members);
    for (int m = 0; m < 4; m++) {
        first[m + 1] = 2 * (m + 1);
        members[2 * m] = m;
        members[2 * m + 1] = (m + 1) % 4;
    }
    ao_free(masks->first);
    ao_free(masks->members);
    masks->first = first;
    masks->members = members;

    for (int m = 0; m < 4; m++) {
        uint8_t visible[VOXELS];
        int n = 0;
        memset(visible, 1, sizeof visible);
        ao_mask_paint(masks, m, visible);
        for (int i = 0; i < VOXELS; i++)
            n += visible[i];
        weights += effects[m] * VOXELS / n / 4;
        for (int i = 0; i < VOXELS; i++)
            sum[i] += effects[m] * VOXELS / n * visible[i] / 4;
    }
    assert_int_equal(ao_heat_map(masks, effects, map, &zero), AOSA_OK);
    for (int i = 0; i < VOXELS; i++)
        assert_near(map[i], sum[i], 6e-8); /* one float rounding of values below 1 */
    assert_near(zero, weights, 1e-15);
    ao_mask_set_destroy(&masks);
}

/* Masks of three sizes and any overlap under f = sum of d(v): drops are sums, -X_i / |O_i| means.
 */
static void coverage_gives_a_constant_density_back(void **state)
{
    (void)state;
    struct ao_mask_options options = { 0 };
    struct ao_flow_field *flow;
    struct aosa_mask_set *masks = NULL;
    float map[VOXELS];
    double effects[27], zero;
    int hidden = 0;
    assert_int_equal(ao_flow_field_create(T, H, W, &flow), AOSA_OK);
    for (int i = 0; i < 2 * (T - 1) * PIXELS; i++)
        flow->d[i] = (float)(i % 5 - 2); /* any motion */
    assert_int_equal(ao_options_init(ao_mask_option_table, &options), AOSA_OK);
    options.mask = 3;
    options.size = 3;
    options.stride = 3;
    const struct ao_mask_source source = { .T = T, .H = H, .W = W, .flow = flow };
    assert_int_equal(ao_masks_generate(&source, &options, false, &masks), AOSA_OK);
    assert_non_null(masks->sizes);
    assert_int_equal(masks->M, 27);
    for (int m = 0; m < masks->M; m++)
        effects[m] = -0.25 * (double)ao_mask_occluded(masks, m);
    assert_int_equal(ao_heat_map_coverage(masks, effects, map), AOSA_OK);
    for (int i = 0; i < VOXELS; i++) {
        assert_true(map[i] == 0.25F || map[i] == 0); /* means of one number are exact here */
        hidden += map[i] == 0.25F;
    }
    assert_true(hidden > VOXELS / 2);
    /* The authors' form has the larger masks' voxels higher: it is a sum. */
    assert_int_equal(ao_heat_map(masks, effects, map, &zero), AOSA_OK);
    float low = HUGE_VALF, high = -HUGE_VALF;
    for (int i = 0; i < VOXELS; i++) {
        low = fminf(low, map[i]);
        high = fmaxf(high, map[i]);
    }
    assert_true(high - low > 0.05F);
    ao_mask_set_destroy(&masks);
    ao_options_fini(ao_mask_option_table, &options);
    ao_flow_field_destroy(&flow);
}

static void mean_counts_every_mask_once(void **state)
{
    (void)state;
    static const double values[] = { 1, 2, 4, 8 };
    float map[VOXELS];
    uint8_t visible[4][VOXELS];
    struct aosa_mask_set *masks = quadrant_masks();
    memset(visible, 1, sizeof visible);
    for (int m = 0; m < 4; m++)
        ao_mask_paint(masks, m, visible[m]);
    assert_int_equal(ao_heat_map_mean(masks, values, map), AOSA_OK);
    for (int i = 0; i < VOXELS; i++) {
        double sum = 0;
        int n = 0;
        for (int m = 0; m < 4; m++)
            if (!visible[m][i]) {
                sum += values[m];
                n++;
            }
        assert_near(map[i], n ? sum / n : 0, 1e-6); /* one rounding of a float below 8 */
    }
    ao_mask_set_destroy(&masks);
}

/* Sigma 112 / 8 in frames of 8 pixels is one pixel. */
static void smoothing_keeps_a_constant_and_spreads_a_voxel_in_its_frame(void **state)
{
    (void)state;
    float map[VOXELS];
    for (int i = 0; i < VOXELS; i++)
        map[i] = 2;
    assert_int_equal(ao_smooth_map(map, T, H, W, 14, 2), AOSA_OK);
    for (int i = 0; i < VOXELS; i++)
        assert_near(map[i], 2, 2e-6); /* sums of weights that are rounded to float */
    for (int i = 0; i < VOXELS; i++)
        map[i] = i == 2 * PIXELS + 3 * W + 4 ? 1 : 0;
    assert_int_equal(ao_smooth_map(map, T, H, W, 14, 1), AOSA_OK);
    const double pixel = map[2 * PIXELS + 3 * W + 4], beside = map[2 * PIXELS + 3 * W + 5];
    assert_near(beside / pixel, exp(-0.5), 1e-6);
    assert_near(map[1 * PIXELS + 3 * W + 4], 0, 0);
    assert_int_equal(ao_smooth_map(map, T, H, W, 0, 1), AOSA_OK);
    assert_near(map[2 * PIXELS + 3 * W + 4], pixel, 0);
}

static void flat_map_is_neutral(void **state)
{
    (void)state;
    static const double effects[] = { 0, 0, 0, 0 };
    float map[VOXELS], normalised[VOXELS];
    double zero;
    struct aosa_mask_set *masks = quadrant_masks();
    assert_int_equal(ao_heat_map(masks, effects, map, &zero), AOSA_OK);
    ao_heat_map_normalise(masks, effects, map, normalised);
    for (int i = 0; i < VOXELS; i++) {
        assert_near(map[i], 0, 0);
        assert_near(normalised[i], 127.5, 0);
    }
    ao_mask_set_destroy(&masks);
}

static struct aosa_clip *grey_clip(void)
{
    struct aosa_clip *clip;
    assert_int_equal(ao_clip_create(T, H, W, &clip), AOSA_OK);
    for (int c = 0; c < 3; c++) {
        clip->mean[c] = 0.5;
        clip->std[c] = 0.25;
    }
    memset(clip->rgb, 191, (size_t)VOXELS * 3);
    ao_clip_normalise(clip);
    return clip;
}

static void fills_are_what_their_names_say(void **state)
{
    (void)state;
    struct ao_fill fill;
    struct aosa_clip *clip = grey_clip();
    assert_int_equal(ao_fill_create("zero", 0, clip, &fill), AOSA_OK);
    assert_near(fill.value[0], 0, 0);
    assert_int_equal(ao_fill_create("black", 0, clip, &fill), AOSA_OK);
    assert_near(fill.value[1], -2, 0);
    assert_int_equal(ao_fill_create("-1.5", 0, clip, &fill), AOSA_OK);
    assert_near(fill.value[2], -1.5, 0);
    assert_int_equal(ao_fill_create("mean", 0, clip, &fill), AOSA_OK);
    assert_near(fill.value[0], clip->values[0], 1e-7);
    assert_int_equal(ao_fill_create("grey", 0, clip, &fill), AOSA_ERR_ARGUMENT);
    assert_string_equal(
        aosa_error_message(),
        "--fill: 'grey' is unknown, choose zero, black, mean, blur, local or a number");
    ao_clip_destroy(&clip);
}

static void blur_keeps_a_constant_clip_and_spreads_a_point(void **state)
{
    (void)state;
    struct ao_fill fill;
    struct aosa_clip *clip = grey_clip();
    assert_int_equal(ao_fill_create("blur", 0, clip, &fill), AOSA_OK);
    for (int i = 0; i < 3 * VOXELS; i++)
        assert_near(fill.volume[i], clip->values[i], 4 * 6e-8);
    ao_fill_fini(&fill);

    memset(clip->values, 0, sizeof *clip->values * 3 * VOXELS);
    clip->values[4 * W + 4] = 1;
    assert_int_equal(ao_fill_create("blur", 0, clip, &fill), AOSA_OK);
    double sum = 0;
    for (int i = 0; i < PIXELS; i++)
        sum += (double)fill.volume[i];
    /* sigma is 8/14 pixel and the point 3 pixels from a border: what lies beyond 3 sigma is lost.
     */
    assert_near(sum, 1, 1e-6);
    assert_true(fill.volume[4 * W + 4] < 0.6F);
    assert_near(fill.volume[4 * W + 3], fill.volume[3 * W + 4], 1e-7);
    assert_near(fill.volume[PIXELS + 4 * W + 4], 0, 0); /* never across frames */
    ao_fill_fini(&fill);
    ao_clip_destroy(&clip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probability_is_the_softmax_also_of_huge_logits),
        cmocka_unit_test(log_odds_keep_their_digits_near_one),
        cmocka_unit_test(scores_of_probabilities_agree_with_those_of_logits),
        cmocka_unit_test(contrast_is_a_difference_of_scores),
        cmocka_unit_test(heat_map_equals_the_test_vector),
        cmocka_unit_test(heat_map_equals_its_definition_for_stacked_masks),
        cmocka_unit_test(coverage_gives_a_constant_density_back),
        cmocka_unit_test(mean_counts_every_mask_once),
        cmocka_unit_test(smoothing_keeps_a_constant_and_spreads_a_voxel_in_its_frame),
        cmocka_unit_test(flat_map_is_neutral),
        cmocka_unit_test(fills_are_what_their_names_say),
        cmocka_unit_test(blur_keeps_a_constant_clip_and_spreads_a_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
