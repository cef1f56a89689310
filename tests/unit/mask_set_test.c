/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/npy.h"
#include "core/rng.h"
#include "mask/export.h"
#include "mask/stacking.h"
#include "mask_fixture.h"

/* Whether a mask hides a voxel, straight from the definition of the square. */
static bool is_occluded(const struct aosa_mask_set *set, int m, int t, int y, int x)
{
    const int half = set->size / 2, odd = set->size % 2;
    for (int k = set->first[m]; k < set->first[m + 1]; k++) {
        const struct ao_track_point p = set->points[set->members[k] * set->T + t];
        if (p.alive && y >= p.y - half && y < p.y + half + odd && x >= p.x - half &&
            x < p.x + half + odd)
            return true;
    }
    return false;
}

static void check_boxes(const struct aosa_mask_set *set, struct ao_box *boxes, int most,
                        uint8_t *visible)
{
    for (int m = 0; m < set->M; m++) {
        int64_t n_occluded = 0;
        paint(set, m, visible);
        for (int t = 0; t < set->T; t++) {
            const int n = ao_mask_boxes(set, m, t, boxes);
            assert_in_range(n, 0, most);
            for (int y = 0; y < set->H; y++)
                for (int x = 0; x < set->W; x++) {
                    int n_boxes = 0;
                    for (int i = 0; i < n; i++)
                        n_boxes += y >= boxes[i].y0 && y < boxes[i].y1 && x >= boxes[i].x0 &&
                                   x < boxes[i].x1;
                    const bool want = is_occluded(set, m, t, y, x);
                    assert_int_equal(n_boxes, want);
                    assert_int_equal(visible[(t * set->H + y) * set->W + x], !want);
                    n_occluded += want;
                }
        }
        assert_int_equal(ao_mask_occluded(set, m), n_occluded);
        const double all = set->T * set->H * set->W;
        assert_true(ao_mask_visible(set, m) == (all - (double)n_occluded) / all);
    }
}

static void boxes_of_random_masks_are_disjoint_and_exact(void **state)
{
    (void)state;
    struct ao_rng rng;
    ao_rng_init(&rng, 7);
    for (int round = 0; round < 60; round++) {
        const int T = 1 + (int)ao_rng_below(&rng, 3), H = 1 + (int)ao_rng_below(&rng, 19);
        const int W = 1 + (int)ao_rng_below(&rng, 19), N = 1 + (int)ao_rng_below(&rng, 9);
        const int size = 1 + (int)ao_rng_below(&rng, (uint64_t)(H < W ? H : W));
        struct aosa_mask_set *set = NULL;
        assert_int_equal(ao_mask_set_create(T, H, W, size, N, false, &set), AOSA_OK);
        for (int i = 0; i < N * T; i++)
            set->points[i] = (struct ao_track_point){ ao_rng_below(&rng, 4) > 0,
                                                      (int16_t)ao_rng_below(&rng, (uint64_t)H),
                                                      (int16_t)ao_rng_below(&rng, (uint64_t)W) };
        int32_t tracks[9];
        assert_int_equal(ao_stack_begin(set, 4, 36), AOSA_OK);
        for (int m = 0; m < 4; m++) {
            const size_t n = 1 + ao_rng_below(&rng, 9);
            for (size_t k = 0; k < n; k++)
                tracks[k] = (int32_t)ao_rng_below(&rng, (uint64_t)N);
            ao_stack_add(set, tracks, n);
        }
        const int most = ao_mask_set_max_boxes(set);
        /* Exactly as large as promised, so that a sanitizer sees one box too many. */
        struct ao_box *boxes = malloc((size_t)most * sizeof *boxes);
        uint8_t *visible = malloc((size_t)(T * H * W));
        check_boxes(set, boxes, most, visible);
        free(boxes);
        free(visible);
        ao_mask_set_destroy(&set);
    }
}

static void boxes_of_one_track_are_one_box(void **state)
{
    (void)state;
    struct ao_flow_field *flow = constant_flow(3, 20, 30, 1, 0);
    struct aosa_mask_set *set = generate(flow, NULL, "size=5 stride=7");
    assert_int_equal(ao_mask_set_max_boxes(set), 1);
    ao_mask_set_destroy(&set);
    ao_flow_field_destroy(&flow);
}

static void odd_sizes_reach_half_to_both_sides(void **state)
{
    (void)state;
    struct ao_flow_field *flow = constant_flow(1, 9, 9, 0, 0);
    const int sizes[] = { 1, 2, 3, 8, 9 };
    for (int i = 0; i < 5; i++) {
        char settings[64];
        snprintf(settings, sizeof settings, "size=%d stride=9", sizes[i]);
        struct aosa_mask_set *set = generate(flow, NULL, settings);
        assert_int_equal(set->N, 1);
        const struct ao_box box = ao_track_box(set, 0, 0); /* around (4, 4) */
        assert_int_equal(box.y0, 4 - sizes[i] / 2);
        assert_int_equal(box.x1, 4 + sizes[i] / 2 + sizes[i] % 2);
        assert_int_equal(ao_mask_occluded(set, 0), sizes[i] * sizes[i]);
        ao_mask_set_destroy(&set);
    }
    ao_flow_field_destroy(&flow);
}

/* Opens, removes and checks the shape of what was saved. */
static struct ao_npy saved(const char *path, enum ao_npy_type type, int rank, const int64_t *dims)
{
    struct ao_npy array;
    assert_int_equal(ao_npy_open(&array, path), AOSA_OK);
    remove(path);
    assert_int_equal(array.type, type);
    assert_int_equal(array.rank, rank);
    assert_memory_equal(array.dims, dims, (size_t)rank * sizeof *dims);
    return array;
}

static void saved_arrays_hold_the_tracks_and_masks(void **state)
{
    (void)state;
    char path[] = "/tmp/aosa_mask_test_XXXXXX";
    close(mkstemp(path));
    struct ao_flow_field *flow = quadrant_flow();
    struct aosa_mask_set *set = generate(flow, NULL, "size=3 stride=4 partners=2");
    const int32_t stack[] = { 0, 1, 3, 1, 0, 3, 2, 3, -1, 3, 2, -1 };
    uint8_t visible[4 * 8 * 8];

    assert_int_equal(ao_mask_set_save_tracks(set, path), AOSA_OK);
    struct ao_npy array = saved(path, AO_NPY_I16, 3, (const int64_t[]){ 4, 4, 3 });
    assert_memory_equal(array.data, set->points, 4 * 4 * 3 * sizeof(int16_t));
    ao_npy_close(&array);
    assert_int_equal(ao_mask_set_save_stack(set, path), AOSA_OK);
    array = saved(path, AO_NPY_I32, 2, (const int64_t[]){ 4, 3 });
    assert_memory_equal(array.data, stack, sizeof stack);
    ao_npy_close(&array);
    assert_int_equal(ao_mask_set_save_masks(set, path), AOSA_OK);
    array = saved(path, AO_NPY_U8, 4, (const int64_t[]){ 4, 4, 8, 8 });
    for (int m = 0; m < 4; m++) {
        paint(set, m, visible);
        assert_memory_equal((const uint8_t *)array.data + (size_t)m * sizeof visible, visible,
                            sizeof visible);
    }
    ao_npy_close(&array);
    ao_mask_set_destroy(&set);
    ao_flow_field_destroy(&flow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boxes_of_random_masks_are_disjoint_and_exact),
        cmocka_unit_test(boxes_of_one_track_are_one_box),
        cmocka_unit_test(odd_sizes_reach_half_to_both_sides),
        cmocka_unit_test(saved_arrays_hold_the_tracks_and_masks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
