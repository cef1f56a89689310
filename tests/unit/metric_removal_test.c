/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/alloc.h"
#include "metric/removal.h"
#include "support/metric_rig.h"

/* Curves of deletion and insertion, what is read off them, and how all that fails. */

static void curves_of_a_linear_network_are_sums_of_its_weights(void **state)
{
    (void)state;
    for (int n = 7; n <= RIG_VOXELS; n += RIG_VOXELS - 7) {
        char text[16];
        double area = 0;
        snprintf(text, sizeof text, "%d", n);
        rig_set("cuts", text);
        for (int k = 0; k <= n; k++)
            area += (k == 0 || k == n ? 0.5 : 1) * rig_sum_of_largest(k * RIG_VOXELS / n) / n;
        rig_run("deletion", NULL);
        assert_near(rig_value("deletion.auc"), rig.total - area, RIG_BOUND);
        assert_near(rig_value("deletion.auc_normalised"), 1 - area / rig.total, RIG_BOUND);
        assert_int_equal(rig_curve("deletion")->n, n + 1);
        for (int k = 0; k <= n; k++)
            assert_near(rig_curve("deletion")->y[k],
                        rig.total - rig_sum_of_largest(k * RIG_VOXELS / n), RIG_BOUND);
        rig_run("insertion", NULL);
        assert_near(rig_value("insertion.auc"), area, RIG_BOUND);
        assert_int_equal(rig.answer.forwards, n + 1);
    }
}

static void the_base_stands_where_voxels_are_deleted(void **state)
{
    (void)state;
    rig_set("deletion-base", "0.5");
    rig_set("cuts", "9");
    rig_run("deletion", NULL);
    assert_near(rig_curve("deletion")->y[9], rig.total / 2, RIG_BOUND);
    assert_near(rig_curve("deletion")->y[3], rig.total - rig_sum_of_largest(30) / 2, RIG_BOUND);
}

static void a_constant_map_falls_to_the_tie_rule(void **state)
{
    (void)state;
    double first_third = 0;
    for (int i = 0; i < RIG_VOXELS; i++)
        rig.map[i] = 4;
    for (int i = 0; i < RIG_VOXELS / 3; i++)
        first_third += rig.c[i];
    rig_set("cuts", "3");
    rig_run("deletion", NULL); /* by index: frame after frame */
    assert_near(rig_curve("deletion")->y[1], rig.total - first_third, RIG_BOUND);
    rig_set("ties", "together"); /* one step: from the clip to the base */
    rig_run("deletion", NULL);
    assert_int_equal(rig_curve("deletion")->n, 2);
    assert_near(rig_value("deletion.auc"), rig.total / 2, RIG_BOUND);
    rig_set("ties", "random"); /* on average a straight line */
    rig_set("tie-repeats", "200");
    rig_run("deletion", NULL);
    /* The mean of 200 sums of 30 of 90 weights, each of variance 3/12: standard deviation
     * sqrt(30 * 2/3 * 0.25 / 200) = 0.16; 5 of them. */
    assert_near(rig_curve("deletion")->y[1], rig.total * 2 / 3, 0.8);
}

static void ties_that_stay_together_cut_at_the_ends_of_runs(void **state)
{
    (void)state;
    struct ao_ranking ranking;
    double values[RIG_VOXELS];
    size_t cuts[10];
    for (int i = 0; i < RIG_VOXELS; i++)
        values[i] = i < 50 ? 2 : i < 80 ? 1 : 0;
    assert_int_equal(ao_ranking_init(&ranking, values, RIG_VOXELS, false), AOSA_OK);
    assert_int_equal(ao_ranking_cut(&ranking, 9, true, cuts), 3);
    assert_int_equal(cuts[1], 50);
    assert_int_equal(cuts[2], 80);
    assert_int_equal(cuts[3], 90);
    ao_ranking_fini(&ranking);
}

static void blocks_are_ranked_by_their_mean_and_removed_whole(void **state)
{
    (void)state;
    /* 4 x 4 blocks of a 6 x 5 frame: 2 x 2 of them, those at the border smaller. */
    double corner = 0;
    for (int i = 0; i < RIG_VOXELS; i++) {
        const int t = i / (RIG_H * RIG_W), y = i / RIG_W % RIG_H, x = i % RIG_W;
        const bool last = t == 1 && y >= 4 && x == 4; /* 2 voxels */
        rig.map[i] = last ? 1 : 0;
        corner += last ? rig.c[i] : 0;
    }
    rig_set("unit", "block");
    rig_set("block", "4");
    rig_set("cuts", "12");
    rig_run("deletion", NULL);
    assert_int_equal(rig_curve("deletion")->n, 13);
    assert_near(rig_curve("deletion")->y[1], rig.total - corner, RIG_BOUND);
    assert_near(rig_curve("deletion")->y[12], 0, RIG_BOUND);
}

static void least_first_is_the_way_back_and_abpc_lies_between(void **state)
{
    (void)state;
    /* Values are distinct and steps divide the voxels: k steps of LeRF leave the (n - k) most. */
    enum { N = 9 };
    double most = 0, least = 0;
    for (int k = 0; k <= N; k++) {
        const double weight = (k == 0 || k == N ? 0.5 : 1) / N;
        most += weight * (rig.total - rig_sum_of_largest(k * 10));
        least += weight * rig_sum_of_largest((N - k) * 10);
    }
    rig_set("cuts", "9");
    rig_set("order", "both");
    rig_run("deletion,insertion", NULL);
    assert_near(rig_value("deletion.auc"), most, RIG_BOUND);
    assert_near(rig_value("deletion.auc_lerf"), least, RIG_BOUND);
    assert_near(rig_value("deletion.auc_lerf_normalised"), least / rig.total, RIG_BOUND);
    assert_near(rig_value("deletion.abpc"), least - most, 2 * RIG_BOUND);
    /* The same base: inserted most first is what is left when least is deleted first. */
    assert_near(rig_value("insertion.auc"), least, RIG_BOUND);
    assert_near(rig_value("insertion.abpc"), least - most, 2 * RIG_BOUND);
    assert_near(rig_curve("deletion_lerf")->y[3], rig_sum_of_largest(60), RIG_BOUND);
    rig_set("order", "lerf");
    rig_run("deletion", NULL);
    assert_int_equal(rig.answer.n_values, 2);
    for (int i = 0; i < RIG_VOXELS; i++)
        rig.map[i] = 7;
    rig_set("order", "both");
    rig_run("deletion", NULL);
    assert_near(rig_value("deletion.abpc"), 0, 0); /* a constant map knows nothing */
}

static void metrics_of_one_curve_run_it_once(void **state)
{
    (void)state;
    double mean = 0;
    rig_set("cuts", "9");
    rig_run("deletion,insertion,aopc,minimal_mask", NULL);
    assert_int_equal(rig.answer.forwards, 20);
    for (int k = 0; k <= 9; k++)
        mean += rig_sum_of_largest(10 * k) / 10;
    assert_near(rig_value("aopc"), mean, RIG_BOUND);
    const double aopc = rig_value("aopc");
    rig_run("aopc", NULL); /* alone */
    assert_int_equal(rig.answer.forwards, 10);
    assert_near(rig_value("aopc"), aopc, 0);
}

static void random_ties_do_not_depend_on_other_metrics(void **state)
{
    (void)state;
    for (int i = 0; i < RIG_VOXELS; i++)
        rig.map[i] = (float)(i % 4);
    rig_set("cuts", "30");
    rig_set("ties", "random");
    rig_run("insertion", NULL);
    const double alone = rig_value("insertion.auc");
    rig_run("deletion,insertion", NULL);
    assert_near(rig_value("insertion.auc"), alone, 0);
}

static int compare_values(const void *a, const void *b)
{
    const double p = *(const double *)a, q = *(const double *)b;
    return p < q ? -1 : p > q;
}

/* Sum of the n largest c. */
static double sum_of_most(int n)
{
    double sorted[RIG_VOXELS], sum = 0;
    memcpy(sorted, rig.c, sizeof sorted);
    qsort(sorted, RIG_VOXELS, sizeof *sorted, compare_values);
    for (int i = 0; i < n; i++)
        sum += sorted[RIG_VOXELS - 1 - i];
    return sum;
}

static void a_minimal_mask_is_read_off_the_curve(void **state)
{
    (void)state;
    /* c instead of scattered values: curves bend. The score is a share of the total, and levels of
     * the score itself are never reached from above, always from below. */
    for (int i = 0; i < RIG_VOXELS; i++)
        rig.map[i] = (float)rig.c[i];
    rig_set("cuts", "90");
    rig_set("minimal-mask", "share");
    rig_run("deletion,insertion,minimal_mask", NULL);
    static const char *const names[] = { "80", "90", "95", "99" };
    static const double levels[] = { 0.80, 0.90, 0.95, 0.99 };
    for (int i = 0; i < 4; i++) {
        char name[48];
        int k = 0;
        while (rig_curve("insertion")->y[k] < levels[i] * rig.total)
            k++;
        snprintf(name, sizeof name, "minimal_mask.insertion_%s", names[i]);
        assert_near(rig_value(name), k / 90.0, 1e-15);
        snprintf(name, sizeof name, "minimal_mask.deletion_%s", names[i]);
        assert_near(rig_value(name), k / 90.0, 1e-15); /* the same voxels, the same zero base */
    }
    rig_set("minimal-mask", "score");
    rig_run("deletion,minimal_mask", NULL);
    assert_near(rig_value("minimal_mask.insertion_99"), 1 / 90.0, 1e-15); /* one c above 0.99 */
    int left = 0; /* steps before the end whose voxels are worth no more than 0.8 together */
    while (rig.total - sum_of_most(90 - left - 1) <= 0.8)
        left++;
    assert_near(rig_value("minimal_mask.deletion_80"), (90 - left) / 90.0, 1e-15);
    rig_set("deletion-base", "2"); /* twice the score where all is deleted: it never falls */
    rig_run("minimal_mask", NULL);
    assert_true(isnan(rig_value("minimal_mask.deletion_99")));
    rig_set("minimal-mask", "share");
    rig_run("minimal_mask", NULL);
    assert_true(isnan(rig_value("minimal_mask.deletion_80")));
    assert_true(rig_value("minimal_mask.insertion_80") > 0);
}

/* Pixels of a frame in two halves, white above row 3 and black below. */
static void paint_halves(void)
{
    for (int i = 0; i < RIG_VOXELS; i++)
        memset(rig.s.clip->rgb + (size_t)(3 * i), i / RIG_W % RIG_H < 3 ? 255 : 0, 3);
}

static void segments_are_removed_whole_and_valued_by_their_sum(void **state)
{
    (void)state;
    struct ao_units units;
    paint_halves();
    rig_set("unit-segments", "2");
    rig_set("unit-compactness", "0.01");
    for (int unit = AO_UNIT_SUPERPIXEL; unit <= AO_UNIT_SUPERVOXEL; unit++) {
        const bool in_space = unit == AO_UNIT_SUPERPIXEL;
        const size_t want = in_space ? 2 * RIG_T : 2;
        rig.options.unit = unit;
        assert_int_equal(ao_units_init(&units, rig.s.clip, rig.map, &rig.options), AOSA_OK);
        assert_int_equal(units.n, want);
        for (size_t u = 0; u < units.n; u++) {
            const size_t voxels = units.first[u + 1] - units.first[u];
            double sum = 0;
            assert_int_equal(voxels, RIG_VOXELS / want);
            for (uint32_t i = units.first[u]; i < units.first[u + 1]; i++) {
                sum += (double)rig.map[units.voxels[i]];
                assert_int_equal(units.voxels[i] / RIG_W % RIG_H < 3,
                                 units.voxels[units.first[u]] / RIG_W % RIG_H < 3);
            }
            assert_near(units.value[u], sum, 0); /* whole numbers */
        }
        ao_units_fini(&units);
        rig_run("deletion", NULL);
        assert_int_equal(rig_curve("deletion")->n, want + 1);
        assert_near(rig_curve("deletion")->y[want], 0, RIG_BOUND);
    }
}

static void rankings_sort_values_of_any_size_and_sign(void **state)
{
    (void)state;
    enum { N = 5000 };
    static double values[N], sorted[N];
    struct ao_rng rng;
    struct ao_ranking r;
    ao_rng_init(&rng, 2);
    for (int i = 0; i < N; i++) /* many ties, both zeros, subnormal to huge */
        values[i] = i % 5 == 0   ? (i % 2 ? -0.0 : 0.0)
                    : i % 5 == 1 ? (double)ao_rng_below(&rng, 7) - 3
                                 : ao_rng_normal(&rng) * pow(10, ao_rng_range(&rng, -320, 300));
    memcpy(sorted, values, sizeof sorted);
    qsort(sorted, (size_t)N, sizeof *sorted, compare_values);
    for (int lowest = 0; lowest <= 1; lowest++) {
        assert_int_equal(ao_ranking_init(&r, values, N, lowest), AOSA_OK);
        for (int i = 0; i < N; i++) {
            assert_true(values[r.order[i]] == sorted[lowest ? i : N - 1 - i]);
            if (i > 0 && values[r.order[i]] == values[r.order[i - 1]])
                assert_true(r.order[i] > r.order[i - 1]);
        }
        ao_ranking_fini(&r);
    }
}

static void wrong_options_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *metric, *option, *value, *words;
    } wrong[] = {
        { "deletion", "deletion-base", "grey", "--deletion-base" },
        { "insertion", "insertion-base", "", "--insertion-base" },
        { "minimal_mask", "insertion-base", "local", "--insertion-base" },
        { "average_drop", "deletion-base", "nan", "--deletion-base" },
        { "infidelity", "deletion-base", "x", "--deletion-base" },
        { "faithfulness", "deletion-base", "x", "--deletion-base" },
        { "faithfulness", "subset-units", "91", "--subset-units 91" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        rig_set(wrong[i].option, wrong[i].value);
        assert_int_equal(rig_try(wrong[i].metric, NULL), AOSA_ERR_ARGUMENT);
        if (!strstr(aosa_error_message(), wrong[i].words))
            fail_msg("%s: %s", wrong[i].metric, aosa_error_message());
        rig_set("deletion-base", "zero");
        rig_set("insertion-base", "zero");
    }
    rig_set("unit", "superpixel");
    rig_set("unit-segments", "31"); /* of 30 pixels */
    assert_int_equal(rig_try("deletion", NULL), AOSA_ERR_ARGUMENT);
    assert_non_null(strstr(aosa_error_message(), "--unit-segments 31"));
}

static void metrics_without_memory_say_so_and_keep_nothing(void **state)
{
    (void)state;
    static const char *const names[] = { "deletion",     "insertion",    "minimal_mask",
                                         "average_drop", "faithfulness", "infidelity" };
    rig_set("cuts", "3");
    rig_set("perturbations", "3");
    rig_set("subsets", "3");
    rig_set("order", "both");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        long n = 0;
        aosa_status status;
        do {
            ao_alloc_fail_at(++n);
            status = rig_try(names[i], NULL);
            assert_true(status == (ao_alloc_has_failed() ? AOSA_ERR_NOMEM : AOSA_OK));
        } while (status != AOSA_OK);
        assert_true(n > 3);
        ao_alloc_fail_at(0);
    }
}

static bool stop(void *user, const char *stage, size_t done, size_t total)
{
    (void)user, (void)stage, (void)done, (void)total;
    return false;
}

static void a_stop_ends_every_metric_that_runs_the_network(void **state)
{
    (void)state;
    static const char *const names[] = { "deletion",     "insertion",    "aopc",
                                         "minimal_mask", "average_drop", "faithfulness",
                                         "infidelity" };
    rig.progress.fn = stop;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(rig_try(names[i], NULL), AOSA_ERR_CANCELLED);
        assert_int_equal(rig.answer.n_values + rig.answer.n_curves, 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(curves_of_a_linear_network_are_sums_of_its_weights),
        TEST(the_base_stands_where_voxels_are_deleted),
        TEST(a_constant_map_falls_to_the_tie_rule),
        TEST(ties_that_stay_together_cut_at_the_ends_of_runs),
        TEST(blocks_are_ranked_by_their_mean_and_removed_whole),
        TEST(least_first_is_the_way_back_and_abpc_lies_between),
        TEST(metrics_of_one_curve_run_it_once),
        TEST(random_ties_do_not_depend_on_other_metrics),
        TEST(a_minimal_mask_is_read_off_the_curve),
        TEST(segments_are_removed_whole_and_valued_by_their_sum),
        TEST(rankings_sort_values_of_any_size_and_sign),
        TEST(wrong_options_are_named),
        TEST(metrics_without_memory_say_so_and_keep_nothing),
        TEST(a_stop_ends_every_metric_that_runs_the_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
