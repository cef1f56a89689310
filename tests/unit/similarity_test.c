/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "metric/similarity.h"

/* cmocka compares as float; these are doubles. */
#define assert_near(a, b, bound) assert_true(fabs((double)(a) - (double)(b)) <= (bound))

enum { MAP_T = 2, MAP_H = 24, MAP_W = 20, MAP_N = MAP_T * MAP_H * MAP_W };

/* ((p t + q y + r x)^2 mod m) / m, a map that Python makes too. */
static void make_map(int p, int q, int r, int m, float *map)
{
    for (int i = 0; i < MAP_N; i++) {
        const int t = i / (MAP_H * MAP_W), y = i / MAP_W % MAP_H, x = i % MAP_W;
        const int s = p * t + q * y + r * x;
        map[i] = (float)((double)(s * s % m) / m);
    }
}

static void ranks_share_the_mean_of_ties(void **state)
{
    (void)state;
    const float values[] = { 3, -1, 3, 0, -5 };
    const double want[] = { 4.5, 2, 4.5, 3, 1 }, sizes[] = { 3.5, 2, 3.5, 1, 5 };
    double ranks[5];
    assert_int_equal(ao_ranks(values, 5, false, ranks), AOSA_OK);
    assert_memory_equal(ranks, want, sizeof want);
    assert_int_equal(ao_ranks(values, 5, true, ranks), AOSA_OK);
    assert_memory_equal(ranks, sizes, sizeof sizes);
    /* 1 - 6 sum d^2 / (n (n^2 - 1)) of 1 2 3 4 and 2 1 4 3: 1 - 6 * 4 / 60. */
    assert_near(ao_pearson((double[]){ 1, 2, 3, 4 }, (double[]){ 2, 1, 4, 3 }, 4), 0.6, 1e-15);
    assert_true(isnan(ao_pearson((double[]){ 1, 1 }, (double[]){ 2, 1 }, 2)));
}

static void constant_maps_are_as_similar_as_their_levels(void **state)
{
    (void)state;
    float a[3 * 4], b[3 * 4];
    double ssim;
    for (int i = 0; i < 12; i++) {
        a[i] = 0.25f;
        b[i] = 0.75f;
    }
    /* Without variance SSIM is (2 a b + c1) / (a^2 + b^2 + c1). */
    assert_int_equal(ao_ssim(a, b, 1, 3, 4, &ssim), AOSA_OK);
    assert_near(ssim, (2 * 0.25 * 0.75 + 1e-4) / (0.0625 + 0.5625 + 1e-4), 1e-14);
    assert_int_equal(ao_ssim(b, b, 1, 3, 4, &ssim), AOSA_OK);
    assert_near(ssim, 1, 1e-14);
    /* A window of one pixel has no variance either. */
    assert_int_equal(ao_ssim(a, b, 2, 1, 2, &ssim), AOSA_OK);
    assert_near(ssim, (2 * 0.25 * 0.75 + 1e-4) / (0.0625 + 0.5625 + 1e-4), 1e-14);
}

/*
 * scikit-image 0.26: structural_similarity(a, b, gaussian_weights=True, sigma=1.5,
 * use_sample_covariance=False, data_range=1) of each frame, and numpy.corrcoef of
 * hog(orientations=9, pixels_per_cell=(6, 6), cells_per_block=(3, 3)) of all frames. Both sum in
 * another order: 1e-11 is 1e5 roundings of numbers below 1. scikit-image adds up cells as float,
 * 2^-24 of numbers below 1 at a time.
 */
static void similarities_agree_with_scikit_image(void **state)
{
    (void)state;
    float a[MAP_N], b[MAP_N], mixed[MAP_N];
    double r[2 * 3], ranks[2][MAP_N];
    make_map(5, 3, 7, 101, a);
    make_map(3, 4, 7, 97, b);
    for (int i = 0; i < MAP_N; i++)
        mixed[i] = 0.8f * a[i] + 0.1f * b[i];
    const float *const others[] = { b, mixed };
    for (int k = 0; k < 2; k++) {
        assert_int_equal(ao_ssim(a, others[k], MAP_T, MAP_H, MAP_W, &r[3 * k]), AOSA_OK);
        assert_int_equal(ao_hog_correlation(a, others[k], MAP_T, MAP_H, MAP_W, &r[3 * k + 1]),
                         AOSA_OK);
        assert_int_equal(ao_ranks(a, MAP_N, false, ranks[0]), AOSA_OK);
        assert_int_equal(ao_ranks(others[k], MAP_N, false, ranks[1]), AOSA_OK);
        r[3 * k + 2] = ao_pearson(ranks[0], ranks[1], MAP_N);
        printf("ssim %.16g, hog %.16g, spearman %.16g\n", r[3 * k], r[3 * k + 1], r[3 * k + 2]);
    }
    assert_near(r[0], -0.033754922814655246, 1e-11);
    assert_near(r[1], 0.16979941654076716, 6e-8);
    assert_near(r[2], 0.03114550855716249, 1e-11);
    assert_near(r[3], 0.9630826143709301, 1e-11);
    assert_near(r[4], 0.8188378866707406, 6e-8);
    assert_near(r[5], 0.9892429021545999, 1e-11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_share_the_mean_of_ties),
        cmocka_unit_test(constant_maps_are_as_similar_as_their_levels),
        cmocka_unit_test(similarities_agree_with_scikit_image),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
