/* SPDX-License-Identifier: Apache-2.0 */
/* Guided occlusion: exact with a budget for all masks, best masks first below it, stops, engines.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/alloc.h"
#include "mask_fixture.h"
#include "support/random_net.h"
#include "support/subject.h"

#define TEST(name) cmocka_unit_test(name)

enum {
    T = 3,
    SIDE = 32,
    PIXELS = SIDE * SIDE,
    VOXELS = T * PIXELS,
    ROUND = 8,
    ESTIMATE = 4, /* forwards that the estimates and the clip take of a budget, for one target */
};

/*
 * Two classes, x being 1: class 0 scores sum of w x - max(C - sum of h x, 0), class 1 half of its
 * linear part. With h = 0 and C = 0 class 0 is linear; else it is blind to h at x = 1, where the
 * second term is 0 and stays so for a while.
 */
struct rig {
    struct net net;
    struct subject s;
    struct aosa_mask_set *masks;
    struct ao_fill fill;
    float *seen, *hidden, *limit; /* w [3 VOXELS][2], h [3 VOXELS][2], C [1][2] */
};

static float *values_of(struct rig *rig, int value)
{
    return (float *)(uintptr_t)rig->net.graph.values[value].data;
}

static void set_up(struct rig *rig, const char *masks)
{
    struct ao_flow_field *flow = constant_flow(T, SIDE, SIDE, 0, 0);
    memset(rig, 0, sizeof *rig);
    struct net *net = &rig->net;
    net_init(net, 12, SHAPE(1, 3, T, SIDE, SIDE));
    const int seen = net_constant(net, SHAPE(3 * VOXELS, 2), 0, 1);
    const int hidden = net_constant(net, SHAPE(3 * VOXELS, 2), 0, 0);
    const int limit = net_constant(net, SHAPE(1, 2), 0, 0);
    const int x = net_unary(net, "Flatten", 0);
    const int lost = net_binary(net, "Sub", limit, net_binary(net, "MatMul", x, hidden));
    net_output(net, net_binary(net, "Sub", net_binary(net, "MatMul", x, seen),
                               net_unary(net, "Relu", lost)));
    net_finish(net);
    subject_init(&rig->s, &net->graph);
    rig->seen = values_of(rig, seen);
    rig->hidden = values_of(rig, hidden);
    rig->limit = values_of(rig, limit);
    for (int i = 0; i < 3 * VOXELS; i++) {
        rig->s.clip->values[i] = 1;
        rig->seen[2 * i + 1] = rig->seen[2 * i] / 2;
    }
    rig->masks = generate(flow, NULL, masks);
    ao_flow_field_destroy(&flow);
    rig->s.a.masks = rig->masks;
    rig->s.a.fill = &rig->fill;
    rig->s.a.target = "0";
    rig->s.a.run.backend = AO_BACKEND_REFERENCE_F64;
}

static void tear_down(struct rig *rig)
{
    subject_close(&rig->s);
    ao_mask_set_destroy(&rig->masks);
    ao_graph_fini(&rig->net.graph);
}

static const struct ao_map_result *run(struct rig *rig, const char *method, int budget)
{
    char text[16];
    snprintf(text, sizeof text, "%d", budget);
    subject_set(&rig->s, "budget", text);
    if (subject_run(&rig->s, method) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    return &rig->s.a.results[0];
}

/* Scores under the masks, freed by the caller, of a run by `method`. */
static float *scores_of(struct rig *rig, const char *method, int budget)
{
    const struct ao_map_result *result = run(rig, method, budget);
    const size_t bytes = (size_t)rig->masks->M * sizeof(float);
    float *scores = malloc(bytes);
    assert_non_null(scores);
    memcpy(scores, result->scores, bytes);
    return scores;
}

static int count_measured(const struct rig *rig, const float *scores)
{
    int n = 0;
    for (int m = 0; m < rig->masks->M; m++)
        n += scores[m] != (float)rig->s.a.results[0].base;
    return n;
}

static void a_budget_for_all_masks_gives_the_exact_map(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, "mask=flow_one size=8 stride=4");
    static float exact[VOXELS];
    memcpy(exact, run(&rig, "aosa", 0)->map, sizeof exact);
    const struct ao_map_result *result = run(&rig, "aosa-guided", 100000);
    assert_memory_equal(result->map, exact, sizeof exact);
    assert_int_equal(rig.s.a.passes.forwards, 2 + rig.masks->M);
    assert_int_equal(rig.s.a.passes.backwards, 1);
    tear_down(&rig);
}

/* Where no masks share voxels and the score is linear, the estimates are the effects. */
static void a_linear_score_has_its_largest_drops_measured(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, "mask=flow_one size=4 stride=4");
    const int M = rig.masks->M, wanted = 11;
    assert_true(M >= 49);
    float *exact = scores_of(&rig, "aosa", 0);
    float *some = scores_of(&rig, "aosa-guided", ESTIMATE + wanted);
    assert_int_equal(count_measured(&rig, some), wanted);
    for (int m = 0; m < M; m++) {
        int lower = 0;
        for (int i = 0; i < M; i++)
            lower += exact[i] < exact[m];
        const float want = lower < wanted ? exact[m] : (float)rig.s.a.results[0].base;
        assert_true(some[m] == want);
    }
    free(exact);
    free(some);
    tear_down(&rig);
}

/*
 * A square of 12 pixels whose loss is not felt at the clip, with one pixel in its middle that is.
 * All other pixels are felt a little, so that first order alone would never come to most of the
 * square's masks.
 */
static void neighbours_of_what_matters_come_next(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, "mask=flow_one size=8 stride=4");
    double sum = 0;
    for (int i = 0; i < 3 * VOXELS; i++) {
        const int y = i / SIDE % SIDE, x = i % SIDE;
        const bool inside = y >= 8 && y < 20 && x >= 8 && x < 20;
        rig.seen[2 * i] = inside ? 0 : 0.001F;
        if (y == 14 && x == 14)
            rig.seen[2 * i] = 1;
        rig.hidden[2 * i] = inside ? 1 : 0;
        sum += inside ? 1 : 0;
    }
    rig.limit[0] = (float)sum - 100; /* so much of the square may be hidden unnoticed */
    float *exact = scores_of(&rig, "aosa", 0);
    float *estimates = scores_of(&rig, "first_order", 0);
    float *some = scores_of(&rig, "aosa-guided", ESTIMATE + 2 * ROUND);
    const double base = rig.s.a.results[0].base;
    int matter = 0, unfelt = 0;
    for (int m = 0; m < rig.masks->M; m++) {
        if (base - (double)exact[m] < 100)
            continue;
        int before = 0;
        for (int i = 0; i < rig.masks->M; i++)
            before += estimates[i] < estimates[m];
        matter++;
        unfelt += before >= 2 * ROUND;
        assert_true(some[m] == exact[m]);
    }
    print_message("%d masks matter, %d of them not among the %d of the largest estimates\n", matter,
                  unfelt, 2 * ROUND);
    assert_true(unfelt > 0);
    free(exact);
    free(estimates);
    free(some);
    tear_down(&rig);
}

static void the_plan_counts_what_will_run(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, "mask=flow_one size=8 stride=8");
    static const struct {
        const char *target;
        int targets, budget, masks;
    } cases[] = {
        { "0", 1, 5, 1 },     { "0", 1, 14, 10 },  { "0", 1, 0, 16 },
        { "0", 1, 1000, 16 }, { "top2", 2, 8, 1 }, { "top2", 2, 1000, 16 },
    };
    assert_int_equal(rig.masks->M, 16);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ao_passes passes;
        rig.s.a.target = cases[i].target;
        run(&rig, "aosa-guided", cases[i].budget);
        const struct ao_attribution *a = &rig.s.a;
        assert_int_equal(a->n_results, cases[i].targets);
        assert_int_equal(a->method->passes(a, a->n_results, &passes), AOSA_OK);
        assert_int_equal(passes.forwards, a->passes.forwards);
        assert_int_equal(passes.backwards, a->passes.backwards);
        assert_int_equal(passes.forwards, cases[i].targets + 1 + cases[i].masks);
        assert_int_equal(passes.backwards, cases[i].targets);
    }
    tear_down(&rig);
}

static void a_budget_below_the_estimates_is_refused(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, "mask=flow_one size=8 stride=8");
    subject_set(&rig.s, "budget", "4");
    assert_int_equal(subject_run(&rig.s, "aosa-guided"), AOSA_ERR_ARGUMENT);
    assert_non_null(strstr(aosa_error_message(), "--budget 4"));
    tear_down(&rig);
}

/* Stops in the stage of the masks when so many forwards are done. */
static bool stop_at(void *user, const char *stage, size_t done, size_t total)
{
    (void)total;
    return strcmp(stage, "aosa-guided") != 0 || done < *(const size_t *)user;
}

static void a_stop_after_a_round_gives_the_map_so_far(void **state)
{
    (void)state;
    struct rig rig;
    size_t last = ROUND + 3;
    const struct ao_progress progress = { .fn = stop_at, .user = &last, .stage = "test" };
    set_up(&rig, "mask=flow_one size=8 stride=4");
    rig.s.a.progress = &progress;
    float *some = scores_of(&rig, "aosa-guided", 100000);
    print_message("%s\n", rig.s.a.warning);
    assert_true(rig.s.a.stopped);
    assert_non_null(strstr(rig.s.a.warning, "stopped after 8 of"));
    assert_int_equal(count_measured(&rig, some), ROUND);
    free(some);
    tear_down(&rig);
}

static void a_stop_before_that_is_an_error(void **state)
{
    (void)state;
    struct rig rig;
    size_t last = 2;
    const struct ao_progress progress = { .fn = stop_at, .user = &last, .stage = "test" };
    set_up(&rig, "mask=flow_one size=8 stride=4");
    rig.s.a.progress = &progress;
    assert_int_equal(subject_run(&rig.s, "aosa-guided"), AOSA_ERR_CANCELLED);
    tear_down(&rig);
}

static void both_engines_and_any_threads_agree(void **state)
{
    (void)state;
    struct subject s;
    subject_open(&s, "demo");
    struct ao_flow_field *flow = random_flow(s.clip->T, s.clip->H, s.clip->W, 2, 7);
    struct aosa_mask_set *masks = generate(flow, NULL, "mask=flow_one partners=1");
    struct ao_fill fill = { 0 };
    s.a.masks = masks;
    s.a.fill = &fill;
    /* doc/delta.md: scores err by up to 1e-4 of the largest drop; a voxel is in four masks with
     * their partners. */
    subject_compare_engines(&s, "aosa-guided", 2 + 16, 1e-3);
    subject_close(&s);
    ao_mask_set_destroy(&masks);
    ao_flow_field_destroy(&flow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_budget_for_all_masks_gives_the_exact_map),
        TEST(a_linear_score_has_its_largest_drops_measured),
        TEST(neighbours_of_what_matters_come_next),
        TEST(the_plan_counts_what_will_run),
        TEST(a_budget_below_the_estimates_is_refused),
        TEST(a_stop_after_a_round_gives_the_map_so_far),
        TEST(a_stop_before_that_is_an_error),
        TEST(both_engines_and_any_threads_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
