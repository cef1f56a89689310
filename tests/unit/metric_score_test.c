/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/metric_rig.h"

/* Metrics of changed clips other than curves: on a linear network all are known. */

static void a_clip_seen_through_its_map_keeps_the_weights_it_sees(void **state)
{
    (void)state;
    double seen = 0;
    for (int i = 0; i < RIG_VOXELS; i++) {
        rig.map[i] = (float)(i % 5) - 1; /* -1 is stretched to 0 as 0 is, 3 to 1 */
        seen += fmax(0, (double)rig.map[i]) / 3 * rig.c[i];
    }
    rig_run("average_drop", NULL);
    assert_int_equal(rig.answer.forwards, 2);
    const double drop = 100 * (rig.total - seen) / rig.total;
    /* S is rounded to float: another 6e-8 of the score; both in percent of the total, above 45. */
    assert_true(rig.total > 45);
    assert_near(rig_value("average_drop.drop"), drop, 100 * 3 * RIG_BOUND / 45);
    assert_near(rig_value("average_drop.increase"), 0, 0);
    assert_true(isnan(rig_value("average_drop.gain"))); /* y >= 1 */
    rig_set("deletion-base", "2");
    rig_run("average_drop", NULL);
    assert_near(rig_value("average_drop.drop"), 0, 0);
    assert_near(rig_value("average_drop.increase"), 100, 0);
}

static void a_zero_map_shows_the_base(void **state)
{
    (void)state;
    for (int i = 0; i < RIG_VOXELS; i++)
        rig.map[i] = 0;
    for (int i = 0; i < 3 * RIG_VOXELS; i++)
        rig.s.clip->values[i] = 0.001F; /* y below 1 */
    rig_set("deletion-base", "0.002");
    rig_run("average_drop", NULL);
    const double y = 0.001 * rig.total;
    assert_near(rig_value("average_drop.gain"), 100 * y / (1 - y), 100 * 3e-7);
    for (int i = 0; i < 3 * RIG_VOXELS; i++)
        rig.s.clip->values[i] = 0;
    rig_run("average_drop", NULL);
    assert_true(isnan(rig_value("average_drop.drop"))); /* y <= 0 */
}

static void set_map(double scale)
{
    for (int i = 0; i < RIG_VOXELS; i++)
        rig.map[i] = (float)(scale * rig.c[i]);
}

static void the_true_map_correlates_with_what_units_take_away(void **state)
{
    (void)state;
    /* Scores and maps err by 6e-8 of what they are, c vary by about 0.5: the correlation of numbers
     * with an error of e sigmas is 1 - e^2 / 2. */
    const double error = 2 * RIG_BOUND / 0.25, bound = error * error;
    set_map(1);
    rig_run("faithfulness", NULL);
    assert_int_equal(rig.answer.forwards, 1 + RIG_VOXELS); /* each voxel once */
    assert_near(rig_value("faithfulness"), 1, bound);
    set_map(-3);
    rig_run("faithfulness", NULL);
    assert_near(rig_value("faithfulness"), -1, bound);
    rig_set("subsets", "40");
    rig_run("faithfulness", NULL);
    assert_int_equal(rig.answer.forwards, 41);
    assert_near(rig_value("faithfulness"), -1, bound);
    rig_set("subset-units", "7");
    rig_run("faithfulness", NULL);
    assert_near(rig_value("faithfulness"), -1, bound);
}

static void a_correlation_of_constants_is_not_a_number(void **state)
{
    (void)state;
    for (int i = 0; i < RIG_VOXELS; i++)
        rig.map[i] = 0.1F;
    rig_run("faithfulness", NULL);
    assert_true(isnan(rig_value("faithfulness")));
    set_map(1);
    rig_set("deletion-base", "1"); /* the clip: nothing changes */
    rig_run("faithfulness", NULL);
    assert_true(isnan(rig_value("faithfulness")));
    rig_set("deletion-base", "zero");
    rig_set("subset-units", "90"); /* all */
    rig_run("faithfulness", NULL);
    assert_true(isnan(rig_value("faithfulness")));
}

static void the_true_map_has_no_infidelity(void **state)
{
    (void)state;
    static const char *const kinds[] = { "cuboid", "gauss" };
    rig.s.clip->values[0] = 3; /* a clip of ones has no range, and would get no noise */
    for (int i = 0; i < 2; i++) {
        rig_set("perturbation", kinds[i]);
        set_map(1);
        if (i == 0) /* removing voxel 0 takes three times the weight of its first channel */
            rig.map[0] += 2 * ((const float *)rig.net.graph.values[1].data)[0];
        rig_run("infidelity", NULL);
        assert_int_equal(rig.answer.forwards, 101);
        printf("%s: raw %.1e\n", kinds[i], rig_value("infidelity.raw"));
        assert_near(rig_value("infidelity.raw"), 0, 4 * RIG_BOUND * RIG_BOUND);
        for (int k = 0; k < RIG_VOXELS; k++)
            rig.map[k] *= -4; /* only the scale is wrong, and the sign */
        rig_run("infidelity", NULL);
        assert_near(rig_value("infidelity.scaled"), 0, 4 * RIG_BOUND * RIG_BOUND);
        const double raw = rig_value("infidelity.raw");
        for (int k = 0; k < RIG_VOXELS; k++)
            rig.map[k] = 0; /* d is the whole error, (-4 - 1)^2 of it was */
        rig_run("infidelity", NULL);
        assert_near(rig_value("infidelity.raw"), raw / 25, 1e-5 * raw);
        assert_near(rig_value("infidelity.scaled"), rig_value("infidelity.raw"), 0);
    }
}

static void cuboids_cover_their_share_of_each_axis(void **state)
{
    (void)state;
    /* All of it: I . A is the sum of the map, d the total. */
    double sum = 0;
    for (int i = 0; i < RIG_VOXELS; i++)
        sum += (double)rig.map[i];
    rig_set("perturbation-size", "1");
    rig_set("perturbations", "2");
    rig_run("infidelity", NULL);
    const double raw = (sum - rig.total) * (sum - rig.total);
    assert_near(rig_value("infidelity.raw"), raw, 2 * sum * RIG_BOUND);
    /* None: one voxel, d its weight; the mean over 20000 of (0 - c)^2, known to 5 sigma. */
    double mean = 0, square = 0;
    for (int i = 0; i < RIG_VOXELS; i++) {
        mean += rig.c[i] * rig.c[i] / RIG_VOXELS;
        square += pow(rig.c[i], 4) / RIG_VOXELS;
        rig.map[i] = 0;
    }
    rig_set("perturbation-size", "0");
    rig_set("perturbations", "20000");
    rig_run("infidelity", NULL);
    assert_near(rig_value("infidelity.raw"), mean, 5 * sqrt((square - mean * mean) / 20000));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_clip_seen_through_its_map_keeps_the_weights_it_sees),
        TEST(a_zero_map_shows_the_base),
        TEST(the_true_map_correlates_with_what_units_take_away),
        TEST(a_correlation_of_constants_is_not_a_number),
        TEST(the_true_map_has_no_infidelity),
        TEST(cuboids_cover_their_share_of_each_axis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
