/* SPDX-License-Identifier: Apache-2.0 */
/* Coarse to fine: closed forms on additive networks, budget, stops, both engines. */
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

/* cmocka compares as float; these are doubles. */
#define assert_near(a, b, bound) assert_true(fabs((double)(a) - (double)(b)) <= (bound))

/* 2 x 2 roots of 16 pixels, cut into 8, 4 and 2: what is finest is 7 / 112 of 32 pixels. */
enum {
    T = 3,
    SIDE = 32,
    PIXELS = SIDE * SIDE,
    VOXELS = T * PIXELS,
    LEAF = 2,
    ALL = 4 + 16 + 64 + 256
};

/* f = sum of w x, x being 1. */
struct rig {
    struct net net;
    struct subject s;
    struct ao_flow_field *flow;
    struct ao_fill fill;
    float *weights; /* [VOXELS], of every channel */
};

static void set_up(struct rig *rig)
{
    memset(rig, 0, sizeof *rig);
    net_init(&rig->net, 12, SHAPE(1, 3, T, SIDE, SIDE));
    const int matrix = net_constant(&rig->net, SHAPE(3 * VOXELS, 1), 0, 1);
    net_output(&rig->net,
               net_binary(&rig->net, "MatMul", net_unary(&rig->net, "Flatten", 0), matrix));
    net_finish(&rig->net);
    subject_init(&rig->s, &rig->net.graph);
    rig->weights = (float *)(uintptr_t)rig->net.graph.values[matrix].data;
    rig->flow = constant_flow(T, SIDE, SIDE, 0, 0);
    rig->s.a.flow = rig->flow;
    rig->s.a.fill = &rig->fill;
    rig->s.a.target = "0";
    rig->s.a.run.backend = AO_BACKEND_REFERENCE_F64;
    subject_set(&rig->s, "smooth", "0");
    for (int i = 0; i < 3 * VOXELS; i++)
        rig->s.clip->values[i] = 1;
}

static void tear_down(struct rig *rig)
{
    subject_close(&rig->s);
    ao_flow_field_destroy(&rig->flow);
    ao_graph_fini(&rig->net.graph);
}

static const float *run(struct rig *rig, int budget, int roots)
{
    const int values[] = { budget, roots };
    const char *const names[] = { "budget", "roots" };
    for (int i = 0; i < 2; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", values[i]);
        subject_set(&rig->s, names[i], text);
    }
    if (subject_run(&rig->s, "aosa-refine") != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    return rig->s.a.results[0].map;
}

/* What hiding a square takes away: its weights, over all frames and channels. */
static double weight_of(const struct rig *rig, int y0, int x0, int size)
{
    double sum = 0;
    for (int plane = 0; plane < 3 * T; plane++)
        for (int y = y0; y < y0 + size; y++)
            for (int x = x0; x < x0 + size; x++)
                sum += (double)rig->weights[plane * PIXELS + y * SIDE + x];
    return sum;
}

static void all_leaves_of_an_additive_network_have_their_own_drop(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig);
    const float *map = run(&rig, 1 + ALL, 2);
    assert_int_equal(rig.s.a.passes.forwards, 1 + ALL);
    /* Four parts share their parent's drop, so three cuts multiply a leaf's by 64. Outputs near
     * 4600 are rounded to float: a drop errs by 2.5e-4 twice; shares of four levels add up. */
    double worst = 0;
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            const double want = 64 * weight_of(&rig, y / LEAF * LEAF, x / LEAF * LEAF, LEAF);
            worst = fmax(worst, fabs((double)map[PIXELS + y * SIDE + x] - want));
        }
    print_message("worst error %g of values up to 2304\n", worst);
    assert_true(worst <= 64 * 4 * 5e-4);
    assert_near(rig.s.a.results[0].zero, 0, 0);
    tear_down(&rig);
}

static void a_small_budget_goes_where_the_score_drops(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig);
    for (int i = 0; i < 3 * VOXELS; i++)
        rig.weights[i] = i % PIXELS == 21 * SIDE + 6 ? 1 : 0;
    const float *map = run(&rig, 1 + 4 + 3 * 4 * 2, 2);
    assert_true(rig.s.a.passes.forwards <= 1 + 4 + 3 * 4 * 2);
    /* All of the drop, 3 T, is in one leaf of each level: 4 x 4 x 4 of it, and nothing elsewhere.
     */
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            const bool hot = y / LEAF == 21 / LEAF && x / LEAF == 6 / LEAF;
            assert_near(map[y * SIDE + x], hot ? 64 * 3 * T : 0, 1e-4);
        }
    tear_down(&rig);
}

static void what_helps_to_hide_is_negative(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig);
    for (int i = 0; i < 3 * VOXELS; i++)
        rig.weights[i] = i % SIDE < SIDE / 2 ? 1 : -0.5F;
    const float *map = run(&rig, 1 + ALL, 2);
    const double one = 3 * T * LEAF * LEAF;
    for (int x = 0; x < SIDE; x++)
        assert_near(map[x], 64 * (x < SIDE / 2 ? one : -one / 2), 0.1); /* rounding as above */
    tear_down(&rig);
}

static void the_plan_counts_what_will_run(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig);
    static const struct {
        int budget, roots, forwards;
    } cases[] = {
        { 5, 2, 5 },   { 8, 2, 5 },
        { 9, 2, 9 },   { 20, 0, 18 }, /* 9 roots, 2 cuts */
        { 64, 0, 61 }, { 100000, 2, 1 + ALL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ao_passes passes;
        run(&rig, cases[i].budget, cases[i].roots);
        const struct ao_attribution *a = &rig.s.a;
        assert_int_equal(a->method->passes(a, 1, &passes), AOSA_OK);
        print_message("budget %d: %d planned, %d run\n", cases[i].budget, (int)passes.forwards,
                      (int)a->passes.forwards);
        assert_int_equal(passes.forwards, a->passes.forwards);
        assert_int_equal(a->passes.forwards, cases[i].forwards);
    }
    tear_down(&rig);
}

static void a_budget_below_the_roots_is_refused(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig);
    subject_set(&rig.s, "budget", "4");
    subject_set(&rig.s, "roots", "2");
    assert_int_equal(subject_run(&rig.s, "aosa-refine"), AOSA_ERR_ARGUMENT);
    assert_non_null(strstr(aosa_error_message(), "--budget 4"));
    tear_down(&rig);
}

/* Stops when so many forwards are done. */
static bool stop_at(void *user, const char *stage, size_t done, size_t total)
{
    (void)stage, (void)total;
    return done < *(const size_t *)user;
}

static void a_stop_after_the_roots_gives_the_map_so_far(void **state)
{
    (void)state;
    struct rig rig;
    size_t last = 40;
    const struct ao_progress progress = { .fn = stop_at, .user = &last, .stage = "test" };
    set_up(&rig);
    rig.s.a.progress = &progress;
    const float *map = run(&rig, 1 + ALL, 2);
    const int forwards = (int)rig.s.a.passes.forwards;
    print_message("%s\n", rig.s.a.warning);
    assert_true(forwards >= 1 + 4 && forwards <= 41);
    assert_true(rig.s.a.stopped);
    assert_non_null(strstr(rig.s.a.warning, "stopped after"));
    double sum = 0;
    for (int i = 0; i < PIXELS; i++)
        sum += (double)map[i];
    /* Whatever was cut, shares keep the mean: that of the four roots' drops. */
    assert_near(sum / PIXELS, weight_of(&rig, 0, 0, SIDE) / 4, 0.05);
    tear_down(&rig);
}

static void a_stop_before_that_is_an_error(void **state)
{
    (void)state;
    struct rig rig;
    size_t last = 2;
    const struct ao_progress progress = { .fn = stop_at, .user = &last, .stage = "test" };
    set_up(&rig);
    rig.s.a.progress = &progress;
    subject_set(&rig.s, "roots", "2");
    assert_int_equal(subject_run(&rig.s, "aosa-refine"), AOSA_ERR_CANCELLED);
    tear_down(&rig);
}

static void open_demo(struct subject *s, struct ao_flow_field **flow, struct ao_fill *fill)
{
    subject_open(s, "demo");
    *flow = random_flow(s->clip->T, s->clip->H, s->clip->W, 2, 7);
    *fill = (struct ao_fill){ 0 };
    s->a.flow = *flow;
    s->a.fill = fill;
    subject_set(s, "budget", "20");
}

static void both_engines_and_any_threads_agree(void **state)
{
    (void)state;
    struct subject s;
    struct ao_flow_field *flow;
    struct ao_fill fill;
    open_demo(&s, &flow, &fill);
    /* doc/delta.md: full runs err by up to 1e-4 of the largest drop, and a share divides two. */
    subject_compare_engines(&s, "aosa-refine", 1 + 9 + 4 * 2, 1e-3);
    subject_close(&s);
    ao_flow_field_destroy(&flow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_leaves_of_an_additive_network_have_their_own_drop),
        TEST(a_small_budget_goes_where_the_score_drops),
        TEST(what_helps_to_hide_is_negative),
        TEST(the_plan_counts_what_will_run),
        TEST(a_budget_below_the_roots_is_refused),
        TEST(a_stop_after_the_roots_gives_the_map_so_far),
        TEST(a_stop_before_that_is_an_error),
        TEST(both_engines_and_any_threads_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
