/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attribution/mask_groups.h"
#include "core/alloc.h"
#include "mask_fixture.h"

enum { T = 8, H = 48, W = 60 };

static struct aosa_mask_set *make(const char *settings)
{
    struct ao_flow_field *flow = random_flow(T, H, W, 3, 21);
    struct aosa_mask_set *set = generate(flow, NULL, settings);
    ao_flow_field_destroy(&flow);
    return set;
}

/* Group of each mask, -1: none; every mask is in one group at most, ascending in it. */
static int32_t *labels_of(const struct ao_mask_groups *groups, int M)
{
    int32_t *labels = malloc((size_t)M * sizeof *labels);
    for (int m = 0; m < M; m++)
        labels[m] = -1;
    for (int g = 0; g < groups->n; g++) {
        assert_true(groups->first[g] < groups->first[g + 1]);
        for (int32_t i = groups->first[g]; i < groups->first[g + 1]; i++) {
            assert_true(i == groups->first[g] || groups->members[i] > groups->members[i - 1]);
            assert_int_equal(labels[groups->members[i]], -1);
            labels[groups->members[i]] = g;
        }
    }
    return labels;
}

/* Grids of 6 x 7 start points 8 pixels apart, or 6 x 8 for cuboids, which start at 0 (Q16). */
static void splits_are_equal_parts_of_the_grid(void **state)
{
    (void)state;
    static const struct {
        const char *settings;
        int origin, n_y, n_x;
    } cases[] = {
        { "mask=cuboid size=8 stride=8 time-size=4 time-stride=3", 0, 6, 8 },
        { "mask=flow_one size=8 stride=8", 4, 6, 7 },
        { "mask=flow_one size=8 stride=8 partners=2", 4, 6, 7 },
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct aosa_mask_set *set = make(cases[c].settings);
        for (int splits = 1; splits < 10; splits++) {
            const int n_y = splits < cases[c].n_y ? splits : cases[c].n_y;
            const int n_x = splits < cases[c].n_x ? splits : cases[c].n_x;
            struct ao_mask_groups groups;
            assert_int_equal(ao_mask_groups_split(set, splits, &groups), AOSA_OK);
            assert_int_equal(groups.n, n_y * n_x);
            int32_t *labels = labels_of(&groups, set->M);
            for (int m = 0; m < set->M; m++) {
                const struct ao_track_point at = set->points[set->members[set->first[m]] * set->T];
                const int y = (at.y - cases[c].origin) / 8, x = (at.x - cases[c].origin) / 8;
                assert_int_equal(labels[m], y * n_y / cases[c].n_y * n_x + x * n_x / cases[c].n_x);
                assert_int_equal(groups.anchor[labels[m]], AO_ANCHOR_MEAN);
            }
            free(labels);
            ao_mask_groups_fini(&groups);
        }
        ao_mask_set_destroy(&set);
    }
}

/* numpy.percentile of these eight: q1 -0.1325, q3 0.0225, so the fences are -0.365 and 0.255. */
static void outliers_lie_beyond_one_and_a_half_quartile_ranges(void **state)
{
    (void)state;
    static const double effects[] = { 0.0, -0.1, 0.26, -0.9, 0.03, -0.13, 0.02, -0.14 };
    struct ao_mask_groups groups;
    struct aosa_mask_set *set = make("mask=cuboid size=8 stride=32 time-size=4 time-stride=4");
    assert_int_equal(set->M, 8);
    assert_int_equal(ao_mask_groups_outliers(set, effects, false, &groups), AOSA_OK);
    assert_int_equal(groups.n, 2);
    assert_int_equal(groups.first[1], 1);
    assert_int_equal(groups.first[2], 2);
    assert_int_equal(groups.members[0], 2);
    assert_int_equal(groups.members[1], 3);
    assert_int_equal(groups.anchor[0], 2);
    assert_int_equal(groups.anchor[1], 3);
    ao_mask_groups_fini(&groups);
    ao_mask_set_destroy(&set);
}

static void effects_alike_have_no_outliers(void **state)
{
    (void)state;
    double effects[64] = { 0 };
    struct ao_mask_groups groups;
    struct aosa_mask_set *set = make("mask=flow_one size=8 stride=8");
    assert_true(set->M <= 64);
    for (int connected = 0; connected < 2; connected++) {
        assert_int_equal(ao_mask_groups_outliers(set, effects, connected, &groups), AOSA_OK);
        assert_int_equal(groups.n, 0);
        ao_mask_groups_fini(&groups);
    }
    ao_mask_set_destroy(&set);
}

/* A picture of the grid with a margin, for the definition of components: 0 empty, else 1. */
enum { SIDE = 24 };
struct picture {
    int cell[SIDE][SIDE][SIDE];
};

static void flood(struct picture *picture, int t, int y, int x, int label)
{
    if (t < 0 || y < 0 || x < 0 || t >= SIDE || y >= SIDE || x >= SIDE ||
        picture->cell[t][y][x] != 1)
        return;
    picture->cell[t][y][x] = label;
    for (int d = 0; d < 27; d++)
        flood(picture, t + d / 9 - 1, y + d / 3 % 3 - 1, x + d % 3 - 1, label);
}

struct site {
    int t, y, x;
};

/* Dilates the sites of one side, floods, and reads each site's label: from `next` on. */
static int label_picture(const struct site *sites, const int *sides, int wanted, int M,
                         struct site box, int next, int *labels)
{
    static struct picture picture;
    memset(&picture, 0, sizeof picture);
    for (int m = 0; m < M; m++)
        for (int t = 0; sides[m] == wanted && t < box.t; t++)
            for (int y = 0; y < box.y; y++)
                for (int x = 0; x < box.x; x++)
                    picture.cell[sites[m].t + t][sites[m].y + y][sites[m].x + x] = 1;
    for (int m = 0; m < M; m++) {
        if (sides[m] != wanted)
            continue;
        if (picture.cell[sites[m].t][sites[m].y][sites[m].x] == 1)
            flood(&picture, sites[m].t, sites[m].y, sites[m].x, next++);
        labels[m] = picture.cell[sites[m].t][sites[m].y][sites[m].x];
    }
    return next;
}

static void check_components(const struct aosa_mask_set *set, const struct site *sites,
                             struct site box, const double *effects, int n_groups_least)
{
    struct ao_mask_groups sides_only, groups;
    int sides[512] = { 0 }, expected[512];
    assert_int_equal(ao_mask_groups_outliers(set, effects, false, &sides_only), AOSA_OK);
    assert_int_equal(ao_mask_groups_outliers(set, effects, true, &groups), AOSA_OK);
    for (int32_t i = 0; i < sides_only.first[sides_only.n]; i++) {
        const int32_t m = sides_only.members[i];
        sides[m] = effects[m] > 0 ? 1 : -1;
    }
    int next = label_picture(sites, sides, 1, set->M, box, 2, expected);
    next = label_picture(sites, sides, -1, set->M, box, next, expected);
    assert_int_equal(groups.n, next - 2);
    assert_true(groups.n >= n_groups_least);
    int32_t *labels = labels_of(&groups, set->M);
    for (int m = 0; m < set->M; m++) {
        assert_int_equal(labels[m] >= 0, sides[m] != 0);
        for (int other = 0; other < m; other++)
            if (sides[m] && sides[other])
                assert_int_equal(labels[m] == labels[other], expected[m] == expected[other]);
        if (sides[m])
            assert_true(sides[m] * effects[groups.anchor[labels[m]]] >= sides[m] * effects[m]);
    }
    for (int g = 0; g < groups.n; g++)
        assert_int_equal(labels[groups.anchor[g]], g);
    free(labels);
    ao_mask_groups_fini(&sides_only);
    ao_mask_groups_fini(&groups);
}

/* Most effects are near 0; one in 12 or so is far out, on either side. */
static void random_effects(struct ao_rng *rng, double *effects, int M)
{
    for (int m = 0; m < M; m++) {
        const uint64_t kind = ao_rng_below(rng, 24);
        effects[m] = ao_rng_range(rng, -0.1, 0.1) + (kind == 0) * ao_rng_range(rng, 1, 2) -
                     (kind == 1) * ao_rng_range(rng, 1, 2);
    }
}

static void components_equal_those_of_a_dilated_picture(void **state)
{
    (void)state;
    struct aosa_mask_set *set = make("mask=cuboid size=5 stride=5 time-size=5 time-stride=2");
    assert_int_equal(set->M, 4 * 10 * 12);
    struct site sites[512];
    for (int m = 0; m < set->M; m++)
        sites[m] = (struct site){ m / 120, m / 12 % 10, m % 12 };
    /* int(0.2 * 4 + 1), int(0.2 * 10 + 1), int(0.2 * 12 + 1) */
    const struct site box = { 1, 3, 3 };
    struct ao_rng rng;
    double effects[512];
    ao_rng_init(&rng, 77);
    for (int round = 0; round < 40; round++) {
        random_effects(&rng, effects, set->M);
        check_components(set, sites, box, effects, 2);
    }
    ao_mask_set_destroy(&set);
}

/* Tubes of `flow` start at several times; where they die does not matter. */
static void places_of_tubes_are_where_they_start(void **state)
{
    (void)state;
    struct aosa_mask_set *set = make("mask=flow size=8 stride=8 time-size=8 time-stride=3");
    struct site sites[512], box = { 1, 2, 2 }; /* of 3 times, 6 rows, 7 columns */
    int last = 0;
    assert_true(set->M > 42 && set->M <= 512);
    for (int m = 0; m < set->M; m++) {
        const struct ao_track_point *track = set->points + m * set->T;
        int start = 0;
        while (!track[start].alive)
            start++;
        sites[m] = (struct site){ start / 3, track[start].y / 8, track[start].x / 8 };
        last = start > last ? start : last;
    }
    assert_int_equal(last, 6);
    struct ao_rng rng;
    double effects[512];
    ao_rng_init(&rng, 78);
    for (int round = 0; round < 20; round++) {
        random_effects(&rng, effects, set->M);
        check_components(set, sites, box, effects, 1);
    }
    ao_mask_set_destroy(&set);
}

static void missing_memory_is_reported(void **state)
{
    (void)state;
    struct aosa_mask_set *set = make("mask=flow_one size=8 stride=8");
    double effects[64] = { 0 };
    struct ao_mask_groups groups;
    effects[5] = 1;
    for (int kind = 0; kind < 3; kind++) {
        aosa_status status = AOSA_ERR_NOMEM;
        for (long n = 1; status != AOSA_OK; n++) {
            assert_true(n < 20);
            ao_alloc_fail_at(n);
            status = kind == 2 ? ao_mask_groups_split(set, 2, &groups)
                               : ao_mask_groups_outliers(set, effects, kind == 1, &groups);
            assert_true(status == AOSA_OK || status == AOSA_ERR_NOMEM);
        }
        ao_alloc_fail_at(0);
        ao_mask_groups_fini(&groups);
    }
    ao_mask_set_destroy(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_are_equal_parts_of_the_grid),
        cmocka_unit_test(outliers_lie_beyond_one_and_a_half_quartile_ranges),
        cmocka_unit_test(effects_alike_have_no_outliers),
        cmocka_unit_test(components_equal_those_of_a_dilated_picture),
        cmocka_unit_test(places_of_tubes_are_where_they_start),
        cmocka_unit_test(missing_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
