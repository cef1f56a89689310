/* SPDX-License-Identifier: Apache-2.0 */
/* Extremal perturbations on models whose important block is known. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attribution/extremal.h"
#include "attribution/mask_loss.h"
#include "core/alloc.h"
#include "support/random_net.h"
#include "support/subject.h"

/* cmocka compares as float; these are doubles. */
#define assert_near(a, b, bound) assert_true(fabs((double)(a) - (double)(b)) <= (bound))

static void reward_slopes_are_central_differences(void **state)
{
    (void)state;
    static const double scores[] = { -40, -3, -0.1, 0, 2, 35 };
    double slope, unused;
    for (int i = 0; i < 6; i++)
        for (int kind = AO_SCORE_PROB; kind <= AO_SCORE_LOG_ODDS; kind++)
            for (int hidden = 0; hidden < 2; hidden++) {
                const enum ao_score_kind score = (enum ao_score_kind)kind;
                const double h = 1e-4; /* third derivatives below 0.1, roundings 40 eps / h */
                ao_extremal_reward(score, scores[i], hidden, &slope);
                const double above = ao_extremal_reward(score, scores[i] + h, hidden, &unused);
                const double below = ao_extremal_reward(score, scores[i] - h, hidden, &unused);
                assert_near(slope, (above - below) / (2 * h), 1e-9);
                const double p = 1 / (1 + exp(-scores[i]));
                if (score == AO_SCORE_PROB && fabs(scores[i]) < 10)
                    assert_near(ao_extremal_reward(score, scores[i], hidden, &unused),
                                -log(hidden ? 1 - p : p), 1e-12);
            }
}

/* --------------------------------------------------------------------------------- whole methods
 */

/*
 * An additive model: class 1 has a logit of `gain` times the mean of the clip's values in a block
 * that moves, six others have 0; the clip is 1 everywhere and what hides is 0. So the logit is the
 * part of the block that the mask keeps. Or weights are random, and what to keep lies everywhere.
 */
enum { MT = 16, SIDE = 32, BLOCK = 16, MVOXELS = MT * SIDE * SIDE, CLASSES = 7 };
#define AREA 0.08 /* of 38 x 38 pixels: the frame and a margin of 3 */

struct model {
    struct net net;
    struct subject s;
    struct ao_fill fill;
};

static int block_frames = MT; /* the first, in which the block is there */

static bool in_block(int voxel)
{
    const int t = voxel / SIDE / SIDE, y = voxel / SIDE % SIDE - t, x = voxel % SIDE - 16 + t;
    return t < block_frames && y >= 0 && y < BLOCK && x >= 0 && x < BLOCK;
}

static void open_model(struct model *m, double gain, bool random)
{
    memset(m, 0, sizeof *m);
    net_init(&m->net, 3, SHAPE(1, 3, MT, SIDE, SIDE));
    const double width = random ? gain / MVOXELS : 0;
    const int weights = net_constant(&m->net, SHAPE(3 * MVOXELS, CLASSES), -width, width);
    float *w = (float *)(uintptr_t)m->net.graph.values[weights].data;
    for (int i = 0; i < 3 * MVOXELS && !random; i++)
        if (in_block(i % MVOXELS))
            w[i * CLASSES + 1] = (float)(gain / (3 * MT * BLOCK * BLOCK));
    net_output(&m->net, net_binary(&m->net, "MatMul", net_unary(&m->net, "Flatten", 0), weights));
    net_finish(&m->net);
    subject_init(&m->s, &m->net.graph);
    m->s.a.target = "1";
    m->s.a.fill = &m->fill;
    for (int i = 0; i < 3 * MVOXELS; i++)
        m->s.clip->values[i] = 1;
    subject_set(&m->s, "hiding", "fade");
    subject_set(&m->s, "areas", "0.08");
    subject_set(&m->s, "iterations", "100");
}

static void close_model(struct model *m)
{
    subject_close(&m->s);
    ao_graph_fini(&m->net.graph);
}

static const float *run(struct model *m, const char *method)
{
    if (subject_run(&m->s, method) != AOSA_OK)
        fail_msg("%s: %s", method, aosa_error_message());
    return m->s.a.results[0].map;
}

static double of_area(const struct model *m, size_t area, const char *key)
{
    const json_t *areas = json_object_get(m->s.a.results[0].extra, "areas");
    return json_real_value(json_object_get(json_array_get(areas, area), key));
}

/* Part of the map that lies in the block. */
static double hit(const float *map)
{
    double sum = 0, inside = 0;
    for (int i = 0; i < MVOXELS; i++) {
        assert_true(map[i] >= 0 && map[i] <= 1);
        sum += (double)map[i];
        inside += in_block(i) ? (double)map[i] : 0;
    }
    return inside / sum;
}

/* The block is twice as large as the mask may be, and a quarter of the frame, which is what chance
 * hits. */
static void step_finds_the_block_within_its_area(void **state)
{
    (void)state;
    static const char *const games[] = { "preserve", "dual" };
    struct model m;
    open_model(&m, 12, false);
    for (int i = 0; i < 2; i++) {
        subject_set(&m.s, "game", games[i]);
        const double part = hit(run(&m, "step")), area = of_area(&m, 0, "measured");
        printf("step, %s: %.3f in the block, area %.4f of %.2f\n", games[i], part, area, AREA);
        assert_true(part > 0.9);
        assert_near(area, AREA, 0.01);
        assert_string_equal(m.s.a.warning, "");
        assert_near(m.s.a.results[0].zero, 0, 0);
        assert_int_equal(m.s.a.passes.backwards, 1 + 100 * (i + 1));
    }
    close_model(&m);
}

/* The least of the means of a map's frames. */
static double least_frame(const float *map)
{
    double least = 1;
    for (int t = 0; t < MT; t++) {
        double sum = 0;
        for (int i = 0; i < SIDE * SIDE; i++)
            sum += (double)map[t * SIDE * SIDE + i] / (SIDE * SIDE);
        least = fmin(least, sum);
    }
    return least;
}

/*
 * The block is in half of the frames, an eighth of the clip. The mask for the whole clip leaves the
 * others alone, which the one for each frame cannot.
 */
static void extremal_perturbations_find_the_block(void **state)
{
    (void)state;
    struct model m;
    block_frames = MT / 2;
    open_model(&m, 4, false);
    subject_set(&m.s, "iterations", "60");
    m.s.a.score = AO_SCORE_PROB;
    const float *map = run(&m, "extremal_3d");
    const double whole = hit(map), emptiest = least_frame(map);
    printf("extremal_3d: %.3f in the block, least frame %.4f\n", whole, emptiest);
    assert_true(whole > 0.6);
    assert_true(emptiest < 0.01);
    map = run(&m, "extremal_2d");
    printf("extremal_2d: %.3f in the block, least frame %.4f\n", hit(map), least_frame(map));
    assert_true(hit(map) > 0.3);
    assert_true(least_frame(map) > 0.04);
    block_frames = MT;
    close_model(&m);
}

/* -------------------------------------------------------------------------------------- together
 */

static int neighbours(int voxel, int next[6])
{
    const int t = voxel / SIDE / SIDE, y = voxel / SIDE % SIDE, x = voxel % SIDE;
    int n = 0;
    if (t > 0)
        next[n++] = voxel - SIDE * SIDE;
    if (t < MT - 1)
        next[n++] = voxel + SIDE * SIDE;
    if (y > 0)
        next[n++] = voxel - SIDE;
    if (y < SIDE - 1)
        next[n++] = voxel + SIDE;
    if (x > 0)
        next[n++] = voxel - 1;
    if (x < SIDE - 1)
        next[n++] = voxel + 1;
    return n;
}

/* Pieces of where the map is over 1/2, whose voxels touch in space or time. */
static int pieces(const float *map)
{
    static int stack[MVOXELS];
    static bool seen[MVOXELS];
    int count = 0;
    for (int i = 0; i < MVOXELS; i++)
        seen[i] = map[i] <= 0.5F;
    for (int i = 0; i < MVOXELS; i++) {
        int n = !seen[i], next[6];
        count += n;
        seen[i] = true;
        stack[0] = i;
        while (n > 0)
            for (int k = neighbours(stack[--n], next); k > 0; k--)
                if (!seen[next[k - 1]]) {
                    seen[next[k - 1]] = true;
                    stack[n++] = next[k - 1];
                }
    }
    return count;
}

static double ellipsoid_loss_of(const float *map)
{
    static float unused[MVOXELS];
    struct ao_ellipsoids e;
    assert_int_equal(ao_ellipsoids_init(&e, MT, SIDE, SIDE, 7, 3), AOSA_OK);
    const double loss = ao_ellipsoids_loss(&e, map, AREA, 1, unused);
    ao_ellipsoids_fini(&e);
    return loss;
}

/* The same descent with and without the term, where important voxels lie anywhere. */
static void ellipsoids_keep_the_mask_together(void **state)
{
    (void)state;
    int n[2];
    double loss[2];
    struct model m;
    open_model(&m, 400, true);
    for (int with = 0; with < 2; with++) {
        const struct ao_extremal rule = { .reward = 1,
                                          .area = 300,
                                          .growth = 5.6567,
                                          .ellipsoids = with ? 300 : 0,
                                          .ellipsoids_at = 0.05 };
        subject_set(&m.s, "iterations", "1");
        run(&m, "step"); /* names the method */
        ao_attribution_fini(&m.s.a);
        m.s.a.results = NULL;
        m.s.a.outputs = ao_alloc(CLASSES, sizeof *m.s.a.outputs);
        subject_set(&m.s, "iterations", "60");
        assert_int_equal(ao_extremal_run(&m.s.a, &rule), AOSA_OK);
        n[with] = pieces(m.s.a.results[0].map);
        loss[with] = ellipsoid_loss_of(m.s.a.results[0].map);
    }
    printf("without and with ellipsoids: %d and %d pieces, loss %.3f and %.3f\n", n[0], n[1],
           loss[0], loss[1]);
    assert_true(n[1] < n[0]);
    assert_true(loss[1] < loss[0]);
    close_model(&m);
}

static void several_areas_give_the_mean_of_their_masks(void **state)
{
    (void)state;
    struct model m;
    float *sum = calloc(MVOXELS, sizeof *sum);
    assert_non_null(sum);
    open_model(&m, 12, false);
    subject_set(&m.s, "iterations", "10");
    for (int k = 0; k < 2; k++) {
        subject_set(&m.s, "areas", k ? "0.2" : "0.05");
        const float *map = run(&m, "step");
        for (int i = 0; i < MVOXELS; i++)
            sum[i] += map[i] / 2;
    }
    subject_set(&m.s, "areas", "0.05,0.2");
    const float *map = run(&m, "step");
    assert_int_equal(m.s.a.passes.forwards, 1 + 2 * 10);
    assert_near(of_area(&m, 1, "asked"), 0.2, 0);
    for (int i = 0; i < MVOXELS; i++)
        assert_near(map[i], sum[i], 6e-8);
    free(sum);
    close_model(&m);
}

static void areas_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        { "1.5", "--areas: 1.5 is out of range, 0.001 to 0.999 are allowed" },
        { "0.1,,0.2", "--areas: '' is not a number" },
        { "0.1 0.2", "--areas: '0.1 0.2' is not a number" },
        { ".1,.1,.1,.1,.1,.1,.1,.1,.1,.1,.1,.1,.1,.1,.1,.1,.1", "holds more than 16" },
    };
    struct ao_passes passes;
    struct model m;
    open_model(&m, 12, false);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        subject_set(&m.s, "areas", wrong[i][0]);
        assert_int_equal(subject_run(&m.s, "step"), AOSA_ERR_ARGUMENT);
        assert_non_null(strstr(aosa_error_message(), wrong[i][1]));
        assert_int_equal(ao_passes_extremal(&m.s.a, 1, &passes), AOSA_ERR_ARGUMENT);
    }
    close_model(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reward_slopes_are_central_differences),
        cmocka_unit_test(step_finds_the_block_within_its_area),
        cmocka_unit_test(extremal_perturbations_find_the_block),
        cmocka_unit_test(ellipsoids_keep_the_mask_together),
        cmocka_unit_test(several_areas_give_the_mean_of_their_masks),
        cmocka_unit_test(areas_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
