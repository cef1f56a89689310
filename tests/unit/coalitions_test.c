/* SPDX-License-Identifier: Apache-2.0 */
/* Methods that hide supervoxels, on networks whose answer is known. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attribution/least_squares.h"
#include "mask/supervoxels.h"
#include "support/masked_rig.h"

static struct ao_supervoxels grid(int t, int h, int w)
{
    struct ao_supervoxels s;
    assert_int_equal(ao_supervoxels_grid(T, H, W, (const int[]){ t, h, w }, &s), AOSA_OK);
    return s;
}

/* The terms of every segment; freed by the caller. Also the largest score there can be. */
static double *terms(const struct rig *rig, const struct ao_supervoxels *s, double *most)
{
    double *sums = calloc((size_t)s->n, sizeof *sums);
    assert_non_null(sums);
    for (int v = 0; v < VOXELS; v++)
        sums[s->label[v]] += term(rig, v);
    *most = 0;
    for (int j = 0; j < s->n; j++)
        *most += fabs(sums[j]);
    return sums;
}

/* ---------------------------------------------------------------------------- additive scores */

/* Each method's value of a segment is its term. Scores are rounded to float, relative to the
 * largest; a value is a difference of two, or a mean of such differences. */
static void check_terms(struct rig *rig, const char *method, double roundings)
{
    struct ao_supervoxels s = grid(2, 2, 3);
    double most, worst = 0, *want = terms(rig, &s, &most);
    const float *map = run(rig, method);
    for (int v = 0; v < VOXELS; v++)
        worst = fmax(worst, fabs((double)map[v] - want[s.label[v]]));
    printf("%s of a linear network errs by %.1e of the largest score\n", method, worst / most);
    assert_true(worst <= roundings * FLOAT_EPS * most);
    assert_near(rig->s.a.results[0].zero, 0, 0);
    free(want);
    ao_supervoxels_fini(&s);
}

static void values_of_a_linear_network_are_its_terms(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, LINEAR);
    subject_set(&rig.s, "cells", "2x2x3");
    for (int filled = 0; filled < 2; filled++) {
        check_terms(&rig, "loco", 3);
        check_terms(&rig, "univariate", 3);
        /* 26 samples are the least for kernelshap, 14 for shap_sampling; 40 bring random ones. */
        subject_set(&rig.s, "samples", "26");
        check_terms(&rig, "kernelshap", 6);
        check_terms(&rig, "shap_sampling", 3);
        subject_set(&rig.s, "samples", "40");
        check_terms(&rig, "kernelshap", 6);
        check_terms(&rig, "shap_sampling", 3);
        for (int c = 0; c < 3; c++)
            rig.fill.value[c] = -1.5F + (float)c;
    }
    tear_down(&rig);
}

/* ---------------------------------------------------------------------------------- Shapley */

/* Score of class 1 of the clip with only those cells of a 1 x h x w grid: no sampling method takes
 * part, "centre" is one forward of the clip as it is. */
static double score_of(struct rig *rig, const struct ao_supervoxels *s, int coalition)
{
    float *values = rig->s.clip->values, kept[3 * VOXELS];
    memcpy(kept, values, sizeof kept);
    for (int i = 0; i < 3 * VOXELS; i++)
        if (!(coalition >> s->label[i % VOXELS] & 1))
            values[i] = rig->fill.value[i / VOXELS];
    run(rig, "centre");
    memcpy(values, kept, sizeof kept);
    return rig->s.a.results[0].base;
}

static double factorial(int n)
{
    return n < 2 ? 1 : n * factorial(n - 1);
}

static int bits(int set)
{
    return set == 0 ? 0 : (set & 1) + bits(set >> 1);
}

/* The definition, sum over sets without j of |S|! (n - |S| - 1)! / n! (f(S + j) - f(S)). */
static void shapley(struct rig *rig, const struct ao_supervoxels *s, double *values)
{
    double score[512];
    assert_true(s->n <= 9);
    for (int set = 0; set < 1 << s->n; set++)
        score[set] = score_of(rig, s, set);
    for (int j = 0; j < s->n; j++) {
        values[j] = 0;
        for (int set = 0; set < 1 << s->n; set++)
            if (!(set >> j & 1))
                values[j] += factorial(bits(set)) * factorial(s->n - bits(set) - 1) /
                             factorial(s->n) * (score[set | 1 << j] - score[set]);
    }
}

/* Value of every segment of a map. */
static void values_of(const struct ao_supervoxels *s, const float *map, double *values)
{
    for (int v = 0; v < VOXELS; v++)
        values[s->label[v]] = (double)map[v];
}

static void kernelshap_of_all_coalitions_is_the_shapley_value(void **state)
{
    (void)state;
    struct rig rig;
    struct ao_supervoxels s = grid(1, 2, 3);
    double want[6], got[6];
    set_up(&rig, RELU);
    rig.fill.value[0] = 0.5F;
    shapley(&rig, &s, want);
    subject_set(&rig.s, "cells", "1x2x3");
    subject_set(&rig.s, "samples", "64");
    values_of(&s, run(&rig, "kernelshap"), got);
    assert_true(json_is_true(extra(&rig, "exact")));
    assert_int_equal(rig.s.a.passes.forwards, 64);
    /* Scores below 1 rounded to float, values are weighted means of differences of two. */
    double worst = 0;
    for (int j = 0; j < 6; j++)
        worst = fmax(worst, fabs(got[j] - want[j]));
    printf("kernelshap errs by %.1e, values like %.3f\n", worst, want[0]);
    assert_true(worst <= 3 * FLOAT_EPS);
    tear_down(&rig);
    ao_supervoxels_fini(&s);
}

/* Two segments have two orders, which are one pair. */
static void both_orders_of_two_segments_are_the_shapley_value(void **state)
{
    (void)state;
    struct rig rig;
    struct ao_supervoxels s = grid(1, 1, 2);
    double want[2], got[2];
    set_up(&rig, RELU);
    shapley(&rig, &s, want);
    subject_set(&rig.s, "cells", "1x1x2");
    subject_set(&rig.s, "samples", "4");
    values_of(&s, run(&rig, "shap_sampling"), got);
    assert_int_equal(json_integer_value(extra(&rig, "orders")), 2);
    assert_near(got[0], want[0], 3 * FLOAT_EPS);
    assert_near(got[1], want[1], 3 * FLOAT_EPS);
    tear_down(&rig);
    ao_supervoxels_fini(&s);
}

/* With few samples of a score that is not additive: unbiased within what seeds scatter, and the
 * sum is exact. 9 segments, 10 seeds: 18 means of 10, none beyond 5 standard errors. */
static void sampled_shapley_values_scatter_around_the_exact_ones(void **state)
{
    (void)state;
    enum { N = 9, SEEDS = 10 };
    static const char *const methods[] = { "kernelshap", "shap_sampling" };
    struct rig rig;
    struct ao_supervoxels s = grid(1, 3, 3);
    double want[N], loco[N], difference, single = 0;
    set_up(&rig, RELU);
    shapley(&rig, &s, want);
    difference = score_of(&rig, &s, 511) - score_of(&rig, &s, 0);
    subject_set(&rig.s, "cells", "1x3x3");
    values_of(&s, run(&rig, "loco"), loco);
    for (int j = 0; j < N; j++)
        single = fmax(single, fabs(loco[j] - want[j]));
    subject_set(&rig.s, "samples", "120");
    for (int m = 0; m < 2; m++) {
        double sum[N] = { 0 }, squares[N] = { 0 }, worst = 0, scatter = 0;
        for (int seed = 0; seed < SEEDS; seed++) {
            double got[N], total = 0;
            rig.s.a.seed = (uint64_t)seed;
            values_of(&s, run(&rig, methods[m]), got);
            for (int j = 0; j < N; j++) {
                total += got[j];
                sum[j] += got[j] / SEEDS;
                squares[j] += got[j] * got[j] / SEEDS;
            }
            assert_near(total, difference, N * FLOAT_EPS);
        }
        for (int j = 0; j < N; j++) {
            const double error = sqrt((squares[j] - sum[j] * sum[j]) / (SEEDS - 1));
            worst = fmax(worst, fabs(sum[j] - want[j]) / (error + FLOAT_EPS));
            scatter = fmax(scatter, error * sqrt(SEEDS));
        }
        printf("%s scatters by %.1e, bias %.1f standard errors; loco is off by %.1e\n", methods[m],
               scatter, worst, single);
        assert_true(worst < 5);
        assert_true(scatter < single / 2); /* or the test could not tell it from loco */
    }
    tear_down(&rig);
    ao_supervoxels_fini(&s);
}

/* -------------------------------------------------------------------------------------- LIME */

/* Solves the n equations a x = b in place of b, by elimination with pivots. */
static void eliminate(double *a, double *b, int n)
{
    for (int p = 0; p < n; p++) {
        int best = p;
        for (int i = p; i < n; i++)
            best = fabs(a[i * n + p]) > fabs(a[best * n + p]) ? i : best;
        for (int j = 0; j <= n; j++) {
            double *one = j < n ? &a[p * n + j] : &b[p],
                   *other = j < n ? &a[best * n + j] : &b[best];
            const double held = *one;
            *one = *other;
            *other = held;
        }
        for (int i = 0; i < n; i++) {
            const double share = i == p ? 0 : a[i * n + p] / a[p * n + p];
            for (int j = p; j < n; j++)
                a[i * n + j] -= share * a[p * n + j];
            b[i] -= share * b[p];
        }
    }
    for (int p = 0; p < n; p++)
        b[p] /= a[p * n + p];
}

/* The clip and its coalitions as lime.c says that it draws them, with their weights. */
static void lime_rows(int N, int n, double keep, uint64_t seed, uint8_t *rows, double *weights)
{
    struct ao_rng rng;
    ao_rng_init(&rng, seed);
    for (int i = 0; i < N; i++) {
        double kept = 0, norms;
        for (int j = 0; j < n; j++)
            kept += rows[i * n + j] = i == 0 || ao_rng_uniform(&rng) < keep;
        norms = sqrt(kept) * sqrt(n);
        const double d = kept > 0 ? 1 - kept / norms : 1;
        weights[i] = sqrt(exp(-d * d / (0.25 * 0.25)));
    }
}

/* Unknowns: n coefficients, then the intercept, which alpha = 1 leaves alone. */
static void lime_is_the_ridge_solution_of_a_linear_network(void **state)
{
    (void)state;
    enum { n = 12, N = 60 };
    struct rig rig;
    struct ao_supervoxels s = grid(2, 2, 3);
    uint8_t rows[N * n];
    double weights[N], a[(n + 1) * (n + 1)] = { 0 }, b[n + 1] = { 0 }, most, worst = 0;
    set_up(&rig, LINEAR);
    rig.s.a.seed = 77;
    double *want = terms(&rig, &s, &most);
    lime_rows(N, n, 0.7, 77, rows, weights);
    for (int i = 0; i < N; i++) {
        double z[n + 1], f = 0;
        for (int j = 0; j < n; j++)
            f += (z[j] = rows[i * n + j]) * want[j];
        z[n] = 1;
        for (int j = 0; j <= n; j++) {
            for (int k = 0; k <= n; k++)
                a[j * (n + 1) + k] += weights[i] * z[j] * z[k];
            b[j] += weights[i] * z[j] * f;
        }
    }
    for (int j = 0; j < n; j++)
        a[j * (n + 1) + j] += 1;
    eliminate(a, b, n + 1);

    subject_set(&rig.s, "cells", "2x2x3");
    subject_set(&rig.s, "samples", "60");
    subject_set(&rig.s, "keep", "0.7");
    const float *map = run(&rig, "lime");
    for (int v = 0; v < VOXELS; v++)
        worst = fmax(worst, fabs((double)map[v] - b[s.label[v]]));
    printf("lime errs by %.1e of the largest score, r squared %.4f\n", worst / most,
           json_real_value(extra(&rig, "r_squared")));
    /* Each score has one rounding, |c| <= sum |w (z - mean) / (w z z + 1)| of them: below 4. */
    assert_true(worst <= 5 * FLOAT_EPS * most);
    assert_near(json_real_value(extra(&rig, "intercept")), b[n], 5 * FLOAT_EPS * most);
    assert_int_equal(rig.s.a.passes.forwards, N);
    free(want);
    tear_down(&rig);
    ao_supervoxels_fini(&s);
}

/* At the minimum the penalty's slope balances the residuals': sum w r (z - mean) = alpha c. */
static void least_squares_leave_no_slope(void **state)
{
    (void)state;
    enum { n = 70, N = 50 };
    static uint8_t rows[N * n];
    static double factor[n * n];
    double weights[N], y[N], mean[n], c[n];
    struct ao_rng rng;
    ao_rng_init(&rng, 3);
    for (int i = 0; i < N * n; i++)
        rows[i] = ao_rng_uniform(&rng) < 0.5;
    for (int i = 0; i < N; i++) {
        weights[i] = ao_rng_uniform(&rng);
        y[i] = ao_rng_normal(&rng);
    }
    const struct ao_design design = { N, n, rows, weights };
    for (int centred = 0; centred < 2; centred++) {
        ao_design_mean(&design, mean);
        double *about = centred ? mean : NULL;
        assert_int_equal(ao_design_factor(&design, about, 0.5, 2, factor), AOSA_OK);
        ao_design_moments(&design, about, y, c);
        ao_factor_solve(factor, n, c);
        for (int j = 0; j < n; j++) {
            double slope = -0.5 * c[j];
            for (int i = 0; i < N; i++) {
                double left = y[i];
                for (int k = 0; k < n; k++)
                    left -= (rows[i * n + k] - (about ? mean[k] : 0)) * c[k];
                slope += weights[i] * left * (rows[i * n + j] - (about ? mean[j] : 0));
            }
            /* The matrix has a norm below 70 * 50 / 4, c below 2 sum |y|; 70 roundings each. */
            assert_near(slope, 0, 70 * 875 * 80 * 1.2e-16);
        }
    }
    /* Fewer rows than unknowns and no penalty. */
    assert_int_equal(ao_design_factor(&design, NULL, 0, 1, factor), AOSA_ERR_NUMERIC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_a_linear_network_are_its_terms),
        cmocka_unit_test(kernelshap_of_all_coalitions_is_the_shapley_value),
        cmocka_unit_test(both_orders_of_two_segments_are_the_shapley_value),
        cmocka_unit_test(sampled_shapley_values_scatter_around_the_exact_ones),
        cmocka_unit_test(lime_is_the_ridge_solution_of_a_linear_network),
        cmocka_unit_test(least_squares_leave_no_slope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
