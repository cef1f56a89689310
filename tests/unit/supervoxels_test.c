/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/alloc.h"
#include "core/rng.h"
#include "mask/supervoxels.h"

enum { T = 6, H = 40, W = 36, PIXELS = H * W, VOXELS = T * PIXELS, SIDE = 14 };

static const struct ao_slic usual = { .n = 60, .compactness = 10, .frame_px = 1 };

/* A red square on a green ground that goes 2 pixels right and 1 down in every frame, both noisy. */
static bool in_square(int v)
{
    const int t = v / PIXELS, y = v / W % H, x = v % W;
    return y >= 6 + t && y < 6 + t + SIDE && x >= 5 + 2 * t && x < 5 + 2 * t + SIDE;
}

static void paint(uint8_t *rgb)
{
    struct ao_rng rng;
    ao_rng_init(&rng, 5);
    for (int v = 0; v < VOXELS; v++) {
        const int noise = (int)ao_rng_below(&rng, 16);
        rgb[3 * v] = (uint8_t)((in_square(v) ? 190 : 50) + noise);
        rgb[3 * v + 1] = (uint8_t)((in_square(v) ? 40 : 130) + noise);
        rgb[3 * v + 2] = (uint8_t)(60 + noise);
    }
}

static struct ao_supervoxels make(const struct ao_slic *options)
{
    static uint8_t rgb[3 * VOXELS];
    struct ao_supervoxels s;
    paint(rgb);
    if (ao_supervoxels_slic(rgb, T, H, W, options, &s) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    return s;
}

/* Sizes of all segments, freed by the caller; every label is in range and used. */
static int *count(const struct ao_supervoxels *s)
{
    int *sizes = calloc((size_t)s->n, sizeof *sizes);
    assert_non_null(sizes);
    for (int v = 0; v < s->T * s->H * s->W; v++) {
        assert_true(s->label[v] >= 0 && s->label[v] < s->n);
        sizes[s->label[v]]++;
    }
    for (int k = 0; k < s->n; k++)
        assert_true(sizes[k] > 0);
    return sizes;
}

static int find(int *parent, int v)
{
    while (parent[v] != v)
        v = parent[v] = parent[parent[v]];
    return v;
}

/* Pieces that voxels of one label form through their faces: by union and find, not by a flood. */
static int count_pieces(const struct ao_supervoxels *s)
{
    const int step[3] = { 1, s->W, s->H * s->W };
    const int voxels = s->T * s->H * s->W;
    int *parent = calloc((size_t)voxels, sizeof *parent), pieces = voxels;
    assert_non_null(parent);
    for (int v = 0; v < voxels; v++)
        parent[v] = v;
    for (int v = 0; v < voxels; v++)
        for (int d = 0; d < 3; d++) {
            const bool at_border = d == 0   ? v % s->W == 0
                                   : d == 1 ? v / s->W % s->H == 0
                                            : v < s->H * s->W;
            if (at_border || s->label[v] != s->label[v - step[d]])
                continue;
            const int a = find(parent, v), b = find(parent, v - step[d]);
            pieces -= a != b;
            parent[a] = b;
        }
    free(parent);
    return pieces;
}

static void grid_cells_differ_by_one_voxel_along_an_axis(void **state)
{
    (void)state;
    struct ao_supervoxels s;
    assert_int_equal(ao_supervoxels_grid(7, 10, 11, (const int[]){ 3, 2, 4 }, &s), AOSA_OK);
    assert_int_equal(s.n, 24);
    int *sizes = count(&s);
    for (int k = 0; k < s.n; k++)
        assert_in_range(sizes[k], 2 * 5 * 2, 3 * 5 * 3);
    assert_int_equal(count_pieces(&s), 24);
    assert_int_equal(s.label[0], 0);
    assert_int_equal(s.label[10], 3);
    assert_int_equal(s.label[9 * 11], 4);
    assert_int_equal(s.label[6 * 110], 16);
    free(sizes);
    ao_supervoxels_fini(&s);
}

static void grid_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct ao_supervoxels s;
    assert_int_equal(ao_supervoxels_grid(4, 8, 8, (const int[]){ 5, 2, 2 }, &s), AOSA_ERR_ARGUMENT);
    assert_string_equal(aosa_error_message(),
                        "supervoxels: 5 cells along t, the clip has 4; take 1 to 4");
    assert_int_equal(ao_supervoxels_grid(4, 8, 8, (const int[]){ 4, 2, 0 }, &s), AOSA_ERR_ARGUMENT);
}

static void segments_are_connected_and_none_is_small(void **state)
{
    (void)state;
    for (int n = 1; n <= 250; n = 3 * n + 1) {
        const struct ao_slic options = { .n = n, .compactness = 10, .frame_px = 0.5 };
        struct ao_supervoxels s = make(&options);
        int *sizes = count(&s), least = VOXELS;
        /* Label 0 holds the first voxel, before which no piece lies that it could join. */
        for (int k = 1; k < s.n; k++)
            least = sizes[k] < least ? sizes[k] : least;
        printf("%d segments asked for: %d, least %d\n", n, s.n, least);
        assert_int_equal(count_pieces(&s), s.n);
        assert_true(least >= VOXELS / n / 4);
        assert_in_range(s.n, n / 2, n + n / 2); /* the grid has at most n seeds, pieces add some */
        free(sizes);
        ao_supervoxels_fini(&s);
    }
}

static void segments_follow_the_edge_of_a_moving_square(void **state)
{
    (void)state;
    for (int per_frame = 0; per_frame < 2; per_frame++) {
        struct ao_slic options = usual;
        options.per_frame = per_frame;
        struct ao_supervoxels s = make(&options);
        int *sizes = count(&s), *inside = calloc((size_t)s.n, sizeof *inside), wrong = 0;
        assert_non_null(inside);
        for (int v = 0; v < VOXELS; v++)
            inside[s.label[v]] += in_square(v);
        for (int k = 0; k < s.n; k++)
            wrong += inside[k] < sizes[k] - inside[k] ? inside[k] : sizes[k] - inside[k];
        printf("%d of %d voxels on the wrong side of the edge\n", wrong, VOXELS);
        /* Red and green are 100 units of Lab apart and a step is worth 10, so a voxel changes sides
         * only by joining as part of a small piece; the edges are 6 * 4 * 14 voxels long. */
        assert_true(wrong <= T * 4 * SIDE / 10);
        free(sizes);
        free(inside);
        ao_supervoxels_fini(&s);
    }
}

static void frames_share_no_segment_if_each_is_cut_for_itself(void **state)
{
    (void)state;
    struct ao_slic options = usual;
    int frame[T * 2 * 60];
    options.per_frame = true;
    struct ao_supervoxels s = make(&options);
    assert_true(s.n <= T * 2 * 60);
    memset(frame, -1, sizeof frame);
    for (int v = 0; v < VOXELS; v++) {
        int *of = &frame[s.label[v]];
        assert_true(*of < 0 || *of == v / PIXELS);
        *of = v / PIXELS;
    }
    assert_int_equal(count_pieces(&s), s.n);
    ao_supervoxels_fini(&s);
}

static void far_frames_make_short_segments(void **state)
{
    (void)state;
    int spans[2];
    for (int far = 0; far < 2; far++) {
        struct ao_slic options = usual;
        options.frame_px = far ? 6 : 0.2;
        struct ao_supervoxels s = make(&options);
        spans[far] = 0;
        for (int v = PIXELS; v < VOXELS; v++)
            spans[far] += s.label[v] == s.label[v - PIXELS];
        ao_supervoxels_fini(&s);
    }
    printf("of %d pairs of frames' voxels one segment holds %d near, %d far\n", VOXELS - PIXELS,
           spans[0], spans[1]);
    /* Far: 60 segments of 36 x 40 x 36 pixels are 9.5 wide, so three layers of two frames: 2 of 5
     * borders between frames are cut everywhere. Near: one layer, cut only where the square moves.
     */
    assert_true(spans[1] < 0.65 * (VOXELS - PIXELS) && spans[0] > 0.9 * (VOXELS - PIXELS));
}

static void same_clip_gives_same_labels(void **state)
{
    (void)state;
    struct ao_supervoxels a = make(&usual), b = make(&usual);
    assert_int_equal(a.n, b.n);
    assert_memory_equal(a.label, b.label, VOXELS * sizeof *a.label);
    ao_supervoxels_fini(&a);
    ao_supervoxels_fini(&b);
}

static void compact_segments_of_a_plain_clip_are_its_grid(void **state)
{
    (void)state;
    static const uint8_t rgb[3 * 4 * 12 * 12];
    const struct ao_slic options = { .n = 16, .compactness = 10, .frame_px = 0.1 };
    struct ao_supervoxels slic, grid;
    assert_int_equal(ao_supervoxels_slic(rgb, 4, 12, 12, &options, &slic), AOSA_OK);
    assert_int_equal(ao_supervoxels_grid(4, 12, 12, (const int[]){ 1, 4, 4 }, &grid), AOSA_OK);
    assert_int_equal(slic.n, 16);
    assert_memory_equal(slic.label, grid.label, sizeof(int32_t) * 4 * 12 * 12);
    ao_supervoxels_fini(&slic);
    ao_supervoxels_fini(&grid);
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    static const uint8_t rgb[3 * 2 * 4 * 4];
    static const struct ao_slic wrong[] = { { 0, 10, 1, false },
                                            { 33, 10, 1, false },
                                            { 17, 10, 1, true },
                                            { 8, 0, 1, false },
                                            { 8, 10, 0, false } };
    struct ao_supervoxels s;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(ao_supervoxels_slic(rgb, 2, 4, 4, &wrong[i], &s), AOSA_ERR_ARGUMENT);
    assert_int_equal(ao_supervoxels_slic(rgb, 1 << 20, 1 << 20, 4, &usual, &s),
                     AOSA_ERR_UNSUPPORTED);
    /* As many segments as voxels: each is one. */
    const struct ao_slic all = { 32, 10, 1, false };
    assert_int_equal(ao_supervoxels_slic(rgb, 2, 4, 4, &all, &s), AOSA_OK);
    assert_int_equal(s.n, 32);
    ao_supervoxels_fini(&s);
}

static void memory_that_is_not_there_is_reported(void **state)
{
    (void)state;
    static const uint8_t rgb[3 * 2 * 8 * 8];
    const struct ao_slic options = { 8, 10, 1, false };
    struct ao_supervoxels s;
    for (long n = 1; n <= 8; n++) {
        ao_alloc_fail_at(n);
        assert_int_equal(ao_supervoxels_slic(rgb, 2, 8, 8, &options, &s), AOSA_ERR_NOMEM);
    }
    ao_alloc_fail_at(1);
    assert_int_equal(ao_supervoxels_grid(2, 8, 8, (const int[]){ 1, 2, 2 }, &s), AOSA_ERR_NOMEM);
    ao_alloc_fail_at(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grid_cells_differ_by_one_voxel_along_an_axis),
        cmocka_unit_test(grid_that_does_not_fit_is_refused),
        cmocka_unit_test(segments_are_connected_and_none_is_small),
        cmocka_unit_test(segments_follow_the_edge_of_a_moving_square),
        cmocka_unit_test(frames_share_no_segment_if_each_is_cut_for_itself),
        cmocka_unit_test(far_frames_make_short_segments),
        cmocka_unit_test(same_clip_gives_same_labels),
        cmocka_unit_test(compact_segments_of_a_plain_clip_are_its_grid),
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(memory_that_is_not_there_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
