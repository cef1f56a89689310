/* SPDX-License-Identifier: Apache-2.0 */
/* RISE, and what all methods that hide parts of the clip at random have in common. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attribution/upsample.h"
#include "core/alloc.h"
#include "support/masked_rig.h"

/* -------------------------------------------------------------------------------------- RISE */

enum { CELLS_T = 2, CELLS_H = 3, CELLS_W = 5 };

/* Weight of cell `cell` in voxel i of an axis at that shift. */
static double weight(int i, int shift, int cells, int size, int cell)
{
    const struct ao_tap tap = ao_tap_at(i + shift, cells, (cells + 1) * size);
    return (tap.lo == cell ? 1 - tap.weight : 0) + (tap.hi == cell ? tap.weight : 0);
}

/* covariance[i][j] of an axis over p (1 - p): the mean over shifts of sum_cell weight weight. */
static void covariance(int length, int cells, double *of)
{
    const int size = (length + cells - 1) / cells;
    for (int i = 0; i < length; i++)
        for (int j = 0; j < length; j++) {
            of[i * length + j] = 0;
            for (int shift = 0; shift < size; shift++)
                for (int cell = 0; cell < cells; cell++)
                    of[i * length + j] += weight(i, shift, cells, size, cell) *
                                          weight(j, shift, cells, size, cell) / size;
        }
}

/*
 * Of f = sum_u g_u M_u: cov(f, M_v) of every voxel, E f, and var f. The shift is the same for all
 * voxels and a mask's mean is p at every shift, so the axes factor.
 */
struct moments {
    double with[VOXELS], mean, variance;
};

static void moments_of(const struct rig *rig, double p, struct moments *m)
{
    double t[T * T], h[H * H], w[W * W], g[VOXELS];
    covariance(T, CELLS_T, t);
    covariance(H, CELLS_H, h);
    covariance(W, CELLS_W, w);
    m->mean = m->variance = 0;
    for (int v = 0; v < VOXELS; v++) {
        g[v] = term(rig, v);
        m->mean += p * g[v];
    }
    for (int v = 0; v < VOXELS; v++) {
        m->with[v] = 0;
        for (int u = 0; u < VOXELS; u++)
            m->with[v] += p * (1 - p) * g[u] * t[u / (H * W) * T + v / (H * W)] *
                          h[u / W % H * H + v / W % H] * w[u % W * W + v % W];
        m->variance += g[v] * m->with[v];
    }
}

/*
 * E S(v) = E f + cov(f, M_v) / p. S is a mean of N independent terms f M / p whose variance is at
 * most E f^2 / p^2, so it stays within 5 sqrt(E f^2 / N) / p for 480 voxels nearly surely.
 */
static void rise_converges_to_its_expectation(void **state)
{
    (void)state;
    enum { N = 3000 };
    const double p = 0.4;
    static struct moments m;
    struct rig rig;
    double worst = 0, signal = 0;
    set_up(&rig, LINEAR);
    rig.s.a.seed = 5;
    moments_of(&rig, p, &m);
    subject_set(&rig.s, "cells", "2x3x5");
    subject_set(&rig.s, "samples", "3000");
    subject_set(&rig.s, "keep", "0.4");
    const float *map = run(&rig, "rise");
    for (int v = 0; v < VOXELS; v++) {
        worst = fmax(worst, fabs((double)map[v] - m.mean - m.with[v] / p));
        signal = fmax(signal, fabs(m.with[v] / p));
    }
    const double bound = 5 * sqrt((m.variance + m.mean * m.mean) / N) / p;
    printf("rise is off by %.3f at most, bound %.3f, values up to %.3f\n", worst, bound, signal);
    assert_true(worst <= bound);
    assert_true(signal > 2 * bound); /* or the test could not fail */
    assert_near(rig.s.a.results[0].zero, m.mean, 5 * sqrt(m.variance / N));
    assert_int_equal(rig.s.a.passes.forwards, 1 + N);
    tear_down(&rig);
}

/* A network that looks at nothing: S is its score times what the masks happen to cover. */
static void rise_of_a_constant_score_is_flat_about_its_zero(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, LINEAR);
    rig.s.a.score = AO_SCORE_PROB;
    memset(rig.s.clip->values, 0, sizeof *rig.s.clip->values * 3 * VOXELS);
    subject_set(&rig.s, "samples", "1000");
    const float *map = run(&rig, "rise");
    const double zero = rig.s.a.results[0].zero;
    assert_near(zero, 1.0 / CLASSES, 1e-7); /* all logits are 0; a float probability */
    /* M has variance at most p (1 - p): 5 standard deviations of its mean over N, over p. */
    for (int v = 0; v < VOXELS; v++)
        assert_near(map[v], zero, 5 * zero * sqrt(0.25 / 1000) / 0.5);
    tear_down(&rig);
}

/* ---------------------------------------------------------------------------------- all of them */

static const char *const all[] = { "rise",          "lime", "kernelshap",
                                   "shap_sampling", "loco", "univariate" };
enum { N_ALL = sizeof all / sizeof all[0] };

static void make_small(struct rig *rig, enum network network)
{
    set_up(rig, network);
    subject_set(&rig->s, "samples", "30");
    subject_set(&rig->s, "cells", "2x2x3");
    subject_set(&rig->s, "n-segments", "8");
}

static void threads_and_batches_do_not_change_bits(void **state)
{
    (void)state;
    struct rig rig;
    make_small(&rig, RELU);
    rig.s.a.run.backend = AO_BACKEND_REFERENCE;
    for (int slic = 0; slic < 2; slic++)
        for (int m = 0; m < N_ALL; m++) {
            subject_set(&rig.s, "segments", slic ? "slic" : "grid");
            rig.s.a.run.threads = rig.s.a.run.batch = 1;
            float *one = run_copy(&rig, all[m]);
            rig.s.a.run.threads = 3;
            assert_memory_equal(run(&rig, all[m]), one, VOXELS * sizeof *one);
            rig.s.a.run.batch = 4;
            assert_memory_equal(run(&rig, all[m]), one, VOXELS * sizeof *one);
            free(one);
        }
    tear_down(&rig);
}

static void targets_together_are_targets_alone(void **state)
{
    (void)state;
    struct rig rig;
    make_small(&rig, RELU);
    for (int slic = 0; slic < 2; slic++)
        for (int m = 0; m < N_ALL; m++) {
            struct ao_passes announced;
            float *alone[3];
            subject_set(&rig.s, "segments", slic ? "slic" : "grid");
            for (int k = 0; k < 3; k++) {
                rig.s.a.target = (const char *[]){ "4", "0", "2-5" }[k];
                alone[k] = run_copy(&rig, all[m]);
            }
            const int64_t passes = rig.s.a.passes.forwards;
            rig.s.a.target = "4,0,2-5";
            run(&rig, all[m]);
            for (int k = 0; k < 3; k++) {
                assert_memory_equal(rig.s.a.results[k].map, alone[k], VOXELS * sizeof(float));
                free(alone[k]);
            }
            assert_int_equal(rig.s.a.passes.forwards, passes);
            assert_int_equal(rig.s.a.method->passes(&rig.s.a, 3, &announced), AOSA_OK);
            assert_int_equal(announced.forwards, passes);
            assert_int_equal(announced.backwards, 0);
            struct ao_attribution before = rig.s.a; /* as inspect asks, without a clip */
            before.clip = NULL;
            assert_int_equal(before.method->passes(&before, 3, &announced), AOSA_OK);
            assert_true(slic || announced.forwards == passes);
        }
    tear_down(&rig);
}

static void draws_follow_the_seed(void **state)
{
    (void)state;
    static const char *const drawing[] = { "rise", "lime", "kernelshap", "shap_sampling" };
    struct rig rig;
    make_small(&rig, RELU);
    for (int m = 0; m < 4; m++) {
        rig.s.a.seed = 3;
        float *first = run_copy(&rig, drawing[m]);
        rig.s.a.seed = 4;
        assert_memory_not_equal(run(&rig, drawing[m]), first, VOXELS * sizeof *first);
        rig.s.a.seed = 3;
        assert_memory_equal(run(&rig, drawing[m]), first, VOXELS * sizeof *first);
        free(first);
    }
    tear_down(&rig);
}

struct stop {
    size_t last, total, allowed, reports; /* `allowed` reports until it says stop */
};

static bool count_reports(void *user, const char *stage, size_t done, size_t total)
{
    struct stop *stop = user;
    (void)stage;
    assert_true(done <= total);
    stop->last = done;
    stop->total = total;
    return stop->reports++ < stop->allowed;
}

/* Every report can stop it, also those while RISE adds up its masks. */
static void progress_ends_at_its_total_and_stops_what_runs(void **state)
{
    (void)state;
    struct rig rig;
    make_small(&rig, LINEAR);
    for (int m = 0; m < N_ALL; m++) {
        struct stop stop = { .allowed = 1000000 };
        const struct ao_progress progress = { count_reports, &stop, "passes" };
        rig.s.a.progress = &progress;
        run(&rig, all[m]);
        assert_int_equal(stop.last, stop.total);
        const size_t reports = stop.reports;
        assert_true(m > 0 || reports > 30 + T * H);
        for (size_t allowed = 0; allowed < reports; allowed += reports / 7) {
            stop = (struct stop){ .allowed = allowed };
            assert_int_equal(subject_run(&rig.s, all[m]), AOSA_ERR_CANCELLED);
            assert_int_equal(stop.reports, allowed + 1);
        }
    }
    tear_down(&rig);
}

static void refuses(struct rig *rig, const char *method, const char *text)
{
    struct ao_passes passes;
    assert_int_equal(subject_run(&rig->s, method), AOSA_ERR_ARGUMENT);
    assert_string_equal(aosa_error_message(), text);
    assert_int_equal(rig->s.a.method->passes(&rig->s.a, 1, &passes), AOSA_ERR_ARGUMENT);
    assert_string_equal(aosa_error_message(), text);
}

static void what_does_not_fit_is_refused_before_it_runs(void **state)
{
    (void)state;
    struct rig rig;
    make_small(&rig, LINEAR);
    subject_set(&rig.s, "samples", "25");
    refuses(&rig, "kernelshap",
            "kernelshap: --samples 25 for 12 segments; take 26 or more, or fewer segments");
    subject_set(&rig.s, "samples", "12");
    refuses(&rig, "shap_sampling",
            "shap_sampling: --samples 12 for 12 segments; take 13 or more, or fewer segments");
    subject_set(&rig.s, "samples", "1");
    refuses(&rig, "lime", "lime: --samples 1; take 2 or more");
    subject_set(&rig.s, "cells", "5x2x3");
    refuses(&rig, "rise", "--cells: 5x2x3, the clip is 4x10x12; take 1 to that");
    refuses(&rig, "loco", "--cells: 5x2x3, the clip is 4x10x12; take 1 to that");
    static const char *const wrong[] = { "2x2", "2x2x3x4", "2x+2x3", "2x2x", "x2x2", "2,2,3" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        subject_set(&rig.s, "cells", wrong[i]);
        assert_int_equal(subject_run(&rig.s, "lime"), AOSA_ERR_ARGUMENT);
        assert_non_null(strstr(aosa_error_message(), "is not frames x rows x columns"));
    }
    subject_set(&rig.s, "segments", "slic");
    subject_set(&rig.s, "n-segments", "500");
    assert_int_equal(subject_run(&rig.s, "loco"), AOSA_ERR_ARGUMENT);
    tear_down(&rig);
}

static void memory_that_is_not_there_is_reported(void **state)
{
    (void)state;
    struct rig rig;
    make_small(&rig, LINEAR);
    subject_set(&rig.s, "segments", "slic");
    for (int m = 0; m < N_ALL; m++) {
        long n = 1; /* the first is the subject's own */
        aosa_status status;
        do {
            ao_alloc_fail_at(n += 1 + n / 4);
            status = subject_run(&rig.s, all[m]);
            assert_int_equal(status, ao_alloc_has_failed() ? AOSA_ERR_NOMEM : AOSA_OK);
        } while (status != AOSA_OK);
        ao_alloc_fail_at(0);
        assert_true(n > 20);
    }
    tear_down(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rise_converges_to_its_expectation),
        cmocka_unit_test(rise_of_a_constant_score_is_flat_about_its_zero),
        cmocka_unit_test(threads_and_batches_do_not_change_bits),
        cmocka_unit_test(targets_together_are_targets_alone),
        cmocka_unit_test(draws_follow_the_seed),
        cmocka_unit_test(progress_ends_at_its_total_and_stops_what_runs),
        cmocka_unit_test(what_does_not_fit_is_refused_before_it_runs),
        cmocka_unit_test(memory_that_is_not_there_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
