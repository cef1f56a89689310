/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/alloc.h"
#include "mask/mask.h"
#include "mask_fixture.h"

/* The members of each mask but its own track are those wanted, in any order. */
static void assert_partners(const char *stack, const int (*want)[2])
{
    char settings[128];
    struct ao_flow_field *flow = quadrant_flow();
    snprintf(settings, sizeof settings, "size=3 stride=4 partners=2 stack=%s", stack);
    struct aosa_mask_set *set = generate(flow, NULL, settings);
    assert_int_equal(set->M, 4);
    for (int m = 0; m < 4; m++) {
        const int32_t *members = set->members + set->first[m];
        const int n = set->first[m + 1] - set->first[m];
        const bool has_itself = want[m][0] == m || want[m][1] == m;
        assert_int_equal(members[0], m);
        assert_int_equal(n, has_itself ? 2 : 3);
        for (int k = 1; k < n; k++)
            assert_true(members[k] == want[m][0] || members[k] == want[m][1]);
    }
    ao_mask_set_destroy(&set);
    ao_flow_field_destroy(&flow);
}

static void partners_of_the_spec(void **state)
{
    (void)state;
    assert_partners("flow_vec_corr", (const int[][2]){ { 3, 1 }, { 3, 0 }, { 2, 3 }, { 2, 3 } });
    assert_partners("flow_norm_corr", (const int[][2]){ { 1, 2 }, { 0, 2 }, { 0, 1 }, { 2, 3 } });
    assert_partners("near_norm", (const int[][2]){ { 2, 1 }, { 0, 2 }, { 0, 1 }, { 2, 0 } });
}

static void partners_are_listed_nearest_first(void **state)
{
    (void)state;
    struct ao_flow_field *flow = quadrant_flow();
    struct aosa_mask_set *set = generate(flow, NULL, "size=3 stride=4 partners=3");
    const int32_t first[] = { 0, 1, 3 }; /* cosines .98 and 0; then comes 0 itself, before -1 */
    assert_int_equal(set->first[1], 3);
    assert_memory_equal(set->members, first, sizeof first);
    ao_mask_set_destroy(&set);
    ao_flow_field_destroy(&flow);
}

static void a_track_is_not_its_own_partner_when_excluded(void **state)
{
    (void)state;
    struct ao_flow_field *flow = quadrant_flow();
    struct aosa_mask_set *set =
        generate(flow, NULL, "size=3 stride=4 partners=2 stack=flow_vec_corr exclude-self");
    const int n_members[] = { 3, 3, 3, 1 }; /* track 3 does not move: nothing is like it */
    for (int m = 0; m < 4; m++)
        assert_int_equal(set->first[m + 1] - set->first[m], n_members[m]);
    ao_mask_set_destroy(&set);
    ao_flow_field_destroy(&flow);
}

static void count_uses(const struct aosa_mask_set *set, int *uses)
{
    memset(uses, 0, (size_t)set->N * sizeof *uses);
    for (int k = 0; k < set->first[set->M]; k++)
        uses[set->members[k]]++;
}

static void random_stacks_use_each_track_once_per_set(void **state)
{
    (void)state;
    struct ao_flow_field *flow = random_flow(4, 40, 50, 3, 1);
    int uses[20];
    struct aosa_mask_set *set =
        generate(flow, NULL, "size=8 stride=10 stack=random partners=2 seed=5");
    assert_int_equal(set->N, 20);
    assert_int_equal(set->M, 7); /* ceil(20 / 3) */
    count_uses(set, uses);
    for (int n = 0; n < 20; n++)
        assert_int_equal(uses[n], 1);
    struct aosa_mask_set *again =
        generate(flow, NULL, "size=8 stride=10 stack=random partners=2 seed=5");
    assert_memory_equal(set->members, again->members, 20 * sizeof *set->members);
    ao_mask_set_destroy(&again);
    again = generate(flow, NULL, "size=8 stride=10 stack=random partners=2 seed=6");
    assert_memory_not_equal(set->members, again->members, 20 * sizeof *set->members);
    ao_mask_set_destroy(&again);
    ao_mask_set_destroy(&set);
    set = generate(flow, NULL, "size=8 stride=10 stack=random partners=2 mask-sets=2");
    assert_int_equal(set->M, 14); /* ceil(40 / 3) */
    count_uses(set, uses);
    for (int n = 0; n < 20; n++)
        assert_in_range(uses[n], 1, 2); /* 1 when a mask had it twice */
    ao_mask_set_destroy(&set);
    ao_flow_field_destroy(&flow);
}

/* Four rows of five tracks: three directions, then none. */
static struct ao_flow_field *striped_flow(void)
{
    struct ao_flow_field *flow = constant_flow(4, 40, 50, 0, 0);
    for (int i = 0; i < 3 * 40 * 50; i++) {
        const int stripe = i / 50 % 40 / 10;
        flow->d[2 * i] = (float[]){ 1, -1, 0, 0 }[stripe] * (float)(1 + i % 50 / 10) * 0.01f;
        flow->d[2 * i + 1] = (float[]){ 0, 0, 1, 0 }[stripe] * (float)(1 + i % 50 / 10) * 0.01f;
    }
    return flow;
}

static void k_means_finds_the_directions_and_the_still_tracks(void **state)
{
    (void)state;
    struct ao_flow_field *flow = striped_flow();
    int uses[20];
    for (int seed = 0; seed < 10; seed++) {
        char settings[96];
        snprintf(settings, sizeof settings,
                 "size=8 stride=10 stack=k_means partners=4 clusters=30 seed=%d", seed);
        struct aosa_mask_set *set = generate(flow, NULL, settings);
        assert_int_equal(set->M, 4);
        count_uses(set, uses);
        for (int m = 0; m < 4; m++)
            for (int k = set->first[m]; k < set->first[m + 1]; k++) {
                assert_int_equal(set->members[k] / 5, set->members[set->first[m]] / 5);
                assert_int_equal(uses[set->members[k]], 1);
            }
        assert_int_equal(set->members[set->first[3]] / 5, 3); /* without motion: the last */
        ao_mask_set_destroy(&set);
    }
    /* Five tracks, at most three in a mask: halved into two and three. */
    struct aosa_mask_set *set = generate(flow, NULL, "size=8 stride=10 stack=k_means partners=2");
    assert_int_equal(set->M, 8);
    for (int m = 0; m < 8; m++)
        assert_int_equal(set->first[m + 1] - set->first[m], m % 2 ? 3 : 2);
    ao_mask_set_destroy(&set);
    ao_flow_field_destroy(&flow);
}

static void k_means_of_a_random_flow_is_a_partition(void **state)
{
    (void)state;
    struct ao_flow_field *flow = random_flow(6, 60, 60, 4, 3);
    struct aosa_mask_set *set =
        generate(flow, NULL, "size=8 stride=4 stack=k_means partners=3 clusters=12 seed=2");
    int *uses = ao_alloc((size_t)set->N, sizeof *uses);
    count_uses(set, uses);
    for (int n = 0; n < set->N; n++)
        assert_int_equal(uses[n], 1);
    for (int m = 0; m < set->M; m++)
        assert_in_range(set->first[m + 1] - set->first[m], 1, 4);
    ao_free(uses);
    ao_mask_set_destroy(&set);
    ao_flow_field_destroy(&flow);
}

/* Sum of the directions of a mask's members, [D]. */
static void add_directions(const struct aosa_mask_set *set, int m, int D, double *sum)
{
    memset(sum, 0, (size_t)D * sizeof *sum);
    for (int k = set->first[m]; k < set->first[m + 1]; k++) {
        const float *row = set->motion + set->members[k] * D;
        double square = 0;
        for (int d = 0; d < D; d++)
            square += (double)row[d] * (double)row[d];
        for (int d = 0; d < D; d++)
            sum[d] += (double)row[d] / sqrt(square);
    }
}

static double cosine(const float *a, const double *b, int D)
{
    double ab = 0, aa = 0, bb = 0;
    for (int d = 0; d < D; d++) {
        ab += (double)a[d] * b[d];
        aa += (double)a[d] * (double)a[d];
        bb += b[d] * b[d];
    }
    return ab / sqrt(aa * bb);
}

static void k_means_ends_where_every_track_is_nearest_to_its_own_cluster(void **state)
{
    (void)state;
    enum { T = 6, D = 2 * (T - 1), K = 5 };
    struct ao_flow_field *flow = random_flow(T, 60, 60, 4, 9);
    /* 224 of 225 tracks as partners: no cluster is halved. */
    struct aosa_mask_set *set =
        generate(flow, NULL, "size=8 stride=4 stack=k_means partners=224 clusters=5");
    double sums[K][D];
    assert_int_equal(set->N, 225);
    assert_int_equal(set->M, K);
    for (int m = 0; m < K; m++)
        add_directions(set, m, D, sums[m]);
    for (int m = 0; m < K; m++)
        for (int k = set->first[m]; k < set->first[m + 1]; k++) {
            const float *row = set->motion + set->members[k] * D;
            for (int other = 0; other < K; other++)
                /* Two ways to sum 10 products in double: 20 eps = 4.5e-15. */
                assert_true(cosine(row, sums[m], D) >= cosine(row, sums[other], D) - 1e-14);
        }
    ao_mask_set_destroy(&set);
    ao_flow_field_destroy(&flow);
}

static void official_groups_count_the_track_itself(void **state)
{
    (void)state;
    struct ao_flow_field *flow = striped_flow();
    const struct ao_mask_source source = { 4, 40, 50, flow, NULL };
    const char *const stacks[] = { "random", "k_means" };
    const int n_masks[] = { 7, 8 }; /* ceil(20 / 3); 5 halved into 2 and 3 */
    for (int i = 0; i < 2; i++) {
        char settings[96];
        struct aosa_mask_set *set = NULL;
        snprintf(settings, sizeof settings, "size=8 stride=10 partners=3 stack=%s", stacks[i]);
        const struct ao_mask_options options = options_of(settings);
        assert_int_equal(ao_masks_generate(&source, &options, true, &set), AOSA_OK);
        assert_int_equal(set->M, n_masks[i]);
        ao_mask_set_destroy(&set);
    }
    ao_flow_field_destroy(&flow);
}

static void one_frame_can_be_masked_and_stacked(void **state)
{
    (void)state;
    struct ao_flow_field *flow = constant_flow(1, 20, 20, 0, 0);
    const char *const stacks[] = { "flow_vec_corr", "flow_norm_corr", "near_norm", "random",
                                   "k_means" };
    for (int i = 0; i < 5; i++) {
        char settings[64];
        snprintf(settings, sizeof settings, "size=4 stride=5 partners=2 stack=%s", stacks[i]);
        struct aosa_mask_set *set = generate(flow, NULL, settings);
        assert_true(set->M > 0);
        ao_mask_set_destroy(&set);
    }
    ao_flow_field_destroy(&flow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partners_of_the_spec),
        cmocka_unit_test(partners_are_listed_nearest_first),
        cmocka_unit_test(a_track_is_not_its_own_partner_when_excluded),
        cmocka_unit_test(random_stacks_use_each_track_once_per_set),
        cmocka_unit_test(k_means_finds_the_directions_and_the_still_tracks),
        cmocka_unit_test(k_means_of_a_random_flow_is_a_partition),
        cmocka_unit_test(k_means_ends_where_every_track_is_nearest_to_its_own_cluster),
        cmocka_unit_test(official_groups_count_the_track_itself),
        cmocka_unit_test(one_frame_can_be_masked_and_stacked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
